"""f_S from checked parts: centres, labels, thresholds and f_clean; its layers for real and for
symbolic sizes.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import nn

from ..basics.norms import norm_name, read_norm
from ..basics.reading import check_labels, read_rows
from ..basics.shapes import Labels
from ..gadgets.approximation import UNIT, gate, yarotsky_multiplication
from ..gadgets.distances import (
    linf_distances,
    shared_rounding,
    shared_squared_distances,
    squared_distances,
)
from ..gadgets.indicators import Thresholds, lean_indicators, soft_indicator
from ..gadgets.points import read_points
from ..linear.affine import Affine
from ..linear.matrix import Block, Constant, Dense, Identity, Matrix, Sparse, kron, zeros
from ..networks.calculus import affine, compose, copies, delay, parallel
from ..networks.network import ReLUNetwork, check_network
from ..networks.owners import CARRIED, OUTPUT, owned
from ..networks.provenance import Provenance, parts_of
from .variants import Variant, check_variant

_E1, _E2 = Dense(torch.tensor([[1.0], [0.0]])), Dense(torch.tensor([[0.0], [1.0]]))


@dataclass(frozen=True, eq=False, repr=False)
class Memorizer:
    """What an f_S is made of: f_clean, centres (N, D) and labels (N,), norm, thresholds, form and
    bound of |f_clean|.
    """

    clean: ReLUNetwork
    centres: Dense
    labels: Labels
    p: float
    cut: Thresholds
    variant: Variant
    m: int
    bound: float

    def network(self, rows: torch.Tensor | None = None) -> ReLUNetwork:
        """f_S on [0,1]^D; rows: of these centres only, in this order (at least one)."""
        centres = self.centres if rows is None else Dense(self.centres.entries[rows], copy=False)
        labels, outputs = self.labels if rows is None else self.labels[rows], self.clean.outputs
        if outputs == 1:
            index, targets = (1 - labels) // 2, labels.double()[:, None]
        else:
            index, targets = labels, nn.functional.one_hot(labels, outputs).double().reshape(-1, 1)
        members = Sparse(
            (max(2, outputs), len(index)),
            index,
            torch.arange(len(index)),
            torch.ones(len(index)).double(),
        )
        given = (self.p, self.cut, self.variant, self.m, self.bound, Dense(targets), members)
        return assemble(self.clean, centres, *given).restrict(UNIT)

    def facts(self) -> dict[str, Any]:
        """What provenance says of it: sizes, thresholds, norm, and which data it memorizes."""
        count, dimension = self.centres.shape
        error = distance_error(self.p, self.variant, dimension, self.m)
        found: dict[str, Any] = {"N": count, "inner": self.cut.inner, "outer": self.cut.outer}
        found["bound"] = self.bound
        found["distance_error"] = math.nextafter(float(error), math.inf) if error else 0.0
        found["norm"] = norm_name(self.p)
        found["data"] = fingerprint(self.centres.entries, self.labels)
        if self.p == 2 or self.variant == "paper":
            found["m"] = self.m
        return found


def f_S_from_thresholds(  # noqa: N802 - the papers' name
    clean: ReLUNetwork,
    points: Any,
    labels: Any,
    norm: Any,
    inner: float,
    outer: float,
    *,
    variant: Variant = "lean",
    m: int = 1,
    bound: float = 1.0,
) -> ReLUNetwork:
    """Build the layers of `f_S` from thresholds that the caller gives.

    Nothing is measured, nothing certified. `f_S` chooses thresholds so that its theorem holds; here
    they are the caller's, as in `analysis.certify_memorization`, which compares a network with what
    it should be.

    Args:
        clean: a `ReLUNetwork`, D -> 1 or D -> K.
        points: (N, D) in [0,1].
        labels: (N,), -1 and +1 (one output) or 0..K-1.
        norm: inf or 2.
        inner: threshold of the distance (l_inf) or of its square (l_2) up to which indicators are
            1.
        outer: likewise, from which they are 0.
        variant: of f_S.
        m: depth of the squaring networks.
        bound: of |clean|.

    Returns:
        A `ReLUNetwork`.

    Raises:
        ValueError: for an unknown variant, points outside [0,1], shapes and labels that do not fit,
            inner >= outer.
        TypeError: for another kind of clean.

    Cost: time and memory N D.

    Example:
        >>> from constructions import affine, f_S, Ball
        >>> clean = affine([[4.0, 0.0]], [-2.0])
        >>> points, labels = [[0.25, 0.5], [0.75, 0.5]], [1, -1]
        >>> built = f_S(clean, points, labels, Ball("inf", 0.125))
        >>> facts = built.provenance.arguments
        >>> again = f_S_from_thresholds(
        ...     clean, points, labels, "inf", facts["inner"], facts["outer"], bound=facts["bound"]
        ... )
        >>> torch.equal(again.layers[0].weight.to_dense(), built.layers[0].weight.to_dense())
        True
    """
    check_network(clean, "clean")
    check_variant(variant)
    if not inner < outer:
        raise ValueError(f"inner must be less than outer, got {inner} and {outer}")
    centres = read_points(points, "points")
    if clean.inputs != centres.shape[1]:
        raise ValueError(
            f"points must have shape (N, {clean.inputs}), as clean has inputs, got {centres.shape}"
        )
    values = check_labels(labels, centres.shape[0], clean.outputs).cpu()
    return Memorizer(
        clean,
        centres,
        values,
        read_norm(norm),
        Thresholds(float(inner), float(outer)),
        variant,
        m,
        bound,
    ).network()


def fingerprint(points: Any, labels: Any) -> str:
    """Hash data: which points and labels a network memorizes (in its provenance).

    Args:
        points: (N, D), taken as float64.
        labels: (N,), integers.

    Returns:
        Hexadecimal digits.

    Example:
        >>> fingerprint([[0.5]], [1]) == fingerprint(torch.tensor([[0.5]]), [1]) != fingerprint(
        ...     [[0.5]], [-1]
        ... )
        True
    """
    digest = hashlib.blake2b(digest_size=8)
    rows = read_rows(points, "points")
    digest.update(rows.contiguous().numpy().data)
    digest.update(check_labels(labels, len(rows)).cpu().contiguous().numpy().data)
    return digest.hexdigest()


def distance_error(p: float, variant: Variant, dimension: int, m: int) -> Fraction:
    """How far the variant's distance network may exceed the squared l_2 distance; 0 for l_inf."""
    if p == math.inf:
        return Fraction(0)
    shared = 2 * Fraction(shared_rounding(dimension)) if variant == "lean" else Fraction(0)
    return dimension * Fraction(1, 4 ** (m + 1)) + shared


