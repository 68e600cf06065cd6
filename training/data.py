"""Labelled images in [0,1]^D, split into training and test points."""

from __future__ import annotations

from dataclasses import dataclass

import torch

TASKS = ("parity", "classes")
"""parity: odd digits are +1, even ones -1. classes: labels 0..9."""


@dataclass(frozen=True)
class Dataset:
    """Points of shape (N, D), float64 in [0,1], and int64 labels of shape (N,): -1, +1 or 0..K-1.

    outputs: what a network for the task gives: 1 for labels -1, +1, else K. source: where the data comes from.
    """

    name: str
    task: str
    train_points: torch.Tensor
    train_labels: torch.Tensor
    test_points: torch.Tensor
    test_labels: torch.Tensor
    outputs: int
    source: str


def load_data(name: str = "digits", task: str = "parity", seed: int = 0) -> Dataset:
    """The named data for a task; 80% of it for training, stratified by digit, drawn with `seed`.

    digits: 1797 real 8x8 images of handwritten digits that come with scikit-learn, scaled from 0..16 to [0,1].
    Raises ValueError for an unknown name or task.

    >>> data = load_data("digits", "parity")
    >>> data.train_points.shape, data.test_points.shape, sorted(set(data.train_labels.tolist()))
    (torch.Size([1437, 64]), torch.Size([360, 64]), [-1, 1])
    """
    from sklearn.datasets import load_digits  # a second of imports that few commands need
    from sklearn.model_selection import train_test_split

    if name != "digits":
        raise ValueError(f"data must be 'digits', got {name!r}")
    if task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got {task!r}")
    images, digits = load_digits(return_X_y=True)
    split = train_test_split(images / 16.0, digits, test_size=0.2, random_state=seed, stratify=digits)
    train_points, test_points, train_digits, test_digits = (torch.from_numpy(part) for part in split)
    parity = task == "parity"
    train_labels, test_labels = (2 * (d % 2) - 1 if parity else d for d in (train_digits, test_digits))
    source = "scikit-learn load_digits (UCI optical digits, Alpaydin and Kaynak 1998)"
    return Dataset(name, task, train_points, train_labels, test_points, test_labels, 1 if parity else 10, source)
