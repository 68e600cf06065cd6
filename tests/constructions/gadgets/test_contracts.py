"""Contracts, proved exactly: on all breakpoints in one dimension, on all vertices of all regions in
two.
"""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch

from constructions import (
    CONTRACTS,
    LEMMAS,
    Ball,
    absolute,
    affine,
    compose,
    contract,
    contracts,
    copies,
    distance,
    f_S,
    f_S_from_thresholds,
    gate,
    lean_indicator,
    linear_regions,
    maximum,
    multiplication,
    separation,
    soft_indicator,
    squaring,
    yarotsky_multiplication,
)
from constructions.networks.network import breakpoints_1d

ONE = Fraction(1)


def knots(network, low, high):
    """Exact breakpoints with the network's values there; between them the network is affine."""
    points = breakpoints_1d(network, Fraction(low), Fraction(high))
    return points, [row[0] for row in network.exact([[t] for t in points])]


def cells(network, low, high):
    """All vertices of all cells, with values; on a cell the network is affine."""
    for region in linear_regions(
        network.restrict(None), (low, high), arithmetic="integers"
    ).regions:
        corners = [tuple(map(Fraction, row)) for row in region.vertices]
        yield corners, [row[0] for row in network.exact(corners)]


# -- one input -------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", range(1, 8))
def test_squaring(m):
    promised = contract(squaring(m))
    points, values = knots(squaring(m), 0, 1)
    assert values == sorted(values)  # monotone
    assert values[0] == 0
    assert values[-1] == 1
    assert (values[0], values[-1]) == promised.range
    assert {Fraction(k, 2**m) for k in range(2**m + 1)} <= set(points)
    errors = []
    for (a, fa), (b, fb) in itertools.pairwise(zip(points, values, strict=True)):
        slope = (fb - fa) / (b - a)
        # where fa + slope (t - a) - t^2 is largest; it is least at the ends (concave)
        top = min(max(slope / 2, a), b)
        errors += [fa - a * a, fb - b * b, fa + slope * (top - a) - top * top]
    assert (min(errors), max(errors)) == (promised.lower, promised.upper)
    assert all(
        squaring(m).exact([Fraction(k, 2**m)])[0] == Fraction(k, 2**m) ** 2 for k in range(2**m + 1)
    )


@pytest.mark.parametrize(
    ("inner", "outer"),
    [(0.25, 0.75), (0.1, 0.35), (0.1, 0.1 + 1 / 3), (0.015, 0.0150001), (-0.3, 7.7)],
)
def test_soft_indicator_with_its_float_slope(inner, outer):
    network = soft_indicator(inner, outer)
    promised = contract(network)
    points, values = knots(network, Fraction(inner) - 1, Fraction(outer) + 1)
    assert points[1:-1] == [Fraction(inner), Fraction(outer)]
    assert values[2:] == [0, 0]
    assert values[0] == values[1] == promised.range[1]
    assert values == sorted(values, reverse=True)
    assert promised.lower <= values[0] - 1 <= promised.upper
    assert (promised.lower, promised.upper) == (min(values[0] - 1, 0), max(values[0] - 1, 0))
    width = Fraction(outer) - Fraction(inner)
    assert values[0] == 1 or width.numerator != 1  # 1 exactly where the width is a power of two


def test_absolute_and_gate():
    points, values = knots(absolute(), -3, 2)
    assert values == [abs(t) for t in points]
    for bound in (1.0, 4.0, 2.0**-20):
        for s in (0, 1):  # fixed s: an affine slice with one input
            sliced = compose(gate(bound), affine([[1.0], [0.0]], [0.0, float(s)]))
            points, values = knots(sliced, -bound, bound)
            assert values == [t * s for t in points]
        assert contract(gate(bound)).range == (-bound, bound)


