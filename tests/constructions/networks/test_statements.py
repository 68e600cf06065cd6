"""Every registered statement's claims, checked on cases: sizes by `==`, errors by `<=` in exact
arithmetic, pieces by counting.

A registered construction without cases fails. The last tests plant wrong networks and wrong claims:
the checker must see them."""

import dataclasses
import itertools
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import sympy
import torch
from classics import CASES as CLASSICS
from oracles import counts, evaluate, knots, pieces

import constructions
from constructions import (
    LEMMAS,
    Affine,
    Ball,
    Dense,
    ReLUNetwork,
    affine,
    delay,
    explain,
    f_S,
    implements,
    parts,
    squaring,
    statements,
)
from constructions.networks.formal import OF_CLASSES, THEOREMS
from constructions.networks.owners import shares
from constructions.networks.provenance import HOMES, register_all

BALL, CLEAN = Ball("inf", 0.125), affine([[4.0, 0.5]], [-2.0])
POINTS, LABELS = [[0.25, 0.5], [0.75, 0.375]], [1, -1]

register_all()
CASES = {
    "absolute": [{}],
    "tooth": [{"s": s} for s in range(1, 7)],
    "squaring": [{"m": m} for m in range(1, 7)],
    "multiplication": [{"m": m, "bound": b} for m, b in ((1, 1.0), (2, 3.0), (3, 0.5))],
    "yarotsky_multiplication": [{"m": m, "bound": b} for m, b in ((1, 1.0), (2, 3.0), (3, 0.5))],
    "maximum": [{"n": n} for n in (*range(1, 18), 33, 100)],
    "gate": [{"bound": b} for b in (0.5, 1.0, 3.0, 16.0)],
    "soft_indicator": [
        {"inner": a, "outer": b} for a, b in ((0.25, 0.75), (-0.5, 1.5), (0.1, 0.7))
    ],
    "lean_indicator": [
        {"centre": [0.5, 0.25], "inner": 0.125, "outer": 0.25},
        {"centre": [[0.5], [0.75]], "inner": 0.1, "outer": 0.3},
    ],
    "distance": [
        {"centre": [[0.25, 0.5, 0.75]] * 2, "norm": "inf"},
        {"centre": [0.25, 0.5], "norm": 2, "m": 3},
        {"centre": [0.25, 0.5], "norm": 2, "m": 3, "shared": True},
    ],
    "interpolation": [
        {"points": [[0.0, 0.5], [1.0, 0.5], [0.25, 0.5]], "values": [1, 1, -1]},
        {
            "points": [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]],
            "values": [0.5, -3, 2, 1],
        },
    ],
    "grid_memorizer": [
        {"points": POINTS, "labels": LABELS, "ball": BALL},
        {
            "points": np.arange(60)[:, None] ** 2 / 7,
            "labels": np.arange(60) % 3,
            "ball": Ball(2, 0.001),
        },
    ],
    "staged_grid_memorizer": [
        {"points": POINTS, "labels": LABELS, "ball": BALL},
        {
            "points": np.arange(40)[:, None] ** 2 / 7,
            "labels": np.arange(40) % 3,
            "ball": Ball(2, 0.04),
        },
    ],
    "memorizer": [
        {"points": np.arange(40)[:, None] ** 2, "labels": np.arange(40) % 2},
        {"points": np.arange(60)[:, None] ** 2 / 7, "labels": np.arange(60) % 3, "bits": 53},
    ],
    "narrow_memorizer": [
        {"points": POINTS, "labels": LABELS, "ball": Ball(2, 0.05)},
        {"points": np.eye(7) / 2 + 0.25, "labels": [0, 1, 2, 2, 1, 0, 2], "ball": BALL},
    ],
    "nearest_neighbour": [
        {"points": POINTS, "labels": LABELS, "ball": Ball(2, 0.125)},
        {"points": np.eye(7) / 2 + 0.25, "labels": [0, 1, 2, 2, 1, 0, 2], "ball": BALL},
    ],
    "projected_memorizer": [
        {"points": POINTS, "labels": LABELS, "ball": Ball(2, 0.01)},
        {"points": np.eye(9) / 2 + 0.25, "labels": [0, 1, 2] * 3, "ball": Ball(2, 0.01), "rows": 7},
    ],
    "robust_memorizer": [
        {"points": POINTS, "labels": LABELS, "ball": Ball("inf", 1e-4)},
        {"points": POINTS, "labels": [0, 1], "ball": BALL},
    ],
    "f_S": [
        {"clean": CLEAN, "centres": POINTS, "labels": LABELS, "ball": ball, "variant": variant}
        for ball in (BALL, Ball(2, 0.125))
        for variant in constructions.VARIANTS
    ],
    "f_adv": [
        {
            "clean": CLEAN,
            "centres": POINTS,
            "labels": LABELS,
            "ball": BALL,
            "margins": [-0.25, -0.25],
        }
    ],
    **CLASSICS,
}

