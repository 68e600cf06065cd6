"""The smallest of all constructions: it is the least of all, and right on all balls."""

import math
import warnings

import numpy as np
import pytest
from labelled import labels_of

from analysis import certify_memorizer
from constructions import Ball, affine, explain, f_S, load, robust_memorizer, separation
from constructions.memorizers.smallest import CANDIDATES


def problem(n, d, outputs, seed=0):
    rng = np.random.default_rng([seed, n, d, outputs])
    labels = labels_of(rng, n, outputs)
    return rng.random((n, d)), labels


@pytest.mark.parametrize(("n", "d", "outputs", "p"), [(40, 6, 1, 2), (50, 12, 3, math.inf)])
def test_a_sweep_of_radii(n, d, outputs, p):
    points, labels = problem(n, d, outputs)
    half = separation(points, labels, norm=p).lower / 2
    clean = affine(np.zeros((max(1, outputs), d)))
    sizes, chosen = [], []
    for rho in np.geomspace(1e-6, 0.99, 12):
        ball = Ball(p, rho * half)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of narrow shells, at large radii
            network = robust_memorizer(points, labels, ball)
            least = f_S(clean, points, labels, ball).size.parameters
        proof = certify_memorizer(network, points, labels, ball)
        assert proof.verdict == "proved"
        facts = network.provenance.arguments
        sizes.append(network.size.parameters)
        chosen.append(facts["chosen"])
        assert sizes[-1] <= least
        assert f"{facts['chosen']}: {sizes[-1]:,} parameters" in facts["why"]
        assert all(f"{name}: " in facts["why"] for name in CANDIDATES)
    assert chosen[0] in ("memorizer", "grid_memorizer")
    assert sizes[0] < sizes[-1]
    assert chosen[-1] == ("nearest_neighbour" if p == 2 else "narrow_memorizer")


def test_what_was_chosen_is_kept_and_explained(tmp_path):
    points, labels = problem(12, 3, 1)
    ball = Ball(2, 0.4 * separation(points, labels, norm=2).lower)
    network = robust_memorizer(points, labels, ball)
    text = explain(network)
    assert "chosen=nearest_neighbour" in text
    assert "nearest_neighbour(" in text.splitlines()[2]
    network.save(tmp_path / "f.safetensors")
    read = load(tmp_path / "f.safetensors")
    assert certify_memorizer(read, points, labels, ball).verdict == "proved"


def test_where_nothing_is_right_all_reasons_are_given():
    points, labels = problem(12, 3, 1)
    with pytest.raises(
        ValueError,
        match=r"no construction is right on all balls \(f_S: ball radius must be below half the "
        r"separation: radius 1, .*; memorizer: ball must be smaller",
    ):
        robust_memorizer(points, labels, Ball(2, 1.0))
    with pytest.raises(ValueError, match=r"points must lie in \[0, 1\]"):
        robust_memorizer(points + 1, labels, Ball(2, 0.1))


def test_only_what_was_chosen_warns():
    points, labels = problem(40, 8, 3)
    half = separation(points, labels, norm=2).lower / 2
    with pytest.warns(UserWarning, match="shell in which f passes"):
        f_S(affine(np.zeros((3, 8))), points, labels, Ball(2, 0.9995 * half))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = robust_memorizer(points, labels, Ball(2, 0.9995 * half))
    assert found.provenance.arguments["chosen"] == "nearest_neighbour"
    points, labels = problem(10, 2, 3)  # of 40 points with 8 coordinates, stages take fewer
    wide = separation(points, labels).lower / 2
    with pytest.warns(UserWarning, match="shell in which f passes"):
        found = robust_memorizer(points, labels, Ball("inf", (1 - 2.0**-24) * wide))
    assert found.provenance.arguments["chosen"] == "f_S"
