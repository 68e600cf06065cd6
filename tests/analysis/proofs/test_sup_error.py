"""The exact supremum of |f - g|: against brute force over an oracle's cells, the lemmas' constants,
and what is refused.
"""

import copy
import itertools
import math
import numbers
import pickle
import re
from fractions import Fraction

import numpy as np
import oracles
import pytest
import sympy
import torch

from analysis.proofs import extremes
from analysis.proofs.quadratic import read_quadratic
from analysis.proofs.range import SupError
from analysis.proofs.sup_error import distance_error, sup_error
from constructions import (
    ReLUNetwork,
    absolute,
    affine,
    compose,
    delay,
    distance,
    gate,
    lean_indicator,
    linear_regions,
    maximum,
    multiplication,
    on_segment,
    parallel,
    soft_indicator,
    squaring,
    tooth,
    yarotsky_multiplication,
)

QUADRATICS = {
    "definite": (1, 1, Fraction(1, 2)),
    "negative": (-1, -2, Fraction(1, 3)),
    "indefinite": (1, -1, Fraction(1, 4)),
    "saddle": (0, 0, 1),
    "degenerate": (1, 1, 2),
    "one variable": (0, -1, 0),
}
"""Coefficients of x1^2, x2^2, x1 x2."""


def noisy_network(generator, widths):
    """Weights that use all bits of float64, so that no vertex is a float."""
    return ReLUNetwork.from_layers(
        (generator.normal(size=(b, a)), generator.normal(size=b))
        for a, b in itertools.pairwise(widths)
    )


def brute_range(network, lower, upper, quadratic, linear, constant):
    """(min, max) of f - q in d <= 2, from the oracle's cells: all vertices, edges, and solved
    interior systems.
    """
    d = len(lower)

    def q(x):
        a, b, c = quadratic
        second = a * x[0] ** 2 + (b * x[1] ** 2 + c * x[0] * x[1] if d == 2 else 0)
        return second + sum(s * v for s, v in zip(linear, x, strict=True)) + constant

    values = []
    for cell in oracles.cells_of(network, lower, upper):

        def e(x, form=cell.map[0]):
            return oracles.at(form, x) - q(x)

        points = list(cell.vertices)
        if d == 1:
            pairs = [points]
        else:
            pairs = [
                p
                for h in cell.halfspaces
                if len(p := [v for v in points if oracles.at(h, v) == 0]) == 2
            ]
            a, b, c = map(Fraction, quadratic)
            rows = [(2 * a, c, linear[0] - cell.map[0][0]), (c, 2 * b, linear[1] - cell.map[0][1])]
            still = oracles.solve(rows, 2)
            if still is not None and all(oracles.at(h, still) >= 0 for h in cell.halfspaces):
                points.append(still)
        for u, w in pairs:  # the parabola through three points of an edge
            middle = tuple((x + y) / 2 for x, y in zip(u, w, strict=True))
            e0, e1, e2 = e(u), e(middle), e(w)
            bend, slope = 2 * e0 - 4 * e1 + 2 * e2, -3 * e0 + 4 * e1 - e2
            if bend != 0 and 0 < (t := -slope / (2 * bend)) < 1:
                points.append(tuple(x + t * (y - x) for x, y in zip(u, w, strict=True)))
        values += [e(x) for x in points]
    return min(values), max(values)


def expression(quadratic, linear, constant):
    d = len(linear)
    x = sympy.symbols("x1:3") if d == 2 else [sympy.Symbol("x"), 0]
    a, b, c, s, t, r = (
        sympy.Rational(str(Fraction(v))) for v in (*quadratic, *linear, *[0] * (2 - d), constant)
    )
    return a * x[0] ** 2 + b * x[1] ** 2 + c * x[0] * x[1] + s * x[0] + t * x[1] + r


def check(network, lower, upper, quadratic, linear, constant):
    """sup_error is the brute-force range, and its points attain it."""
    low, high = brute_range(network, lower, upper, quadratic, linear, constant)
    formula = expression(quadratic, linear, constant)
    found = sup_error(network, formula, (lower, upper))
    assert (found.minimum, found.maximum, found) == (low, high, max(high, -low))
    g = read_quadratic(formula, len(lower))
    for point, value in ((found.minimizer, low), (found.maximizer, high)):
        assert oracles.evaluate(network, point)[0] - g(point) == value
        assert all(
            Fraction(a) <= x <= Fraction(b) for a, x, b in zip(lower, point, upper, strict=True)
        )
    assert abs(oracles.evaluate(network, found.point)[0] - g(found.point)) == found


