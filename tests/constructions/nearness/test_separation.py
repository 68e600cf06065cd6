"""Separation and pairs within a radius, directly and through bounds, against exact rational
arithmetic.
"""

import importlib
import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import brute_separation, distance_inf, distance_squared

from constructions import Ball, Engine, RangeSearch, nearest_within_class, pairs_within, separation
from constructions.basics.ball import read_norm

MODULE = importlib.import_module("constructions.nearness.separation")
NORMS = ("inf", 2)
FORMS = ("uint8", "float32", "float64", "clusters", "far away", "tiny", "huge", "equal")


@pytest.fixture
def bounded(monkeypatch):
    """Small sets, too, are compared through bounds, in shards of 16 points."""
    monkeypatch.setattr(MODULE, "DIRECT", 0)
    monkeypatch.setattr(MODULE, "SHARD", 16)


def draw(form, count, dimension, seed=0):
    """Points whose distances are hard for floating point, each in its way."""
    rng = np.random.default_rng(seed)
    points = rng.random((count, dimension))
    return {
        "uint8": rng.integers(0, 256, (count, dimension)).astype(np.uint8),
        "float32": points.astype(np.float32),
        "float64": points,
        "clusters": rng.integers(0, 2, (count, dimension)) + 1e-9 * points,
        "far away": 1e9 + points,
        "tiny": 1e-30 * points,
        "huge": 1e30 * (points - 0.5),
        "equal": np.full((count, dimension), 0.1),
    }[form]


def exact_power(a, b, p):
    return (
        distance_inf(a.tolist(), b.tolist())
        if p == math.inf
        else distance_squared(a.tolist(), b.tolist())
    )


@pytest.mark.parametrize("norm", NORMS)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 12),
    dimension=st.integers(1, 5),
    two=st.booleans(),
)
def test_separation_of_dyadic_points(norm, seed, count, dimension, two):
    generator = np.random.default_rng(seed)

    def draw(n):
        return generator.integers(0, 17, (n, dimension)) / 16, generator.integers(0, 3, n)

    points, labels = draw(count)
    others = draw(5) if two else (None, None)
    found = separation(points, labels, *others, norm=norm)
    least, pairs = brute_separation(points, labels, *others, p=read_norm(norm))
    assert found.is_exact
    if least is None:
        assert (found.distance, found.pair) == (math.inf, None)
    else:
        assert found.pair in pairs
        assert found.distance == (float(least) if norm == "inf" else math.sqrt(least))
        assert Fraction(found.lower) ** (1 if norm == "inf" else 2) <= least
        assert found.lower >= found.distance * (1 - 2.0**-49)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("two", [False, True])
def test_separation_of_images(norm, two):
    """uint8 is read as k/255; the distance is found in whole numbers."""
    generator = np.random.default_rng(0)
    images, labels = (
        generator.integers(0, 256, (20, 4, 4)).astype(np.uint8),
        generator.integers(0, 2, 20),
    )
    arguments = (images[:10], labels[:10], images[10:], labels[10:]) if two else (images, labels)
    found = separation(*arguments, norm=norm)
    whole = [v.reshape(len(v), -1).tolist() if v.ndim == 3 else v for v in arguments]
    least, pairs = brute_separation(*whole, p=read_norm(norm))
    assert found.is_exact
    assert found.pair in pairs
    assert found.distance == (float(least) if norm == "inf" else math.sqrt(least)) / 255
    assert (255 * Fraction(found.lower)) ** (1 if norm == "inf" else 2) <= least
    assert found.lower >= found.distance * (1 - 2.0**-48)
    mixed = separation(images[:10], labels[:10], images[10:] / 255.0, labels[10:], norm=norm)
    plain = separation(images[:10], labels[:10], images[10:], labels[10:], norm=norm)
    assert mixed.distance == pytest.approx(plain.distance, abs=1e-15)
    assert not mixed.is_exact


@pytest.mark.parametrize("norm", NORMS)
def test_separation_of_generic_points(norm):
    points, labels = np.random.default_rng(0).random((40, 6)), np.arange(40) % 3
    found = separation(points, labels, norm=norm)
    least, pairs = brute_separation(points, labels, p=read_norm(norm))
    assert not found.is_exact
    assert found.pair in pairs
    assert found.distance == pytest.approx(float(least) ** (1 if norm == "inf" else 0.5), rel=1e-15)
    assert Fraction(found.lower) ** (1 if norm == "inf" else 2) <= least
    assert found.lower >= found.distance * (1 - 2.0**-48)
    assert separation(torch.from_numpy(points), torch.from_numpy(labels), norm=norm) == found


