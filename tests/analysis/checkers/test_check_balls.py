"""The checker of f_S of many points: it accepts what is true, and nothing that was changed."""

import copy
import functools
import hashlib
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import analysis
from analysis import certify_memorization, save_points
from analysis.checkers.check_balls import check
from analysis.commands.cli import main
from analysis.proofs import certificates
from constructions import Ball, f_S, separation

FORMS = [
    (norm, variant, outputs)
    for norm in ("inf", 2)
    for variant in ("lean", "gate")
    for outputs in (1, 3)
]


def problem(norm, variant="lean", outputs=1, count=40, dimension=30, seed=0):
    """Binary images and an f_S whose ball's radius is a third of their separation."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 2, (count, dimension)) * 0.8 + 0.1
    labels = rng.integers(0, outputs, count) if outputs > 1 else rng.choice([-1, 1], count)
    torch.manual_seed(seed)
    clean = nn.Sequential(nn.Linear(dimension, 5), nn.ReLU(), nn.Linear(5, outputs))
    ball = Ball(norm, 0.25 if norm == "inf" else 0.4)
    return points, labels, ball, f_S(clean, points, labels, ball, variant=variant)


@pytest.fixture(autouse=True)
def _large(monkeypatch):
    """Small networks are certified as large ones are; f_clean has fewer parameters than this."""
    monkeypatch.setattr(certificates, "EMBEDDED", 1000)


def certificate_of(*problem):
    points, labels, ball, network = problem
    certificate = certify_memorization(network, points, labels, ball).certificate
    assert certificate["checker"] == "check_balls.py"
    return json.loads(json.dumps(certificate)), points, labels


@pytest.mark.parametrize(("norm", "variant", "outputs"), FORMS)
def test_true_certificates_are_accepted(norm, variant, outputs):
    certificate, points, labels = certificate_of(*problem(norm, variant, outputs))
    check(certificate, points, labels)
    assert bool(certificate["cuts"]) == (norm == "inf")
    assert bool(certificate["projection"]) == (norm == 2)
    check({**certificate, "cuts": [], "projection": []}, points, labels)  # hints save time, no more


def renewed(certificate, points, labels):
    """The certificate with the digest of other points, labels and claims, as a forger would write
    it.
    """
    claim = [
        certificate[name] for name in ("norm", "radius", "variant", "m", "inner", "outer", "bound")
    ]
    text = (
        points.tobytes()
        + np.ascontiguousarray(labels, np.int64).tobytes()
        + json.dumps(claim).encode()
    )
    return {**certificate, "digest": hashlib.sha256(text).hexdigest()}


@pytest.mark.parametrize(("norm", "variant", "outputs"), FORMS)
def test_changed_points_labels_and_thresholds_are_rejected(norm, variant, outputs):
    certificate, points, labels = certificate_of(*problem(norm, variant, outputs))
    rng = np.random.default_rng(1)
    for _ in range(10):
        other, i = labels.copy(), rng.integers(len(labels))
        other[i] = -other[i] if outputs == 1 else (other[i] + 1) % outputs
        with pytest.raises(ValueError, match="digest"):
            check(certificate, points, other)
        moved = points.copy()
        moved[i, rng.integers(points.shape[1])] += 2.0**-50
        with pytest.raises(ValueError, match="digest"):
            check(certificate, moved, labels)
    i = int(np.flatnonzero(labels != labels[0])[0])
    near = points.copy()
    near[i] = near[0] + 0.01  # with a digest of its own
    for hints in ({}, {"cuts": [], "projection": []}):
        with pytest.raises(ValueError, match="points of different labels are"):
            check({**renewed(certificate, near, labels), **hints}, near, labels)
    power = 1 if norm == "inf" else 2
    apart = separation(points, labels, norm=norm).distance - certificate["radius"]
    width = next(
        w
        for w in (2.0**k for k in range(-20, 9))
        if (certificate["inner"] + w) ** (1 / power) > apart
    )
    changes = [
        {"radius": certificate["radius"] * 1.5},
        {"radius": -1.0},
        {"inner": certificate["radius"] ** power},
        {
            "inner": certificate["radius"] ** power,
            "outer": certificate["radius"] ** power + 2.0**-6,
        },
        {"outer": certificate["outer"] + 2**-30},
        {"outer": certificate["inner"] + width},
        {"outer": certificate["inner"]},
        {"bound": certificate["bound"] / 64},
        {"variant": "paper"},
        {"norm": "1"},
        {"m": -1},
    ]
    for change in changes:
        with pytest.raises(ValueError, match="digest"):
            check({**certificate, **change}, points, labels)
        with pytest.raises((ValueError, KeyError)) as found:
            check(renewed({**certificate, **change, "cuts": []}, points, labels), points, labels)
        assert "digest" not in str(found.value)
    for change in ({"format": "other"}, {"clean": []}):
        with pytest.raises(ValueError, match=r"format|layers"):
            check({**certificate, **change}, points, labels)
    larger = copy.deepcopy(certificate)
    larger["clean"][-1][1][0] += 1000.0
    with pytest.raises(ValueError, match="f_clean may exceed its bound"):
        check(larger, points, labels)


@pytest.mark.parametrize("norm", ["inf", 2])
def test_false_hints_do_not_hide_a_near_pair(norm):
    """Whatever the hints say: too narrow cuts, stretched, infinite or undefined projections."""
    certificate, points, labels = certificate_of(*problem(norm))
    i = int(np.flatnonzero(labels != labels[0])[0])
    near = points.copy()
    near[i] = near[0]
    near[i, 0] = 0.5
    forged = renewed(certificate, near, labels)
    dimension = points.shape[1]
    lies = [
        {"cuts": [[0, min(near[0, 0], 0.5), max(near[0, 0], 0.5)]]},
        {"cuts": [[0, -math.inf, math.inf]]},
        {"cuts": [[0, math.nan, math.nan]]},
        {"projection": [[1e9] + [0.0] * (dimension - 1)]},
        {"projection": [[math.inf] * dimension]},
        {"projection": [[math.nan] * dimension]},
        {"projection": [[1e200] * dimension]},
        {"projection": (np.eye(dimension) * 3).tolist()},
    ]
    for lie in lies:
        with np.errstate(all="ignore"), pytest.raises((ValueError, OverflowError, TypeError)):
            check({**forged, **lie}, near, labels)


@functools.cache
def of_two():
    return certificate_of(*problem(2))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "0.3", None, [], True])
@pytest.mark.parametrize("name", ["radius", "inner", "outer", "bound", "m", "clean", "digest"])
def test_values_of_the_wrong_kind_are_rejected(name, value):
    certificate, points, labels = of_two()
    if (name, value) == ("m", True):
        return  # JSON's true is the number 1
    with (
        np.errstate(all="ignore"),
        pytest.raises((ValueError, TypeError, KeyError, IndexError, OverflowError)),
    ):
        check(renewed({**certificate, name: value}, points, labels) | {name: value}, points, labels)


def forged(x, y, **changes):
    base = {
        "format": "cgro balls certificate 1",
        "norm": "inf",
        "radius": 0.0625,
        "variant": "lean",
        "m": 1,
        "inner": 0.125,
    }
    return renewed({**base, "outer": 0.25, "cuts": [], "projection": [], **changes}, x, y), x, y


def test_forgeries_by_overflow_underflow_and_shapes_are_rejected():
    x, y, big = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([-1, 1]), 2**62
    # in int64, -2^63 is its own absolute value
    minimum = [[[[-2 * big, 0], [0, big]], [big, 0]], [[[1, 1]], [-big]]]
    with pytest.raises(ValueError, match="may exceed its bound"):
        check(*forged(x, y, bound=2.0**40, clean=minimum))
    tiny = [
        [[[1e-300, 0.0]], [0.0]],
        [[[1e-300]], [0.0]],
        [[[1e300]], [0.0]],
        [[[1e300]], [0.0]],
        [[[1e20]], [0.0]],
    ]
    with pytest.raises(ValueError, match="may exceed its bound"), np.errstate(all="ignore"):
        check(*forged(x, y, bound=2.0, clean=tiny))
    right = [[[[0.25, 0.0]], [0.0]]]
    check(*forged(x, y, bound=2.0, clean=right))
    for bound in (math.inf, [2.0], True, 2):
        with pytest.raises(ValueError, match="may exceed its bound"):
            check(*forged(x, y, bound=bound, clean=right))
    for layer in (
        [[[0.25, 0.0]], []],
        [[[0.25, 0.0]], [0.0, 0.0]],
        [[[0.25, 0.0]], [[0.0]]],
        [[0.25, 0.0], 0.0],
    ):
        with pytest.raises(ValueError, match="layers do not fit"):
            check(*forged(x, y, bound=2.0, clean=[layer]))
    for labels in (
        np.array([-1.9, 1.9]),
        np.array([-1, 1j]),
        np.array(["-1", "1"]),
        np.array([2**64 - 1, 1], np.uint64),
    ):
        with pytest.raises(ValueError, match="no numbers"):
            check(forged(x, y, bound=2.0, clean=right)[0], x, labels)
    with pytest.raises(ValueError, match="no numbers"):
        check(forged(x, y, bound=2.0, clean=right)[0], x.astype(complex), y)


def test_points_outside_and_undefined_are_rejected():
    certificate, points, labels = certificate_of(*problem("inf"))
    for value in (-0.1, 1.1, math.nan):
        wrong = points.copy()
        wrong[3, 4] = value
        with pytest.raises(ValueError, match="must be"):
            check(renewed(certificate, wrong, labels), wrong, labels)
    with pytest.raises(ValueError, match="labels do not fit"):
        check(renewed(certificate, points, labels * 2), points, labels * 2)


def test_the_command_and_the_checker_alone(tmp_path, capsys):
    points, labels, _, network = problem("inf")
    network.save(tmp_path / "f.safetensors")
    save_points(tmp_path / "points.npz", points, labels)
    save_points(tmp_path / "other.npz", points, -labels)
    common = [
        str(tmp_path / "f.safetensors"),
        "--memorized",
        str(tmp_path / "points.npz"),
        "--radius",
        "0.25",
    ]
    assert main(["certify", *common, "--out", str(tmp_path / "c.json")]) == 0
    assert "MemorizationProof: proved: margin on all 40 balls" in capsys.readouterr().out
    checked = [
        "check-certificate",
        str(tmp_path / "c.json"),
        "--network",
        str(tmp_path / "f.safetensors"),
        "--points",
    ]
    assert main([*checked, str(tmp_path / "points.npz")]) == 0
    assert main([*checked, str(tmp_path / "other.npz")]) == 2
    assert "digest" in capsys.readouterr().out
    assert main(["check-certificate", str(tmp_path / "c.json")]) == 2
    assert "needs the file of the points" in capsys.readouterr().err
    (tmp_path / "checker.py").write_text(
        Path(analysis.__file__).with_name("checkers").joinpath("check_balls.py").read_text()
    )
    for name, status in (("points", 0), ("other", 1), ("none", 1)):
        command = [sys.executable, "-I", "checker.py", "c.json", f"{name}.npz"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == status
        assert ("accepted" in done.stdout) == (status == 0)
        assert ("rejected" in done.stderr) == (status == 1)


def test_uint8_points_are_kths_of_255(tmp_path):
    rng = np.random.default_rng(0)
    images, labels = (
        (255 * rng.integers(0, 2, (30, 4, 4))).astype(np.uint8),
        rng.choice([-1, 1], 30),
    )
    clean, points = nn.Linear(16, 1), images.reshape(30, 16) / 255.0
    ball = Ball("inf", 0.25)
    save_points(tmp_path / "points.npz", images, labels)
    proof = certify_memorization(f_S(clean, points, labels, ball), points, labels, ball)
    with np.load(tmp_path / "points.npz") as content:
        assert content["x"].dtype == np.uint8
        check(json.loads(json.dumps(proof.certificate)), content["x"], content["y"])


def test_the_checker_is_short():
    source = Path(analysis.__file__).with_name("checkers").joinpath("check_balls.py").read_text()
    code = source[source.index("import hashlib") :].splitlines()
    assert sum(bool(line.strip()) for line in code) <= 120
    assert {line.split()[1] for line in code if line.startswith(("import ", "from "))} - set(
        sys.stdlib_module_names
    ) == {"numpy"}