# -- against brute force ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("noisy", [False, True])
def test_one_input_is_brute_force(seed, noisy):
    generator = np.random.default_rng(seed)
    make = noisy_network if noisy else oracles.random_network
    network = make(generator, [1, 4, 3, 1])
    for quadratic in ((1, 0, 0), (-3, 0, 0), (Fraction(1, 7), 0, 0), (0, 0, 0)):
        check(network, [-1.5], [2.0], quadratic, [Fraction(1, 3)], Fraction(-2, 5))


@pytest.mark.parametrize("name", QUADRATICS)
@pytest.mark.parametrize("noisy", [False, True])
def test_two_inputs_are_brute_force(name, noisy):
    generator = np.random.default_rng(len(name))
    make = noisy_network if noisy else oracles.random_network
    for widths in ([2, 4, 1], [2, 3, 3, 1]):
        network = make(generator, widths)
        check(
            network,
            [-1.0, -0.5],
            [1.0, 1.5],
            QUADRATICS[name],
            [Fraction(1, 3), Fraction(-1)],
            Fraction(1, 9),
        )


@pytest.mark.parametrize("scale", [Fraction(1, 100), 40])
def test_steep_and_flat_quadratics(scale):
    """With one and with many stationary points inside."""
    network = noisy_network(np.random.default_rng(3), [2, 5, 1])
    for a, b, c in ((1, 1, 0), (-1, -1, 1)):
        check(network, [-1.0, -1.0], [1.0, 1.0], (a * scale, b * scale, c * scale), [0, 0], 0)


def test_depth_zero_and_constant_networks():
    plane = affine([[0.5, -0.25]], [1.0])
    for quadratic in QUADRATICS.values():
        check(plane, [-1.0, -1.0], [1.0, 2.0], quadratic, [0, 1], 0)
    check(affine([[3.0]]), [-1.0], [1.0], (1, 0, 0), [0], 0)
    assert sup_error(affine([[0.0, 0.0]], [0.1]), 0.1, (0, 1)) == 0
    dead = ReLUNetwork.from_layers([([[0.0, 0.0]], [-1.0]), ([[1.0]], [2.0])])
    assert sup_error(dead, 2, (-1, 1)) == 0
    found = sup_error(dead, "x1*x2", (-1, 1))
    assert (found, found.minimum, found.maximum) == (3, 1, 3)


def test_a_maximum_inside_a_cell():
    """-(x - 1/3)^2 - (y - 1/5)^2, found at its centre, inside a cell of an affine network."""
    network = ReLUNetwork.from_layers(
        [([[1.0, 0.0], [0.0, 1.0]], [-1.0, -1.0]), ([[1.0, 1.0]], [0.0])]
    )
    found = sup_error(network, "-(x1 - 1/3)**2 - (x2 - 1/5)**2 - 2", (-3, 3))
    assert (found.minimum, found.minimizer) == (2, (Fraction(1, 3), Fraction(1, 5)))


def test_very_different_sizes_do_not_round_away():
    """Values near 2^200 beside 2^-200: floats tell nothing, integers everything."""
    network = ReLUNetwork.from_layers([([[1.0]], [-0.5]), ([[2.0**-200]], [2.0**200])])
    assert sup_error(network, sympy.Integer(2) ** 200, (0, 1)) == Fraction(1, 2**201)
    found = sup_error(network, sympy.Integer(2) ** 200 + sympy.Symbol("x") ** 2 / 2**210, (0, 1))
    assert found.maximum == Fraction(1, 2**201) - Fraction(1, 2**210)
    assert found.minimum == -Fraction(1, 2**212)
    assert found.minimizer == (Fraction(1, 2),)
    huge = sup_error(affine([[1.0]]), f"x + {10**400}*x*x", (0, 1))
    assert huge == 10**400


def test_ties_and_near_ties_are_told_apart():
    """Edges whose errors differ by 2^-60 of themselves."""
    steps = np.array([0.0, 0.25, 0.5, 0.75])
    slopes = np.array([0.25, 0.5, 0.5 + 2.0**-40, 0.5 - 2.0**-40])
    network = ReLUNetwork.from_layers([(np.ones((4, 1)), -steps), (slopes[None], [0.0])])
    check(network, [0.0], [1.0], (1, 0, 0), [0], 0)


