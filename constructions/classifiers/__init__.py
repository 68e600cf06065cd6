"""f_S and f_adv, which memorize robustly: built, counted, and evaluated through the centres that
matter.

Theorems on CGRO classifiers.
"""
