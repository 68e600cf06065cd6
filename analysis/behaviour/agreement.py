"""Where two models give the same label: on data, and in groups of points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from constructions import ReLUNetwork, predictions
from constructions.internal import (
    Flags,
    Outputs,
    PerPoint,
    Points,
    renamed,
)
from training import output_margin
from training.internal import as_float, as_tensor, check_labels, measuring, placement, read_outputs

from ..quantities.measured import Kind, Measured, Shares
from ..quantities.reading import check_scaled, read_batch, read_mask, read_model
from ..quantities.statistics import share

NETWORK_BATCH, MODEL_BATCH = 2**12, 2**9
"""Points evaluated together: by a `ReLUNetwork`, which splits them further as its memory asks for,
and by other models.
"""

AGREEMENT = "points at which both models predict the same label"


@renamed("first second points kind")
@measuring(evaluating=True)
def agreement(first: Any, second: Any, points: Any, *, kind: Kind = "exact") -> Measured:
    """Compare two models: the share of points at which both predict the same label.

    Args:
        first: what `read_model` reads, with one output (no label, f = 0, is a label of its own) or
            K. Networks of flat rows take images, too. A `ReLUNetwork` computes in float64, a module
            in the dtype and on the device of its weights, in eval mode (it is afterwards as it
            was), a function in the dtype of the points (uint8: float32).
        second: likewise, with as many outputs.
        points: (N, ...), floating-point, or uint8 (k means k/255).
        kind: "estimate" if the points are random ones.

    Returns:
        The share as `Measured` of this kind, with its interval.

    Raises:
        ValueError: for no points, NaN or infinity in them, images of 0 to 255 in floats, and
            outputs that are not (N, K) with one K.
        TypeError: for what is no model.
        FloatingPointError: for outputs that are NaN or infinite.

    Cost: one evaluation of both models at N points; memory for `MODEL_BATCH` of them.

    Example:
        >>> from constructions import affine
        >>> agreement(affine([[1.0]], [-0.5]), torch.nn.Identity(), [[0.25], [0.75]]).value
        0.5
    """
    return share(_agrees(first, second, points), kind)


@renamed("first second points groups kind")
@measuring(evaluating=True)
def agreement_by_group(
    first: Any, second: Any, points: Any, groups: Mapping[str, Any], *, kind: Kind = "exact"
) -> Shares:
    """Compare two models in each group of points.

    {"S_small": m <= radius, "S_large": m > radius} with signed distances m (N,) to f_clean's
    boundary are the groups that f_adv memorizes and leaves; see also `class_groups` and
    `quantile_groups`.

    Args:
        first: as for `agreement`.
        second: likewise.
        points: (N, ...), as for `agreement`.
        groups: from names to masks (N,) of booleans, which may overlap.
        kind: "estimate" if the points are random ones.

    Returns:
        `Shares` by the names of the groups, of this kind; empty groups are left out.

    Raises:
        ValueError: for masks that are not booleans, one a point, and as `agreement`.

    Cost: one evaluation of both models at N points.

    Example:
        >>> from constructions import affine
        >>> table = agreement_by_group(
        ...     affine([[1.0]], [-0.5]), affine([[1.0]]), [[0.25], [0.75]], {"small": [True, False]}
        ... )
        >>> table["small"].value
        0.0
    """
    x = read_batch(points)
    masks = {
        name: read_mask(mask, len(x), f"groups[{name!r}]").cpu() for name, mask in groups.items()
    }
    same = _agrees(first, second, x)
    shares = {name: share(same[mask], kind) for name, mask in masks.items() if mask.any()}
    return Shares(AGREEMENT, shares)


def class_groups(labels: Any, outputs: int) -> dict[str, Flags]:
    """Sort points into groups by their label.

    Args:
        labels: (N,), -1, +1 or 0..K-1.
        outputs: 1, or K >= 2.

    Returns:
        Masks (N,) by label: "-1" and "+1" for one output, "0" to "K-1" for K.

    Raises:
        ValueError: for other labels.

    Example:
        >>> {name: mask.tolist() for name, mask in class_groups([1, -1, 1], 1).items()}
        {'-1': [False, True, False], '+1': [True, False, True]}
    """
    y = as_tensor(labels, "labels").cpu()
    y = check_labels(y, y.shape[0] if y.ndim else 0, outputs)
    names = {"-1": -1, "+1": 1} if outputs == 1 else {str(k): k for k in range(outputs)}
    return {name: y == label for name, label in names.items()}


def quantile_groups(values: Any, bins: int = 4) -> dict[str, Flags]:
    """Sort points into groups of about equal size by a value of each.

    Equal values are in one group, so there may be fewer than `bins`.

    Args:
        values: (N,), without NaN; they may be infinite.
        bins: how many groups.

    Returns:
        Masks (N,) of points whose values lie between two neighbouring quantiles, in rising order,
        named "low to high" by the least and largest value of the group.

    Raises:
        ValueError: for no values, NaN, and bins < 1.

    Example:
        >>> {name: mask.tolist() for name, mask in quantile_groups([3.0, 1.0, 1.0, 2.5], 2).items()}
        {'1 to 1': [False, True, True, False], '2.5 to 3': [True, False, False, True]}
    """
    v = as_tensor(values).double().cpu()
    if v.ndim != 1 or not len(v) or v.isnan().any():
        raise ValueError(
            f"values must be numbers of shape (N,) with N >= 1 and without NaN, got shape "
            f"{tuple(v.shape)}"
        )
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    ordered = v.sort().values
    starts = torch.unique(ordered[[k * len(v) // bins for k in range(bins)]])
    index = torch.searchsorted(starts, v, right=True) - 1
    masks = [index == k for k in range(len(starts))]
    for digits in range(3, 18):  # with 17 digits all names differ
        names = [
            f"{float(v[mask].min()):.{digits}g} to {float(v[mask].max()):.{digits}g}"
            for mask in masks
        ]
        if len(set(names)) == len(names):
            break
    return dict(zip(names, masks, strict=True))


@measuring(evaluating=True)
def normalized_margins(model: Any, points: Any, labels: Any) -> PerPoint:
    """Measure margins in units of a model's mean absolute margin.

    The margin y f(x) or f_y(x) - max_(k != y) f_k(x) over its mean absolute value on these points.
    Scaling the model's outputs by c > 0 does not change it.

    Args:
        model: as for `agreement`.
        points: (N, ...), as for `agreement`.
        labels: (N,), -1, +1 or 0..K-1.

    Returns:
        float64, (N,).

    Raises:
        ValueError: for labels that do not fit the outputs, if all margins are 0, and as
            `agreement`.

    Example:
        >>> from constructions import affine
        >>> normalized_margins(affine([[8.0]]), [[0.25], [0.75]], torch.tensor([1, -1]))
        tensor([ 0.5000, -1.5000], dtype=torch.float64)
    """
    outputs = outputs_of(model, read_batch(points))
    margins = output_margin(outputs, check_labels(labels, len(outputs), outputs.shape[1]).cpu())
    scale = margins.abs().mean()
    if not scale > 0:
        raise ValueError("model must have a margin other than 0 at one of the points")
    return margins / scale


# -- models at points ------------------------------------------------------------------------------


def outputs_of(model: Any, points: Points, name: str = "model") -> Outputs:
    """Outputs (N, K) at points (N, ...) as `read_batch` gives them, in float64 and main memory; see
    `agreement`.
    """
    evaluate = read_model(model)
    dtype, device = points.dtype if points.is_floating_point() else torch.float32, points.device
    if isinstance(model, ReLUNetwork):
        dtype = torch.float64
    elif isinstance(model, torch.nn.Module):
        dtype, device = placement(model) or (torch.float64, device)
    parts = []
    for part in points.split(NETWORK_BATCH if isinstance(model, ReLUNetwork) else MODEL_BATCH):
        with torch.no_grad():
            outputs = read_outputs(evaluate(as_float(part.to(device), dtype)), len(part), name)
        parts.append(outputs.cpu().double())
    values = torch.cat(parts)
    wrong = ~torch.isfinite(values).all(1)
    if wrong.any():
        raise FloatingPointError(f"{name} gives NaN or infinity at point {int(wrong.nonzero()[0])}")
    return values


def check_outputs(**models: torch.Tensor) -> None:
    """Raise ValueError unless all outputs have the same shape (N, K)."""
    shapes = {name: outputs.shape[1] for name, outputs in models.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"models must have the same number of outputs, got {shapes}")


def margin_sizes(outputs: Outputs) -> float:
    """The median over points of |f|, or of the largest output over the next."""
    if outputs.shape[1] == 1:
        return float(outputs.abs().median())
    top = outputs.topk(2, 1).values
    return float((top[:, 0] - top[:, 1]).median())


def _agrees(first: Any, second: Any, points: Any) -> torch.Tensor:
    x = read_batch(points)
    check_scaled(x)
    models = {"first": first, "second": second}
    check_outputs(**{name: outputs_of(model, x[:1], name) for name, model in models.items()})
    a, b = (predictions(outputs_of(model, x, name)) for name, model in models.items())
    return a == b
