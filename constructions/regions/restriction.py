"""A network on a segment or a plane: the way to see the regions of networks with many inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..basics.reading import as_coordinates
from ..exchange.reading import read_network
from ..networks.calculus import affine, compose
from ..networks.network import ReLUNetwork
from ..networks.provenance import Provenance


def on_segment(network: Any, start: Any, end: Any) -> ReLUNetwork:
    """Restrict a network to the segment between two points.

    The network t -> f(start + t (end - start)) of one input; t in [0, 1] runs from start to end.
    The first layer's new weights are rounded to float64.

    Args:
        network: what `read_network` reads.
        start: a point of `inputs` numbers (any shape, flattened).
        end: likewise.

    Returns:
        A `ReLUNetwork` of one input.

    Raises:
        ValueError: for points of another size, NaN or infinity, or start == end.

    Example:
        >>> from constructions import count_regions, distance
        >>> count_regions(
        ...     on_segment(distance([0.5, 0.5], "inf"), [0, 0], [1, 0.5]), (0, 1), pieces=True
        ... ).pieces
        2
    """
    return _pull_back(network, start=start, end=end)


def on_plane(network: Any, origin: Any, first: Any, second: Any) -> ReLUNetwork:
    """Restrict a network to the plane through three points.

    The network (s, t) -> f(origin + s (first - origin) + t (second - origin)); the points are at
    (0, 0), (1, 0) and (0, 1), and pictures of it mark them (`analysis.plot_plane`,
    `analysis.plot_regions`, `cgro inspect --plot`). Weights are rounded as for `on_segment`.

    Args:
        network: what `read_network` reads.
        origin: a point of `inputs` numbers (any shape, flattened).
        first: likewise.
        second: likewise.

    Returns:
        A `ReLUNetwork` of two inputs.

    Raises:
        ValueError: as `on_segment`, and for points on one line.

    Example:
        >>> from constructions import linear_regions
        >>> from constructions.regions.restriction import on_plane
        >>> net = ReLUNetwork.from_layers([([[1.0, 1.0, 1.0]], [-1.0]), ([[1.0]], [0.0])])
        >>> linear_regions(on_plane(net, [0, 0, 0], [1, 0, 0], [0, 1, 0]), (0, 1)).volumes.tolist()
        [0.5, 0.5]
    """
    return _pull_back(network, origin=origin, first=first, second=second)


def _pull_back(network: Any, **points: Any) -> ReLUNetwork:
    """The network after the affine map that takes 0 to the first point and the unit vectors to the
    others.
    """
    network, read = read_network(network), {}
    for name, point in points.items():
        read[name] = as_coordinates(point, name).double().cpu().numpy().ravel()
        if len(read[name]) != network.inputs:
            raise ValueError(
                f"{name} must have {network.inputs} numbers, as the network has inputs, got "
                f"{len(read[name])}"
            )
        if not np.isfinite(read[name]).all():
            raise ValueError(f"{name} must be finite, got NaN or infinity")
    origin, *others = read.values()
    directions = np.stack([other - origin for other in others], axis=1)
    if np.linalg.matrix_rank(directions) < len(others):
        raise ValueError(f"{', '.join(points)} must be distinct and not on one line")
    restricted = compose(network.restrict(None), affine(directions, origin))
    made_of = restricted.provenance or Provenance(None)
    return replace(restricted, provenance=replace(made_of, arguments={"slice": ", ".join(points)}))
