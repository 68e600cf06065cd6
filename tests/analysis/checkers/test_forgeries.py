"""Forged certificates of all three kinds: each is rejected, or what it is accepted for is true;
files made to hang a reader.
"""

import functools
import hashlib
import itertools
import json
import math
import os
import random
import subprocess
import sys
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from forging import contradicted, disfigure, margin, mutate, outputs, renew

from analysis import certify, certify_box, certify_memorization, save_points
from analysis.checkers import check_balls, check_memorization
from analysis.checkers import check_certificate as checker
from analysis.commands.cli import main
from analysis.proofs import certificates
from constructions import Ball, ReLUNetwork, affine, f_S, f_S_from_thresholds, load, load_arrays

FOLDER = Path(checker.__file__).resolve().parent


# -- certificates to start from --------------------------------------------------------------------


@functools.cache
def decisions():
    """Proofs by points, by trees with pairs and facts, on boxes and l_2 balls, of one and three
    outputs; and refutations.
    """
    out = []
    for seed, (inputs, classes) in enumerate(itertools.product((1, 2, 2), (1, 3))):
        rng = np.random.default_rng(seed)
        widths = [inputs, 4, 3, classes]
        layers = [
            (rng.integers(-8, 9, (b, a)) / 4, rng.integers(-8, 9, b) / 8)
            for a, b in itertools.pairwise(widths)
        ]
        layers[0][0][1], layers[0][1][1] = -layers[0][0][0], -layers[0][1][0]
        for shift in (6.0, 1.5, -6.0):
            moved = [*layers[:-1], (layers[-1][0], layers[-1][1] + shift * np.eye(classes)[0])]
            network, label = ReLUNetwork.from_layers(moved), 1 if classes == 1 else 0
            ball = Ball(2, 0.5) if seed > 3 else Ball("inf", 0.5)
            result = certify(network, [0.25] * inputs, ball, label, domain=None, max_seconds=10)
            if result.verdict != "unresolved":
                out.append(result.certificate)
    verdicts = [c["queries"][0]["verdict"] for c in out]
    assert verdicts.count("proved") >= 5
    assert verdicts.count("refuted") >= 3
    return [json.dumps(c) for c in out]


POINTS, LABELS = [[0.2, 0.3, 0.4], [0.8, 0.3, 0.6], [0.5, 0.9, 0.1]], [1, -1, 1]


@functools.cache
def memorizations():
    out = []
    for p, variant, labels in itertools.product(("inf", 2), ("lean", "gate"), (LABELS, [1, 1, 1])):
        network = f_S(
            affine([[1.0, 0.25, 0.5]], [-0.5]), POINTS, LABELS, Ball(p, 0.0625), variant=variant
        )
        out.append(
            json.dumps(certify_memorization(network, POINTS, labels, Ball(p, 0.0625)).certificate)
        )
    return out


@functools.cache
def many():
    """(certificate, points, labels) of the kind for many points."""
    out = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certificates, "EMBEDDED", 100)
        for p, variant in itertools.product(("inf", 2), ("lean", "gate")):
            rng = np.random.default_rng(0)
            x, y = (
                np.unique(rng.integers(0, 2, (16, 5)), axis=0) * 0.5 + 0.25,
                rng.choice([-1, 1], 16),
            )
            y = y[: len(x)]
            network = f_S(
                affine([[1.0, 0.25, 0.5, 0, 0]], [-0.5]), x, y, Ball(p, 0.125), variant=variant
            )
            certificate = certify_memorization(network, x, y, Ball(p, 0.125)).certificate
            assert certificate["checker"] == "check_balls.py"
            out.append((json.dumps(certificate), x, y))
    return out


# -- forgeries that are accepted -------------------------------------------------------------------


def forged_decisions(count, seed, folder):
    """How many of `count` forgeries are accepted, all of them rightly."""
    rng, kept, path = random.Random(seed), 0, folder / "forged.json"
    for _ in range(count):
        data = renew(mutate(rng, json.loads(rng.choice(decisions()))))
        text = json.dumps(data)
        path.write_text(
            disfigure(rng, text) if rng.random() < 0.15 else text,
            encoding="utf-8",
            errors="surrogatepass",
        )
        try:
            found = checker.judge(checker.read(path))
        except Exception:
            continue
        data = json.loads(path.read_text())
        for query, (reason, statement) in zip(data["queries"], found, strict=True):
            assert (reason + statement).isascii()
            assert "\n" not in reason + statement
            if not reason:
                kept += 1
                assert statement.startswith(query["verdict"])
                assert not contradicted(rng, data["network"], query), path.read_text()
    return kept


