"""Data: images from files, tasks and labels, augmentation, and the papers' distributions.

Knows no models.
"""