# -- how each quantity is measured -----------------------------------------------------------------


def interval(network):
    low, high = network.domain or (-2.0, 2.0)
    return Fraction(low), Fraction(high if high < np.inf else 2.0)


def sup_error(network):
    """The largest distance to the function that the statement is about, exactly."""
    name = network.provenance.lemma.name
    if name in ("absolute", "squaring"):
        return max(
            _errors_in_one_input(
                network, abs if name == "absolute" else lambda x: x * x, curved=name == "squaring"
            )
        )
    # max is linear where the order of its arguments is known: each cone's corners and a mixed point
    if name in ("maximum", "shallow_maximum"):
        n, factor = network.inputs, network.provenance.arguments.get("factor", 1)
        rows = (
            np.tril(np.ones((n, n), dtype=int))
            if n > 4
            else np.array(list(itertools.product(range(n + 1), repeat=n)))
        )
        return max(
            abs(v - Fraction(factor) * max(row))
            for v, row in zip(network.exact(rows)[:, 0], rows.tolist(), strict=True)
        )
    # as above: linear on each ordering's cone, whose rays are the vectors of zeros and ones
    if name in ("sorting", "kth_largest"):
        rows = np.array(list(itertools.product((0, 1), repeat=network.inputs)))
        ranked = np.sort(rows, axis=1)
        expected = ranked if name == "sorting" else ranked[:, [-network.provenance.arguments["k"]]]
        return max(abs(network.exact(rows) - expected).reshape(-1))
    if name in ("multiplication", "yarotsky_multiplication"):
        # With h = 2M/2^m, the network is affine on the polygons cut by the lines x + y, x - y
        # (Yarotsky: x + y, x, y) in h Z. The difference to xy is a saddle there, so it is extremal
        # on edges: at their ends, where it is 0, or midway between. All of these points, and those
        # of the domain's boundary, lie in h/4 Z^2.
        m, scale = (
            network.provenance.arguments["m"],
            Fraction(network.provenance.arguments["scale"]),
        )
        steps = [scale * k / 2 ** (m + 1) for k in range(-(2 ** (m + 1)), 2 ** (m + 1) + 1)]
        points = list(itertools.product(steps, steps))
        return max(
            abs(v - x * y) for v, (x, y) in zip(network.exact(points)[:, 0], points, strict=True)
        )
    raise AssertionError(f"no rule to measure the error of {name}")


def _errors_in_one_input(network, function, curved):
    graph = knots(network, *interval(network))
    for x, value in graph:
        yield abs(value - function(x))
    # linear - x^2 is extremal at half the slope
    for (a, fa), (b, fb) in itertools.pairwise(graph) if curved else ():
        slope = (fb - fa) / (b - a)
        if a < slope / 2 < b:
            yield abs(fa + slope * (slope / 2 - a) - function(slope / 2))


SIZES = ("depth", "width", "units", "weights", "biases", "dense_parameters")