def forged_memorizations(count, seed):
    rng, kept = random.Random(seed), 0
    for _ in range(count):
        data = renew(mutate(rng, json.loads(rng.choice(memorizations()))))
        try:
            statement = check_memorization.check(json.loads(json.dumps(data)))
        except Exception:
            continue
        kept += 1
        r, claim, power = (
            Fraction(float.fromhex(data["radius"])),
            Fraction(data["margin"]),
            data["norm"],
        )
        centres = [[Fraction(float.fromhex(v)) for v in c] for c in data["points"]]

        def value(x, label, layers=data["network"]["layers"]):
            return margin(outputs(layers, x, lambda text: Fraction(float.fromhex(text))), label)

        assert statement.startswith(data["verdict"])
        if data["verdict"] == "refuted":
            i, x = data["witness"]["index"], [Fraction(v) for v in data["witness"]["point"]]
            gaps = [abs(a - b) for a, b in zip(x, centres[i], strict=True)]
            assert (max(gaps) if power == "inf" else 0) <= r
            assert power == "inf" or sum(g * g for g in gaps) <= r * r
            assert value(x, data["labels"][i]) == claim <= 0
            continue
        for c, label in zip(centres, data["labels"], strict=True):
            steps = [
                [r * rng.choice([-1, 0, 1]) * (power == "inf" or j == k) for j in range(len(c))]
                for k in range(len(c))
            ]
            for step in steps:
                x = [
                    min(max(a + s, Fraction(0)), Fraction(1)) for a, s in zip(c, step, strict=True)
                ]
                assert value(x, label) >= claim > 0
    return kept


def claim_digest(c, x, y):
    try:
        claim = json.dumps([c[name] for name in check_balls.NAMES]).encode()
    except (KeyError, TypeError, ValueError):
        return c
    return {
        **c,
        "digest": hashlib.sha256(
            x.tobytes() + np.ascontiguousarray(y, np.int64).tobytes() + claim
        ).hexdigest(),
    }


@functools.cache
def built(clean, x, y, *claim):
    layers = [(np.array(w), np.array(b)) for w, b in json.loads(clean)]
    x, y = np.array(json.loads(x)), np.array(json.loads(y))
    norm, variant, m, inner, outer, bound = claim
    p = math.inf if norm == "inf" else 2
    return f_S_from_thresholds(
        ReLUNetwork.from_layers(layers), x, y, p, inner, outer, variant=variant, m=m, bound=bound
    )


def forged_many(count, seed):
    rng, kept = random.Random(seed), 0
    for _ in range(count):
        text, x, y = rng.choice(many())
        c, x, y = json.loads(text), x.copy(), y.copy()
        # points that come near each other, leave the cube, or take another label
        if rng.random() < 0.3:
            i, j, k = rng.randrange(len(x)), rng.randrange(len(x)), rng.randrange(x.shape[1])
            x[i] = rng.choice([x[j], x[i] + rng.gauss(0, 0.2), (x[i] + x[j]) / 2])
            x[i, k] = rng.choice([0.0, 1.0, math.nan, -1e-300, x[j, k]])
            y[j] = rng.choice([-1, 1, 1, 0, 2**31])
        if rng.random() < 0.8:
            c = mutate(rng, c)
        c = claim_digest(c, x, y) if isinstance(c, dict) else c
        try:
            statement = check_balls.check(c, x, y)
        except Exception:
            continue
        kept += 1
        assert statement.startswith("proved: margin >= 1")
        claim = [c[name] for name in ("norm", "variant", "m", "inner", "outer", "bound")]
        network = built(*(json.dumps(v) for v in (c["clean"], x.tolist(), y.tolist())), *claim)
        i = rng.randrange(len(x))
        step = np.array([rng.choice([-1, 1]) for _ in x[i]]) * (
            c["radius"] if c["norm"] == "inf" else c["radius"] / 3
        )
        point = [Fraction(v) for v in (x[i] + step * (1 - 1e-9)).clip(0, 1).tolist()]
        assert margin(list(network.exact(point)), int(y[i])) >= 1 - Fraction(1, 2**20)
    return kept