# -- building --------------------------------------------------------------------------------------


def assemble(
    clean: ReLUNetwork,
    centres: Matrix,
    p: float,
    cut: Thresholds,
    variant: Variant,
    m: int,
    bound: float,
    targets: Matrix,
    members: Matrix,
) -> ReLUNetwork:
    """f_S from checked parts. Entries may be `Unknown` and sizes symbolic (D: only where no maximum
    over it is built).

    centres: N x D. targets: N K x 1 values to memorize. members: classes x N, class c's row sums
    its indicators.
    """
    clean, indicators = owned(clean, "f_clean"), _indicators(centres, p, cut, variant, m)
    if variant == "paper":
        return _multiply(clean, indicators, targets, m, bound)
    return _gate(clean, indicators, members, bound)


def _indicators(
    centres: Matrix, p: float, cut: Thresholds, variant: Variant, m: int
) -> ReLUNetwork:
    """x -> (Ind_i(x))_i: exactly 1 on ball i and exactly 0 outside its outer ball."""
    if p == math.inf and variant == "lean":
        return lean_indicators(centres, cut.inner, cut.outer)
    if p == math.inf:
        distances = linf_distances(centres)
    else:
        squared = shared_squared_distances if variant == "lean" else squared_distances
        # a unit each: the indicator reads it twice
        distances = delay(squared(centres, m), 1, nonnegative=True)
    return compose(
        copies(centres.shape[0], soft_indicator(cut.inner, cut.outer)), distances, exact=False
    )


def _multiply(
    clean: ReLUNetwork, indicators: ReLUNetwork, targets: Matrix, m: int, bound: float
) -> ReLUNetwork:
    """f_clean + sum_i (y_i - f_clean) x Ind_i, with one multiplication for each i and output."""
    count, outputs = indicators.outputs, clean.outputs
    product = yarotsky_multiplication(m, bound)
    depth = max(clean.size.depth + 1, indicators.size.depth)
    base = parallel(
        delay(clean, depth - clean.size.depth),
        delay(indicators, depth - indicators.size.depth, nonnegative=True),
    )
    factors = Block(
        (
            (
                kron(Constant(count, 1), -kron(Identity(outputs), _E1)),
                kron(Identity(count), kron(Constant(outputs, 1), _E2)),
            ),
        )
    )
    products = compose(copies(count * outputs, product), affine(factors, kron(targets, _E1)))
    kept = owned(affine(Block(((Identity(outputs), zeros(outputs, count)),))), CARRIED)
    carried = delay(kept, product.size.depth)
    total = Block(((Identity(outputs), kron(Constant(1, count), Identity(outputs))),))
    return compose(owned(affine(total), OUTPUT), parallel(carried, products), base)


def _gate(
    clean: ReLUNetwork, indicators: ReLUNetwork, members: Matrix, bound: float
) -> ReLUNetwork:
    """gate(f_clean, 1 - sum_c S_c) + (labels of S_c), with S_c = min(1, sum of the indicators of
    class c).
    """
    outputs, classes = clean.outputs, members.shape[0]
    one = Constant(classes, 1)
    # sum -> 1 - relu(1 - sum) = min(1, sum)
    cap = owned(
        ReLUNetwork((Affine(-members, one), Affine(-Identity(classes), one))),
        "sum of each class's indicators, at most 1",
    )
    caps = delay(compose(cap, indicators), 1, nonnegative=True)
    depth = max(clean.size.depth, caps.size.depth)
    base = parallel(
        delay(clean, depth - clean.size.depth),
        delay(caps, depth - caps.size.depth, nonnegative=True),
    )
    # new tensors for each network: a change of one must not reach another
    signs, join = Dense(torch.tensor([[1.0], [-1.0]])), Dense(torch.tensor([[1.0, -1.0]]))
    into = Block(
        (
            (kron(Identity(outputs), signs), Constant(2 * outputs, classes, -bound)),
            (zeros(classes, outputs), Identity(classes)),
        )
    )
    read = join if outputs == 1 else Identity(classes)
    out = Block(((kron(Identity(outputs), join), read),))
    switch = ReLUNetwork(
        (Affine(into, zeros(2 * outputs + classes, 1)), Affine(out, zeros(outputs, 1))),
        provenance=Provenance(
            None,
            {},
            parts_of(gate(bound), count=outputs),
            ((("gate", 2 * outputs), (CARRIED, classes)), ((OUTPUT, outputs),)),
        ),
    )
    return compose(switch, base)