def measured(network, quantity):
    sizes = dict(zip(SIZES, counts(network), strict=True))
    if quantity in sizes:
        return sizes[quantity]
    if quantity == "parameters":
        return sizes["weights"] + sizes["biases"]
    if quantity == "pieces":
        return pieces(network, *interval(network))
    raise AssertionError(f"no rule to measure {quantity}")


def check(network):
    """Every claim of the statement that the network says it implements."""
    origin = network.provenance
    for quantity, claim in origin.lemma.evaluate(origin.arguments).items():
        assert not claim.free_symbols, f"{origin.title}: {quantity} is not a number but {claim}"
        if quantity == "sup_error":
            assert sup_error(network) <= Fraction(int(claim.p), int(claim.q)), (
                f"{origin.title}: error above {claim}"
            )
        else:
            assert measured(network, quantity) == claim, (
                f"{origin.title}: {quantity} is not {claim}"
            )


# -- the checks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(LEMMAS))
def test_every_claim_of_every_statement(name):
    assert CASES.get(name), f"{name} is registered but has no cases: add some to CASES"
    lemma = LEMMAS[name]
    assert lemma.source
    assert lemma.statement
    for arguments in CASES[name]:
        network = getattr(constructions, name)(**arguments)
        assert network.provenance.lemma is lemma
        assert network.size.depth == counts(network)[0]
        check(network)


def test_no_cases_for_what_is_not_registered():
    assert set(CASES) == set(LEMMAS)


@pytest.mark.parametrize("name", sorted(LEMMAS))
def test_statements_are_explained_with_their_numbers(name):
    network = getattr(constructions, name)(**CASES[name][-1])
    first, second, *rest = explain(network).splitlines()
    assert first.startswith(f"{name}(")
    assert f"{network.size.parameters} parameters" in first
    assert second.strip() == f"{LEMMAS[name].source}: {LEMMAS[name].statement}"
    claims = LEMMAS[name].evaluate(network.provenance.arguments)
    expected = "  claims: " + ", ".join(
        f"{quantity} = {value}".replace("pieces", "linear pieces")
        for quantity, value in claims.items()
    )
    assert (expected in rest) == bool(claims)
    assert parts(network).number_of_nodes() == 1 + _below(network.provenance)


def _below(origin):
    return sum(1 + _below(part) for _, part in origin.parts)


def test_modules_are_no_networks_with_statements_or_bounds():
    for call in (explain, lambda net: constructions.interval_bounds(net, (0, 1))):
        with pytest.raises(TypeError, match="network must be a ReLUNetwork"):
            call(torch.nn.Linear(1, 1))


def test_theorems_are_named_where_the_weights_are_theirs():
    """Each is in its file of proofs/; a claim that is not the statement's is about its values."""
    values = {"values", "y_i on ball i", "f_clean outside of the shells"}
    root = Path(__file__).parents[3]
    for name, theorems in [*THEOREMS.items(), *OF_CLASSES.items()]:
        assert name in LEMMAS
        assert set(theorems) <= {*LEMMAS[name].claims} | values
        for text in theorems.values():
            file, names = text.split(": ")
            found = (root / "proofs" / file).read_text()
            assert all(f"\nTheorem {theorem} " in found for theorem in names.split(", "))
    soft = constructions.soft_indicator
    assert "  proved in Coq: values (Distance.v: eval_soft_indicator)" in explain(soft(0.25, 0.5))
    assert "proved" not in explain(soft(0.1, 0.5))
    assert "proved" not in explain(constructions.tooth(3))