def test_forgeries_are_rejected_or_true(tmp_path):
    assert forged_decisions(1500, 0, tmp_path) > 50  # some change a proof, and prove what they say
    assert forged_memorizations(150, 0) > 5
    assert forged_many(500, 0) > 25


@pytest.mark.slow
def test_ten_thousand_forgeries_are_rejected_or_true(tmp_path):
    assert forged_decisions(6000, 1, tmp_path) > 50
    assert forged_memorizations(2000, 1) > 5
    assert forged_many(2000, 1) > 50


# -- what a reviewer forged ------------------------------------------------------------------------


def run(script, *paths, timeout=20):
    """A checker alone, in a process of its own with 3 GB of memory: (status, what it says)."""
    import resource

    done = subprocess.run(
        [sys.executable, "-I", FOLDER / script, *paths],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30)),
    )
    return done.returncode, done.stdout + done.stderr


def assert_rejected(said, *words):
    status, text = said
    assert status == 1, text
    assert len(text.splitlines()) == 1, text
    assert "rejected: " in text
    assert "MemoryError" not in text
    assert "accepted" not in text.split("rejected")[0]
    assert not words or any(word in text for word in words), text


def plain(network, *queries):
    return renew({"format": "cgro certificate 1", "network": network, "queries": list(queries)})


LINE = {"inputs": 1, "layers": [{"rows": [[[0], [1.0]]], "bias": [0.0]}]}
POSITIVE = {
    "label": 1,
    "verdict": "proved",
    "scale": 1,
    "lower": [1],
    "upper": [2],
    "bound": "1/2",
    "points": ["1/2", "1"],
}
NEGATIVE = {
    "label": 1,
    "verdict": "refuted",
    "scale": 2,
    "lower": [-2],
    "upper": [2],
    "witness": ["-1/4"],
}


@pytest.mark.parametrize(
    ("script", "arguments"),
    [("check_certificate.py", 1), ("check_memorization.py", 1), ("check_balls.py", 2)],
)
def test_files_for_no_or_another_checker_are_named_in_words(script, arguments, tmp_path):
    formats = {
        "check_certificate.py": ["cgro certificate 1", "cgro property certificate 1"],
        "check_memorization.py": ["cgro memorization certificate 1"],
        "check_balls.py": ["cgro balls certificate 1"],
    }
    path = tmp_path / "file.json"
    for content in ({}, [1, 0.5], 3, "a", {"format": "a"}, {"format": []}, {"kind": 0.5}):
        path.write_text(json.dumps(content))
        said = run(script, *[path] * arguments)
        assert_rejected(said, 'not a certificate: its "format" is', "not a certificate of many")
    for content in (b"{", b"", bytes(range(256))):
        path.write_bytes(content)
        assert_rejected(run(script, *[path] * arguments), "not a certificate")
    for other, names in formats.items():
        for name in names:
            path.write_text(json.dumps({"format": name, "weight": 0.5}))
            status, text = run(script, *[path] * arguments)
            assert status == 1
            assert (f"{other}" in text and "not a certificate of" in text) == (other != script)
    assert "file" in run(script, *[tmp_path / "none.json"] * arguments)[1]


def test_statements_are_in_words_and_say_what_is_refuted(tmp_path):
    path, data = tmp_path / "a.json", plain(LINE, POSITIVE, NEGATIVE)
    path.write_text(json.dumps(data))
    status, text = run("check_certificate.py", path)
    name = data["digest"][:16]
    assert (status, text.splitlines()) == (
        0,
        [
            f"query 0: accepted as proved: margin >= 0.5 > 0 for label 1 on the box [0.5, 1]; "
            f"network {name}",
            f"query 1: accepted as refuted: margin -0.25 <= 0 for label 1 at (-0.25) in the box "
            f"[-0.5, 0.5]; network {name}",
        ],
    )
    wide = {"inputs": 6, "layers": [{"rows": [[[0], [1.0]]], "bias": [2.0]}]}
    ball = {
        "ball": {"centre": [1] * 6, "radius": 1},
        "lower": [0] * 6,
        "upper": [2] * 6,
        "bound": "1/4",
    }
    tree = {"pairs": [], "facts": [], "trees": [{"leaf": [0, [], []], "goal": True}]}
    query = {k: v for k, v in POSITIVE.items() if k != "points"} | ball | tree
    path.write_text(json.dumps(plain(wide, query)))
    centre, corners = (
        hashlib.sha256(" ".join(numbers).encode()).hexdigest()[:12]
        for numbers in (["1/2"] * 6, ["0"] * 6 + ["1"] * 6)
    )
    assert (
        f"the l_2 ball around a point of dimension 6 (SHA-256 {centre}) of radius 0.5 in a box of "
        f"dimension 6 (SHA-256 {corners}), widest side 1;" in (run("check_certificate.py", path)[1])
    )