@pytest.mark.parametrize("norm", NORMS)
def test_nearest_points_of_one_class(norm):
    points, labels = np.random.default_rng(0).integers(0, 17, (30, 4)) / 16, np.arange(30) % 3
    found = nearest_within_class(points, labels, norm=norm)
    power = distance_inf if norm == "inf" else distance_squared
    pairs = {
        (i, j): power(points[i], points[j])
        for i in range(30)
        for j in range(30)
        if i != j and labels[i] == labels[j]
    }
    assert pairs[found.pair] == min(pairs.values())
    assert found.distance == float(min(pairs.values())) ** (1 if norm == "inf" else 0.5)
    assert nearest_within_class(points[:3], [0, 1, 2], norm=norm).pair is None


def test_separation_takes_memory_of_order_n():
    """The docstring's promise: pairs are compared in chunks. 20,000 points have 4 10^8 pairs."""
    points, labels = np.random.default_rng(0).random((20_000, 1)), np.arange(20_000) % 2
    tracemalloc.start()
    try:
        separation(points, labels)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 300 * 2**20


def test_separation_checks_its_arguments():
    with pytest.raises(
        ValueError, match="labels must have shape \\(2,\\), one for each point, got \\(3,\\)"
    ):
        separation([[0.0], [1.0]], [0, 1, 1])
    with pytest.raises(ValueError, match="other_points must have 1 coordinates like points, got 2"):
        separation([[0.0]], [0], [[0.0, 1.0]], [1])
    with pytest.raises(TypeError, match=r"other_points must be points, got '2': a norm is norm="):
        separation([[0.0], [1.0]], [0, 1], "2")
    with pytest.raises(ValueError, match="NaN or infinity"):
        separation([[0.0], [math.nan]], [0, 1])
    with pytest.raises(ValueError, match="norm must be 2 or 'inf'"):
        separation([[0.0], [1.0]], [0, 1], norm=1)


# -- through bounds --------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dimension", [1, 3, 40])
@pytest.mark.parametrize("form", FORMS)
def test_no_near_pair_is_missed(form, dimension, norm):
    """Radii are distances that occur, so that pairs lie exactly at the radius, one rounding nearer
    and one farther.
    """
    points, queries, p = (
        draw(form, 30, dimension),
        draw(form, 8, dimension, seed=1),
        read_norm(norm),
    )
    powers = {(i, j): exact_power(queries[i], points[j], p) for i in range(8) for j in range(30)}
    for rank in (0, 10, 120, 239):
        power = sorted(powers.values())[rank]
        radius = math.nextafter(
            float(power) if p == math.inf else math.sqrt(float(power)), math.inf
        )
        search = RangeSearch(torch.from_numpy(points), p, radius)
        rows, columns, values = search(torch.from_numpy(queries))
        found = dict(
            zip(zip(rows.tolist(), columns.tolist(), strict=True), values.tolist(), strict=True)
        )
        limit = Fraction(radius) ** (1 if p == math.inf else 2)
        missed = [pair for pair, value in powers.items() if value < limit and pair not in found]
        assert not missed
        for pair, value in found.items():
            assert value == pytest.approx(float(powers[pair]), rel=1e-14)
            assert powers[pair] <= limit * (1 + Fraction(1, 2**40))


def test_bounds_rule_out_most_pairs():
    """On points with structure, as images have it, few pairs are left for the last step; else it
    would be no search.
    """
    rng = np.random.default_rng(0)
    points = torch.from_numpy(
        (rng.random((2000, 8)) @ rng.standard_normal((8, 100))).astype(np.float32)
    )
    for p, radius in ((math.inf, 0.1), (2, 0.3)):
        left = sum(len(rows) for rows, _ in RangeSearch(points, p, radius).candidates(points[:200]))
        assert left < 0.1 * 200 * 2000