# -- the lemmas ------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", range(1, 13))
def test_squaring(m):
    found = sup_error(squaring(m), "x**2", (0, 1))
    assert (
        found
        == Fraction(1, 4 ** (m + 1))
        == Fraction(str(squaring(m).provenance.lemma.evaluate({"m": m})["sup_error"]))
    )
    assert found.minimum == 0
    assert (found.point[0] * 2 ** (m + 1)).denominator == 1
    assert (found.point[0] * 2 ** (m + 1)).numerator % 2 == 1


@pytest.mark.parametrize("m", [30, 60])
def test_squaring_where_nothing_fits_into_64_bits(m):
    side = Fraction(5, 2 ** (m - 2))
    found = sup_error(squaring(m), sympy.Symbol("x") ** 2, (0, side))
    assert found == Fraction(1, 4 ** (m + 1))


@pytest.mark.parametrize("m", range(1, 6))
@pytest.mark.parametrize("box", [(0, 1), (-1, 1)])
def test_products(m, box):
    two, three = (
        sup_error(build(m, 1), "x1*x2", box) for build in (multiplication, yarotsky_multiplication)
    )
    assert two == Fraction(1, 4 ** (m + 1)) == two.maximum == -two.minimum
    assert three == Fraction(1, 4**m)
    assert two.minimum <= two.maximum
    x, y = three.point
    assert abs(oracles.evaluate(yarotsky_multiplication(m, 1), (x, y))[0] - x * y) == three


@pytest.mark.slow
def test_all_acceptance_values():
    for m in range(1, 17):
        assert sup_error(squaring(m), "x**2", (0, 1)) == Fraction(1, 4 ** (m + 1))
    for m in range(1, 9):
        assert sup_error(multiplication(m, 1), "x1*x2", (0, 1)) == Fraction(1, 4 ** (m + 1))
        assert sup_error(yarotsky_multiplication(m, 1), "x1*x2", (0, 1)) == Fraction(1, 4**m)


@pytest.mark.parametrize("build", [multiplication, yarotsky_multiplication])
@pytest.mark.parametrize("m", [1, 2, 5, 9])
def test_products_vanish_on_both_axes(build, m):
    for start, end in (([-1, 0], [1, 0]), ([0, -1], [0, 1])):
        assert sup_error(on_segment(build(m, 1), start, end), 0, (0, 1)) == 0
    assert sup_error(on_segment(build(m, 1), [-1, -1], [1, 1]), "(2*x - 1)**2", (0, 1)) > 0


def test_gate_and_indicators_on_their_sets():
    assert sup_error(on_segment(gate(4), [-4, 0], [4, 0]), 0, (0, 1)) == 0
    assert sup_error(on_segment(gate(4), [-4, 1], [4, 1]), "8*x - 4", (0, 1)) == 0
    # v s - relu(v - 4 (1 - s)) is 1 at v = 2, s = 1/2
    assert sup_error(gate(4), "x1*x2", ([-4, 0], [4, 1])) == 1
    ramp = soft_indicator(0.25, 0.75)
    assert sup_error(ramp, 1, (-5, 0.25)) == 0 == sup_error(ramp, 0, (0.75, 9))
    assert sup_error(ramp, "3/2 - 2*x", (0.25, 0.75)) == 0
    centre = np.array([0.5, 0.25])
    lean = lean_indicator(centre, 0.125, 0.25)
    assert sup_error(lean, 1, (centre - 0.125, centre + 0.125)) == 0
    assert sup_error(lean, 0, ([0.75, 0.0], 1.0)) == 0
    assert sup_error(lean, 0, (0, 1)).point in itertools.product(
        *[(Fraction(c - 0.125), Fraction(c + 0.125)) for c in centre]
    )


def test_absolute_and_tooth():
    assert sup_error(absolute(), "x", (-1, 2)) == 2
    found = sup_error(tooth(3), Fraction(1, 2), (0, 1))
    assert (found, found.minimum, found.maximum) == (
        Fraction(1, 2),
        Fraction(-1, 2),
        Fraction(1, 2),
    )


