"""Slow and independent reference implementations: plain Fractions and numpy, no arithmetic of the
packages under test.

They read a network's matrices form by form and know nothing of how the packages apply, multiply or
count them."""

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction

import networkx
import numpy as np
import torch

from constructions import Block, Constant, Dense, Identity, Kron, ReLUNetwork, Sparse

TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5}
"""Relative tolerance of evaluations that differ in the order of sums (values of order one, a few
hundred terms).
"""


# -- matrices and networks -------------------------------------------------------------------------


def dense(matrix):
    """All entries of a matrix as a numpy array, straight from the definition of its form."""
    match matrix:
        case Identity():
            return np.eye(matrix.size)
        case Constant():
            return np.full((matrix.rows, matrix.columns), float(matrix.value))
        case Dense():
            return matrix.entries.numpy().copy()
        case Sparse():
            entries = np.zeros(matrix.size)
            for i, j, value in zip(
                matrix.rows.tolist(), matrix.columns.tolist(), matrix.values.tolist(), strict=True
            ):
                entries[i, j] = value
            return entries
        case Kron():
            return np.kron(dense(matrix.left), dense(matrix.right))
        case Block():
            return np.block([[dense(entry) for entry in row] for row in matrix.grid])
    raise TypeError(f"no entries: {matrix}")


def rational(array):
    """An array of floats (or of anything Fraction reads) as an object array of Fractions."""
    array = np.asarray(array, dtype=object)
    return np.array([Fraction(v) for v in array.reshape(-1)], dtype=object).reshape(array.shape)


def layers_of(network):
    """The network's layers as (weight, bias) numpy arrays."""
    return [(dense(layer.weight), dense(layer.bias)[:, 0]) for layer in network.layers]


def evaluate(network, point):
    """The network at one rational point, as a list of Fractions, term by term."""
    values = [Fraction(v) for v in point]
    layers = layers_of(network)
    for depth, (weight, bias) in enumerate(layers, start=1):
        values = [
            sum((Fraction(w) * v for w, v in zip(row, values, strict=True) if w), Fraction(b))
            for row, b in zip(weight.tolist(), bias.tolist(), strict=True)
        ]
        if depth < len(layers):
            values = [max(v, Fraction(0)) for v in values]
    return values


def counts(network):
    """(depth, width, units, weights, biases, dense parameters) by looking at every entry."""
    layers = layers_of(network)
    hidden = [len(bias) for _, bias in layers[:-1]]
    weights = sum(int(np.count_nonzero(weight)) for weight, _ in layers)
    biases = sum(int(np.count_nonzero(bias)) for _, bias in layers)
    return (
        len(hidden),
        max(hidden, default=0),
        sum(hidden),
        weights,
        biases,
        sum(weight.size + bias.size for weight, bias in layers),
    )


def knots(network, low, high, output=0):
    """A one-input network on [low, high] as its list of (x, value) at every kink of any unit, exact
    and sorted.
    """
    low, high = Fraction(low), Fraction(high)
    xs, columns = [low, high], [[low, high]]  # one column of values a unit
    layers = layers_of(network)
    for depth, (weight, bias) in enumerate(layers, start=1):
        sums = []
        for row, b in zip(weight.tolist(), bias.tolist(), strict=True):
            terms = [(Fraction(w), column) for w, column in zip(row, columns, strict=True) if w]
            sums.append(
                [
                    Fraction(b) + sum((w * column[k] for w, column in terms), Fraction(0))
                    for k in range(len(xs))
                ]
            )
        if depth == len(layers):
            return list(zip(xs, sums[output], strict=True))
        kinks = set(xs)
        for values in sums:
            for k in range(len(xs) - 1):
                if values[k] * values[k + 1] < 0:
                    kinks.add(xs[k] + (xs[k + 1] - xs[k]) * values[k] / (values[k] - values[k + 1]))
        finer = sorted(kinks)
        columns = [[max(Fraction(0), interpolate(xs, values, x)) for x in finer] for values in sums]
        xs = finer
    raise AssertionError("a network has at least one layer")