def test_theorems_of_f_s_are_named_where_nothing_was_rounded():
    """In l_inf, variant lean, on dyadic points; not where weights are others, or were rounded."""
    box = Ball("inf", 0.125)

    def said(points, labels, outputs, ball=box, **options):
        clean = affine([[1.0, 0.0]] * outputs, [-0.5] * outputs)
        built = f_S(clean, points, labels, ball, **options)
        return [line for line in explain(built).splitlines() if line.startswith("  proved in Coq")]

    dyadic, odd = [[0.25, 0.5], [0.75, 0.5]], [[0.45, 0.5], [0.9, 0.5]]
    assert said(dyadic, [1, -1], 1) == [
        "  proved in Coq: y_i on ball i (Memorize.v: memorize_on_ball)",
        "  proved in Coq: f_clean outside of the shells (Memorize.v: memorize_outside)",
    ]
    assert "memorizeK_on_ball" in said(dyadic, [0, 2], 3)[0]
    assert not said(odd, [1, -1], 1)
    assert not said(dyadic, [1, -1], 1, separation=0.5)
    assert not said(dyadic, [1, -1], 1, variant="gate")
    assert not said(dyadic, [1, -1], 1, Ball(2, 0.125))
    built = f_S(affine([[1.0, 0.0]]), dyadic, [1, -1], box)
    changed = dataclasses.replace(built, layers=(*built.layers[:-1], affine([[2.0] * 4]).layers[0]))
    assert "proved" not in explain(changed)
    assert "a shell around each ball" in explain(built)


def test_explain_counts_the_parts():
    text = explain(constructions.distance([[0.5] * 4] * 3, 2, m=2))
    assert "12 x squaring(m=2" in text
    assert "12 x absolute(" in text
    assert explain(affine([[1.0]])).splitlines() == [
        "ReLU network: depth 0, width 0, 0 units, 1 parameters (2 dense)"
    ]


@pytest.mark.parametrize("name", sorted(LEMMAS))
def test_parameters_by_part_add_up(name):
    """Each row of each layer is counted once, and as its entries say."""
    for arguments in CASES[name]:
        network = getattr(constructions, name)(**arguments)
        found = shares(network)
        rows = {}
        for share in found:
            layer = network.layers[share.layer - 1]
            each = slice(share.first - 1, share.last)
            entries = torch.cat([layer.weight.to_dense(), layer.bias.to_dense()], 1)[each]
            assert share.parameters == int(entries.count_nonzero())
            rows.setdefault(share.layer, []).extend(range(share.first, share.last + 1))
        for index, layer in enumerate(network.layers if found else (), start=1):
            assert rows[index] == list(range(1, layer.weight.shape[0] + 1))
        text = explain(network)
        _, headed, parts = text.partition("by part (exact counts):\n")
        assert bool(headed) == (len({share.part for share in found}) > 1)
        if headed:
            *lines, total = parts.split("  in all")[0].split("\n")
            count = [int(line.split()[0].replace(",", "")) for line in lines]
            assert sum(count) == int(total.replace(",", "")) == network.size.parameters


@pytest.mark.parametrize("variant", ["lean", "gate", "paper"])
def test_f_s_says_whose_its_parameters_are(variant, tmp_path):
    clean = torch.nn.Sequential(torch.nn.Linear(2, 12), torch.nn.ReLU(), torch.nn.Linear(12, 1))
    points = [[0.1, 0.1], [0.5, 0.5], [0.9, 0.9], [0.1, 0.9], [0.9, 0.1], [0.5, 0.1]]
    ball = Ball("inf", 0.05)
    network = f_S(clean, points, [1, -1] * 3, ball, variant=variant)
    text = explain(network)
    assert "6 x lean_indicator (layers 1, 2)" in text or variant != "lean"
    assert "62  f_clean (layers 1, 2)" in text  # 2 x 12 + 12, and 2 x (12 + 1): its two signs
    assert f"{network.size.parameters}  in all" in text
    assert "note: inner is not the radius" in text
    network.save(tmp_path / "f.safetensors")
    assert explain(constructions.read_network(tmp_path / "f.safetensors")) == text
    other = constructions.compose(affine([[1.0], [1.0]]), network)
    changed = dataclasses.replace(network, layers=other.layers)
    assert not shares(changed)  # what is recorded speaks of other layers
    assert "by part" not in explain(changed)


