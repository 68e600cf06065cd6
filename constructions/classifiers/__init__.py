"""f_S and f_adv, which memorize robustly: built, counted, evaluated through nearby centres.

Theorems on CGRO classifiers.
"""
