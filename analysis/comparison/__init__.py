"""The main job: a learned network beside f_S and f_adv on one data set, and its page.

`cgro compare`.
"""