# -- networks as references ------------------------------------------------------------------------


def test_networks_of_different_depth():
    """f_a - f_b, in exact arithmetic also where a bias of the difference would round."""
    for a, b in ((1, 4), (5, 2), (3, 3)):
        found = sup_error(squaring(a), squaring(b), (0, 1))
        expected = abs(Fraction(1, 4 ** (a + 1)) - Fraction(1, 4 ** (b + 1)))
        knots = sorted({x for n in (a, b) for x, _ in oracles.knots(squaring(n), 0, 1)})
        assert found == max(
            abs(oracles.square_interpolant(a, x) - oracles.square_interpolant(b, x)) for x in knots
        )
        assert found >= expected
    first, second = affine([[1.0]], [1.0]), affine([[1.0]], [2.0**-80])
    assert sup_error(first, second, (0, 1)) == 1 - Fraction(1, 2**80)
    assert sup_error(first, delay(second, 3), (-1, 1)) == 1 - Fraction(1, 2**80)
    steep, flat = affine([[1.0]]), affine([[2.0**-80]])
    for a, b in itertools.product((steep, delay(steep, 2)), (flat, delay(flat, 1))):
        assert sup_error(a, b, (0, 1)) == 1 - Fraction(1, 2**80)
        assert sup_error(b, a, (-1, 1)) == 1 - Fraction(1, 2**80)


def test_the_two_products_against_each_other():
    assert sup_error(multiplication(3, 1), yarotsky_multiplication(3, 1), (-1, 1)) <= Fraction(
        5, 4**4
    )
    net = noisy_network(np.random.default_rng(5), [3, 3, 2, 1])
    cells = oracles.cells_of(net, [0.0] * 3, [1.0] * 3)
    values = [oracles.at(cell.map[0], v) for cell in cells for v in cell.vertices]
    found = sup_error(net, 0, (0, 1))
    assert (found.minimum, found.maximum) == (min(values), max(values))
    assert sup_error(net, net, (0, 1)) == 0
    linear = sup_error(net, "x1 - x2/3", (0, 1))
    assert linear.maximum == max(
        oracles.at(cell.map[0], v) - v[0] + v[1] / 3 for cell in cells for v in cell.vertices
    )


# -- any number of inputs --------------------------------------------------------------------------


@pytest.mark.parametrize("inputs", [1, 2, 3, 20])
@pytest.mark.parametrize("shared", [False, True])
def test_squared_distances(inputs, shared):
    generator = np.random.default_rng(inputs)
    centre, m = generator.integers(0, 257, inputs) / 256, 3
    net = distance(centre, 2, m=m, shared=shared)
    found = distance_error(net, centre, 2)
    added = (
        Fraction(net([[0.0] * inputs]).item()) - oracles.distance_squared([0] * inputs, centre)
        if shared
        else 0
    )
    assert found == inputs * Fraction(1, 4 ** (m + 1)) + added
    assert found.minimum == added
    value = oracles.evaluate(net, found.point)[0] - oracles.distance_squared(found.point, centre)
    assert value == found


def test_squared_distance_is_separable_as_a_polynomial_too():
    centre = [0.25, 0.5, 1.0]
    formula = "(x1 - 1/4)**2 + (x2 - 1/2)**2 + (x3 - 1)**2"
    assert sup_error(distance(centre, 2, m=2), formula, (0, 1)) == Fraction(3, 64)
    pairs = compose(
        affine([[1.0, 1.0]]),
        parallel(
            *[compose(multiplication(2, 1), affine(np.eye(4)[2 * k : 2 * k + 2])) for k in (0, 1)]
        ),
    )
    assert sup_error(pairs, "x1*x2 + x3*x4", (0, 1)) == Fraction(2, 64)
    with pytest.raises(ValueError, match="with 1 or 2 inputs"):
        sup_error(pairs, "x1*x2 + x3*x4 + x1*x3", (0, 1))


def test_inputs_that_do_nothing():
    some = compose(squaring(2), affine([[0.0, 1.0, 0.0]]))
    found = sup_error(some, "x2**2 + x1", (0, 1))
    assert (found.minimum, found.maximum) == (-1, Fraction(1, 64))
    assert sup_error(affine(np.zeros((1, 12)), [3.0]), 3, (0, 1)) == 0


