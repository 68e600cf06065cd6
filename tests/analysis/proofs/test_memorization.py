"""Proofs of memorization from the weights as they are: what holds is proved, what was changed is
not, and checkers agree.
"""

import itertools
import json
import math
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import analysis
from analysis import certify_memorization
from analysis.checkers.check_memorization import check
from constructions import (
    VARIANTS,
    Affine,
    Ball,
    Dense,
    ReLUNetwork,
    affine,
    f_adv,
    f_S,
    load,
    separation,
    squaring,
)

EVERY = [
    pytest.param(v, p, k, id=f"{v}-{p}-{k}") for v in VARIANTS for p in ("inf", 2) for k in (1, 3)
]
HALF = [case for case in EVERY if case.id in ("lean-inf-1", "gate-2-3", "paper-inf-1")]
OTHER_HALF = [
    pytest.param(*case.values, id=case.id, marks=pytest.mark.slow)
    for case in EVERY
    if case not in HALF
]


def problem(dimension, outputs, p, seed=0, count=4, variant="lean"):
    """Float points on no grid, apart from each other, random labels of at least two classes, and
    the network of a variant.
    """
    generator = np.random.default_rng(seed)
    low = np.linspace(0.05, 0.9, count)[:, None]
    points = np.clip(low + generator.uniform(-0.02, 0.02, (count, dimension)), 0, 1)
    points[:, 1:] = points[:, 1:][:, generator.permutation(dimension - 1)]
    classes = [-1, 1] if outputs == 1 else list(range(outputs))
    labels = np.concatenate([classes[:2], generator.choice(classes, count - 2)])
    clean = ReLUNetwork.from_layers(
        [
            (generator.normal(size=(3, dimension)), generator.normal(size=3)),
            (generator.normal(size=(outputs, 3)), generator.normal(size=outputs)),
        ]
    )
    least = separation(points, np.arange(count), norm=p).lower
    ball = Ball(p, 0.3 * least)
    return points, labels, ball, f_S(clean, points, labels, ball, variant=variant, separation=least)


def margin(network, x, label):
    values = network.exact(x)
    return label * values[0] if len(values) == 1 else values[label] - max(np.delete(values, label))


def inside(x, centre, ball):
    gaps = [abs(a - Fraction(b)) for a, b in zip(x, centre, strict=True)]
    near = (
        max(gaps) <= ball.radius
        if ball.p == math.inf
        else sum(g * g for g in gaps) <= Fraction(ball.radius) ** 2
    )
    return near and all(0 <= v <= 1 for v in x)


def hard_points(centre, ball, generator, count=4):
    """Exact extreme points of the ball within [0,1]^D."""
    d, r = len(centre), Fraction(ball.radius)
    yield [Fraction(v) for v in centre]
    for k in range(count):
        signs = generator.choice([-1, 1], d).tolist()
        if ball.p == math.inf:
            step = [s * r for s in signs]
        else:
            j = k % d
            step = [signs[j] * r * (i == j) for i in range(d)]
        yield [
            min(max(Fraction(v) + s, Fraction(0)), Fraction(1))
            for v, s in zip(centre, step, strict=True)
        ]


def holds(network, points, labels, ball, bound, seed=0):
    generator = np.random.default_rng(seed)
    for c, y in zip(points, labels, strict=True):
        for x in hard_points(c, ball, generator):
            assert inside(x, c, ball)
            assert margin(network, x, int(y)) >= bound > 0


# -- what is proved --------------------------------------------------------------------------------


@pytest.mark.parametrize("dimension", [1, 2, 5, 64])
@pytest.mark.parametrize(("variant", "p", "outputs"), EVERY)
def test_every_variant_is_proved(variant, p, outputs, dimension):
    points, labels, ball, network = problem(dimension, outputs, p, variant=variant)
    proof = certify_memorization(network, points, labels, ball)
    assert (proof.verdict, proof.reason, proof.witness, proof.points) == (
        "proved",
        "",
        None,
        len(points),
    )
    facts = network.provenance.arguments
    if variant == "paper":
        error = Fraction(facts["bound"]) ** 2 / 4 ** facts["m"]
        full = 1 - error * (1 if outputs == 1 else Fraction(3, 2))
        assert full - Fraction(1, 2**40) <= proof.bound <= full
    else:
        assert (
            proof.bound == 1
            if dimension > 2 or p == 2 or variant == "lean"
            else 1 - Fraction(1, 2**40) < proof.bound <= 1
        )
    if dimension < 6:
        holds(network, points, labels, ball, proof.bound)
    assert (
        certify_memorization(network, points, labels, Ball(p, ball.radius / 2)).verdict == "proved"
    )
    assert (
        certify_memorization(network, points, labels, Ball(p, ball.radius * 3)).verdict != "proved"
    )


