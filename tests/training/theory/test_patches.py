"""Adversarial training on patch data: exact gradients, coordinates against weight space, and the
regimes of the theory.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from analysis import attacked_errors, lemmas, phases
from constructions import Ball, Engine
from training import (
    PatchConfig,
    PatchData,
    PatchRun,
    gta,
    is_error,
    patch_network,
    pgd,
    regime_map,
    train_patches,
)
from training.theory import patches as implementation

SMALL = PatchConfig(
    d=40,
    N=6,
    P=4,
    m=4,
    steps=60,
    rate=0.2,
    sigma_0=0.3,
    gamma=0.7,
    sigma=0.3,
    alpha=1.5,
    test_points=50,
)


def initial(config):
    """W(0), read from a run of hardly any rate."""
    return train_patches(replace(config, steps=1, rate=1e-300)).weights


def attacked_points(weights, config, data):
    """X' from the definition, in R^d, by `gta`."""
    at = torch.arange(config.N)
    if config.attack == "signal":
        return gta(
            data.points, lambda x: x[at, data.signal_patch] @ data.direction, config.scales.gamma
        )
    reach = config.scales.gamma * config.scales.alpha
    moves = gta(data.points, patch_network(weights, config), config.scales.gamma) - data.points
    length = moves.flatten(1).norm(dim=1)[:, None, None]
    return data.points + moves * (reach / length).clamp_max(1)


def objective(weights, config, data, attacked):
    f, y = patch_network(weights, config), data.labels
    clean, robust = (functional.softplus(-y * f(x)[:, 0]).mean() for x in (data.points, attacked))
    return (1 - config.robust_weight) * clean + config.robust_weight * robust


def gradient(weights, config, data):
    weights = weights.clone().requires_grad_(True)
    value = objective(weights, config, data, attacked_points(weights.detach(), config, data))
    return torch.autograd.grad(value, weights)[0], value.detach()


def plain_run(config, data):
    """The same training in weight space with gradients by autograd."""
    weights, losses, norms = initial(config), [], []
    for step in range(config.steps + 1):
        slope, loss = gradient(weights, config, data)
        losses.append(float(loss))
        norms.append(float(slope.norm()))
        if step < config.steps:
            weights = weights - config.rate * slope
    return weights, np.array(losses), np.array(norms)


# -- data ------------------------------------------------------------------------------------------


def test_patch_data_are_as_the_distribution_says():
    data = PatchData.sample(N=2000, d=30, P=4, seed=1)
    w, at = data.direction, torch.arange(2000)
    assert data.alpha == 30**0.249
    assert data.sigma == 30**-0.509
    signals = data.points[at, data.signal_patch]
    assert torch.equal(signals, data.alpha * data.labels[:, None].double() * w)
    noise = data.noise()
    assert noise.shape == (2000, 3, 30)
    assert (noise @ w).abs().max() < 1e-14
    empirical = noise.flatten(0, 1).T @ noise.flatten(0, 1) / 6000
    expected = data.sigma**2 * (torch.eye(30, dtype=torch.float64) - torch.outer(w, w))
    assert (empirical - expected).abs().max() < 6 * data.sigma**2 * math.sqrt(2 / 6000)
    assert abs(float(data.labels.double().mean())) < 5 / math.sqrt(2000)
    assert torch.bincount(data.signal_patch, minlength=4).min() > 400


def test_the_signal_is_the_only_patch_that_noise_leaves_out():
    data = PatchData.sample(N=5, d=10, P=3, seed=0)
    for i in range(5):
        rest = [data.points[i, j] for j in range(3) if j != data.signal_patch[i]]
        assert torch.equal(data.noise()[i], torch.stack(rest))


def test_the_seed_decides_and_test_data_share_the_direction():
    first, again, other = (PatchData.sample(N=4, d=10, P=3, seed=s) for s in (0, 0, 1))
    assert torch.equal(first.points, again.points)
    assert not torch.equal(first.points, other.points)
    test = PatchData.sample(N=4, d=10, P=3, seed=1, direction=first.direction)
    assert torch.equal(test.direction, first.direction)


@pytest.mark.parametrize(
    "wrong", [{"N": 0}, {"P": True}, {"d": 1}, {"seed": -1}, {"alpha": 0.0}, {"sigma": math.nan}]
)
def test_wrong_data_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        PatchData.sample(**({"N": 2, "d": 5, "P": 2, "seed": 0} | wrong))