def test_rows_of_composed_networks_have_owners():
    """Copies, delays and values that are carried, too."""
    squares = constructions.copies(3, squaring(2))
    both = constructions.parallel(delay(squares, 3), squares)
    assert {share.part for share in shares(both)} == {"3 x squaring", "carried values"}
    assert sum(share.parameters for share in shares(both)) == both.size.parameters
    lost = affine([[-(2.0**60)], [-1.0], [2.0**60]])
    deeper = constructions.compose(affine([[1.0, 1.0, 1.0]], [0.5]), lost, squaring(2))
    assert deeper.size.depth == 3
    assert sum(share.parameters for share in shares(deeper)) == deeper.size.parameters


# -- the checker itself ----------------------------------------------------------------------------


def spoiled(network, layer, entry):
    """The network with one weight of a layer changed, and its provenance kept."""
    weight = network.layers[layer].weight.to_dense()
    weight[0, 0] = entry
    changed = Affine(Dense(weight), network.layers[layer].bias)
    layers = (*network.layers[:layer], changed, *network.layers[layer + 1 :])
    return dataclasses.replace(network, layers=layers)


def test_the_checker_accepts_the_original():
    original = squaring(3)
    check(spoiled(original, 0, 1.0))
    assert evaluate(spoiled(original, 0, 1.0), [Fraction(1, 3)]) == evaluate(
        original, [Fraction(1, 3)]
    )