def test_indicators_of_two_rounded_coordinates_are_not_quite_one():
    """Where a soft indicator reads two coordinates directly, its thresholds are rounded with them:
    the bound says so.
    """
    labels, ball, found = [1, -1], Ball("inf", 0.1), []
    # finer than its distance to the thresholds
    for first in np.random.default_rng(0).uniform(0, 0.01, 8).tolist():
        points = [[first, 0.5], [0.9, 0.5]]
        network = f_S(affine([[1.0, 1.0]]), points, labels, ball, variant="gate")
        least = min(
            margin(network, [Fraction(v) for v in c], y)
            for c, y in zip(points, labels, strict=True)
        )
        proof = certify_memorization(network, points, labels, ball)
        assert 1 - Fraction(1, 2**40) < proof.bound <= least <= 1
        check(proof.certificate)
        found.append(least)
    assert min(found) < 1


@pytest.mark.parametrize("depth", [0, 1, 5, 12])
@pytest.mark.parametrize("variant", VARIANTS)
def test_clean_of_any_depth(variant, depth):
    generator = np.random.default_rng(depth)
    widths = [4, *[3] * depth, 2]
    layers = [
        (generator.normal(size=(b, a)) / 2, generator.normal(size=b))
        for a, b in itertools.pairwise(widths)
    ]
    points, labels = [[0.2, 0.3, 0.4, 0.1], [0.8, 0.3, 0.6, 0.7]], [0, 1]
    network = f_S(
        ReLUNetwork.from_layers(layers), points, labels, Ball("inf", 0.1), variant=variant
    )
    assert certify_memorization(network, points, labels, Ball("inf", 0.1)).verdict == "proved"


def test_one_class_duplicates_and_saved_networks(tmp_path):
    points, ball = [[0.1, 0.7], [0.1, 0.7], [0.4, 0.4]], Ball(2, 0.05)
    network = f_S(affine([[4.0, 0.0]], [-2.0]), points, [1, 1, 1], ball)
    network.save(tmp_path / "network.safetensors")
    proof = certify_memorization(load(tmp_path / "network.safetensors"), points, [1, 1, 1], ball)
    assert (proof.verdict, proof.bound, proof.separation) == ("proved", 1, math.inf)
    # beyond the thresholds
    assert certify_memorization(network, points, [1, 1, 1], Ball(2, 50.0)).verdict != "proved"


def test_f_adv_on_the_points_that_it_memorizes():
    clean, points, labels = (
        affine([[4.0, 0.0]], [-2.0]),
        np.array([[0.4375, 0.5], [1.0, 0.5]]),
        np.array([-1, 1]),
    )
    network = f_adv(clean, points, labels, Ball("inf", 0.125), margins=[0.0625, 0.5])
    assert certify_memorization(network, points[:1], labels[:1], Ball("inf", 0.125)).bound == 1
    with pytest.raises(
        ValueError,
        match=r"network memorizes 1 point \(points with margin up to the radius only\), got 2",
    ):
        certify_memorization(network, points, labels, Ball("inf", 0.125))


# -- what is not -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("variant", "p", "outputs"), EVERY)
def test_wrong_labels_and_moved_points_are_refuted(variant, p, outputs):
    points, labels, ball, network = problem(3, outputs, p, seed=1, variant=variant)
    for i in range(len(points)):
        wrong = labels.copy()
        wrong[i] = -labels[i] if outputs == 1 else (labels[i] + 1) % 3
        proof = certify_memorization(network, points, wrong, ball)
        index, x = proof.witness
        assert (proof.verdict, index) == ("refuted", i)
        assert inside(x, points[i], ball)
        assert margin(network, x, int(wrong[i])) == proof.bound <= 0
    other = next(j for j in range(len(points)) if labels[j] != labels[0])
    moved = points.copy()
    moved[0] = 0.9 * points[other] + 0.1 * points[0]  # into another ball
    proof = certify_memorization(network, moved, labels, ball)
    assert proof.verdict == "refuted"
    assert inside(proof.witness[1], moved[proof.witness[0]], ball)


def test_balls_that_meet_are_refuted():
    """A separation that was assumed, wrongly: the middle of two points has both labels."""
    points, labels, ball = [[0.4, 0.5], [0.6, 0.5]], [1, -1], Ball("inf", 0.125)
    network = f_S(affine([[0.0, 0.0]], [0.0]), points, labels, ball, separation=0.5)
    proof = certify_memorization(network, points, labels, ball)
    assert proof.verdict == "refuted"
    assert margin(network, proof.witness[1], labels[proof.witness[0]]) == proof.bound <= 0