def test_a_direction_has_length_one():
    with pytest.raises(ValueError, match="direction"):
        PatchData.sample(N=2, d=3, P=2, seed=0, direction=torch.ones(3))


# -- gradients and steps ---------------------------------------------------------------------------


@pytest.mark.parametrize("robust_weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("activation", ["cubic", "quadratic", "relu"])
@pytest.mark.parametrize("attack", ["signal", "network"])
def test_the_gradient_is_that_of_autograd(attack, activation, robust_weight):
    config = replace(SMALL, attack=attack, activation=activation, robust_weight=robust_weight)
    run = train_patches(replace(config, steps=1))
    expected, loss = gradient(initial(config), config, run.data)
    found = (initial(config) - run.weights) / config.rate
    assert (found - expected).abs().max() < 1e-13 * max(1.0, float(expected.abs().max()))
    assert run.curves["loss"][0] == pytest.approx(float(loss), rel=1e-13)
    assert run.curves["gradient_norm"][0] == pytest.approx(float(expected.norm()), rel=1e-12)


@pytest.mark.parametrize(
    "config", [SMALL, replace(SMALL, attack="network"), replace(SMALL, N=40, steps=10)], ids=str
)
def test_coordinates_and_weight_space_agree(config):
    """The last has a basis of more than 2 d vectors and forms no Gram matrix."""
    run = train_patches(config)
    weights, losses, norms = plain_run(config, run.data)
    steps = run.curves["step"]
    assert (run.weights - weights).abs().max() < 1e-10
    assert np.abs(run.curves["loss"] - losses[steps]).max() < 1e-10
    assert np.abs(run.curves["gradient_norm"] - norms[steps]).max() < 1e-10
    u = weights @ run.data.direction
    assert np.abs(run.curves["u"][-1] - u.numpy()).max() < 1e-10
    assert run.curves["U"][-1] == pytest.approx(float((u**3).sum()), abs=1e-10)
    V = run.data.labels * ((run.data.noise() @ weights.T) ** 3).sum((1, 2))
    assert np.abs(run.curves["V"][-1] - V.numpy()).max() < 1e-10
    f, y = patch_network(weights, config), run.data.labels
    attacked = attacked_points(weights, config, run.data)
    assert run.errors.clean_train == float(is_error(f(run.data.points), y).double().mean())
    assert run.errors.robust_train == float(is_error(f(attacked), y).double().mean())


def test_sums_along_the_run_are_those_of_all_steps():
    """robust_slope, shortfall, interference and growth, from the definitions."""
    config = replace(SMALL, steps=30)
    run = train_patches(config)
    weights, scales, y = initial(config), config.scales, run.data.labels
    noise, N = run.data.noise(), config.N
    start = previous = torch.einsum("md,ijd->mij", weights, noise) * y[:, None]
    pulled, own, psis = torch.zeros_like(start), torch.zeros_like(start), 0.0
    for _ in range(config.steps):
        f, attacked = patch_network(weights, config), attacked_points(weights, config, run.data)
        psi, psi_x = (torch.sigmoid(-y * f(x)[:, 0]) for x in (run.data.points, attacked))
        mixed = (1 - config.robust_weight) * psi + config.robust_weight * psi_x
        pulled += torch.sigmoid(-(previous**3).sum((0, 2)))[:, None] * previous**2
        own += 3 * config.rate / N * mixed[:, None] * previous**2 * noise.square().sum(2)
        psis += float(psi_x.mean())
        weights = weights - config.rate * gradient(weights, config, run.data)[0]
        previous = torch.einsum("md,ijd->mij", weights, noise) * y[:, None]
    expected = start + config.rate * scales.sigma**2 * config.d / N * pulled - previous
    assert run.curves["shortfall"][-1] == pytest.approx(float(expected.max()), abs=1e-11)
    assert run.curves["interference"][-1] == pytest.approx(
        float((previous - start - own).abs().max()), abs=1e-11
    )
    assert run.curves["robust_slope"][-1] == pytest.approx(psis, abs=1e-11)
    change = -config.rate * gradient(weights, config, run.data)[0] @ run.data.direction
    assert np.abs(run.curves["growth"][-1] - change.numpy()).max() < 1e-12


@pytest.mark.parametrize("attack", ["signal", "network"])
def test_test_errors_are_those_of_points_in_full(attack):
    """Drawn by their products with the weights, or as points: the same shares, up to chance."""
    config = replace(SMALL, attack=attack, N=400, steps=3, sigma_0=0.5, rate=0.05, test_points=4000)
    run = train_patches(replace(config, N=6))
    scales = config.scales
    data = PatchData.sample(
        400 * 10, config.d, config.P, 5, scales.alpha, scales.sigma, run.data.direction
    )
    f, config = patch_network(run.weights, config), replace(config, N=4000)
    shares = [
        float(is_error(f(x), data.labels).double().mean())
        for x in (data.points, attacked_points(run.weights, config, data))
    ]
    assert 0.02 < shares[0] < shares[1] < 0.98
    for name, expected in zip(("clean_test", "robust_test"), shares, strict=True):
        assert abs(getattr(run.errors, name) - expected) < 5 * math.sqrt(2 * 0.25 / 4000)


def test_the_attack_leaves_one_minus_gamma_of_the_signal():
    run = train_patches(replace(SMALL, steps=1))
    attacked = attacked_points(run.weights, SMALL, run.data)
    at = torch.arange(SMALL.N)
    left = (1 - SMALL.gamma) * run.data.points[at, run.data.signal_patch]
    assert (attacked[at, run.data.signal_patch] - left).abs().max() < 1e-14
    attacked[at, run.data.signal_patch] = run.data.points[at, run.data.signal_patch]
    assert torch.equal(attacked, run.data.points)


# -- runs ------------------------------------------------------------------------------------------


def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(implementation, "CHECKPOINT_STEPS", 20)
    whole, path = train_patches(SMALL), tmp_path / "run.safetensors"

    class StopError(Exception):
        pass

    def stop(told):
        if told.done == 40:
            raise StopError

    with pytest.raises(StopError):
        train_patches(SMALL, checkpoint=path, report=stop)
    calls = []
    resumed = train_patches(
        SMALL, checkpoint=path, report=lambda told: calls.append((told.done, told.total))
    )
    assert calls == [(60, 60)]
    again = train_patches(SMALL, checkpoint=path)
    for run in (resumed, again):
        assert torch.equal(run.weights, whole.weights)
        assert all(np.array_equal(run.curves[name], whole.curves[name]) for name in whole.curves)
    with pytest.raises(ValueError, match="another configuration"):
        train_patches(replace(SMALL, seed=1), checkpoint=path)
    path.write_bytes(b"nothing of ours")
    with pytest.raises(ValueError, match="not written by train_patches"):
        train_patches(SMALL, checkpoint=path)


def test_a_checkpoint_is_a_file_in_a_folder_that_exists(tmp_path):
    for wrong in (tmp_path, tmp_path / "run.pt", tmp_path / "missing" / "run.safetensors"):
        with pytest.raises(ValueError, match="checkpoint must be"):
            train_patches(SMALL, checkpoint=wrong)


def test_a_rate_too_large_is_named_with_its_step():
    with pytest.raises(FloatingPointError, match=r"at step \d+ .*rate 1e\+50"):
        train_patches(replace(SMALL, rate=1e50))


@pytest.mark.parametrize(
    "wrong",
    [
        {"d": 1},
        {"P": 1},
        {"m": 0},
        {"m": 3, "activation": "relu"},
        {"robust_weight": 1.5},
        {"gamma": 0.0},
        {"gamma": 1.1},
        {"rate": math.inf},
        {"sigma_0": 0.0},
        {"alpha": -1.0},
        {"steps": 0},
        {"seed": 2**63},
        {"attack": "pgd"},
        {"activation": "tanh"},
        {"test_points": 0},
    ],
    ids=str,
)
def test_wrong_configurations_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(SMALL, **wrong)


def test_a_regime_map_is_resumable(tmp_path):
    configs = [replace(SMALL, robust_weight=weight, d=d) for weight in (0.5, 1.0) for d in (20, 40)]
    engine = Engine(journal=tmp_path / "map.json")
    expected = [train_patches(config).errors for config in configs]
    assert regime_map(configs, engine=engine) == expected
    lines = (tmp_path / "map.json").read_text().splitlines()
    (tmp_path / "map.json").write_text("\n".join(lines[:3]) + "\n")
    done = []
    assert (
        regime_map(configs, engine=replace(engine, report=lambda told: done.append(told.done)))
        == expected
    )
    assert done == [2, 3, 4]


# -- what the theory says --------------------------------------------------------------------------


def made_up(**curves):
    """A run with these curves, which no training found."""
    config = PatchConfig(d=100, N=2, m=1)
    data = PatchData.sample(2, 100, 6, 0)
    return PatchRun(config, {"step": np.arange(6)} | curves, torch.zeros(1, 100), data)


def test_phases_of_curves_made_up():
    u = np.array([0.0, 1.0, 1.01, 1.02, 1.0205, 1.0205])[:, None] / (100**0.249 - 1e-9)
    low, high = np.array([0, 0, 0, 2, 0.5, 1]), np.array([0, 0, 0.9, 1.5, 2, 2])
    found = phases(made_up(u=u, V=np.stack([low, high], 1)))
    assert (found.signal_learned, found.noise_begins, found.noise_memorized) == (1, 3, 5)
    assert found.in_order
    assert found.growth == pytest.approx([x * 100**-0.249 for x in (1, 0.01, 0.00025)])
    assert found.predicted == pytest.approx(
        (1 / (0.1 * 100**0.747 * 0.1), 2 / (0.1 * 0.1 * 100 ** (-1.527) * 1000))
    )
    # noise first
    assert not phases(made_up(u=u[[0, 0, 0, 0, 1, 1]], V=np.stack([low, high], 1))).in_order
    steady = np.arange(6.0)[:, None]
    # the signal never stops
    assert not phases(made_up(u=steady, V=np.stack([low, high], 1))).in_order
    never = phases(made_up(u=u, V=np.zeros((6, 2))))
    assert (never.noise_begins, never.noise_memorized, never.growth, never.in_order) == (
        None,
        None,
        None,
        False,
    )


def test_phases_speak_of_the_cubic_network():
    with pytest.raises(ValueError, match="cubic"):
        phases(train_patches(replace(SMALL, activation="relu", steps=1)))


def test_constants_of_lemmas_are_the_best_ones():
    """Each, from the recorded curves one step at a time."""
    run = train_patches(
        PatchConfig(
            d=40,
            N=6,
            P=3,
            m=4,
            steps=400,
            rate=0.5,
            sigma_0=0.25,
            sigma=0.3,
            alpha=3.0,
            test_points=10,
        )
    )
    found, c, config = {x.statement: x for x in lemmas(run)}, run.curves, run.config
    alpha, sigma, _, gamma = config.scales
    ph = phases(run)
    assert ph.noise_memorized is not None
    rows = [k for k, t in enumerate(c["step"]) if t >= ph.noise_memorized]
    assert found["Lemma C.8"].constant == min(c["gradient_norm"][k] / c["loss"][k] for k in rows)
    waited = [0.5 * (c["step"][k] - ph.noise_memorized + 1) * c["loss"][k] for k in rows]
    assert found["Lemma C.9"].constant == pytest.approx(max(waited), rel=1e-12)
    ratios = [
        c["growth"][k, r]
        / (0.5 * alpha**3 * c["u"][k, r] ** 2 / (1 + math.exp(alpha**3 * c["U"][k])))
        for k in range(len(c["step"]))
        for r in range(4)
    ]
    assert found["Lemma 4.2"].constant == pytest.approx(min(ratios), rel=1e-9)
    # all r grow by 3 ((1-lambda) mean psi(y f) + lambda (1-gamma)^3 mean psi(y f')) eta alpha^3
    # u_r^2: exactly, by (T)
    margins = [alpha**3 * s * c["U"][:, None] + c["V"] for s in (1, (1 - gamma) ** 3)]
    psi = [(1 / (1 + np.exp(m))).mean(1) for m in margins]
    exact = 1.5 * (psi[0] + (1 - gamma) ** 3 * psi[1]) * (1 + np.exp(alpha**3 * c["U"]))
    assert found["Lemma 4.2"].constant == pytest.approx(exact.min(), rel=1e-9)
    assert found["Lemma C.11, signal"].constant == alpha * c["u"].max()
    drift = config.P * sigma**2 / alpha * math.sqrt(config.d)
    assert found["Lemma 4.4"].constant == pytest.approx(c["shortfall"].max() / drift)
    first = int(np.argmax(c["step"] >= ph.signal_learned))
    sums = c["robust_slope"] - c["robust_slope"][first]
    bound = 1 / alpha + 0.5 * (alpha * (1 - gamma)) ** 3 * sums
    assert found["Lemma 4.3"].constant == pytest.approx((c["u"].max(1) / bound)[first:].max())
    limit = math.log(40) ** 2
    below = {
        "Lemma 4.2",
        "Lemma 4.2 before T_1",
        "Lemma C.8",
        "Theorem 4.1, signal, below",
        "Theorem 4.1, noise, below",
    }
    for name, one in found.items():
        assert one.holds == (one.constant >= 1 / limit if name in below else one.constant <= limit)


def test_attacks_on_the_network():
    run = train_patches(replace(SMALL, steps=300, rate=0.5))
    found = attacked_errors(run, points=200, seed=3)
    assert {one.total for one in found.values()} == {200}
    assert found["clean"].kind == "estimate"
    assert {one.kind for name, one in found.items() if name != "clean"} == {"empirical lower bound"}
    scales = SMALL.scales
    data = PatchData.sample(200, 40, 4, 3, scales.alpha, scales.sigma, run.data.direction)
    f, y = patch_network(run.weights, SMALL), data.labels
    config = replace(SMALL, N=200)
    for name, attack in (("gta w*", "signal"), ("gta f_W", "network")):
        at = attacked_points(run.weights, replace(config, attack=attack), data)
        assert (at - data.points).flatten(1).norm(dim=1).max() <= scales.gamma * scales.alpha * (
            1 + 1e-9
        )
        assert found[name].count == int(is_error(f(at), y).sum())
    ball = Ball(2, scales.gamma * scales.alpha)
    x = data.points.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad((y * f(x)[:, 0]).sum(), x)
    one_step = is_error(f(data.points - ball.radius * ball.ascent(slope)), y) | is_error(
        f(data.points), y
    )
    assert found["fgsm"].count == int(one_step.sum())
    assert found["pgd"].count >= found["fgsm"].count >= found["clean"].count
    with pytest.raises(ValueError, match="lie in"):
        pgd(f, data.points, y, ball, lambda outputs, labels: outputs[:, 0])


def test_the_regime_where_noise_is_memorized_and_the_robust_one():
    """A small version of the theorem: it takes the factor log(d)^2 in gamma, which without it
    leaves signal enough.
    """
    memorizing = PatchConfig(d=300, N=20, P=4, m=6, rate=0.4, steps=2500, test_points=2000, seed=1)
    robust = PatchConfig(
        d=100, N=20, P=4, m=6, rate=0.4, steps=1000, test_points=2000, gamma=0.9, seed=1
    )
    run = train_patches(memorizing)
    assert phases(run).in_order
    assert run.errors.clean_train == run.errors.robust_train == run.errors.clean_test == 0
    assert 0.42 < run.errors.robust_test < 0.58
    assert regime_map([robust])[0].robust_test < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 4])