def test_lean_indicator_on_both_sides_of_its_thresholds():
    """In one dimension exactly, also where centres and widths are rounded; the contract names the
    moved thresholds.
    """
    for c, inner, outer in [
        (0.5, 0.125, 0.25),
        (1 / 3, 0.1, 0.2),
        (0.7, 0.0, 1e-3),
        (0.1, 0.3, 0.6),
    ]:
        network = lean_indicator([c], inner, outer)
        promised = contract(network)
        near, far = (
            Fraction(word) for word in promised.exact.removeprefix("distance <= ").split(" or >= ")
        )
        assert inner - 2**-50 <= near <= inner
        assert outer <= far <= outer + 2**-50
        points, values = knots(network, 0, 1)
        ends = [p for d in (near, far) for s in (-1, 1) if 0 <= (p := Fraction(c) + s * d) <= 1]
        points += ends
        values += [row[0] for row in network.exact([[p] for p in ends])]
        assert all(0 <= v <= 1 for v in values)
        for t, v in zip(points, values, strict=True):
            d = abs(t - Fraction(c))
            assert v == 1 or d > near
            assert v == 0 or d < far


# -- two inputs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "m", "bound"),
    [(multiplication, 1, 1.0), (multiplication, 2, 1.5), (multiplication, 3, 4.0)],
)
def test_multiplication(build, m, bound):
    _products(build, m, bound)


@pytest.mark.parametrize(("m", "bound"), [(1, 1.0), (2, 1.5), (2, 0.3)])
def test_yarotsky_multiplication(m, bound):
    _products(yarotsky_multiplication, m, bound)


def _products(build, m, bound):
    """value - x y on a cell has its extremes on edges (x y is a saddle): at their ends, or where
    its derivative vanishes.
    """
    network = build(m, bound)
    promised = contract(network)
    scale = network.domain[1]
    for corners, values in cells(network, [-scale] * 2, [scale] * 2):
        errors = [v - x * y for (x, y), v in zip(corners, values, strict=True)]
        # all chords: edges among them
        for (p, fp), (q, fq) in itertools.combinations(zip(corners, values, strict=True), 2):
            dx, dy, df = q[0] - p[0], q[1] - p[1], fq - fp
            if dx * dy:
                # of fp + t df - (x + t dx)(y + t dy)
                t = (df - p[0] * dy - p[1] * dx) / (2 * dx * dy)
                if 0 < t < 1:
                    errors.append(fp + t * df - (p[0] + t * dx) * (p[1] + t * dy))
        assert promised.lower <= min(errors)
        assert max(errors) <= promised.upper
    for s in (1, 0):  # zero factors
        sliced = compose(network.restrict(None), affine([[float(s)], [float(1 - s)]]))
        assert set(knots(sliced, -scale, scale)[1]) == {Fraction(0)}


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_maximum_is_exact(n):
    """The tree is positively homogeneous and every level is exact for numbers >= 0: rational
    points, all orders.
    """
    for order in itertools.islice(itertools.permutations(range(n)), 30):
        x = [Fraction(k, 7) for k in order]
        assert maximum(n).exact(x)[0] == max(x)
    for corners, values in cells(maximum(2), [0, 0], [1, 1]):
        assert values == [max(c) for c in corners]
    assert contract(maximum(n)).lower == contract(maximum(n)).upper == 0


@pytest.mark.parametrize("c", [[0.1, 0.7], [1 / 3, 2 / 3], [0.5, 0.25], [0.3, 1.0]])
def test_distance_to_centres_whose_sums_are_rounded(c):
    """On a cell the error is concave, and affine between the distance's own diagonals: extremes are
    where these meet.
    """
    network = distance(c, "inf")
    promised = contract(network)
    exact = [Fraction(v) for v in c]
    for corners, _ in cells(network, [0, 0], [1, 1]):
        points = [*corners, exact]
        # edges among them, where they meet the diagonals through the centre
        for p, q in itertools.combinations(corners, 2):
            for sign in (1, -1):
                a, b = ((v[0] - exact[0]) + sign * (v[1] - exact[1]) for v in (p, q))
                if a * b < 0:
                    points.append([v + a / (a - b) * (w - v) for v, w in zip(p, q, strict=True)])
        for x, (v,) in zip(points, network.exact(points), strict=True):
            d = max(abs(a - b) for a, b in zip(x, exact, strict=True))
            assert promised.lower <= v - d <= promised.upper


