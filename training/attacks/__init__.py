"""Losses and margins, and the attacks that climb them: FGSM, PGD, GTA, AutoAttack.

A new attack goes here.
"""