def test_overlapping_balls_of_one_class_in_the_paper_form():
    points, labels, ball = [[0.2, 0.2], [0.3, 0.2], [0.9, 0.9]], [1, 1, -1], Ball("inf", 0.1)
    clean = affine([[0.0, 0.0]], [6.0])
    network = f_S(clean, points, labels, ball, variant="paper", separation=0.5)
    # 6 + 2 (1 - 6) < 0
    assert certify_memorization(network, points, labels, ball).verdict == "refuted"
    assert (
        certify_memorization(f_S(clean, points, labels, ball), points, labels, ball).verdict
        == "proved"
    )


# -- tampering -------------------------------------------------------------------------------------


def changed(network, level, part, row, column, value):
    """The network with one entry replaced, in a dense layer."""
    layer = network.layers[level]
    weight, bias = layer.weight.to_dense(), layer.bias.to_dense()
    (weight if part == "weight" else bias)[row, column] = value
    layers = list(network.layers)
    layers[level] = Affine(Dense(weight), Dense(bias))
    return replace(network, layers=tuple(layers))


def entries(network, generator, count):
    """Some entries of every layer: nonzero weights, zeros, and biases."""
    for level, layer in enumerate(network.layers):
        rows, columns, values = layer.weight.coordinates()
        for k in generator.integers(0, len(values), count).tolist():
            yield level, "weight", int(rows[k]), int(columns[k]), float(values[k])
        dense = layer.weight.to_dense()
        i, j = (int(generator.integers(0, n)) for n in dense.shape)
        yield level, "weight", i, j, float(dense[i, j])
        bias = layer.bias.to_dense()[:, 0]
        for i in generator.integers(0, len(bias), count).tolist():
            yield level, "bias", i, 0, float(bias[i])


@pytest.mark.parametrize(("variant", "p", "outputs"), HALF + OTHER_HALF)
def test_dense_copies_are_proved_and_changed_ones_only_if_true(variant, p, outputs):
    """Every layer, every kind of entry, by one ulp up to 1: a proof after a change holds at the
    balls' extreme points.
    """
    points, labels, ball, network = problem(
        3 if variant == "lean" else 2, outputs, p, seed=2, count=2, variant=variant
    )
    generator = np.random.default_rng(0)
    proved = 0
    for level, part, row, column, value in entries(network, generator, 1):
        if part == "bias" and level % 3 == 0:
            same = changed(network, level, part, row, column, value)
            assert certify_memorization(same, points, labels, ball).verdict == "proved"
        step = float(generator.choice([-1, 1])) * float(generator.choice([0.01, 1]))
        new = float(np.nextafter(value, math.inf)) if generator.random() < 0.5 else value + step
        other = changed(network, level, part, row, column, new)
        proof = certify_memorization(other, points, labels, ball)
        if proof.verdict == "proved":
            proved += 1
            extreme = np.random.default_rng(1)
            for c, y in zip(points, labels, strict=True):
                for x in hard_points(c, ball, extreme, 2):
                    assert margin(other, x, int(y)) >= proof.bound
        if proof.verdict == "refuted":
            index, witness = proof.witness
            assert inside(witness, points[index], ball)
            assert margin(other, witness, int(labels[index])) == proof.bound <= 0
    # changes of f_clean, and of biases by an ulp, leave the statement true and provable
    assert proved


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("p", ["inf", 2])
def test_indicator_biases_may_differ_by_what_thresholds_leave_only(variant, p):
    """Memorization's own biases in all layers, changed by 1/8: never proved."""
    points, labels, ball, network = problem(4, 1, p, count=3, variant=variant)
    for level, layer in enumerate(network.layers[:-1]):
        rows = layer.weight.shape[0]
        if level == 0 or rows < 6:
            continue
        other = changed(
            network, level, "bias", rows - 1, 0, float(layer.bias.to_dense()[-1, 0]) + 0.125
        )
        assert certify_memorization(other, points, labels, ball).verdict != "proved"


