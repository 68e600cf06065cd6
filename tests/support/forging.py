"""Forged certificates, and what they claim read again without the checkers."""

import copy
import hashlib
import itertools
import json
import math
from fractions import Fraction

# -- forging ---------------------------------------------------------------------------------------

RATIONALS = [
    "0",
    "1",
    "-1",
    "1/0",
    "1e99999999",
    "nan",
    "inf",
    " 1",
    "1_0",
    "1/-2",
    "3/2",
    "0.5",
    "1\n",
    "9" * 4000,
    "",
    "٣",
]
NUMBERS = [
    0,
    1,
    -1,
    2,
    10**10,
    -(10**10),
    2**62,
    10**400,
    0.5,
    -0.5,
    1e308,
    5e-324,
    math.nan,
    math.inf,
    -math.inf,
    True,
    None,
]


def forge(rng, value):
    """Another value of the same kind in nine of ten cases, or anything."""
    if value is None or rng.random() < 0.1:
        return rng.choice(
            [None, True, {}, [], "", "1", 0, [value], {"unit": 0, "on": value, "off": value}]
        )
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice(
            [
                value + 1,
                value - 1,
                -value,
                2 * value,
                value // 2,
                value + rng.randint(-(2**60), 2**60),
                *NUMBERS,
            ]
        )
    if isinstance(value, float):
        near = math.nextafter(value, rng.choice([-math.inf, math.inf]))
        return rng.choice(
            [
                near,
                -value,
                value * 2,
                value / 2,
                value + rng.gauss(0, 1),
                value + rng.gauss(0, 1e-9),
                *NUMBERS,
            ]
        )
    if isinstance(value, str):
        try:
            v = Fraction(value if "e" not in value else "")
            other = [
                str(v + Fraction(rng.randint(-9, 9), 2 ** rng.randint(0, 70))),
                str(v * 2),
                str(-v),
                str(v / 2),
            ]
        except (ValueError, ZeroDivisionError):
            try:
                v = float.fromhex(value) if value.lstrip("-").startswith("0x") else math.nan
                other = (
                    []
                    if math.isnan(v)
                    else [
                        (v + rng.gauss(0, 0.1)).hex(),
                        (-v).hex(),
                        math.nextafter(v, 2.0).hex(),
                        str(v),
                    ]
                )
            except (OverflowError, ValueError):
                other = []
        return rng.choice(
            [*(other * 4), *rng.sample(RATIONALS, 3), value.upper(), value + "\nquery 1: accepted"]
        )
    changed = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    how = rng.randrange(4)
    if how == 0 and changed:
        changed.pop(rng.randrange(len(changed)))
    elif how == 1 and changed:
        changed.append(rng.choice(changed))
    elif how == 2 and len(changed) > 1:
        i, j = rng.sample(range(len(changed)), 2)
        (a, v), (b, w) = changed[i], changed[j]
        changed[i], changed[j] = (a, w), (b, v)
    elif changed:
        i, j = rng.randrange(len(changed)), rng.randrange(len(changed))
        changed[i] = (changed[i][0], copy.deepcopy(changed[j][1]))
    if isinstance(value, dict):
        return dict(changed) | ({"extra": 1} if how == 3 and rng.random() < 0.3 else {})
    return [v for _, v in changed]


def places(value, path=()):
    """The paths to all values, evenly over the parts of a certificate, not over its numbers."""
    yield path
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def mutate(rng, data, skip=("digest",)):
    """The data with one to three values forged."""
    data = copy.deepcopy(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        owner = data
        for _ in range(9):  # walk down, so that small parts are found as often as large ones
            if not isinstance(owner, (dict, list)) or not owner:
                break
            keys = (
                [k for k in owner if k not in skip]
                if isinstance(owner, dict)
                else list(range(len(owner)))
            )
            if not keys:
                break
            key = rng.choice(keys)
            if not isinstance(owner[key], (dict, list)) or not owner[key] or rng.random() < 0.12:
                owner[key] = forge(rng, owner[key])
                break
            owner = owner[key]
    return data


def renew(data):
    """The digest is made right, so that it stops no forgery."""
    try:
        text = json.dumps(data["network"], sort_keys=True, separators=(",", ":"))
        data["digest"] = hashlib.sha256(text.encode()).hexdigest()
    except (KeyError, TypeError, ValueError):
        pass
    return data


def disfigure(rng, text):
    """Text whose keys are doubled or whose numbers are others than those that are read."""
    how = rng.randrange(4)
    if how == 0:
        return text.replace('"label":', f'"label": {rng.choice([-1, 0, 1])}, "label":', 1).replace(
            '"m":', '"m": 1, "m":', 1
        )
    if how == 1:
        return text.replace(
            rng.choice(["0.5", "1.0", "0.25"]),
            rng.choice(["1e-400", "1.00000000000000011", "0.30000000000000001"]),
            1,
        )
    if how == 2:
        return text.replace("}", ', "bound": "1\\nquery 1: accepted as proved"}', 1)
    i = rng.randrange(len(text))
    return (
        text[:i]
        + rng.choice(['"', "{", "[", "]", "9", "-", "e9", "\\", "\0", ","])
        + text[i + rng.randrange(2) :]
    )


# -- claims, read again without the checkers -------------------------------------------------------


def outputs(layers, x, number=Fraction):
    for i, layer in enumerate(layers):
        x = [max(v, Fraction(0)) for v in x] if i else x
        rows = zip(layer["rows"], layer["bias"], strict=True)
        x = [
            sum((number(w) * x[j] for j, w in zip(*row, strict=True)), number(b)) for row, b in rows
        ]
    return x


def margin(z, label):
    return label * z[0] if len(z) == 1 else z[label] - max(v for k, v in enumerate(z) if k != label)


def contradicted(rng, data, query):
    """Whether a corner or a random point of the set contradicts an accepted query."""
    unit = Fraction(1, 2 ** query["scale"])
    sides = [(a * unit, b * unit) for a, b in zip(query["lower"], query["upper"], strict=True)]
    ball = query.get("ball")

    def inside(x):
        within = all(a <= v <= b for v, (a, b) in zip(x, sides, strict=True))
        gaps = (
            [(v - c * unit) ** 2 for v, c in zip(x, ball["centre"], strict=True)] if ball else [0]
        )
        return within and (not ball or sum(gaps) <= (ball["radius"] * unit) ** 2)

    if query["verdict"] == "refuted":
        x = [Fraction(v) for v in query["witness"]]
        return not inside(x) or margin(outputs(data["layers"], x), query["label"]) > 0
    bound = Fraction(query["bound"])
    points = [*itertools.islice(itertools.product(*sides), 8)]
    points += [
        [a + (b - a) * Fraction(rng.randint(0, 32), 32) for a, b in sides] for _ in range(12)
    ]
    if ball:
        points += [
            [c * unit + ball["radius"] * unit * s * Fraction(7, 10) for c in ball["centre"]]
            for s in (-1, 0, 1)
        ]
    wrong = [
        x
        for x in points
        if inside(x) and margin(outputs(data["layers"], x), query["label"]) < bound
    ]
    return bound <= 0 or bool(wrong)