def test_bounds_are_printed_rounded_to_the_safe_side():
    assert checker.show(Fraction(2, 3), "ROUND_FLOOR") == "0.666666666"
    assert checker.show(Fraction(-2, 3), "ROUND_CEILING") == "-0.666666666"
    assert checker.show(Fraction(-1, 10**400), "ROUND_CEILING") == "-1E-400"
    assert [
        checker.show(v) for v in (Fraction(0.1), Fraction(1, 10), Fraction(1, 3), Fraction(0))
    ] == [
        "0.1",
        "~0.1",
        "~0.333333333",
        "0",
    ]


@pytest.mark.parametrize("text", ["1\nquery 1: accepted as proved: margin >= 9", "1/2"])
def test_a_bound_of_a_refuted_query_is_not_printed(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(plain(LINE, {**NEGATIVE, "bound": text})))
    assert_rejected(run("check_certificate.py", path), "entries are not")
    path.write_text(json.dumps(plain(LINE, {**NEGATIVE, "verdict": text})))
    assert_rejected(run("check_certificate.py", path), "neither proved nor refuted")
    path.write_text(json.dumps({**plain(LINE, NEGATIVE), "format": text}))
    assert_rejected(run("check_certificate.py", path), "not a certificate: its")


@pytest.mark.parametrize("script", ["check_certificate", "check_memorization", "check_balls"])
def test_reasons_that_quote_a_file_are_one_line(tmp_path, script):
    path = tmp_path / "a.json"
    path.write_text(
        json.dumps(
            {"format": "x", "verdict": "\nquery 0: accepted\n", "label\nquery 0: accepted": 1}
        )
    )
    save_points(tmp_path / "p.npz", [[0.25]], [1])
    assert_rejected(run(f"{script}.py", path, *([tmp_path / "p.npz"] * (script == "check_balls"))))


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("0.1", True),
        ("1e-1", True),
        ("0.10", True),
        ("0.1000000000000000055511151231257827021181583404541015625", True),
        ("0.10000000000000001", False),
        ("1e-400", False),
        ("1.00000000000000011", False),
        ("1e400", False),
        ("NaN", False),
        ("-Infinity", False),
        ("1e99999999", False),
        ("1e-99999999999999999999", False),
        ("5e-324", True),
        ("-0.0", True),
        ("9007199254740993", False),
        ("9007199254740993.0", False),
    ],
)
def test_numbers_are_the_float64_that_is_read(tmp_path, text, right):
    text = json.dumps(LINE, sort_keys=True, separators=(",", ":")).replace("[0.0]", f"[{text}]")
    digest = checker.digest(json.loads(text))
    path = tmp_path / "a.json"
    path.write_text(
        f'{{"format": "cgro certificate 1", "digest": "{digest}", '
        f'"network": {text}, "queries": []}}'
    )
    if right:
        assert checker.judge(checker.read(path)) == []
    else:
        with pytest.raises((ValueError, ArithmeticError)):
            checker.judge(checker.read(path))
    if right and text != "9007199254740993":
        assert check_balls.decimals("0.1") == 0.1
    with pytest.raises(ValueError, match="rounded"):
        check_balls.decimals("1e-400")


@pytest.mark.parametrize(
    "radius",
    ["0.2", "0x1.0p-4", "0x1p-4", " 0x1.0000000000000p-4", "0X1.0000000000000P-4", "inf", "nan"],
)
def test_hexadecimal_floats_have_one_text(radius):
    data = json.loads(memorizations()[0])
    assert data["radius"] == "0x1.0000000000000p-4"
    with pytest.raises(ValueError, match="hex"):
        check_memorization.check({**data, "radius": radius})


