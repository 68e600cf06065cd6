"""The test run checks shapes: what is annotated with one and has another raises."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
import torch
from jaxtyping import Float, TypeCheckError
from shape_checks import checked, fits

from constructions import Ball, exact_values
from constructions.internal import Flags, Labels, PerPoint, Points
from training import Dataset, mixed, project

X, Y = torch.zeros(3, 2), torch.ones(3, dtype=torch.int64)


def test_the_packages_are_checked():
    """Broadcasting would take the first two."""
    with pytest.raises(TypeCheckError, match="centre is no "):
        project(X, X[:1], Ball("inf", 0.5))
    with pytest.raises(TypeCheckError, match="mixed: robust is no"):
        mixed(torch.zeros(3, 1), torch.zeros(3), 0.5)
    with pytest.raises(TypeCheckError, match="Dataset: train_labels is no"):
        Dataset("d", "t", X, Y[:2], X, Y, 1, "s", ())


def test_what_is_refused_is_refused_in_its_own_words():
    with pytest.raises(TypeError, match="ReLUNetwork"):
        exact_values("no network", [0.0])


@checked
def told(points: Points, labels: Labels | None = None) -> tuple[PerPoint, Flags]:
    values = points.sum(1)
    return values, values > 0 if labels is None else labels > 0


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ((X.numpy(),), "points"),
        ((X, Y[:2]), "labels"),
        ((X, Y[:, None]), "labels"),
        ((X[..., None],), "return"),
        ((X.long(),), "return"),
    ],
)
def test_wrong_arguments_and_returns_are_found(arguments, wrong):
    assert told(X)[1].shape == told(points=X, labels=Y)[1].shape == (3,)
    with pytest.raises(TypeCheckError, match=f"told: {wrong} is no"):
        told(*arguments)


@dataclass
class Converted:
    points: Points
    values: PerPoint

    def __post_init__(self):
        self.points = torch.as_tensor(self.points)


class Pair(NamedTuple):
    points: Points
    values: PerPoint


@pytest.mark.parametrize("kind", [checked(Converted), checked(Pair)])
def test_fields_are_checked(kind):
    assert kind(X, X[:, 0]).values.shape == (3,)
    with pytest.raises(TypeCheckError, match="values is no"):
        kind(X, values=X[:2, 0])


def test_fields_are_checked_once_they_are_made():
    assert checked(Converted)(X.numpy(), X[:, 0]).points.equal(X)
    with pytest.raises(TypeCheckError, match="points is no"):
        checked(Pair)(X.numpy(), X[:, 0])


class Methods:
    def plain(self, x: Points) -> PerPoint:
        return x

    @classmethod
    def of_class(cls, x: Points) -> PerPoint:
        return x

    @staticmethod
    def static(x: Points) -> PerPoint:
        return x

    @property
    def read(self) -> PerPoint:
        return X


@pytest.mark.parametrize("name", ["plain", "of_class", "static", "read"])
def test_methods_are_checked(name):
    methods = checked(Methods)()
    with pytest.raises(TypeCheckError, match="return is no"):
        getattr(methods, name)(X)


Row, ROW = Float[np.ndarray, "d"], np.zeros(2)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (Row, [ROW], [ROW[None], ROW > 0, torch.zeros(2), [0.0, 0.0]]),
        (Row | None, [ROW, None], [ROW[None]]),
        (tuple[int, Row], [(1, ROW)], [(1, ROW[None]), (ROW, ROW)]),
        (tuple[Row, ...], [(), (ROW, ROW)], [(ROW, ROW[None])]),
        (list[Row], [[ROW]], [[ROW, ROW[None]]]),
        (dict[str, Row], [{"a": ROW}], [{"a": ROW, "b": ROW[None]}]),
    ],
)
def test_arrays_in_tuples_lists_and_dictionaries_are_checked(kind, right, wrong):
    assert all(fits(value, kind) for value in right)
    assert not any(fits(value, kind) for value in wrong)


def test_what_names_no_shape_is_left_alone():
    def plain(x: int) -> str:
        return str(x)

    assert checked(plain) is plain