def interpolate(xs, values, x):
    """The piecewise-linear function through (xs, values) at x."""
    k = max(0, min(len(xs) - 2, np.searchsorted(np.array(xs, dtype=object), x, side="right") - 1))
    return values[k] + (values[k + 1] - values[k]) * (x - xs[k]) / (xs[k + 1] - xs[k])


def pieces(network, low, high):
    """The number of maximal intervals of [low, high] on which a one-input network is affine."""
    graph = knots(network, low, high)
    slopes = [(fb - fa) / (b - a) for (a, fa), (b, fb) in itertools.pairwise(graph)]
    return 1 + sum(s != t for s, t in itertools.pairwise(slopes))


def random_network(generator, widths, grid=4, sparsity=0.25, domain=None):
    """A dense network with dyadic weights k/grid (exact in float64), some of them zero."""

    def draw(*shape):
        entries = generator.integers(-2 * grid, 2 * grid + 1, shape) / grid
        return entries * (generator.random(shape) >= sparsity)

    return ReLUNetwork.from_layers(
        [(draw(b, a), draw(b)) for a, b in itertools.pairwise(widths)], domain
    )


# -- the mathematics -------------------------------------------------------------------------------


def square_interpolant(m, x):
    """The piecewise-linear interpolant of t^2 at k/2^m, at a rational x in [0, 1]."""
    x = Fraction(x)
    k = min(2**m - 1, (x.numerator * 2**m) // x.denominator)
    a, b = Fraction(k, 2**m), Fraction(k + 1, 2**m)
    return a * a + (a + b) * (x - a)


def distance_inf(x, c):
    return max(abs(Fraction(a) - Fraction(b)) for a, b in zip(x, c, strict=True))


def distance_squared(x, c):
    return sum((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(x, c, strict=True))


def ramp(t, inner, outer):
    """1 up to inner, 0 from outer, linear between."""
    inner, outer = Fraction(inner), Fraction(outer)
    return min(Fraction(1), max(Fraction(0), (outer - t) / (outer - inner)))


def lean_ramp(x, c, inner, outer):
    """1 - min(1, sum_j relu(|x_j - c_j| - inner) / (outer - inner))."""
    inner, outer = Fraction(inner), Fraction(outer)
    excess = sum(
        (
            max(Fraction(0), abs(Fraction(a) - Fraction(b)) - inner)
            for a, b in zip(x, c, strict=True)
        ),
        Fraction(0),
    )
    return max(Fraction(0), 1 - excess / (outer - inner))


def brute_separation(points, labels, others=None, other_labels=None, p=np.inf):
    """The least distance between differently labelled points, pair by pair, and the set of pairs
    that attain it.
    """
    same = others is None
    others, other_labels = (points, labels) if same else (others, other_labels)
    found = {}
    for i, a in enumerate(points):
        for j, b in enumerate(others):
            if labels[i] != other_labels[j]:
                power = distance_inf(a, b) if p == np.inf else distance_squared(a, b)
                found.setdefault(power, set()).add((i, j))
    if not found:
        return None, set()
    least = min(found)
    return least, found[least]


def memorizer(point, clean, indicators, labels, variant, bound, m, outputs):
    """f_S at one point by its formula, from the value(s) of f_clean and of all indicators there."""
    clean = [Fraction(v) for v in clean]
    if variant == "paper":
        rows = [
            [Fraction(y)] if outputs == 1 else [Fraction(int(k == y)) for k in range(outputs)]
            for y in labels
        ]
        return [
            clean[k]
            + sum(_yarotsky(rows[i][k] - clean[k], s, m, bound) for i, s in enumerate(indicators))
            for k in range(outputs)
        ]
    classes = (1, -1) if outputs == 1 else range(outputs)
    sums = [
        min(
            Fraction(1),
            sum((s for s, y in zip(indicators, labels, strict=True) if y == c), Fraction(0)),
        )
        for c in classes
    ]
    gated = [_soft_threshold(v, Fraction(bound) * sum(sums)) for v in clean]
    return (
        [gated[0] + sums[0] - sums[1]]
        if outputs == 1
        else [g + s for g, s in zip(gated, sums, strict=True)]
    )


def _soft_threshold(v, by):
    return max(Fraction(0), v - by) - max(Fraction(0), -v - by)


def _yarotsky(x, y, m, scale):
    scale = Fraction(scale)
    f = [square_interpolant(m, abs(t) / (2 * scale)) for t in (x + y, x, y)]
    return 2 * scale**2 * (f[0] - f[1] - f[2])


# -- linear regions --------------------------------------------------------------------------------


@dataclass
class Cell:
    """An activation cell: its pattern, half-spaces a.x + c >= 0 as rows (a, c), vertices, and the
    map (rows (a, c)).
    """

    pattern: tuple
    halfspaces: list
    vertices: list
    map: tuple


def cells_of(network, lower, upper):
    """All activation cells of a network over a box, in rationals: each cell is cut by each unit's
    own affine form.

    A unit cuts a cell exactly if it takes both strict signs at the cell's vertices; vertices are
    found by solving d-subsets of half-spaces."""
    d = len(lower)
    unit_vectors = [[Fraction(int(i == j)) for j in range(d)] for i in range(d)]
    box = [([*e], -Fraction(low)) for e, low in zip(unit_vectors, lower, strict=True)]
    box += [([-x for x in e], Fraction(high)) for e, high in zip(unit_vectors, upper, strict=True)]
    halfspaces = [(*a, c) for a, c in box]
    inputs = [(*e, Fraction(0)) for e in unit_vectors]
    cells = [(Cell((), halfspaces, corners_of(halfspaces, d), ()), inputs)]
    *hidden, output = layers_of(network)
    for weight, bias in hidden:
        following = []
        for cell, forms in cells:
            rows = [
                combine(w, b, forms, d) for w, b in zip(weight.tolist(), bias.tolist(), strict=True)
            ]
            parts = [cell]
            for row in rows:
                parts = [piece for part in parts for piece in split(part, row, d)]
            for part in parts:
                active = part.pattern[len(part.pattern) - len(rows) :]
                following.append(
                    (
                        part,
                        [
                            r if on else (Fraction(0),) * (d + 1)
                            for r, on in zip(rows, active, strict=True)
                        ],
                    )
                )
        cells = following
    result = []
    for cell, forms in cells:
        cell.map = tuple(
            combine(w, b, forms, d)
            for w, b in zip(output[0].tolist(), output[1].tolist(), strict=True)
        )
        result.append(cell)
    return result


def combine(weights, bias, forms, d):
    """The affine form of sum w_i f_i + b."""
    out = [Fraction(0)] * d + [Fraction(bias)]
    for w, form in zip(weights, forms, strict=True):
        if w:
            out = [x + Fraction(w) * y for x, y in zip(out, form, strict=True)]
    return tuple(out)


def at(form, point):
    return sum((a * x for a, x in zip(form, point, strict=False)), form[-1])


def split(cell, form, d):
    """The one or two cells that the zero set of a form leaves of a cell, their patterns extended.

    The vertices of a part are the cell's vertices on its side, and the common zeros of the form and
    d - 1 half-spaces."""
    values = [at(form, v) for v in cell.vertices]
    positive, negative = any(v > 0 for v in values), any(v < 0 for v in values)
    if not (positive and negative):
        return [Cell((*cell.pattern, positive), cell.halfspaces, cell.vertices, ())]
    crossings, parts = corners_of(cell.halfspaces, d, [form]), []
    for on in (True, False):
        sign = 1 if on else -1
        halfspaces = [*cell.halfspaces, tuple(sign * x for x in form)]
        vertices = sorted(
            {v for v, x in zip(cell.vertices, values, strict=True) if sign * x > 0}.union(crossings)
        )
        useful = [h for h in halfspaces if rank([v for v in vertices if at(h, v) == 0]) == d - 1]
        parts.append(Cell((*cell.pattern, on), useful, vertices, ()))
    return parts


def corners_of(halfspaces, d, zeros=()):
    """The vertices of the polytope, or of its part where further forms are zero."""
    found = set()
    for chosen in itertools.combinations(halfspaces, d - len(zeros)):
        point = solve([*zeros, *chosen], d)
        if point is not None and all(at(h, point) >= 0 for h in halfspaces):
            found.add(point)
    return sorted(found)


def solve(rows, d):
    """The one common zero of d affine forms, or None."""
    matrix = [list(row) for row in rows]
    for i in range(d):
        pivot = next((r for r in range(i, d) if matrix[r][i] != 0), None)
        if pivot is None:
            return None
        matrix[i], matrix[pivot] = matrix[pivot], matrix[i]
        matrix[i] = [x / matrix[i][i] for x in matrix[i]]
        for r in range(d):
            if r != i and matrix[r][i] != 0:
                matrix[r] = [
                    x - matrix[r][i] * y for x, y in zip(matrix[r], matrix[i], strict=True)
                ]
    return tuple(-row[d] for row in matrix)


def rank(points):
    """The dimension of the affine hull of points; -1 for none."""
    if not points:
        return -1
    rows = [[x - y for x, y in zip(p, points[0], strict=True)] for p in points[1:]]
    count = 0
    for column in range(len(points[0])):
        pivot = next((r for r in rows if r[column] != 0), None)
        if pivot is None:
            continue
        count += 1
        rows = [
            [x - r[column] / pivot[column] * y for x, y in zip(r, pivot, strict=True)]
            for r in rows
            if r is not pivot
        ]
    return count


def neighbours_of(cells):
    """Pairs (i < j) of cells whose closures share a face of dimension d - 1."""
    d = len(cells[0].vertices[0])
    sets = [set(cell.vertices) for cell in cells]
    return {
        (i, j)
        for i, j in itertools.combinations(range(len(cells)), 2)
        if rank(sorted(sets[i] & sets[j])) == d - 1
    }


def pieces_of(cells, pairs):
    """The numbers of linear pieces and of different affine maps."""
    graph = networkx.empty_graph(len(cells))
    graph.add_edges_from((i, j) for i, j in pairs if cells[i].map == cells[j].map)
    return networkx.number_connected_components(graph), len({cell.map for cell in cells})


def volume_of(cell):
    """The d-dimensional measure of a cell, exact in any d: the sum over simplices."""
    d = len(cell.vertices[0])
    edges = [
        [[x - y for x, y in zip(v, first, strict=True)] for v in others]
        for first, *others in simplices_of(cell, d)
    ]
    return sum(abs(determinant(matrix)) for matrix in edges) / math.factorial(d)


def simplices_of(cell, dimension, vertices=None):
    """Simplices that fill a face, given by its vertices: its first vertex joined to those of the
    facets that avoid it.
    """
    vertices = vertices or cell.vertices
    if dimension == 0:
        return [vertices]
    facets = {tuple(v for v in vertices if at(h, v) == 0) for h in cell.halfspaces}
    facets = [f for f in facets if rank(f) == dimension - 1 and vertices[0] not in f]
    return [
        (vertices[0], *simplex)
        for facet in facets
        for simplex in simplices_of(cell, dimension - 1, facet)
    ]


def determinant(rows):
    """By expansion along the first row."""
    if not rows:
        return Fraction(1)
    minors = ([[*row[:j], *row[j + 1 :]] for row in rows[1:]] for j in range(len(rows)))
    return sum(
        (-1) ** j * x * determinant(minor)
        for j, (x, minor) in enumerate(zip(rows[0], minors, strict=True))
        if x
    )


def pattern_at(network, point):
    """On or off of all hidden units at one rational point."""
    values, pattern = [Fraction(v) for v in point], []
    for weight, bias in layers_of(network)[:-1]:
        forms = [
            sum((Fraction(w) * v for w, v in zip(row, values, strict=True)), Fraction(0))
            for row in weight.tolist()
        ]
        values = [v + Fraction(b) for v, b in zip(forms, bias.tolist(), strict=True)]
        pattern += [v > 0 for v in values]
        values = [max(v, Fraction(0)) for v in values]
    return tuple(pattern)