@pytest.mark.parametrize("script", ["check_certificate", "check_memorization", "check_balls"])
def test_double_and_unknown_keys_are_rejected(tmp_path, script):
    text = {
        "check_certificate": decisions(),
        "check_memorization": memorizations(),
        "check_balls": [many()[0][0]],
    }[script][0]
    path, points = tmp_path / "a.json", []
    if script == "check_balls":
        save_points(tmp_path / "p.npz", *many()[0][1:])
        points = [tmp_path / "p.npz"]
    path.write_text(text)
    assert run(f"{script}.py", path, *points)[0] == 0
    for wrong in (
        '{"format": "x", ' + text[1:],
        text[:-1] + ', "extra": 1}',
        text.replace('"format"', '"Format"', 1),
    ):
        path.write_text(wrong)
        assert_rejected(run(f"{script}.py", path, *points))


HEAD = '{"format": "cgro certificate 1", "digest": "", "queries": [], "network": '


def tall(count, weight=5e-324):
    return {"inputs": 1, "layers": [{"rows": [[[0], [weight]]], "bias": [weight]}] * count}


TINY = {
    "a bound with an exponent": plain(LINE, {**POSITIVE, "bound": "1e99999999"}),
    "a point with an exponent": plain(LINE, {**POSITIVE, "points": ["1e99999999"]}),
    "a witness with an exponent": plain(LINE, {**NEGATIVE, "witness": ["1e-99999999"]}),
    "a scale of 10^10": plain(LINE, {**POSITIVE, "scale": 10**10}),
    "a scale of 10^300": plain(LINE, {**POSITIVE, "scale": 10**300}),
    "multipliers over 2^(10^10)": plain(
        LINE,
        {k: v for k, v in POSITIVE.items() if k != "points"}
        | {"pairs": [], "facts": [], "trees": [{"leaf": [10**10, [], []], "goal": True}]},
    ),
    "10^9 inputs": plain({**LINE, "inputs": 10**9}, POSITIVE),
    "10^9 inputs, refuted": plain({**LINE, "inputs": 10**9}, NEGATIVE),
    "a tower of tiny weights": plain(tall(4000), POSITIVE),
    "a refuted tower": plain(tall(4000), NEGATIVE),
    "long denominators": plain(
        {**LINE, "inputs": 300},
        {
            **NEGATIVE,
            "lower": [-2] * 300,
            "upper": [2] * 300,
            "witness": [f"1/{10**4200 + k}" for k in range(300)],
        },
    ),
    "nested lists": "[" * 10**6,
    "nested objects": '{"a":' * 10**5,
    "a nested network": HEAD + "[" * 900 + "]" * 900 + "}",
    "a nested tree": json.dumps(plain(LINE, POSITIVE)).replace(
        '"1/2"', '{"unit":0,"on":' * 400 + "0" + "}" * 400
    ),
    "a number of 10^6 digits": HEAD + "9" * 10**6 + "}",
    "a decimal of 10^6 digits": HEAD + "0." + "9" * 10**6 + "}",
    "no UTF-8": b"\xff\xfe{",
    "nothing": "",
    "null": "null",
}


@pytest.mark.parametrize("content", TINY.values(), ids=TINY)
def test_small_files_do_not_hang_the_checker(tmp_path, content):
    path = tmp_path / "a.json"
    content = content if isinstance(content, (str, bytes)) else json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert path.stat().st_size < 2_000_000
    assert_rejected(run("check_certificate.py", path))


def memorized(points, layers, k=1, **changes):
    base = json.loads(memorizations()[1 if changes.get("verdict") == "refuted" else 0])
    unit = {"rows": [[[], []]], "bias": [(0.0).hex()]}
    last = {"rows": [[[], []]] * k, "bias": [(0.0).hex()] * k}
    network = {"inputs": len(points[0]), "layers": [unit] * layers + [last]}
    labels = [1 if k == 1 else 0] * len(points)
    return renew(
        {**base, "network": network, "points": points, "labels": labels, "witness": None} | changes
    )


ZERO = (0.0).hex()
HUGE = {
    "depths are compared first": (
        "check_memorization.py",
        lambda: memorized([[ZERO] * 500] * 20, 1, norm="2", variant="gate", m=500),
    ),
    "widths are compared first": (
        "check_memorization.py",
        lambda: memorized([[ZERO] * 500] * 20, 510, norm="2", variant="gate", m=500),
    ),
    "outputs are counted first": (
        "check_memorization.py",
        lambda: memorized([[ZERO]], 510, 8000, norm="2", m=500),
    ),
    "a margin with an exponent": (
        "check_memorization.py",
        lambda: memorized([[ZERO]], 3, margin="1e99999999"),
    ),
    "10^9 inputs": (
        "check_memorization.py",
        lambda: renew(
            {
                **memorized([[ZERO]], 3),
                "network": {"inputs": 10**9, "layers": memorized([[ZERO]], 3)["network"]["layers"]},
            }
        ),
    ),
    "m of 10^9": ("check_memorization.py", lambda: memorized([[ZERO]], 3, norm="2", m=10**9)),
}