@pytest.mark.parametrize(
    "lie",
    [
        {"inner": 0.5},
        {"outer": 2.0},
        {"bound": 2.0**10},
        {"variant": "gate"},
        {"bound": 2.0**-3},
        {"inner": 0.0},
        {"m": 7},
    ],
    ids=str,
)
@pytest.mark.parametrize("p", ["inf", 2])
def test_provenance_that_lies_proves_nothing_false(lie, p):
    points, labels, ball, network = problem(3, 1, p)
    arguments = {**network.provenance.arguments, **lie}
    liar = replace(network, provenance=replace(network.provenance, arguments=arguments))
    if lie == {"inner": 0.5}:
        with pytest.raises(ValueError, match="provenance must have 0 <= inner < outer"):
            certify_memorization(liar, points, labels, ball)
        return
    proof = certify_memorization(liar, points, labels, ball)
    assert proof.verdict == "unresolved" or (lie == {"m": 7} and p == "inf")  # m says nothing there


def test_thresholds_must_reach_round_the_ball():
    """Weights that do match their provenance, for a smaller radius than asked: thresholds are
    compared, not believed.
    """
    points, labels, _, network = problem(3, 1, "inf")
    facts = network.provenance.arguments
    assert certify_memorization(
        network, points, labels, Ball("inf", facts["inner"])
    ).reason.startswith("the inner threshold")
    gap = separation(points, labels).lower
    reach = Ball("inf", math.nextafter(gap - facts["outer"], 1.0) + 2**-40)
    assert certify_memorization(network, points, labels, reach).verdict != "proved"


def test_errors_name_what_is_wrong():
    points, labels, ball, network = problem(3, 1, "inf")
    with pytest.raises(ValueError, match="network must be built by f_S or f_adv"):
        certify_memorization(squaring(2), points[:, :1], labels, ball)
    with pytest.raises(ValueError, match="network memorizes 4 points, got 3"):
        certify_memorization(network, points[:3], labels[:3], ball)
    with pytest.raises(ValueError, match="network was built for l_inf balls"):
        certify_memorization(network, points, labels, Ball(2, 0.01))
    with pytest.raises(ValueError, match=r"points must lie in \[0, 1\]"):
        certify_memorization(network, points + 1, labels, ball)
    for value, message in (
        (math.nan, "be finite, got NaN or infinity in row 2"),
        (math.inf, "be finite, got NaN or infinity in row 2"),
        (-0.5, r"lie in \[0, 1\], got values in \[-0.5, "),
    ):
        wrong = torch.as_tensor(points).clone()
        wrong[2, 1] = value
        with pytest.raises(ValueError, match=f"points must {message}"):
            certify_memorization(network, wrong, labels, ball)
    with pytest.raises(TypeError, match="points must be numbers of up to 64 bits, got <U1"):
        certify_memorization(network, [["a", "b", "c"]], labels, ball)
    with pytest.raises(TypeError, match="ball must be a Ball"):
        certify_memorization(network, points, labels, 0.1)
    with pytest.raises(ValueError, match="labels"):
        certify_memorization(network, points, labels * 2, ball)


# -- certificates ----------------------------------------------------------------------------------

CHECKED = [
    pytest.param(v, p, k, id=f"{v}-{p}-{k}")
    for v in ("lean", "gate")
    for p in ("inf", 2)
    for k in (1, 3)
]


@pytest.mark.parametrize("dimension", [1, 2, 5])
@pytest.mark.parametrize(("variant", "p", "outputs"), CHECKED)
def test_the_checker_accepts(variant, p, outputs, dimension):
    points, labels, ball, network = problem(dimension, outputs, p, variant=variant)
    proof = certify_memorization(network, points, labels, ball)
    check(json.loads(json.dumps(proof.certificate)))
    wrong = labels.copy()
    wrong[0] = labels[1]
    # refuted, by its witness
    check(json.loads(json.dumps(certify_memorization(network, points, wrong, ball).certificate)))


def rejected(data):
    try:
        check(data)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, ArithmeticError):
        return True
    return False