@pytest.mark.parametrize(
    ("network", "complaint"),
    [
        (spoiled(squaring(3), 3, -6 * 4.0**-3 + 2.0**-40), "error above 1/256"),
        (spoiled(squaring(3), 1, 1.999), "pieces is not 8|error above 1/256"),
        (spoiled(squaring(3), 1, 0.0), "parameters is not 19"),
        (
            dataclasses.replace(delay(squaring(3), 1), provenance=squaring(3).provenance),
            "depth is not 3",
        ),
        (dataclasses.replace(squaring(2), provenance=squaring(3).provenance), "depth is not 3"),
        (spoiled(constructions.multiplication(2, 1.0), 5, 1.0 + 2.0**-30), "error above 1/64"),
        (spoiled(constructions.maximum(2), 0, 1.5), "error above 0"),
        (spoiled(constructions.shallow_maximum(5), 1, 0.5), "error above 0"),
        (spoiled(constructions.absolute(), 0, 1.0 + 2.0**-50), "error above 0"),
        (
            dataclasses.replace(
                constructions.tooth(3), provenance=constructions.tooth(2).provenance
            ),
            "depth is not 2",
        ),
    ],
)
def test_the_checker_rejects_wrong_networks(network, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check(network)


@pytest.mark.parametrize(
    ("claims", "complaint"),
    [
        ({"parameters": "7*m - 1"}, "parameters is not 20"),
        ({"depth": "m + 1"}, "depth is not 4"),
        ({"units": "3*m"}, "units is not 9"),
        ({"pieces": "2**m - 1"}, "pieces is not 7"),
        ({"sup_error": "4**(-m - 1) - 10**(-20)"}, "no rule to measure the error of planted"),
        ({"beauty": 1}, "no rule to measure beauty"),
        ({"depth": "k"}, "is not a number but k"),
    ],
)
def test_the_checker_rejects_wrong_claims(monkeypatch, claims, complaint):
    monkeypatch.setattr(sys.modules["constructions.networks.statements"], "LEMMAS", {})

    @implements("nowhere", "nothing", **claims)
    def planted(m: int) -> ReLUNetwork:
        return squaring(m)

    with pytest.raises(AssertionError, match=complaint):
        check(planted(3))


def test_too_good_an_error_is_rejected():
    network = squaring(3)
    lemma = dataclasses.replace(
        network.provenance.lemma, claims={"sup_error": sympy.Rational(1, 257)}
    )
    with pytest.raises(AssertionError, match="error above 1/257"):
        check(
            dataclasses.replace(
                network, provenance=dataclasses.replace(network.provenance, lemma=lemma)
            )
        )


def test_claims_are_evaluated_exactly():
    lemma = LEMMAS["multiplication"]
    assert lemma.evaluate({"m": 3, "scale": 0.1})["sup_error"] == sympy.Rational(0.1) ** 2 / 256
    symbol = sympy.Symbol("m")
    assert lemma.evaluate({"m": symbol, "bound": torch.ones(1)})["depth"] == symbol + 3
    assert (
        constructions.multiplication(3, 3.0).provenance.title
        == "multiplication(m=3, bound=3, D=2, K=1, scale=4)"
    )


def test_the_table_of_statements_in_the_docs_is_up_to_date():
    text = (Path(__file__).parents[3] / "docs" / "statements.md").read_text()
    table = text.split("<!-- generated: constructions.statements() -->\n")[1].split(
        "\n<!-- end -->"
    )[0]
    assert table == statements()


def test_statements_are_known_before_their_modules_are_used(tmp_path):
    """In a fresh process: the table is whole, and a file says which statement built its network."""
    f_S(affine([[4.0, 0.0]], [-2.0]), [[0.25, 0.5], [0.75, 0.5]], [1, -1], Ball("inf", 0.125)).save(
        tmp_path / "f.safetensors"
    )
    code = (
        "import sys, constructions; net = constructions.load(sys.argv[1]);"
        "print(constructions.explain(net)); print(constructions.statements())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "f.safetensors")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "unknown" not in shown
    assert all(f"| `{name}" in shown or f"| {name}" in shown for name in LEMMAS)


def test_all_homes_of_statements_are_known():
    """Modules with registered constructions, and no others, are imported for them."""
    root = Path(constructions.__file__).parent
    homes = {
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in root.rglob("*.py")
        if "\n@implements(" in path.read_text(encoding="utf-8")
    }
    assert homes == set(HOMES)


@pytest.mark.parametrize(
    "network",
    [squaring(4), constructions.multiplication(3, 1), constructions.maximum(5)],
    ids=["squaring", "multiplication", "maximum"],
)
@pytest.mark.parametrize("layer", [0, -1])
def test_no_theorem_is_named_for_changed_weights(network, layer, tmp_path):
    """In memory and from a file: neither "proved in Coq" nor a claim without a word on it."""
    assert "proved in Coq: sup_error" in explain(network)
    network.save(tmp_path / "built.safetensors")
    assert "proved in Coq: sup_error" in explain(constructions.load(tmp_path / "built.safetensors"))
    weight = network.layers[layer].weight.to_dense().clone()
    weight[0, 0] += 2.0**-40
    changed = Affine(Dense(weight), network.layers[layer].bias)
    layers = [*network.layers]
    layers[layer] = changed
    other = dataclasses.replace(network, layers=tuple(layers))
    other.save(tmp_path / "changed.safetensors")
    for one in (other, constructions.load(tmp_path / "changed.safetensors")):
        told = explain(one)
        assert "proved in Coq:" not in told
        assert "weights: not those that" in told


@pytest.mark.parametrize("norm", ["inf", 2])
@pytest.mark.parametrize("variant", ["lean", "gate", "paper"])
@pytest.mark.parametrize("classes", [1, 3])
def test_networks_share_no_tensors(norm, variant, classes):
    """A change of one f_S reaches no other, nor what it is compared with."""
    labels = [1, -1, 1] if classes == 1 else [0, 1, 2]

    def build():
        clean = affine([[1.0, 0.25]] * classes, [-0.5] * classes)
        points = [[0.2, 0.3], [0.8, 0.3], [0.5, 0.9]]
        return f_S(clean, points, labels, Ball(norm, 0.01), variant=variant)

    kept = build(), build()
    first, second = ({t.data_ptr() for t in tensors(one.layers) if t.numel()} for one in kept)
    assert first
    assert not first & second


def tensors(value):
    """All tensors inside."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from tensors(one)
    elif dataclasses.is_dataclass(value):
        for one in dataclasses.fields(value):
            yield from tensors(getattr(value, one.name))
