"""Where a network gives a label: components and holes of that set."""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import Any

import numpy as np

from constructions import ReLUNetwork, Topology, compose, topology
from constructions.internal import Report, silent

from ..quantities.reading import read_network


def class_topology(
    network: Any,
    box: tuple[Any, Any],
    label: int,
    *,
    max_cells: int | None = None,
    max_seconds: float | None = None,
    report: Report = silent,
) -> Topology:
    """Count components and holes of the set in a box where a network gives a label, exactly.

    Ties belong to the set, so it is closed: {f >= 0} for label 1 and {f <= 0} for label -1 of one
    output; {f_k >= f_j for all j} for class k of several, which is {sum_j relu(f_j - f_k) <= 0}.

    Args:
        network: what `read_network` reads, with at most 8 inputs; see `on_plane` for more.
        box: as for `linear_regions`.
        label: 1 or -1 for one output, else a class 0, 1, ...
        max_cells: as for `topology`.
        max_seconds: likewise.
        report: likewise.

    Returns:
        A `Topology`, exact where it is `certified`.

    Raises:
        TypeError: for a network that cannot be read.
        ValueError: for a label that the network does not give, and as `topology`.
        RuntimeError: as `topology`.

    Cost: that of `topology`, for a network of one or two more layers.

    Example:
        >>> from constructions import Ball, affine, f_S
        >>> f = f_S(affine([[0.0, 1.0]]), [[0.25, 0.5], [0.75, 0.5]], [-1, -1], Ball("inf", 0.125))
        >>> class_topology(f, (0, 1), 1).betti  # everything but two balls
        (1, 2, 0)
    """
    net = read_network(network)
    try:
        label = operator.index(label)
    except TypeError as error:
        raise ValueError(f"label must be an integer, got {label!r}") from error
    limits: dict[str, Any] = {"max_cells": max_cells, "max_seconds": max_seconds, "report": report}
    if net.outputs == 1:
        if label not in (-1, 1):
            raise ValueError(f"label must be 1 or -1 for a network of one output, got {label}")
        return topology(net, box, side="above" if label == 1 else "below", **limits)
    if not 0 <= label < net.outputs:
        raise ValueError(f"label must be a class of 0..{net.outputs - 1}, got {label}")
    others = np.delete(np.eye(net.outputs), label, axis=0)
    others[:, label] = -1
    behind = ReLUNetwork.from_layers(
        [(others, np.zeros(len(others))), (np.ones((1, len(others))), [0.0])]
    )
    found = topology(compose(behind, net), box, side="below", **limits)
    return replace(found, where=f"{{f_{label} >= all others}}")
