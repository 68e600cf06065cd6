"""The networks of the theorems are those of `constructions`, weight by weight.

Both are built for sizes and weights that hypothesis draws. A construction joins by a line in CASES
here, and one in proofs/networks/main.ml.
"""

import itertools
import math
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.search.prepared import prepare
from constructions import (
    VARIANTS,
    Ball,
    ReLUNetwork,
    distance,
    f_S,
    lean_indicator,
    maximum,
    multiplication,
    soft_indicator,
    squaring,
    tooth,
    yarotsky_multiplication,
)
from constructions.gadgets.approximation import _settled_squaring
from constructions.gadgets.distances import shared_rounding
from constructions.gadgets.indicators import thresholds

PROGRAM = Path(__file__).parents[2] / "proofs" / "networks" / "weights"
pytestmark = pytest.mark.skipif(
    not PROGRAM.is_file(), reason="the networks of the theorems are not extracted (make proofs)"
)


def of_library(network):
    """Layers of rows ({column: weight}, bias), exactly; zeros left out."""
    return [
        [
            ({j: Fraction(w) for j, w in zip(*row, strict=True) if w}, Fraction(b))
            for row, b in zip(layer["rows"], layer["bias"], strict=True)
        ]
        for layer in prepare(network).data["layers"]
    ]


def of_theorem(name, *arguments):
    """The same of a network of the development."""
    text = " ".join([name, *map(written, arguments)])
    done = subprocess.run([PROGRAM], input=text, capture_output=True, text=True, check=True)
    (network,) = done.stdout.split("=\n")[:-1]

    def row(line):
        weights, bias = line.split("|")
        pairs = [pair.split(":") for pair in weights.split()]
        return {int(j): Fraction(w) for j, w in pairs}, Fraction(bias)

    return [[row(line) for line in layer.splitlines()] for layer in network.split("-\n")[:-1]]


def written(value):
    """A number exactly; a list with its length before; a tuple without."""
    if isinstance(value, list):
        return " ".join([str(len(value)), *map(written, value)])
    if isinstance(value, tuple):
        return " ".join(map(written, value))
    return value if isinstance(value, Word) else str(Fraction(value))


def layers(network):
    """A network as an argument: hidden layers, readout; dense rows."""
    found, width = [], int(network.inputs)
    for layer in of_library(network):
        rows = [([row.get(j, 0) for j in range(width)], bias) for row, bias in layer]
        found, width = [*found, rows], len(rows)
    return found[:-1], found[-1]


grid = st.integers(0, 64).map(lambda v: v / 64)
points = st.lists(grid, min_size=1, max_size=9)


@st.composite
def memorizers(draw, norm, variant, most_classes):
    """f_S or f_adv of a few points 1/16 apart, and its arguments in the development."""
    n, d, k = draw(st.integers(1, 6)), draw(st.integers(1, 4)), draw(st.integers(1, most_classes))
    k = max(k, 2) if most_classes > 1 else 1
    n = max(n, k)
    if norm == 2 or variant != "lean":
        d = max(d, 2)
    points = [
        [Fraction(i + 1, 16), *draw(st.lists(grid, min_size=d - 1, max_size=d - 1))]
        for i in range(n)
    ]
    labels = [[1, -1][i % 2] if k == 1 else i % k for i in range(n)]
    entry = st.integers(-16, 16).map(lambda v: v / 8)
    widths = [d, *draw(st.lists(st.integers(1, 4), max_size=7)), k]
    clean = ReLUNetwork.from_layers(
        [
            (
                [[draw(entry) for _ in range(a)] for _ in range(b)],
                [draw(entry) for _ in range(b)],
            )
            for a, b in itertools.pairwise(widths)
        ]
    )
    floats = [[float(v) for v in row] for row in points]
    ball = Ball(norm, 1 / 1024)
    network = f_S(clean, floats, labels, ball, variant=variant, separation=1 / 16)
    own = network.provenance.arguments
    numbers = [labels[i] if k > 1 else int(labels[i] < 0) for i in range(n)]
    data = list(zip(floats, numbers, strict=True))
    m = own.get("m", 1)
    cut = (own["inner"], own["outer"], own["bound"])
    arguments = (variant, Word(norm), m, *cut, d, k, layers(clean), data)
    if norm == 2 and variant == "lean":  # the theorem takes norms that are rounded upwards
        norms = [bias for _, bias in of_library(distance(floats, 2, m, shared=True))[-1]]
        for row, w in zip(points, norms, strict=True):
            assert 0 <= w - sum(v * v for v in row) <= 2 * Fraction(shared_rounding(d))
        arguments = (*arguments, norms)
    return network, arguments


