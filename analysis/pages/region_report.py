"""Region counts for people to read: as JSON, and beside the bounds of the literature."""

from __future__ import annotations

from dataclasses import fields

from constructions import (
    RegionCount,
    ReLUNetwork,
    montufar_lower,
    montufar_upper,
    pattern_bound,
    serra_upper,
    zaslavsky,
)


def regions_json(found: RegionCount) -> dict[str, object]:
    """The numbers of a result as plain JSON values.

    >>> from constructions import count_regions, squaring
    >>> regions_json(count_regions(squaring(2), (0, 1)))["cells"]
    4
    """
    return {field.name: getattr(found, field.name) for field in fields(RegionCount)}


MEANINGS = {
    "activation cells": "parts of the box, with inner points, on which the same units are on",
    "linear pieces": "largest unions of cells with one affine map, connected through facets",
    "affine maps": "different ones among the cells",
}
"""The three things that are counted as regions, and what each is."""


def region_bounds(network: ReLUNetwork) -> dict[str, int]:
    """What theory says of every network with these widths: upper bounds for its activation cells,
    hence for its linear pieces, too; and how many cells some of them have.

    >>> from constructions import squaring
    >>> region_bounds(squaring(2))["activation cells, at most (Serra et al. 2018)"]
    12
    """
    widths, d = [w for w in network.hidden if w], network.inputs
    if len(widths) < len(network.hidden) or not widths:
        return {}
    bounds = {
        "activation cells, at most (2^units)": pattern_bound(widths),
        "activation cells, at most (Montufar 2017)": montufar_upper(widths, d),
        "activation cells, at most (Serra et al. 2018)": serra_upper(widths, d),
    }
    if len(widths) == 1:
        bounds["activation cells, at most (Zaslavsky 1975)"] = zaslavsky(widths[0], d)
    if min(widths) >= d:
        reached = "activation cells of some network of these widths (Montufar et al. 2014)"
        bounds[reached] = montufar_lower(widths, d)
    return bounds
