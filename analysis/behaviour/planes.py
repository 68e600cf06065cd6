"""Class regions on planes through training points: how many components and holes they have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from constructions import ReLUNetwork, Result, on_plane
from constructions.internal import Said, said

from ..quantities.measured import Kind
from .class_regions import class_topology

REACH = (-0.25, 1.25)
"""The square that is looked at: the points are at (0, 0), (1, 0) and (0, 1)."""

MOST_CELLS = 100_000


@dataclass(frozen=True, repr=False)
class PlaneRegions(Result):
    """Components and holes of three classes' regions on planes through a training point of each.

    Attributes:
        labels: of the three points of each plane, without repetitions.
        betti: (components, holes) of the region of each of these labels, by plane.
        certified: all of them are exact.
    """

    labels: list[list[int]]
    betti: list[list[tuple[int, int]]]
    certified: bool

    @property
    def kind(self) -> Kind:
        """Of the counts."""
        return "exact" if self.certified else "estimate"

    @property
    def regions(self) -> int:
        """How many pairs of a plane and a label there are."""
        return sum(map(len, self.labels))

    def total(self, dimension: int) -> int:
        """All components (0) or holes (1)."""
        return sum(found[dimension] for plane in self.betti for found in plane)

    def _says(self) -> tuple[str, dict[str, Said]]:
        what = f"class regions on {len(self.labels)} planes through training points"
        return what, {
            "labels looked at": said(self.regions, "exact"),
            "components": said(self.total(0), self.kind),
            "holes": said(self.total(1), self.kind),
        }

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"labels": self.labels, "betti": self.betti, "certified": self.certified}

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> PlaneRegions:
        """What `to_json` gave."""
        betti = [[(int(a), int(b)) for a, b in plane] for plane in found["betti"]]
        return cls(found["labels"], betti, found["certified"])


def plane_regions(
    network: ReLUNetwork, points: Any, labels: Any, count: int, seed: int
) -> PlaneRegions:
    """Count on so many planes. Raises ValueError for points on one line, RuntimeError beyond
    `MOST_CELLS` cells.
    """
    generator = torch.Generator().manual_seed(seed)
    looked, betti, certified = [], [], True
    for _ in range(count):
        order = torch.randperm(len(points), generator=generator).tolist()
        three = _of_different_labels(order, [int(labels[i]) for i in order])
        chosen = list(dict.fromkeys(int(labels[i]) for i in three))
        plane = on_plane(network, *(points[i] for i in three))
        sets = [class_topology(plane, REACH, k, max_cells=MOST_CELLS) for k in chosen]
        looked.append(chosen)
        betti.append([(one.betti[0], one.betti[1]) for one in sets])
        certified &= all(one.certified for one in sets)
    return PlaneRegions(looked, betti, certified)


def _of_different_labels(order: list[int], labels: list[int]) -> list[int]:
    """Three points, of as many labels as there are."""
    firsts = {k: i for i, k in reversed(list(zip(order, labels, strict=True)))}
    three = [i for i in order if i in firsts.values()][:3]
    return (three + [i for i in order if i not in three])[:3]
