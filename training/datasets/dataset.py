"""Labelled points in [0,1], split into training and test points.

Whole, because it is one noun, `Dataset`, and how it is made.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from constructions.internal import (
    Labels,
    Points,
    TestLabels,
    TestPoints,
    as_float,
    as_tensor,
    brief,
    check_interval,
    check_labels,
)

from .images import FOLDERS, Images, Part, read_images, read_published
from .tasks import Task, class_labels, label_names, read_task, task_text


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Training and test points with labels, and where they are from.

    Points are in [0,1] if floating-point; uint8 k means k/255. Labels are -1, +1 (outputs 1) or
    0..K-1 (outputs K).

    Attributes:
        name: of the data.
        task: which labels they have.
        train_points: shape (N, *shape).
        train_labels: int64, (N,).
        test_points: likewise.
        test_labels: likewise.
        outputs: how many a network for them has.
        source: where the data are from.
        classes: classes[k] is what label k stands for (for labels -1, +1: what -1 stands for, and
            +1).
    """

    name: str
    task: str
    train_points: Points
    train_labels: Labels
    test_points: TestPoints
    test_labels: TestLabels
    outputs: int
    source: str
    classes: tuple[str, ...]

    def __repr__(self) -> str:  # images have millions of numbers
        counts = f"{len(self.train_points):,} + {len(self.test_points):,} points {self.shape}"
        return brief(f"Dataset({self.name}, {self.task}: {counts}, outputs {self.outputs})")

    @classmethod
    def from_tensors(
        cls,
        train_points: Any,
        train_labels: Any,
        test_points: Any,
        test_labels: Any,
        *,
        outputs: int | None = None,
        name: str = "tensors",
        task: str = "labels",
        source: str = "given tensors",
        classes: Sequence[str] | None = None,
    ) -> Dataset:
        """Make a data set of one's own from tensors, arrays or lists.

        Args:
            train_points: shape (N, *shape), floating-point in [0,1], or uint8 (k means k/255).
            train_labels: (N,) integers, -1 and +1 or 0..K-1.
            test_points: likewise, of the same shape and dtype.
            test_labels: likewise.
            outputs: by default 1 if a label is negative, else the largest label plus 1.
            name: of the data.
            task: which labels they have.
            source: where the data are from.
            classes: what the labels stand for; by default their numbers.

        Returns:
            A `Dataset`.

        Raises:
            TypeError: for what are no numbers.
            ValueError: for no points, other dtypes, values outside [0,1], NaN, lengths and shapes
                that differ, and labels that are not -1, +1 or 0..K-1 with K >= 2.

        Example:
            >>> points, labels = torch.tensor([[0.25], [0.5], [1.0]]), torch.tensor([-1, -1, 1])
            >>> data = Dataset.from_tensors(points, labels, points[1:], labels[1:])
            >>> data.shape, data.outputs, data.classes
            ((1,), 1, ('-1', '+1'))
        """
        tensors = {"train_points": train_points, "train_labels": train_labels}
        tensors |= {"test_points": test_points, "test_labels": test_labels}
        tensors = {key: as_tensor(values, key) for key, values in tensors.items()}
        train_points, train_labels, test_points, test_labels = tensors.values()
        for key in ("train_points", "test_points"):
            _check_points(tensors[key], key)
        shapes = (
            (train_points.shape[1:], train_points.dtype),
            (test_points.shape[1:], test_points.dtype),
        )
        if shapes[0] != shapes[1]:
            got = " and ".join(f"{tuple(shape)} {dtype}" for shape, dtype in shapes)
            raise ValueError(
                f"train_points and test_points must have one shape and dtype, got {got}"
            )
        if outputs is None and train_labels.numel() and not train_labels.is_floating_point():
            integers = train_labels.long()  # torch compares few types of integers
            outputs = 1 if bool((integers < 0).any()) else int(integers.max()) + 1
            if outputs == 1 and not bool((integers < 0).any()):
                raise ValueError(
                    "train_labels must be -1 and +1, or 0..K-1 with K >= 2, got only 0"
                )
        outputs = 2 if outputs is None else outputs
        if outputs < 1:
            raise ValueError(f"outputs must be at least 1, got {outputs}")
        for part in ("train", "test"):
            key, count = f"{part}_labels", len(tensors[f"{part}_points"])
            tensors[key] = check_labels(tensors[key], count, outputs, key)
        names = (
            tuple(classes)
            if classes
            else ("-1", "+1")
            if outputs == 1
            else tuple(map(str, range(outputs)))
        )
        if len(names) != max(2, outputs):
            raise ValueError(f"classes must name {max(2, outputs)} labels, got {list(names)}")
        return cls(name, task, outputs=outputs, source=source, classes=names, **tensors)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one point."""
        return tuple(self.train_points.shape[1:])

    def flat(self, dtype: torch.dtype = torch.float64) -> Dataset:
        """Give the same data with floating-point points of shape (N, D).

        Args:
            dtype: of the points.

        Returns:
            A `Dataset`.

        Example:
            >>> load_data("digits").flat().train_points.shape
            torch.Size([1437, 64])
        """
        train, test = (
            as_float(points, dtype).flatten(1).to(dtype)
            for points in (self.train_points, self.test_points)
        )
        return replace(self, train_points=train, test_points=test)

    def subset(
        self, train_points: int | None = None, test_points: int | None = None, seed: int = 0
    ) -> Dataset:
        """Take so many random training and test points, each label with its share, up to rounding.

        Those for a smaller number are the first of those for a larger one.

        Args:
            train_points: how many; None: all.
            test_points: likewise.
            seed: of the choice.

        Returns:
            A `Dataset`.

        Raises:
            ValueError: for a number not in 1..N.

        Example:
            >>> data = load_data("digits", "classes").subset(200, 50)
            >>> len(data.train_points), data.test_labels.bincount().tolist()
            (200, [5, 5, 5, 5, 5, 5, 5, 5, 5, 5])
        """
        parts = []
        for name, count in (("train", train_points), ("test", test_points)):
            points, labels = getattr(self, f"{name}_points"), getattr(self, f"{name}_labels")
            if count is not None and not 1 <= count <= len(points):
                raise ValueError(
                    f"{name}_points must be in 1..{len(points)}, the number of points, got {count}"
                )
            index = (
                slice(None)
                if count is None
                else _stratified(labels.cpu(), seed)[:count].to(labels.device)
            )
            parts += [points[index], labels[index]]
        return replace(
            self,
            **dict(
                zip(
                    ("train_points", "train_labels", "test_points", "test_labels"),
                    parts,
                    strict=True,
                )
            ),
        )

    def to(self, device: torch.device | str) -> Dataset:
        """Give the same data on a device.

        Args:
            device: such as "cuda".

        Returns:
            A `Dataset`.
        """
        names = ("train_points", "train_labels", "test_points", "test_labels")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def _check_points(points: torch.Tensor, name: str) -> None:
    if points.ndim < 2 or not points.numel():
        raise ValueError(
            f"{name} must have shape (N, ...) with N >= 1 points, got {tuple(points.shape)}"
        )
    if points.dtype != torch.uint8:
        check_interval(as_float(points, None, name), name)


def load_data(
    name: str | PathLike[str] = "digits",
    task: Task = "classes",
    seed: int = 0,
    *,
    root: str | PathLike[str] | None = None,
    download: bool = False,
) -> Dataset:
    """Load images by name, with the labels of a task.

    Digits, and images without a division in train and test, are split 80/20, stratified by class,
    with `seed`.

    Args:
        name: "digits": 1797 real 8x8 images of handwritten digits that come with scikit-learn,
            float64, multiples of 1/16. "mnist", "cifar10": as torchvision keeps them in the folder
            root, uint8. Otherwise the path of a folder or .tar, .tar.gz, .tgz file with images
            train/CLASS/FILE and test/CLASS/FILE, or CLASS/FILE (PNG or JPEG of one size), uint8.
        task: "classes" (as for `TrainingConfig` and `cgro train`), "parity" (odd +1, even -1), or
            labels of classes, see `read_task`.
        seed: of the split.
        root: folder of MNIST and CIFAR-10; by default the environment variable CGRO_DATA, or
            "data".
        download: whether missing files are fetched; they never are otherwise.

    Returns:
        A `Dataset` of images (N, C, H, W).

    Raises:
        ValueError: for an unknown name or task, and for missing, damaged or unfit files, naming
            them.
        OSError: where a download fails.

    Example:
        >>> data = load_data("digits", "parity")
        >>> data.train_points.shape, data.test_points.shape, sorted(set(data.train_labels.tolist()))
        (torch.Size([1437, 1, 8, 8]), torch.Size([360, 1, 8, 8]), [-1, 1])
        >>> load_data("digits", "3=-1,5-6=+1").classes
        ('3', '5 or 6')
    """
    read_task(task)  # raises before any file is read
    if seed < 0:
        raise ValueError(f"seed must be >= 0, got {seed}")
    if name == "digits":
        images = _digits(seed)
    elif name in FOLDERS:
        folder = Path(root if root is not None else os.environ.get("CGRO_DATA") or "data")
        images = read_published(str(name), folder, download)
    elif Path(name).exists():
        images = read_images(Path(name))
    else:
        kinds = ", ".join(("digits", *FOLDERS))
        raise ValueError(
            f"data must be {kinds}, or the path of a folder or tar file of images, got "
            f"{os.fspath(name)!r}"
        )
    if len(images.classes) < 2:
        raise ValueError(
            f"data must hold images of two classes or more, got {', '.join(images.classes)} in "
            f"{name}"
        )
    return _pose(str(name), task, images, seed)


def _digits(seed: int) -> Images:
    from sklearn.datasets import load_digits  # a second of imports that few commands need
    from sklearn.model_selection import train_test_split

    images, digits = load_digits(return_X_y=True)
    split = train_test_split(
        images / 16.0, digits, test_size=0.2, random_state=seed % 2**32, stratify=digits
    )
    train_points, test_points, train_digits, test_digits = (
        torch.from_numpy(part) for part in split
    )
    train, test = (
        (x.reshape(-1, 1, 8, 8), y)
        for x, y in ((train_points, train_digits), (test_points, test_digits))
    )
    source = "scikit-learn load_digits (UCI optical digits, Alpaydin and Kaynak 1998)"
    return Images(tuple("0123456789"), train, test, source)


def _stratified(labels: torch.Tensor, seed: int) -> torch.Tensor:
    """A random order of the points such that every beginning has each label with its share, up to
    rounding.
    """
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    places = torch.empty(len(labels), dtype=torch.float64)
    for label in labels.unique():
        members = (labels[shuffled] == label).nonzero()[:, 0]
        places[members] = (torch.arange(len(members), dtype=torch.float64) + 0.5) / len(members)
    return shuffled[places.argsort(stable=True)]


def _pose(name: str, task: Task, images: Images, seed: int) -> Dataset:
    """The data set of a task on images."""
    labels = class_labels(task, images.classes)
    names = label_names(labels, images.classes)
    left_out = -2
    table = torch.tensor([labels.get(k, left_out) for k in range(len(images.classes))])

    def labelled(part: Part) -> Part:
        points, found = part[0], table[part[1]]
        kept = found != left_out
        return (points, found) if bool(kept.all()) else (points[kept], found[kept])

    train, test = (
        (images.train, images.test) if images.test is not None else _split(images.train, seed)
    )
    parts = labelled(train), labelled(test)
    for part, (_, found) in zip(("training", "test"), parts, strict=True):
        for label, meaning in names.items():
            if label not in found:
                raise ValueError(
                    f"data must hold {part} images of each label, got none of {meaning} in {name}"
                )
    outputs = 1 if -1 in names else len(names)
    classes = tuple(names.values())
    return Dataset(name, task_text(task), *parts[0], *parts[1], outputs, images.source, classes)


def _split(part: Part, seed: int) -> tuple[Part, Part]:
    """80% and 20% of the images, stratified."""
    points, classes = part
    test, train = _stratified(classes, seed).tensor_split([len(classes) // 5])
    return (points[train], classes[train]), (points[test], classes[test])