@pytest.mark.parametrize("dimension", [1, 2, 3, 4, 5, 7, 8])
@pytest.mark.parametrize("seed", range(3))
def test_distances_at_hard_points(dimension, seed):
    """The bounds on arbitrary float centres, at points where rounded sums matter most: ties,
    corners, the centre.
    """
    generator = np.random.default_rng(seed)
    c = generator.random(dimension)
    exact = [Fraction(v) for v in c]
    ties = [
        [a + s * Fraction(1, 16) for a, s in zip(exact, signs, strict=True)]
        for signs in generator.choice([-1, 1], (12, dimension)).tolist()
    ]
    points = [exact, *([min(max(v, Fraction(0)), ONE) for v in x] for x in ties)]
    points += [[Fraction(int(b)) for b in row] for row in generator.integers(0, 2, (8, dimension))]
    for norm, options in (("inf", {}), (2, {"m": 3}), (2, {"m": 6, "shared": True})):
        network = distance(c, norm, **options)
        promised = contract(network)
        for x, (v,) in zip(points, network.exact(points), strict=True):
            gaps = [abs(a - b) for a, b in zip(x, exact, strict=True)]
            true = max(gaps) if norm == "inf" else sum(g * g for g in gaps)
            assert promised.lower <= v - true <= promised.upper


# -- along the provenance --------------------------------------------------------------------------


def test_contracts_follow_provenance():
    assert set(CONTRACTS) <= set(LEMMAS)
    found = contracts(copies(5, compose(squaring(3), absolute())))
    assert [(count, c.upper) for count, _, c in found] == [(5, Fraction(1, 256)), (5, 0)]
    built = f_S(
        affine([[4.0, 0.0]], [-2.0]),
        [[0.25, 0.5], [0.75, 0.5]],
        [1, -1],
        Ball(2, 0.125),
        variant="paper",
    )
    names = {title.split("(")[0] for _, title, _ in contracts(built)}
    assert {"squaring", "absolute", "soft_indicator", "yarotsky_multiplication"} <= names


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="network must be built by one of"):
        contract(affine([[1.0]]))
    clean = affine([[4.0, 0.0]], [-2.0])
    with pytest.raises(ValueError, match="variant must be one of"):
        f_S_from_thresholds(clean, [[0.5, 0.5]], [1], "inf", 0.1, 0.2, variant="other")
    with pytest.raises(ValueError, match="inner must be less"):
        f_S_from_thresholds(clean, [[0.5, 0.5]], [1], "inf", 0.2, 0.1)
    with pytest.raises(ValueError, match="labels must be -1 or"):
        f_S_from_thresholds(clean, [[0.5, 0.5]], [0], "inf", 0.1, 0.2)
    with pytest.raises(ValueError, match=r"points must have shape \(N, 2\)"):
        f_S_from_thresholds(clean, [[0.5]], [1], "inf", 0.1, 0.2)
    for wrong in (torch.nn.Sequential(torch.nn.Linear(2, 1)), [1], None):
        with pytest.raises(
            TypeError,
            match=(
                f"network must be a ReLUNetwork that a construction built, got "
                f"{type(wrong).__name__}"
            ),
        ):
            contract(wrong)
        with pytest.raises(
            TypeError,
            match=r"network must be a ReLUNetwork \(ReLUNetwork.from_module reads modules\), got",
        ):
            contracts(wrong)
        with pytest.raises(
            TypeError,
            match=r"clean must be a ReLUNetwork \(ReLUNetwork.from_module reads modules\), got",
        ):
            f_S_from_thresholds(wrong, [[0.5, 0.5]], [1], "inf", 0.1, 0.2)


@pytest.mark.parametrize("variant", ["paper", "gate", "lean"])
@pytest.mark.parametrize("p", ["inf", 2])
def test_memorizer_builds_what_f_s_builds(variant, p):
    clean, points, labels = affine([[4.0, 0.0]], [-2.0]), [[0.2, 0.5], [0.7, 0.4]], [1, -1]
    built = f_S(clean, points, labels, Ball(p, 0.125), variant=variant)
    facts = built.provenance.arguments
    again = f_S_from_thresholds(
        clean,
        points,
        labels,
        p,
        facts["inner"],
        facts["outer"],
        variant=variant,
        m=facts.get("m", 1),
        bound=facts["bound"],
    )
    for a, b in zip(built.layers, again.layers, strict=True):
        assert (a.weight.to_dense() == b.weight.to_dense()).all()
        assert (a.bias.to_dense() == b.bias.to_dense()).all()
    assert separation(points, labels).distance > 0.25
