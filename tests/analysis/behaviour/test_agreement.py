"""Agreement of two models, in groups and zones; margins along rays; the share of a model that f_S's
memorization explains.
"""

import copy
import itertools
import math
import sys

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from toys import toy

from analysis import (
    Measured,
    agreement,
    agreement_by_group,
    agreement_table,
    class_groups,
    clean_error,
    memorization_part,
    memorization_share,
    normalized_margins,
    outer_radius,
    quantile_groups,
    radial_profile,
)
from analysis.behaviour.agreement import MODEL_BATCH
from analysis.behaviour.zones import zones
from constructions import Ball, ReLUNetwork, affine, compose, f_adv, f_S, predictions, squaring
from training import mlp, output_margin

pytestmark = pytest.mark.filterwarnings("ignore:clean has margins of")

NORMS = ["inf", 2]
BUILT = [("inf", "lean"), ("inf", "gate"), (2, "lean"), (2, "gate")]


def built(p="inf", variant="lean", classes=None, count=12):
    points, labels = toy(count, classes=classes)
    clean = ReLUNetwork.from_module(mlp([3, 6, classes or 1], seed=3))
    ball = Ball(p, 0.1)
    return clean, f_S(clean, points, labels, ball, variant=variant), points, labels, ball


# -- agreement -------------------------------------------------------------------------------------


def test_identical_models_agree_everywhere():
    points = torch.rand(4000, 6, dtype=torch.float64)
    one = ReLUNetwork.from_module(mlp([6, 16, 5], seed=1))
    found = agreement(one, one, points)
    assert (found.value, found.kind, found.count, found.total) == (1.0, "exact", 4000, 4000)
    assert found.interval == (pytest.approx(0.025 ** (1 / 4000)), 1.0)