class Word(str):
    """An argument that is no number."""


depths = st.integers(1, 12)
CASES = {  # (network of the library, name and arguments in the development), drawn
    "squaring": depths.map(lambda m: (squaring(m), ("squaring", m))),
    "settled squaring": depths.map(lambda m: (_settled_squaring(m), ("settled_squaring", m))),
    "multiplication": st.tuples(depths, st.integers(-3, 5)).map(
        lambda a: (multiplication(a[0], 2.0 ** a[1]), ("multiplication", a[0], 2.0 ** a[1]))
    ),
    "tooth": st.integers(1, 12).map(lambda n: (tooth(n), ("tooth", n))),
    "three squares": st.tuples(depths, st.integers(-3, 5)).map(
        lambda a: (
            yarotsky_multiplication(a[0], 2.0 ** a[1]),
            ("yarotsky", a[0], 2.0 ** a[1]),
        )
    ),
    "maximum": st.integers(1, 20).map(lambda n: (maximum(n), ("maximum", n))),
    "l_inf distance": points.map(lambda c: (distance(c, "inf"), ("linf_distance", c))),
    "soft indicator": st.tuples(grid, st.integers(1, 5)).map(
        lambda a: (
            soft_indicator(a[0], a[0] + 2.0 ** -a[1]),
            ("soft_indicator", a[0], a[0] + 2.0 ** -a[1]),
        )
    ),
    "lean indicator": points.map(
        lambda c: (lean_indicator(c, 0.0625, 0.125), ("lean_indicator", 0.0625, 0.125, c))
    ),
    **{
        f"f_S, l_{norm}, {variant}, {labels}": memorizers(norm, variant, most)
        for norm in ("inf", 2)
        for variant in VARIANTS
        for labels, most in (("two labels", 1), ("K classes", 4))
    },
}


@pytest.mark.parametrize("case", CASES)
def test_weights_are_those_of_the_theorem(case):
    seen = []

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(CASES[case])
    def compare(drawn):
        network, (name, *arguments) = drawn
        assert of_library(network) == of_theorem(name, *arguments)
        seen.append(name)

    compare()
    assert len(seen) >= 5


dyadic = st.tuples(st.integers(1, 2**20), st.integers(1, 24)).map(lambda a: a[0] / 2 ** a[1])


@settings(max_examples=100, deadline=None, database=None)
@given(
    st.sampled_from(["inf", 2]),
    dyadic,
    st.one_of(st.just(math.inf), dyadic),
    st.fractions(0, Fraction(1, 4)),
    st.sampled_from([Fraction(1, 2**48), Fraction(1, 3 * 2**20)]),
)
def test_thresholds_are_those_of_the_theorem(norm, radius, apart, error, doubt):
    try:
        cut = thresholds(Ball(norm, radius), apart, error, doubt)
        found = [Fraction(cut.inner), Fraction(cut.outer)]
    except ValueError:
        found = []
    said = Word("inf") if math.isinf(apart) else apart
    ((*rows,),) = of_theorem("thresholds", Word(norm), radius, said, error, doubt)
    assert [bias for _, bias in rows] == found


def test_another_weight_is_seen():
    other = of_library(squaring(3))
    other[1][0][0][0] += Fraction(1, 2**60)
    assert other != of_theorem("squaring", 3) == of_library(squaring(3))