@pytest.mark.parametrize("inputs", [1, 2, 3, 4, 5, 6, 7, 16, 33])
def test_distances_in_the_maximum_norm(inputs):
    generator = np.random.default_rng(inputs)
    centre = generator.integers(0, 257, inputs) / 256
    assert distance_error(distance(centre, "inf"), centre, "inf") == 0


def test_wrong_distances_are_not_proved():
    centre = [0.25, 0.5, 0.0]
    net = distance(centre, "inf")
    for k, layer in enumerate(net.layers):
        weight, bias = layer.weight.to_dense().clone(), layer.bias.to_dense()[:, 0]
        weight[0, int(weight[0].abs().argmax())] *= 1.5
        layers = [(a.weight.to_dense(), a.bias.to_dense()[:, 0]) for a in net.layers]
        layers[k] = weight, bias
        wrong = ReLUNetwork.from_layers(layers)
        found = distance_error(wrong, centre, "inf")
        value = oracles.evaluate(wrong, found.point)[0]
        assert found > 0
        assert abs(value - oracles.distance_inf(found.point, centre)) == found
    assert distance_error(net, [0.25, 0.5, 0.5], "inf") == Fraction(1, 2)
    big = np.full(12, 0.5)
    with pytest.raises(ValueError, match="at most 8 inputs"):
        distance_error(distance(big, "inf"), big + 0.25, "inf")


@pytest.mark.parametrize("inputs", [3, 12])
def test_lean_indicator_on_and_off_its_ball(inputs):
    centre = np.full(inputs, 0.5)
    net = lean_indicator(centre, 0.125, 0.25)
    assert sup_error(net, 1, (centre - 0.125, centre + 0.125)) == 0
    beyond = np.zeros(inputs)
    beyond[1] = 0.75
    assert sup_error(net, 0, (beyond, 1)) == 0


def test_maximum_up_to_eight_inputs():
    found = sup_error(maximum(3), "x1", (0, 1))
    assert (found.minimum, found.maximum) == (0, 1)


# -- the result ------------------------------------------------------------------------------------


def test_the_result_is_a_fraction():
    found = sup_error(squaring(1), "x**2", (0, 1))
    assert isinstance(found, numbers.Rational)
    assert Fraction(found) == found == Fraction(found.numerator, found.denominator)
    assert float(found) == 0.0625 < found + found < 1 - found <= abs(-found - 1)
    assert max(found, Fraction(1, 32), sup_error(squaring(2), "x**2", (0, 1))) is found
    assert found == found.value == Fraction(1, 16) == 0.0625
    assert type(found.value) is Fraction
    assert type(found * 2) is Fraction
    assert hash(found) == hash(Fraction(1, 16))
    for other in (copy.copy(found), copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert isinstance(other, SupError)
        assert (other, other.point, other.maximizer) == (found, found.point, found.maximizer)
    assert sup_error(affine([[1.0]], [-3.0]), 0, (0, 1)).point == (0,)


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        (2, 2),
        (0.5, 0.5),
        (Fraction(1, 3), Fraction(1, 3)),
        (np.float64(0.25), 0.25),
        (np.int64(3), 3),
        (sympy.Rational(2, 3), Fraction(2, 3)),
        (sympy.Float(0.1), Fraction(0.1)),
        ("0.1", Fraction(1, 10)),
        ("2*(x1 - x1) + 7", 7),
    ],
)
def test_numbers_as_references(formula, value):
    assert sup_error(affine([[0.0]]), formula, (0, 1)) == value
    assert sup_error(affine([[0.0, 0.0]]), formula, (0, 1)) == value


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ("x**3", "degree at most 2"),
        ("y + 1", "polynomial in x"),
        ("x^2", r"polynomial in x, such as .* \(powers are written x\*\*2, not x\^2\), got 'x\^2'"),
        (sympy.Symbol("y"), "symbol y"),
        ("x2", "symbol x2"),
        ("1/x", "polynomial in x"),
        (sympy.sin(sympy.Symbol("x")), "polynomial in x"),
        (sympy.sqrt(2) * sympy.Symbol("x"), "rational coefficients"),
        (sympy.nan, "rational coefficients"),
        (sympy.oo, "rational coefficients"),
        ("x +* 2", "polynomial in x"),
        ("1/0", "rational coefficients"),
        (math.nan, "finite"),
        (math.inf, "finite"),
        (multiplication(1, 1), "1 inputs"),
        (parallel(affine([[1.0]]), affine([[1.0]])), "one output"),
        (squaring(1).restrict((0.25, 0.5)), "domain"),
    ],
)
def test_references_that_do_not_fit(reference, complaint):
    with pytest.raises(ValueError, match=complaint):
        sup_error(squaring(1), reference, (0, 1))