@pytest.mark.filterwarnings("ignore:the shell in which")  # grid points as balls
def test_independent_models_agree_by_chance():
    points = torch.rand(4000, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    first, second = (
        affine([[1.0, 0, 0, 0, 0, 0]], [-0.25]),
        affine([[0, 1.0, 0, 0, 0, 0]], [-0.625]),
    )
    low, high = agreement(first, second, points, kind="estimate").interval
    assert low < 0.75 * 0.375 + 0.25 * 0.625 < high
    assert high - low < 0.05
    # argmax of 0, t - 1/4, 3t - 3/2
    ramp = torch.tensor([[0.0], [1.0], [3.0]]) * torch.eye(6)[2], [0.0, -0.25, -1.5]
    other = torch.tensor([[0.0], [1.0], [3.0]]) * torch.eye(6)[3], [0.0, -0.5, -1.75]
    p, q = (0.25, 0.375, 0.375), (0.5, 0.125, 0.375)
    low, high = agreement(affine(*ramp), affine(*other), points, kind="estimate").interval
    assert low < sum(a * b for a, b in zip(p, q, strict=True)) < high
    coins = torch.randint(0, 2, (2, 400), generator=torch.Generator().manual_seed(0)) * 2 - 1
    centres = torch.arange(400)[:, None] / 400
    lookup = [f_S(affine(torch.zeros(1, 1)), centres, c, Ball("inf", 0.0005)) for c in coins]
    found = agreement(*lookup, centres)
    assert found.count == (coins[0] == coins[1]).sum()
    assert found.interval[0] < 0.5 < found.interval[1]


def test_modules_networks_functions_images_and_rows_are_the_same_model():
    model = nn.Sequential(nn.Flatten(), *mlp([16, 12, 3], seed=4))
    network = ReLUNetwork.from_module(model)
    other = ReLUNetwork.from_module(mlp([16, 8, 3], seed=5))
    images = torch.randint(
        0, 256, (700, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    rows = (images.double() / 255).flatten(1)
    expected = agreement(network, other, rows)
    assert 0 < expected.count < 700
    structured = nn.Sequential(nn.Flatten(), network.to_module("structured"))
    double = copy.deepcopy(model).double()
    for first, points in itertools.product((model, network, structured, double), (images, rows)):
        assert agreement(first, other, points) == expected
    function = agreement(lambda x: network(x.flatten(1)), other, images)
    assert function == expected
    frozen = rows.numpy()
    frozen.flags.writeable = False
    assert agreement(network, other, frozen) == agreement(network, other, rows.tolist()) == expected


def test_dtypes_and_batches():
    seen = []

    class Probe(nn.Linear):
        def forward(self, x):
            seen.append((x.dtype, len(x)))
            return super().forward(x)

    near = torch.full((3 * MODEL_BATCH + 1, 1), 0.5 + 2.0**-40, dtype=torch.float64)
    step = affine([[1.0]], [-0.5])
    # float32 would round to 0.5, which has no label
    assert agreement(step, lambda x: x, near).value == 1.0
    assert agreement(step, Probe(1, 1), near).total == len(near)
    assert {dtype for dtype, _ in seen} == {torch.float32}
    assert max(count for _, count in seen) == MODEL_BATCH
    single = Probe(1, 1, dtype=torch.float64)
    with torch.no_grad():
        single.weight.fill_(1.0), single.bias.fill_(-0.5)
    assert agreement(step, single, near).value == 1.0


def test_groups_partition_agreement():
    _, network, _, _, _ = built(classes=3)
    other = mlp([3, 9, 3], seed=8)
    sample = torch.rand(500, 3, generator=torch.Generator().manual_seed(2))
    labels = torch.arange(500) % 3
    everything = agreement(other, network, sample)
    by_class = agreement_by_group(other, network, sample, class_groups(labels, 3))
    assert list(by_class) == ["0", "1", "2"]
    margins = normalized_margins(network, sample, labels)
    by_margin = agreement_by_group(
        other, network, sample, quantile_groups(margins, 5), kind="estimate"
    )
    assert len(by_margin) == 5
    assert {m.total for m in by_margin.values()} == {100}
    for table in (by_class, by_margin):
        assert sum(m.count for m in table.values()) == everything.count
        assert sum(m.total for m in table.values()) == 500
    assert by_class["1"] == agreement(other, network, sample[1::3])
    small = {"S_small": margins <= 0.1, "S_large": margins > 0.1, "nobody": margins > math.inf}
    assert list(agreement_by_group(other, network, sample, small)) == ["S_small", "S_large"]
    assert list(class_groups(torch.tensor([1, 1, -1]), 1)) == ["-1", "+1"]


def test_quantile_groups_keep_order_ties_and_names_apart():
    values = torch.tensor([5.0, -math.inf, 1.0, 1.0, 1.0, math.inf])
    groups = quantile_groups(values, 3)
    assert {name: mask.nonzero().flatten().tolist() for name, mask in groups.items()} == {
        "-inf to -inf": [1],
        "1 to 1": [2, 3, 4],
        "5 to inf": [0, 5],
    }
    close = quantile_groups([1.0, 1.0 + 2.0**-52, 1.0 + 2.0**-51], 3)
    assert len(close) == 3
    assert [int(mask.nonzero()) for mask in close.values()] == [0, 1, 2]
    assert len(quantile_groups(torch.ones(7))) == 1


def test_normalized_margins_ignore_scale():
    _, network, _, _, _ = built(classes=3)
    sample, labels = torch.rand(50, 3, dtype=torch.float64), torch.arange(50) % 3
    expected = output_margin(network(sample), labels)
    found = normalized_margins(network, sample, labels)
    assert torch.allclose(found * expected.abs().mean(), expected)
    assert torch.allclose(normalized_margins(lambda x: 8 * network(x), sample, labels), found)


def test_agreement_refuses_what_does_not_fit():
    one, two, x = affine([[1.0, 0.0]]), affine([[1.0, 0.0], [0.0, 1.0]]), torch.rand(3, 2)
    for points in (torch.rand(0, 2), torch.rand(2), torch.rand(2, 0)):
        with pytest.raises(ValueError, match=r"points must have shape \(N, ...\)"):
            agreement(one, one, points)
    with pytest.raises(ValueError, match="points must be finite, got NaN or infinity in row 1"):
        agreement(one, one, torch.tensor([[0.0, 0.0], [0.0, math.nan]]))
    with pytest.raises(
        ValueError, match=r"same number of outputs, got \{'first': 1, 'second': 2\}"
    ):
        agreement(one, two, x)
    with pytest.raises(ValueError, match=r"second must give outputs \(N, K\), got \(1,\)"):
        agreement(one, lambda x: x[:, 0], x)
    with pytest.raises(FloatingPointError, match="second gives NaN or infinity at point 0"):
        agreement(one, lambda x: x[:, :1] / 0, x)
    with pytest.raises(TypeError, match="model must be"):
        agreement(one, 3, x)
    for mask in ([True, False], [1, 0, 1]):
        with pytest.raises(ValueError, match=r"groups\['some'\] must be 3 booleans"):
            agreement_by_group(one, one, x, {"some": mask})
    with pytest.raises(ValueError, match=r"labels must be -1 or \+1"):
        class_groups([0, 1], 1)
    for values in ([], [[1.0]], [math.nan]):
        with pytest.raises(ValueError, match="values must be numbers"):
            quantile_groups(values)
    with pytest.raises(ValueError, match="bins must be at least 1"):
        quantile_groups([1.0], 0)
    with pytest.raises(ValueError, match="margin other than 0"):
        normalized_margins(affine([[0.0, 0.0]]), x, torch.tensor([1, 1, 1]))
    with pytest.raises(ValueError, match=r"train_points must lie in \[0, 1\]"):
        agreement_table(one, one, x + 1, x, x, Ball(2, 0.1), 0.2)


# -- zones -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", NORMS)
def test_zones_are_sorted_by_true_distance(p):
    centres, points = (
        torch.rand(30, 4, dtype=torch.float64),
        torch.rand(500, 4, dtype=torch.float64),
    )
    ball = Ball(p, 0.2)
    where = zones(points, centres, ball, 0.35)
    order = np.inf if p == "inf" else 2
    nearest = np.array(
        [min(np.linalg.norm(x - c, ord=order) for c in centres.numpy()) for x in points.numpy()]
    )
    assert (where.inside.numpy() == (nearest <= 0.2)).all()
    assert (where.outside.numpy() == (nearest >= 0.35)).all()
    assert (where.inside.int() + where.shell.int() + where.outside.int() == 1).all()


def test_agreement_table_of_f_s_with_itself_and_with_f_clean():
    clean, network, points, labels, ball = built()
    outer = outer_radius(network, ball)
    test_points = torch.rand(300, 3, dtype=torch.float64)
    own = agreement_table(network, network, points, test_points, points, ball, outer)
    assert {name: value.value for name, value in own.items()} == dict.fromkeys(own, 1.0)
    assert all(value.interval[1] == 1.0 for value in own.values())
    assert own["clean test points"].kind == "exact"
    assert own["in the shells"].kind == "estimate"
    with_clean = agreement_table(clean, network, points, test_points, points, ball, outer)
    assert with_clean["outside"].value == 1.0
    right = (predictions(clean(points)) == labels).double().mean()
    assert with_clean["training points, attacked"].value == pytest.approx(float(right))
    few = agreement_table(clean, network, points, test_points, points, ball, outer, count=4)
    assert sum(m.total for m in few.values() if m.kind == "estimate") == 12


@pytest.mark.parametrize("p", NORMS)
def test_agreement_table_of_images_is_that_of_rows(p):
    points, labels = toy(20, 4)
    ball = Ball(p, 0.1)
    clean = mlp([4, 6, 1], seed=3)
    network = f_S(clean, points, labels, ball)
    images = points.reshape(-1, 1, 2, 2)
    learned = nn.Sequential(nn.Flatten(), clean)
    outer = outer_radius(network, ball)
    table = agreement_table(learned, network, images, images, images, ball, outer, seed=3)
    assert table == agreement_table(clean, network, points, points, points, ball, outer, seed=3)
    assert table["inside the balls"].value < 1 == table["outside"].value


def test_outer_radius_is_a_distance_for_both_norms():
    points, labels = toy()
    for p in NORMS:
        ball = Ball(p, 0.1)
        network = f_S(affine(torch.ones(1, 3)), points, labels, ball)
        outer = outer_radius(network, ball)
        assert 0.1 < outer <= 0.1875  # separation 0.375
        with pytest.raises(ValueError, match="norm that network was built for"):
            outer_radius(network, Ball(2 if p == "inf" else "inf", 0.1))
    with pytest.raises(ValueError, match="built by f_S or f_adv"):
        outer_radius(squaring(2), Ball(2, 0.1))


# -- radial profiles -------------------------------------------------------------------------------


@pytest.mark.parametrize(("p", "variant"), BUILT)
@pytest.mark.parametrize("classes", [None, 3])
def test_profile_of_f_s_is_the_label_on_balls_and_f_clean_beyond(p, variant, classes):
    clean, network, points, labels, ball = built(p, variant, classes)
    outer = outer_radius(network, ball)
    middle = points[:, 0] == 0.5
    inside, chosen = points[middle], labels[middle]
    radii = [0.0, 0.05, 0.1, outer]
    found = radial_profile(network, inside, chosen, ball, radii, directions=3)
    for m in found[:3]:
        assert m == Measured(1.0, "estimate", None, len(inside), (1.0, 1.0))
    axis = torch.zeros_like(inside)
    axis[:, 0] = 1.0  # ends in the cube, between two centres
    far = [
        radial_profile(f, inside, chosen, ball, [outer], directions=axis)[0].value
        for f in (network, clean)
    ]
    assert far[0] == pytest.approx(far[1], abs=1e-12)
    assert far[0] != pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(("p", "variant"), [*BUILT, ("inf", "paper"), (2, "paper")])
@pytest.mark.parametrize("classes", [None, 3])
def test_memorization_part_is_the_soft_indicator(p, variant, classes):
    centre, label = torch.full((1, 4), 0.5, dtype=torch.float64), torch.tensor([1])
    ball = Ball(p, 0.125)
    clean = ReLUNetwork.from_module(mlp([4, 6, classes or 1], seed=3))
    part = memorization_part(f_S(clean, centre, label, ball, variant=variant, separation=0.8))
    facts = f_S(clean, centre, label, ball, variant=variant, separation=0.8).provenance.arguments
    inner, outer = facts["inner"], facts["outer"]
    reach = outer if p == "inf" else math.sqrt(outer)
    radii = [reach * k / 16 for k in range(21)]
    power = 1 if p == "inf" else 2
    closed = [min(1.0, max(0.0, (outer - r**power) / (outer - inner))) for r in radii]
    error = facts["distance_error"] / (outer - inner) + (
        4.0 ** -facts["m"] * facts["bound"] ** 2 if variant == "paper" else 0
    )
    axis = torch.tensor([[0.0, 1.0, 0.0, 0.0]])
    along = radial_profile(part, centre, label, ball, radii, directions=axis)
    assert [m.value for m in along] == pytest.approx(closed, abs=error + 1e-9)
    across = [m.value for m in radial_profile(part, centre, label, ball, radii, directions=2)]
    if (p, variant) == ("inf", "lean"):  # four coordinates exceed at once
        closed = [max(0.0, 1 - 4 * max(0.0, r - inner) / (outer - inner)) for r in radii]
    assert across == pytest.approx(closed, abs=error + 1e-9)
    assert any(0.05 < value < 0.95 for value in closed)


def test_memorization_part_is_screened_as_f_s_is():
    _, network, points, _, _ = built(classes=3)
    part, sample = memorization_part(network), torch.rand(200, 3, dtype=torch.float64)
    assert torch.allclose(part(sample, screened=True), part(sample, screened=False))
    assert torch.equal(part(points), torch.nn.functional.one_hot(toy(classes=3)[1], 3).double())
    few = f_adv(
        affine([[4.0, 0.0]], [-2.0]),
        [[0.4375, 0.5], [1.0, 0.5]],
        [-1, 1],
        Ball(2, 0.125),
        margins=[0.0625, 0.5],
    )
    assert memorization_part(few)([[0.4375, 0.5], [1.0, 0.5]]).flatten().tolist() == [-1.0, 0.0]
    with pytest.raises(ValueError, match="built by f_S or f_adv"):
        memorization_part(squaring(2))


def test_profile_of_a_linear_function_along_given_directions():
    w = torch.tensor([[0.5, -1.0]])
    points, labels = torch.full((3, 2), 0.5), torch.tensor([1, 1, -1])
    for p, dual in (("inf", 1.5), (2, math.sqrt(1.25))):
        offsets = Ball(p, 1.0).ascent(w).expand(3, 2) * torch.tensor([[0.5], [2.0], [1.0]])
        found = radial_profile(
            affine(w), points, labels, Ball(p, 0.1), [0.0, 0.25, 0.375], directions=offsets
        )
        expected = [(-0.25 + r * dual) / 3 for r in (0.0, 0.25, 0.375)]
        assert [m.value for m in found] == pytest.approx(expected, abs=1e-6)
        assert found[0].interval[0] == -0.25
    cut = radial_profile(
        affine([[1.0, 0.0]]),
        points[:1],
        labels[:1],
        Ball(2, 1),
        [0.25, 2.0],
        directions=torch.eye(2)[:1],
    )
    # the ray ends at the cube
    assert [m.value for m in cut] == pytest.approx([0.75, 1.0], abs=1e-6)


def test_random_directions_have_length_one_and_are_averaged_first():
    points, labels = (
        torch.full((50, 3), 0.5, dtype=torch.float64),
        torch.ones(50, dtype=torch.int64),
    )
    for p, norm in (("inf", math.inf), (2, 2)):
        seen = []

        def distance(x, norm=norm, seen=seen):
            seen.append(x)
            return torch.linalg.vector_norm(x - 0.5, ord=norm, dim=1, keepdim=True)

        found = radial_profile(distance, points, labels, Ball(p, 0.1), [0.125, 0.25], directions=5)
        assert [m.value for m in found] == pytest.approx([0.125, 0.25])
        assert [m.total for m in found] == [50, 50]
        moved = (torch.cat(seen[1:]) - 0.5).reshape(50, 5, 2, 3)
        assert torch.allclose(2 * moved[:, :, 0], moved[:, :, 1])
        assert (moved[:, :, 0] > 0).double().mean().item() == pytest.approx(0.5, abs=0.1)
        assert len(torch.unique(moved[:, :, 0].reshape(-1, 3).round(decimals=9), dim=0)) == (
            8 if p == "inf" else 250
        )
    kept = []
    radial_profile(
        lambda x: (kept.append(x), x[:, :1])[1], points, labels, Ball(2, 0.1), [0.25], directions=5
    )
    found = radial_profile(
        affine([[1.0, 0.0, 0.0]]), points, labels, Ball(2, 0.1), [0.25], directions=5
    )
    each = torch.cat(kept[1:])[:, 0].reshape(50, 5).mean(1)
    assert found[0].value == pytest.approx(each.mean().item())
    assert found[0].interval[1] < found[0].value + 3 * each.std().item() / 50**0.5
    constant = radial_profile(
        lambda x: x[:, :1] * 0 + 2.0, points, labels, Ball(2, 0.1), [0.0], directions=2
    )
    assert constant == [Measured(2.0, "estimate", None, 50, (2.0, 2.0))]


def test_profiles_and_shares_of_images_and_modules_are_those_of_rows(monkeypatch):
    points, labels = toy(20, 4, classes=3)
    ball, clean = Ball("inf", 0.1), mlp([4, 6, 3], seed=3)
    learned = mlp([4, 9, 3], seed=6).double()
    network = f_S(clean, points, labels, ball)
    images = points.reshape(-1, 1, 2, 2)
    module = nn.Sequential(nn.Flatten(), learned)
    radii = [0.0, 0.1, 0.2]
    offsets = (
        torch.rand(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 0.5
    )
    clean = ReLUNetwork.from_module(clean)
    profile = radial_profile(
        ReLUNetwork.from_module(learned), points, labels, ball, radii, directions=offsets
    )
    share = memorization_share(
        learned, clean, network, points, ball, radii=radii, directions=offsets
    )
    random = memorization_share(learned, clean, network, points, ball, radii=radii, seed=3)
    assert (
        random.share
        != memorization_share(learned, clean, network, points, ball, radii=radii, seed=4).share
    )
    again = memorization_share(module, clean, network, images, ball, radii=radii, seed=3)
    assert again.share.value == pytest.approx(random.share.value, abs=1e-12)
    # 8 points at once
    monkeypatch.setattr(sys.modules["analysis.behaviour.rays"], "NUMBERS", 100)
    values = [
        m.value
        for m in radial_profile(
            module, images, labels, ball, radii, directions=offsets.reshape(images.shape)
        )
    ]
    assert values == pytest.approx([m.value for m in profile], abs=1e-12)
    again = memorization_share(
        module, clean, network, images, ball, radii=radii, directions=offsets.reshape(images.shape)
    )
    assert again.share.value == pytest.approx(share.share.value, abs=1e-12)
    assert torch.allclose(again.shares, share.shares)


# -- memorization share ----------------------------------------------------------------------------


@pytest.mark.parametrize(("p", "variant"), [*BUILT, ("inf", "paper")])
@pytest.mark.parametrize("classes", [None, 3])
def test_f_s_has_share_one_and_f_clean_zero(p, variant, classes):
    count = 8 if variant == "paper" else 12
    clean, network, points, _, ball = built(p, variant, classes, count)
    mixtures = [
        (network, 1.0),
        (clean, 0.0),
        (lambda x: 0.5 * clean(x) + 0.5 * network(x), 0.5),
        (lambda x: -7.0 * network(x), 1.0),
        (lambda x: 1e-3 * clean(x) + 3e-3 * network(x), 0.75),
        (lambda x: 3.0 * clean(x) - 1.0 * network(x), -0.5),
    ]
    if classes:
        # softmax does not see it
        mixtures.append((lambda x: network(x) + 5 * x[:, :1] ** 2 - 30, 1.0))
        mixtures.append((lambda x: clean(x) + 5 * x[:, :1] ** 2 - 30, 0.0))
    for learned, expected in mixtures:
        found = memorization_share(learned, clean, network, points, ball)
        assert found.share.value == pytest.approx(expected, abs=1e-6)
        assert found.share.interval == pytest.approx((expected, expected), abs=1e-6)
        assert found.share.kind == "estimate"
        assert found.share.total == len(points)
        assert found.count == len(points)
        assert found.identified.all()
        assert torch.allclose(
            found.shares, torch.full_like(found.shares, expected), rtol=0, atol=1e-6
        )
        assert found.explained.value == pytest.approx(1.0, abs=1e-9)
        assert (found.by_memorization.value > 1e-6) == (expected != 0)


@pytest.mark.parametrize("classes", [None, 3])
def test_shares_are_those_of_ordinary_least_squares(classes):
    clean, network, points, _, ball = built(classes=classes)
    learned = ReLUNetwork.from_module(mlp([3, 20, classes or 1], seed=11))
    offsets = (
        torch.rand(points.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        - 0.5
    )
    radii = [0.0, 0.04, 0.08, 0.12, 0.16]
    found = memorization_share(
        learned, clean, network, points, ball, radii=radii, directions=offsets
    )
    unit = offsets / offsets.abs().amax(1, keepdim=True)
    blocks = []
    for x, u in zip(points, unit, strict=True):
        samples = torch.stack([(x + r * u).clamp(0, 1) for r in radii])
        f, c, s = (model(samples).numpy() for model in (learned, clean, network))
        if classes:
            f, c, s = (v - v.mean(1, keepdims=True) for v in (f, c, s))
        blocks.append(np.stack([c.ravel(), (s - c).ravel(), f.ravel()], 1))
    for block, share in zip(blocks, found.shares.tolist(), strict=True):
        a, b = np.linalg.lstsq(block[:, :2], block[:, 2])[0]
        assert share == pytest.approx(b / a, rel=1e-7)
    everything = np.concatenate(blocks)
    (a, b), rest = np.linalg.lstsq(everything[:, :2], everything[:, 2])[:2]
    rest_alone = np.linalg.lstsq(everything[:, :1], everything[:, 2])[1]
    total = (everything[:, 2] ** 2).sum()
    assert (found.a.value, found.b.value) == (pytest.approx(a), pytest.approx(b))
    assert found.share.value == pytest.approx(b / a)
    assert found.explained.value == pytest.approx(1 - rest[0] / total)
    assert found.by_memorization.value == pytest.approx((rest_alone[0] - rest[0]) / total)

    def statistic(index):
        chosen = np.concatenate([blocks[i] for i in index])
        return np.linalg.lstsq(chosen[:, :2], chosen[:, 2])[0][0]

    low, high = stats.bootstrap(
        (np.arange(len(points)),),
        statistic,
        n_resamples=1000,
        method="percentile",
        vectorized=False,
        rng=5,
    ).confidence_interval
    assert found.a.interval == (
        pytest.approx(low, rel=0.1, abs=0.02),
        pytest.approx(high, rel=0.1, abs=0.02),
    )
    for name in ("a", "b", "share", "explained", "by_memorization"):
        measured = getattr(found, name)
        assert measured.interval[0] < measured.value < measured.interval[1]


def test_points_that_do_not_tell_are_counted_not_guessed():
    centres, labels, ball = (
        torch.tensor([[0.25, 0.25], [0.75, 0.25]], dtype=torch.float64),
        torch.tensor([1, -1]),
        Ball(2, 0.05),
    )
    module = mlp([2, 8, 1], seed=1)
    clean, network = (
        ReLUNetwork.from_module(module),
        f_S(module, centres, labels, ball, separation=0.5),
    )
    radii = [0.0, 0.02, 0.05]
    far = torch.rand(30, 2, dtype=torch.float64) * torch.tensor([1.0, 0.3]) + torch.tensor(
        [0.0, 0.7]
    )
    # also if 0 is rounded in float32
    for first, given in ((network, clean), (lambda x: module(x.float()).double(), module)):
        found = memorization_share(first, given, network, far, ball, radii=radii)
        assert (found.share, found.a, found.b, found.count, len(found.shares)) == (
            None,
            None,
            None,
            0,
            0,
        )
        assert not found.identified.any()
        assert found.explained.value == pytest.approx(1.0, abs=1e-9)
        assert found.by_memorization.value == 0
    few = memorization_share(network, clean, network, torch.cat([centres[:1], far]), ball)
    assert few.identified.tolist() == [True] + [False] * 30
    assert (few.share.value, few.shares.tolist()) == (pytest.approx(1.0), pytest.approx([1.0]))
    # a third of the resamples lack the one point that tells
    assert few.share.interval == (-math.inf, math.inf)
    assert few.explained.interval == (pytest.approx(1.0), pytest.approx(1.0))


def test_collinear_regressors_and_outputs_without_f_clean_have_no_share():
    clean, network, points, _, ball = built()
    constant = affine(torch.zeros(1, 3), [0.5])
    memorizing = f_S(constant, points[:1], [1], ball)
    on_ball = memorization_share(
        memorizing, constant, memorizing, points[:1], ball, radii=[0.0, 0.05, 0.1]
    )
    assert on_ball.share is None  # there f_S - f_clean is f_clean
    assert on_ball.count == 0
    only = memorization_share(lambda x: network(x) - clean(x), clean, network, points, ball)
    assert only.share is None
    assert (only.a.value, only.b.value) == (pytest.approx(0.0, abs=1e-9), pytest.approx(1.0))
    assert only.count == 0
    # a share of 1 / a says something only if a is more than rounding
    for a, known in ((1e-6, False), (1e-2, True)):
        nearly = memorization_share(
            lambda x, a=a: network(x) + (a - 1) * clean(x), clean, network, points, ball
        )
        assert (
            (nearly.share is not None)
            == known
            == nearly.identified.all()
            == nearly.identified.any()
        )
        assert nearly.share is None or nearly.share.value == pytest.approx(1 / a)
    zero = affine(torch.zeros(1, 3))
    alone = f_S(zero, points, toy()[1], ball)
    assert memorization_share(alone, zero, alone, points, ball).share is None
    with pytest.raises(ValueError, match="learned must not be 0"):
        memorization_share(zero, clean, network, points, ball)


def test_the_sign_of_a_that_resamples_leave_open_opens_the_interval():
    clean, network, points, _, ball = built()
    flips = torch.where(torch.arange(12) % 2 == 0, 1.0, -1.0).double()
    flips[0] = 2.0

    def learned(x):
        nearest = torch.cdist(x, points).argmin(1)
        return flips[nearest][:, None] * network(x)

    found = memorization_share(learned, clean, network, points, ball, directions=1)
    assert torch.allclose(found.shares, torch.ones(12, dtype=torch.float64))
    assert found.a.interval[0] < 0 < found.a.interval[1] < 2
    assert found.share.interval == (-math.inf, math.inf)


def test_shares_and_profiles_refuse_what_does_not_fit():
    clean, network, points, labels, ball = built()
    three = affine(torch.ones(3, 3))
    with pytest.raises(
        ValueError, match=r"same number of outputs, got \{'learned': 3, 'clean': 1, "
    ):
        memorization_share(three, clean, network, points, ball)
    with pytest.raises(ValueError, match="built by f_S or f_adv"):
        memorization_share(clean, clean, clean, points, ball)
    with pytest.raises(FloatingPointError, match="learned gives NaN"):
        memorization_share(lambda x: x[:, :1] * math.nan, clean, network, points, ball)
    with pytest.raises(ValueError, match="labels must be -1 or"):
        radial_profile(clean, points, labels * 2, ball, [0.1])
    for act in (
        lambda **given: memorization_share(
            clean, clean, network, **{"points": points, "ball": ball, **given}
        ),
        lambda **given: radial_profile(
            clean, labels=labels, **{"points": points, "ball": ball, "radii": [0.1], **given}
        ),
    ):
        with pytest.raises(TypeError, match="ball must be a Ball"):
            act(ball=0.1)
        with pytest.raises(ValueError, match=r"points must lie in \[0, 1\]"):
            act(points=points - 1)
        for radii in ([], [0.2, 0.1], [-0.1, 0.1], [0.1, math.nan], [0.1, math.inf]):
            with pytest.raises(ValueError, match="radii must be finite"):
                act(radii=radii)
        with pytest.raises(ValueError, match="directions must be at least 1"):
            act(directions=0)
        with pytest.raises(ValueError, match=r"directions must be a number or of shape \(12, 3\)"):
            act(directions=torch.ones(12, 2))
        still = torch.ones(12, 3)
        still[4] = 0
        with pytest.raises(ValueError, match=r"offset of length 0.0 at index 4"):
            act(directions=still)


def test_the_scale_of_f_clean_matters_and_that_of_learned_does_not():
    clean, network, points, labels, ball = built()
    larger = compose(affine([[32.0]]), clean)
    other = f_S(larger, points, labels, ball)
    learned = mlp([3, 20, 1], seed=11)
    one = memorization_share(learned, clean, network, points, ball).share.value
    assert memorization_share(
        lambda x: -3 * learned(x.float()), clean, network, points, ball
    ).share.value == pytest.approx(one, rel=1e-4)
    assert memorization_share(learned, larger, other, points, ball).share.value != pytest.approx(
        one, rel=0.1
    )
    with pytest.warns(UserWarning, match=r"clean has margins of .* \(median\) beside the labels"):
        memorization_share(learned, larger, other, points, ball)


def test_images_that_are_not_scaled_are_refused():
    """Whole numbers up to 255 in floats are 8-bit values; other points may lie anywhere."""
    one, images = affine([[1.0]]), torch.tensor([[10.0], [255.0]])
    with pytest.raises(ValueError, match=r"whole numbers in \[10, 255\]: divide 8-bit"):
        agreement(one, affine([[2.0]]), images)
    with pytest.raises(ValueError, match="points must be scaled"):
        clean_error(one, images, [1, 1])
    assert clean_error(one, [[-3.0], [40.5]], [1, 1]).count == 1
    assert agreement(one, one, images.to(torch.uint8)).value == 1.0