def test_the_theorem_at_finite_d(seed):
    """Seeds 0 to 2 are those of the ledger (cgro-theorem-4.1)."""
    run = train_patches(PatchConfig(seed=seed))
    curves, alpha = run.curves, run.config.scales.alpha
    signal = alpha**3 * curves["U"]
    half = signal[curves["step"] >= run.config.steps / 2]
    assert ((half >= 5) & (half <= 50)).all()
    assert half.max() < 1.02 * half.min()
    assert (curves["V"][-1] > 1).all()
    assert run.errors.clean_test == run.errors.robust_train == 0
    assert 0.45 <= run.errors.robust_test <= 0.55
    assert phases(run).in_order
    # as points in full
    data = PatchData.sample(10_000, 1000, 6, 100 + seed, direction=run.data.direction)
    f, at = patch_network(run.weights, run.config), torch.arange(10_000)
    assert not is_error(f(data.points), data.labels).any()
    data.points[at, data.signal_patch] *= 1 - run.config.scales.gamma
    assert 0.45 <= float(is_error(f(data.points), data.labels).double().mean()) <= 0.55


@pytest.mark.slow
def test_the_robust_regime():
    (errors,) = regime_map([PatchConfig(d=100, gamma=1 - 1 / math.sqrt(100))])
    assert errors.robust_test < 0.01