def test_other_matrix_precisions_lose_no_pair():
    points = torch.from_numpy(draw("float64", 300, 50))
    wanted = RangeSearch(points, 2, 2.5)(points)
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            for p in (2, math.inf):
                search = RangeSearch(points, p, 2.5 if p == 2 else 0.8)
                found = search(points)
                assert p != 2 or all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
                brute = torch.cdist(points, points, p=p) < search.radius - 1e-9
                assert set(map(tuple, brute.nonzero().tolist())) <= set(
                    zip(*(f.tolist() for f in found[:2]), strict=True)
                )
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize(
    ("ask", "two"), [(separation, False), (separation, True), (nearest_within_class, False)]
)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("form", FORMS)
def test_bounds_find_what_a_direct_search_finds(form, norm, ask, two, monkeypatch):
    points, labels = draw(form, 70, 12), np.arange(70) % 3
    others = (draw(form, 40, 12, seed=1), np.arange(40) % 4) if two else ()
    found = ask(points, labels, *others, norm=norm)
    monkeypatch.setattr(MODULE, "DIRECT", 2**40)
    direct = ask(points, labels, *others, norm=norm)
    assert found.pair == direct.pair
    assert found.distance == pytest.approx(direct.distance, rel=1e-14)
    assert (found.is_exact, found.lower) == (
        direct.is_exact,
        pytest.approx(direct.lower, rel=1e-14),
    )


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize(
    ("labels", "others"),
    [
        ([1] * 40, None),
        ([1] * 40, [1] * 30),
        ([1] * 40, [*[1] * 29, 2]),
        ([*[1] * 39, 2], [1] * 30),
        (list(range(40)), None),
    ],
)
def test_rare_labels(labels, others):
    """Only rows that have a partner bound the separation; without any it is infinite."""
    points, second = (
        draw("float64", 40, 3),
        None if others is None else draw("float64", 30, 3, seed=1),
    )
    found = separation(points, labels, second, others)
    least, pairs = brute_separation(points, labels, *([] if others is None else [second, others]))
    assert found.distance == (math.inf if least is None else pytest.approx(float(least)))
    assert found.pair is None if least is None else found.pair in pairs
    assert (nearest_within_class(points, labels).pair is None) == (len(set(labels)) == 40)


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("same_label", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_pairs_within_a_radius(norm, same_label):
    points, labels = draw("uint8", 50, 4), np.arange(50) % 3
    radius = 0.3 if norm == "inf" else 0.5
    pairs, distances = pairs_within(points, labels, Ball(norm, radius), same_label=same_label)
    wanted = {}
    for i in range(50):
        for j in range(i + 1, 50):
            power = exact_power(points[i], points[j], read_norm(norm))
            if (labels[i] == labels[j]) == same_label and power < Fraction(255 * radius) ** (
                1 if norm == "inf" else 2
            ):
                wanted[i, j] = float(power) ** (1 if norm == "inf" else 0.5) / 255
    assert len(wanted) > 5
    assert dict(zip(map(tuple, pairs.tolist()), distances.tolist(), strict=True)) == pytest.approx(
        wanted
    )
    assert pairs.tolist() == sorted(pairs.tolist())
    none, _ = pairs_within(points, labels, Ball(norm, 1e-9))
    assert none.shape == (0, 2)
    with pytest.raises(ValueError, match="ball must have a radius > 0, got l_inf ball of radius 0"):
        pairs_within(points, labels, Ball("inf", 0))


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("norm", NORMS)
def test_results_do_not_depend_on_where_they_are_computed(norm, tmp_path):
    points, labels, seen = draw("float32", 200, 20), np.arange(200) % 2, []
    alone = separation(
        points,
        labels,
        norm=norm,
        engine=Engine(report=lambda told: seen.append((told.done, told.total))),
    )
    assert seen == [(k, 13) for k in range(14)]
    journal = tmp_path / "journal"
    assert separation(points, labels, norm=norm, engine=Engine(journal=journal)) == alone
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:5]) + lines[5][:3])  # a crash in the middle of a line
    seen.clear()
    again = separation(
        points,
        labels,
        norm=norm,
        engine=Engine(jobs=2, journal=journal, report=lambda told: seen.append(told.done)),
    )
    assert again == alone
    assert seen == list(range(4, 14))
    with pytest.raises(ValueError, match="holds results of another computation"):
        separation(points, 1 - labels, norm=norm, engine=Engine(journal=journal))
    pairs_within(points, labels, Ball(norm, 0.5), engine=Engine(journal=tmp_path / "pairs"))
    # two sets are not one
    with pytest.raises(ValueError, match="holds results of another computation"):
        pairs_within(
            points,
            labels,
            Ball(norm, 0.5),
            points,
            labels,
            engine=Engine(journal=tmp_path / "pairs"),
        )


def test_numbers_that_overflow_or_underflow():
    """Sizes are refused, or bounded by 0; nothing is missed."""
    with pytest.raises(ValueError, match=r"points must be at most 1e\+150 in size"):
        separation([[0.0], [1e200]], [1, -1], norm=2)
    assert separation([[0.0], [1.6e-162]], [1, -1], norm=2).lower == 0
    points = np.zeros((2, 4))
    points[1] = 1.6e-162
    assert len(pairs_within(points, [1, 1], Ball(2, 3.3e-162))[0]) == 1
    assert len(pairs_within(points, [1, 1], Ball(2, 1e200))[0]) == 1
    with pytest.raises(ValueError, match="points must be real numbers"):
        separation(np.array([[0.0], [1j]]), [1, -1])


@pytest.mark.usefixtures("bounded")
def test_arrays_that_nobody_may_write_are_read():
    points = np.frombuffer(bytes(range(200)), np.uint8).reshape(50, 4)
    assert separation(points, np.arange(50) % 2).distance == 4 / 255


def test_precision_lowered_later_loses_no_pair():
    points = torch.from_numpy(draw("float64", 200, 50))
    search = RangeSearch(points, 2, 2.5)
    wanted = search(points)
    try:
        torch.set_float32_matmul_precision("medium")
        assert all(torch.equal(a, b) for a, b in zip(search(points), wanted, strict=True))
    finally:
        torch.set_float32_matmul_precision("highest")