@pytest.mark.parametrize(("script", "make"), HUGE.values(), ids=HUGE)
def test_small_certificates_of_memorization_do_not_hang_the_checker(tmp_path, script, make):
    data = make()
    del data["witness"]
    (tmp_path / "a.json").write_text(json.dumps(data))
    assert_rejected(run(script, tmp_path / "a.json"))


def test_nested_and_undecodable_files_are_rejected_by_all(tmp_path):
    save_points(tmp_path / "p.npz", [[0.25]], [1])
    for content in (b"[" * 10**6, b"\xff\xfe{", b"", b'{"format": 1e99999999}', b"null", b"[]"):
        (tmp_path / "a.json").write_bytes(content)
        assert_rejected(run("check_memorization.py", tmp_path / "a.json"))
        assert_rejected(run("check_balls.py", tmp_path / "a.json", tmp_path / "p.npz"))
    assert_rejected(run("check_certificate.py", tmp_path / "missing.json"))
    assert_rejected(run("check_certificate.py"))
    assert_rejected(run("check_balls.py", tmp_path / "a.json"))


def announcing(path, shape):
    """An .npz whose x announces a shape that it does not hold."""
    header = (
        repr({"descr": "<f8", "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 64
        )
        archive.writestr(
            "y.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 64
        )


@pytest.mark.parametrize("shape", [(10**7, 10**6), (2**62, 2**62), (-1, -8), (3, 10)])
def test_npz_files_hold_what_they_announce(tmp_path, shape):
    (tmp_path / "a.json").write_text(many()[0][0])
    announcing(tmp_path / "p.npz", shape)
    assert_rejected(
        run("check_balls.py", tmp_path / "a.json", tmp_path / "p.npz"), "announces", "no numbers"
    )
    with pytest.raises(ValueError, match="announces"):
        load_arrays(tmp_path / "p.npz")
    for content in (b"", b"PK\x03\x04", (tmp_path / "p.npz").read_bytes()[:-30]):
        (tmp_path / "p.npz").write_bytes(content)
        assert_rejected(run("check_balls.py", tmp_path / "a.json", tmp_path / "p.npz"))
        with pytest.raises(ValueError, match=r"npz|announces"):
            load_arrays(tmp_path / "p.npz")


def test_zeros_that_were_compressed_are_read(tmp_path):
    np.savez_compressed(
        tmp_path / "p.npz", x=np.zeros((4000, 784), np.uint8), y=np.ones(4000, np.int64)
    )
    assert load_arrays(tmp_path / "p.npz")["x"].shape == (4000, 784)
    assert [v.shape for v in check_balls.read_points(tmp_path / "p.npz")] == [(4000, 784), (4000,)]


# -- many points -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("power", "part"), [(-46, 0.505)])
def test_rounding_of_long_projections_hides_no_pair(power, part):
    """A projection on which sums of 2^20 products are rounded apart, by more than 1e-9 of their
    distance's square.
    """
    d, half, m = 2**20, 2**19, 40
    error = float(Fraction(d, 4 ** (m + 1)) + Fraction(d * (d + 1), 2**51))
    width, unit = 2.0 ** math.floor(math.log2(error)), 2.0 ** (power + 10)
    delta, low = (
        math.ceil(math.sqrt(2.1 * error) / 1024 / unit) * unit,
        math.floor(0.75 / unit) * unit,
    )
    columns = ((low + delta + part * unit, low), (low + (1 - part) * unit, low + delta))
    x, y = np.stack([np.repeat(pair, half) for pair in columns]), np.array([-1, 1])
    inner = (
        round(((np.linalg.norm(x[0] - x[1]) * (1 + 1e-10) - 1e-9) ** 2 - width) * 2.0**60)
        * 2.0**-60
    )
    sides, clean = np.repeat([1024.0, -1024.0], half), [[[[0.0] * d], [0.0]]]
    claim = {
        "norm": "2",
        "radius": 0.0,
        "variant": "lean",
        "m": m,
        "inner": inner,
        "outer": inner + width,
        "bound": 2.0,
    }
    c = claim_digest(
        {"format": "cgro balls certificate 1", **claim, "clean": clean, "cuts": []}, x, y
    )
    for projection in ([], [sides.tolist()]):
        with pytest.raises(ValueError, match="points of different labels are"):
            check_balls.check({**c, "projection": projection}, x, y)


def test_bounds_of_rounding_grow_with_the_sums():
    assert [check_balls.rounding(n) > 3 * n * 2.0**-53 for n in (1, 784, 25_000_000)] == [True] * 3
    assert check_balls.rounding(25_000_000) > 1e-9 > check_balls.rounding(1_000_000)
    with pytest.raises(ValueError, match="too long"):
        check_balls.rounding(2**40)


@pytest.mark.parametrize(
    "change",
    [{"points": 10**6}, {"margin": "2"}, {"margin": "x"}, {"verdict": "refuted"}, {"m": True}],
)
def test_what_many_points_claim_is_checked(change):
    text, x, y = many()[0]
    check_balls.check(json.loads(text), x, y)
    with pytest.raises(ValueError, match=r"claim|margin|form"):
        check_balls.check(claim_digest({**json.loads(text), **change}, x, y), x, y)
    for wrong in ([["0.5"]], [[True]], [[None]], [[2**53 + 1]]):
        with pytest.raises((ValueError, TypeError)):
            check_balls.check({**json.loads(text), "clean": [[wrong, [0.0]]]}, x, y)


def test_a_network_is_compared_with_a_certificate_of_many_points(tmp_path, monkeypatch, capsys):
    """The network's digest, and what else is said of it, may be written by anybody: f_S is built
    and compared again.
    """
    monkeypatch.setattr(certificates, "EMBEDDED", 100)
    text, x, y = many()[0]
    network = f_S(
        affine([[1.0, 0.25, 0.5, 0, 0]], [-0.5]), x, y, Ball("inf", 0.125), variant="lean"
    )
    bad = f_S(affine([[1.0, 0.25, 0.5, 0, 0]], [-0.5]), x, -y, Ball("inf", 0.125), variant="lean")
    other = f_S(affine([[1.0, 0.25, 0.25, 0, 0]], [-0.5]), x, y, Ball("inf", 0.125), variant="lean")
    unknown = ReLUNetwork.from_layers(
        [(layer.weight.to_dense(), layer.bias.to_dense()[:, 0]) for layer in bad.layers]
    )
    save_points(tmp_path / "p.npz", x, y)

    def check(net, *more):
        net.save(tmp_path / "n.safetensors")
        content = (
            json.loads(text)
            | {"network_digest": certificates.network_digest(load(tmp_path / "n.safetensors"))}
            | dict(more)
        )
        (tmp_path / "c.json").write_text(json.dumps(content))
        command = [
            "check-certificate",
            str(tmp_path / "c.json"),
            "--points",
            str(tmp_path / "p.npz"),
        ]
        status = main([*command, "--network", str(tmp_path / "n.safetensors")])
        shown = capsys.readouterr().out
        assert main(command) == (2 if dict(more) else 0)
        assert ("network not checked" in capsys.readouterr().out) == (not dict(more))
        return status, shown

    status, shown = check(network)
    assert status == 0, shown
    assert "is this f_S, compared weight by weight" in shown
    for wrong in (bad, other, unknown):
        status, shown = check(wrong)
        assert status == 2
        assert shown.startswith("query 0: rejected: ")
    assert check(network, ("margin", "3/2"))[0] == 2
    assert check(network, ("points", 10**6))[0] == 2


def test_the_command_prints_statements(tmp_path, capsys):
    network = ReLUNetwork.from_layers([([[1.0]], [0.0])])
    certify_box(network, ([0.25], [0.5]), 1).save(tmp_path / "a.json")
    assert main(["check-certificate", str(tmp_path / "a.json")]) == 0
    assert capsys.readouterr().out.startswith(
        "query 0: accepted as proved: margin >= 0.25 > 0 for label 1 on the box [0.25, 0.5]; "
    )
    for content in ("[" * 10**6, '{"format": 1e99999999}', "{}", '{"format": "\\n"}', "null"):
        (tmp_path / "a.json").write_text(content)
        assert main(["check-certificate", str(tmp_path / "a.json")]) == 2
        assert "is no certificate" in capsys.readouterr().err