@pytest.mark.parametrize("reference", [None, True, [1.0], torch.nn.Linear(1, 1), sympy.true])
def test_references_of_another_kind(reference):
    with pytest.raises(TypeError, match="reference must be"):
        sup_error(squaring(1), reference, (0, 1))


@pytest.mark.parametrize(
    ("box", "complaint"),
    [
        ((0.5, 0.5), "lower < upper"),
        ((1, 0), "lower < upper"),
        ((0, math.nan), "box[1] must be finite, got nan"),
        ((0, math.inf), "box[1] must be finite, got inf"),
        ((0, 10**400), "exactly"),
        ((0, 2), "domain"),
        ((0, Fraction(1, 3)), "exactly"),
        ((0, sympy.Rational(1, 3)), "exactly"),
        (([0, 0], [1, 1]), "one number or 1"),
        ((0, 1, 2), "pair"),
        (3, "pair"),
        ((np.uint8(0), np.uint8(1)), "uint8"),
    ],
)
def test_boxes_that_do_not_fit(box, complaint):
    with pytest.raises(ValueError, match=re.escape(complaint)):
        sup_error(squaring(1), "x**2", box)


def test_boxes_are_read_as_everywhere():
    half = Fraction(1, 2)
    expected = sup_error(squaring(1), "x**2", (0, 0.5))
    for box in ([0, half], (0, sympy.Rational(1, 2)), (torch.zeros(1), np.array([0.5]))):
        assert sup_error(squaring(1), "x**2", box) == expected
    with pytest.raises(TypeError, match=r"box\[1\] must be a row of floats.*, got 'a'"):
        sup_error(squaring(1), "x**2", (0, "a"))


def test_networks_that_do_not_fit():
    with pytest.raises(
        TypeError,
        match=(
            r"network must be a ReLUNetwork \(ReLUNetwork.from_module reads modules\), got "
            r"Linear"
        ),
    ):
        sup_error(torch.nn.Linear(1, 1), 0, (0, 1))
    with pytest.raises(ValueError, match="one output, got 2"):
        sup_error(parallel(squaring(1), squaring(2)), 0, (0, 1))
    tiny = ReLUNetwork.from_layers([([[2.0**-400]], [0.0]), ([[1.0]], [0.0])])
    with pytest.raises(ValueError, match="at least 2\\^-300"):
        sup_error(tiny, 0, (0, 1))
    with pytest.raises(ValueError, match="at most 8 inputs"):
        sup_error(compose(absolute(), affine(np.ones((1, 9)), [-1.0])), 0, (0, 1))
    with pytest.raises(ValueError, match="centre must have shape"):
        distance_error(squaring(1), [0.0, 1.0], 2)
    with pytest.raises(ValueError, match="centre must be finite"):
        distance_error(squaring(1), [math.nan], 2)
    with pytest.raises(ValueError, match="norm must be"):
        distance_error(squaring(1), [0.0], 3)


def test_an_interrupt_is_one(monkeypatch):
    """Ctrl-C ends `linear_regions` with what it has: no result, and no failure of memory either."""

    def interrupt(told):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        extremes, "linear_regions", lambda *a, **k: linear_regions(*a, **k, report=interrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        sup_error(squaring(3), "x**2", (0, 1))
    with pytest.raises(KeyboardInterrupt):
        distance_error(squaring(3), [0.5], "inf")


def test_it_prints_what_it_is_and_names_an_example():
    found = sup_error(squaring(2), "x**2", (0, 1))
    assert str(found) == repr(found)
    assert "sup |f - g| 1/64" in str(found)
    assert "exact" in str(found)
    with pytest.raises(ValueError, match=r'in x1, x2, such as "x1\*x2", got'):
        sup_error(multiplication(1, 1), "x*y", (-1, 1))
    assert sup_error(multiplication(1, 1), "x1*x2", (-1, 1)) == Fraction(1, 16)
