"""What the other packages need of this one and users do not: readers of points, labels and models,
which measuring leaves unchanged.
"""

from constructions.internal import as_float, as_tensor, check_labels

from .attacks.batch_norm import batch_norm
from .datasets.reading import (
    check_differentiable,
    copied,
    differentiating,
    measuring,
    placement,
    read_outputs,
    unchanged,
)
from .theory.lazy import check_sphere

__all__ = [
    "as_float",
    "as_tensor",
    "batch_norm",
    "check_differentiable",
    "check_labels",
    "check_sphere",
    "copied",
    "differentiating",
    "measuring",
    "placement",
    "read_outputs",
    "unchanged",
]