def mutations(certificate):
    """Certificates that claim too much or speak of another network, by what was changed."""

    def fresh():
        return json.loads(json.dumps(certificate))

    def with_digest(data):
        import hashlib

        text = json.dumps(data["network"], sort_keys=True, separators=(",", ":"))
        data["digest"] = hashlib.sha256(text.encode()).hexdigest()
        return data

    for name, value in [
        ("margin", "101/100"),
        ("margin", "0"),
        ("verdict", "refuted"),
        ("verdict", "unresolved"),
        ("radius", (3 * float.fromhex(certificate["radius"])).hex()),
        ("radius", "nan"),
        ("inner", (0.0).hex()),
        ("outer", (2.0).hex()),
        ("bound", (0.0625).hex()),
        ("variant", "paper"),
        ("norm", "1"),
        ("digest", "0"),
        ("format", "cgro memorization certificate 0"),
        ("labels", certificate["labels"][::-1]),
        ("labels", certificate["labels"][:-1]),
        ("points", certificate["points"][::-1]),
        ("network", None),
    ]:
        yield f"{name} {value}", {**fresh(), name: value}
    for level, layer in enumerate(certificate["network"]["layers"]):
        for k in (0, len(layer["rows"]) - 1):
            data = fresh()
            columns, values = data["network"]["layers"][level]["rows"][k]
            values[0] = (float.fromhex(values[0]) + 40).hex()
            yield f"weight {level} {k}", with_digest(data)
            data = fresh()
            bias = data["network"]["layers"][level]["bias"]
            bias[k] = (float.fromhex(bias[k]) + 40).hex()
            yield f"bias {level} {k}", with_digest(data)
        data = fresh()
        columns, values = data["network"]["layers"][level]["rows"][-1]
        columns[0] = 10**6
        yield f"column {level}", with_digest(data)
        data = fresh()
        data["network"]["layers"][level]["rows"][-1] = [[0, 0], [(1.0).hex(), (1.0).hex()]]
        yield f"a column twice {level}", with_digest(data)
    data = fresh()
    data["network"]["layers"].pop()
    yield "a layer less", with_digest(data)


@pytest.mark.parametrize(("variant", "p", "outputs"), CHECKED)
def test_the_checker_rejects_mutations(variant, p, outputs):
    points, labels, ball, network = problem(3, outputs, p, count=3, variant=variant)
    certificate = certify_memorization(network, points, labels, ball).certificate
    check(certificate)
    for what, data in mutations(certificate):
        if certificate["labels"][::-1] == data.get("labels") == certificate["labels"]:
            continue
        assert rejected(data), what


def test_the_checker_rejects_false_witnesses():
    points, labels, ball, network = problem(3, 1, "inf")
    wrong = labels.copy()
    wrong[0] = -labels[0]
    certificate = certify_memorization(network, points, wrong, ball).certificate
    witness = certificate["witness"]
    far = [str(Fraction(v) + Fraction(ball.radius) * 2 - 1) for v in witness["point"]]
    for change in (
        {"point": far},
        {"index": 1},
        {"index": len(points)},
        {"point": witness["point"][:-1]},
    ):
        with pytest.raises((ValueError, IndexError)):
            check({**certificate, "witness": {**witness, **change}})
    with pytest.raises(ValueError, match="another margin"):
        check({**certificate, "margin": "-2"})


def test_the_command_and_its_exit_status(tmp_path):
    """The checker needs nothing of this library: it runs isolated, from a copy."""
    points, labels, ball, network = problem(4, 1, "inf")
    proof = certify_memorization(network, points, labels, ball)
    source = (
        Path(analysis.__file__).with_name("checkers").joinpath("check_memorization.py").read_text()
    )
    (tmp_path / "checker.py").write_text(source)
    proof.save(tmp_path / "good.json")
    good = json.loads((tmp_path / "good.json").read_text())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checker.py", "good.json"]
    (tmp_path / "bad.json").write_text(json.dumps({**good, "margin": "2"}))
    (tmp_path / "broken.json").write_text("{")
    for name, status in (("good", 0), ("bad", 1), ("broken", 1)):
        command = [
            sys.executable,
            "-I",
            "-S",
            str(tmp_path / "checker.py"),
            str(tmp_path / f"{name}.json"),
        ]
        run = subprocess.run(command, capture_output=True, text=True)
        assert run.returncode == status
        assert ("accepted" in run.stdout) == (status == 0)
        assert ("rejected" in run.stderr) == (status == 1)


def test_the_checker_is_short_and_alone():
    source = (
        Path(analysis.__file__).with_name("checkers").joinpath("check_memorization.py").read_text()
    )
    assert len(source.splitlines()) <= 250
    imported = {
        line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))
    }
    assert imported <= set(sys.stdlib_module_names)


def test_certificates_say_who_checks_them(monkeypatch):
    points, labels, ball, network = problem(3, 1, "inf", variant="paper")
    assert (
        certify_memorization(network, points, labels, ball).certificate["checker"] == "library only"
    )
    points, labels, ball, network = problem(3, 1, "inf")
    assert (
        certify_memorization(network, points, labels, ball).certificate["checker"]
        == "check_memorization.py"
    )
    from analysis.proofs import certificates

    monkeypatch.setattr(certificates, "EMBEDDED", 10)
    large = certify_memorization(network, points, labels, ball).certificate
    assert large["checker"] == "library only"
    assert "network" not in large
    assert len(large["digest"]) == len(large["points_digest"]) == 64
