"""The two-layer CNN on patch-structured data, trained adversarially by full-batch gradient descent
with exact gradients.

Gradient descent keeps all weight vectors in the span of a basis E: the n noise patches, the signals
alpha w* and -alpha w*, what the attack leaves of them, and w_1(0), ..., w_m(0). So a run works with
coefficients B, W = B E, and with products W E^T = B G, G = E E^T: a step costs m k^2, k = N (P - 1)
+ 4 + m, whatever d is. Whole, because configuration, dynamics and run are one experiment, whose
coordinates no other file knows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.nn import functional

from constructions import HERE, Engine, Progress, Result
from constructions.internal import (
    Keyed,
    Neurons,
    PerNeuron,
    Report,
    Said,
    Steps,
    counted,
    renamed,
    replacing,
    run_shards,
    said,
    silent,
)

from ..attacks.objectives import mixed
from ..datasets.distributions import (
    PatchData,
    check_seed,
    check_sizes,
    default_scales,
    generator_for,
)

Function = Callable[[torch.Tensor], torch.Tensor]
State = dict[str, torch.Tensor]

ACTIVATIONS: dict[str, tuple[Function, Function]] = {
    "cubic": (lambda z: z * z * z, lambda z: 3 * z * z),
    "quadratic": (lambda z: z * z, lambda z: 2 * z),
    "relu": (lambda z: z.clamp_min(0), lambda z: (z > 0).to(z.dtype)),
    "relu2": (lambda z: z.clamp_min(0) ** 2, lambda z: 2 * z.clamp_min(0)),
    "relu3": (lambda z: z.clamp_min(0) ** 3, lambda z: 3 * z.clamp_min(0) ** 2),
    "relu4": (lambda z: z.clamp_min(0) ** 4, lambda z: 4 * z.clamp_min(0) ** 3),
}
"""Activations s and their derivatives."""

ATTACKS = ("signal", "network")
RECORDS, CHECKPOINT_STEPS, TEST_CHUNK = 400, 5000, 1000


class Scales(NamedTuple):
    """Scales of signal, noise and initial weights, and the attack's gamma."""

    alpha: float
    sigma: float
    sigma_0: float
    gamma: float


@dataclass(frozen=True)
class PatchConfig:
    """The settings of a run of `train_patches`, checked when they are made.

    The objective is (1 - lambda) log(1 + exp(-y f(X))) + lambda log(1 + exp(-y f(X'))), averaged
    over points.

    Attributes:
        d: dimension of a patch.
        N: training points.
        P: patches of a point.
        m: weight vectors.
        robust_weight: lambda of the objective.
        gamma: of the attack GTA, by default 1 - 1 / (sqrt(d) log(d)^2).
        attack: the g that GTA moves against: "signal", g(X) = <w*, X[signal]>, which moves by gamma
            alpha and leaves (1 - gamma) alpha y w*; or "network", f_W of the current step, but by
            gamma alpha at most.
        activation: "cubic", for which f_W sums over all m; or "quadratic", "relu" and its powers
            "relu2", "relu3" and "relu4", which are never negative, so that the second half of the m
            is subtracted (m even).
        rate: eta.
        steps: of gradient descent.
        sigma_0: scale of the initial weights, by default 1 / sqrt(d).
        alpha: scale of the signal; see `PatchData.sample`.
        sigma: scale of the noise; see `PatchData.sample`.
        seed: determines the run.
        test_points: drawn for each recorded test error.

    Raises:
        ValueError: that names the entry, the rule and the value.

    Source: CGRO (anonymous 2023), Section 3; signs of the second layer: not in the paper, needed
    for outputs of both signs.

    Example:
        >>> PatchConfig(d=100, gamma=2.0)
        Traceback (most recent call last):
        ...
        ValueError: gamma must be above 0 and at most 1, got 2.0
    """

    d: int = 1000
    N: int = 50
    P: int = 6
    m: int = 10
    robust_weight: float = 0.5
    gamma: float | None = None
    attack: str = "signal"
    activation: str = "cubic"
    rate: float = 0.1
    steps: int = 40_000
    sigma_0: float | None = None
    alpha: float | None = None
    sigma: float | None = None
    seed: int = 0
    test_points: int = 10_000

    def __post_init__(self) -> None:
        check_sizes(
            d=self.d, N=self.N, P=self.P, m=self.m, steps=self.steps, test_points=self.test_points
        )
        check_seed(self.seed)
        if self.d < 2 or self.P < 2:
            raise ValueError(f"d and P must be >= 2, got {self.d} and {self.P}")
        scales = self.scales
        for name, value in (("rate", self.rate), ("sigma_0", scales.sigma_0)):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {value}")
        if not 0 < scales.gamma <= 1:
            raise ValueError(f"gamma must be above 0 and at most 1, got {scales.gamma}")
        if not 0 <= self.robust_weight <= 1:
            raise ValueError(f"robust_weight must be between 0 and 1, got {self.robust_weight}")
        for name, known in (("attack", ATTACKS), ("activation", tuple(ACTIVATIONS))):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}"
                )
        if self.activation != "cubic" and self.m % 2:
            raise ValueError(f"m must be even for activation {self.activation}, got {self.m}")

    @property
    def scales(self) -> Scales:
        """alpha, sigma, sigma_0 and gamma, where None their defaults for this d."""
        gamma = (
            1 - 1 / (math.sqrt(self.d) * math.log(self.d) ** 2)
            if self.gamma is None
            else self.gamma
        )
        sigma_0 = 1 / math.sqrt(self.d) if self.sigma_0 is None else self.sigma_0
        return Scales(*default_scales(self.d, self.alpha, self.sigma), float(sigma_0), float(gamma))

    @property
    def outer(self) -> PerNeuron:
        """The second layer: ones for "cubic", else +1 for the first half and -1 for the second.

        Returns:
            The signs o, float64, shape (m,).
        """
        signs = torch.ones(self.m, dtype=torch.float64)
        if self.activation != "cubic":
            signs[self.m // 2 :] = -1
        return signs


def patch_network(weights: Neurons, config: PatchConfig) -> Function:
    """Build the two-layer network on patches as a function of points.

    f_W(X) = sum_r o_r sum_j s(<w_r, X[j]>), with s and the signs o of the configuration.

    Args:
        weights: W, shape (m, d).
        config: gives activation and signs.

    Returns:
        A function of points (..., P, d) with outputs (..., 1).

    Source: CGRO (anonymous 2023), eq. (M).

    Example:
        >>> f = patch_network(
        ...     torch.tensor([[1.0, 0.0], [0.0, 2.0]]), PatchConfig(d=2, m=2, gamma=0.5)
        ... )
        >>> f(torch.tensor([[[1.0, 1.0], [-2.0, 0.0]]]))
        tensor([[1.]])
    """
    activate, outer = ACTIVATIONS[config.activation][0], config.outer.to(weights)
    return lambda points: (activate(points @ weights.T) @ outer).sum(-1, keepdim=True)


@dataclass(frozen=True, eq=False, repr=False)
class PatchErrors(Keyed):
    """The errors of a run on patch data at its end, "robust" under the attack of its configuration.

    Attributes:
        clean_train: share of training points with margin <= 0.
        robust_train: the same under attack.
        clean_test: share of fresh points with margin <= 0.
        robust_test: the same under attack.
    """

    clean_train: float
    robust_train: float
    clean_test: float
    robust_test: float

    def _says(self) -> tuple[str, dict[str, Said]]:
        return "shares of points with margin <= 0", {
            "clean train": said(self.clean_train, "exact"),
            "clean test": said(self.clean_test, "exact"),
            "robust train": said(self.robust_train, "empirical lower bound"),
            "robust test": said(self.robust_test, "empirical lower bound"),
        }


@dataclass(frozen=True, eq=False, repr=False)
class PatchRun(Result):
    """What `train_patches` found.

    The first axis of each array in `curves` is that of the recorded steps; all is measured before
    the step's update, and the last one is that of the result. With v_ijr = y_i <w_r, X_i[j]> over
    noise patches j and psi(z) = 1 / (1 + exp(z)) they are:

        step: the recorded steps
        u: <w_r, w*>, (steps, m), and growth, its change in the step
        U: sum_r o_r s(u_r)
        V: y_i sum_r o_r sum_j s(y_i v_ijr), (steps, N)
        noise: max |v|
        loss, gradient_norm: of the objective
        robust_slope: the mean over points of psi(y f(X')), summed over all steps before
        shortfall: the largest v(0) + (eta sigma^2 d / N) sum_s psi(V_i) v^2 - v
        interference: the largest part of |v - v(0)| that comes from other patches
        clean_train, robust_train: shares of training points with margin <= 0
        clean_test, robust_test: the same shares of fresh points, estimates

    "robust" is under the attack of the configuration.

    Attributes:
        config: of the run.
        curves: arrays by name, as above.
        weights: the last W, float64, (m, d).
        data: the training points.
    """

    config: PatchConfig
    curves: dict[str, np.ndarray]
    weights: Neurons
    data: PatchData

    def _says(self) -> tuple[str, dict[str, Said]]:
        _, errors = self.errors._says()
        sizes = f"{self.config.N} training points, {self.config.test_points:,} test points"
        return f"errors after {self.config.steps:,} steps, d = {self.config.d}, {sizes}", errors

    @property
    def errors(self) -> PatchErrors:
        """The four errors at the end."""
        return PatchErrors(*(float(self.curves[field.name][-1]) for field in fields(PatchErrors)))


@dataclass(frozen=True, eq=False)
class _View:
    """What a step computes.

    products with the basis, (m, k); s' at those with patches, (m, n + 4); sum_r o_r s(.) there, (n
    + 4,); margins y f(X) and then y f(X'), and psi of them, psi(z) = 1 / (1 + exp(z)), (2 N,);
    minus the gradient, as coefficients (m, k).
    """

    products: torch.Tensor
    slope: torch.Tensor
    summed: torch.Tensor
    margins: torch.Tensor
    psi: torch.Tensor
    descent: torch.Tensor


class _Dynamics:
    """The gradient in coordinates."""

    def __init__(self, config: PatchConfig, device: str) -> None:
        self.config, self.scales = config, config.scales
        alpha, sigma, sigma_0, gamma = self.scales
        self.data = PatchData.sample(config.N, config.d, config.P, config.seed, alpha, sigma)
        noise = self.data.noise().reshape(-1, config.d)
        # of the signal, by the attack
        self.left = (1 - gamma if config.attack == "signal" else 1.0) * alpha
        lengths = torch.tensor([alpha, -alpha, self.left, -self.left], dtype=torch.float64)
        initial = torch.randn(
            config.m, config.d, generator=generator_for(config.seed, 1), dtype=torch.float64
        )
        self.basis = torch.cat(
            [noise, lengths[:, None] * self.data.direction, sigma_0 * initial]
        ).to(device)
        # Two products with (k, d) cost as much as one with (k, k) for k = 2 d.
        self.gram = self.basis @ self.basis.T if len(self.basis) <= 2 * config.d else None
        self.noises, self.patches = len(noise), len(noise) + len(lengths)
        self.lengths = noise.square().sum(1).to(device)
        self.labels = self.data.labels.to(device).double()
        self.index = self._index().to(device)  # (2 N, P): patches of points, clean and attacked
        signs = self.labels.repeat(2)
        # A, times y
        self.incidence = torch.zeros(self.patches, len(signs), dtype=torch.float64, device=device)
        self.incidence.scatter_(0, self.index.T, signs.expand(config.P, -1))
        share = torch.tensor(
            [1 - config.robust_weight, config.robust_weight], dtype=torch.float64, device=device
        )
        self.share = share.repeat_interleave(config.N) / config.N
        self.outer = config.outer.to(device)
        self.activate, self.slope = ACTIVATIONS[config.activation]
        self.initial = self.products(self.start()["coefficients"])
        self.tests = [self._draw_test(k, device) for k in range(0, config.test_points, TEST_CHUNK)]

    def _index(self) -> torch.Tensor:
        clean = torch.arange(self.noises).view(self.config.N, -1)
        signal = self.noises + (self.data.labels < 0).long()[:, None]
        return torch.cat([torch.cat([signal + shift, clean], 1) for shift in (0, 2)])

    def _draw_test(self, first: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Standard normal numbers (min(m, d), (P - 1) points) and labels (points,)."""
        config, generator = self.config, generator_for(self.config.seed, 2 + first // TEST_CHUNK)
        count = min(TEST_CHUNK, config.test_points - first)
        shape = (min(config.m, config.d), (config.P - 1) * count)
        normal = torch.randn(shape, generator=generator, dtype=torch.float64)
        labels = (torch.randint(2, (count,), generator=generator) * 2 - 1).double()
        return normal.to(device), labels.to(device)

    def start(self) -> State:
        """The coefficients of W(0), shape (m, k), and what is summed over steps, at zero."""
        options: Any = {"dtype": torch.float64, "device": self.basis.device}
        coefficients = torch.zeros(self.config.m, len(self.basis), **options)
        coefficients[:, self.patches :] = torch.eye(self.config.m, **options)
        pulled = torch.zeros(self.config.m, self.noises, **options)  # sum of psi(V_i) s'(v_ijr)
        return {
            "coefficients": coefficients,
            "pulled": pulled,
            "psi": torch.zeros(2 * self.config.N, **options),
        }

    def products(self, coefficients: torch.Tensor) -> torch.Tensor:
        """<w_r, e> for all vectors e of the basis, shape (m, k)."""
        if self.gram is not None:
            return coefficients @ self.gram
        return (coefficients @ self.basis) @ self.basis.T

    def look(self, coefficients: torch.Tensor) -> _View:
        """All that a step needs at these weights."""
        if self.config.attack == "network":
            return self._look_network(coefficients)
        products = self.products(coefficients)
        patches = products[:, : self.patches]
        slope, summed = self.slope(patches), self.outer @ self.activate(patches)
        margins = summed @ self.incidence
        psi = torch.sigmoid(-margins)
        descent = torch.zeros_like(coefficients)
        torch.mul(slope, self.incidence @ (psi * self.share), out=descent[:, : self.patches])
        return _View(products, slope, summed, margins, psi, descent.mul_(self.outer[:, None]))

    def _look_network(self, coefficients: torch.Tensor) -> _View:
        """`look` for the attack against f_W, whose points X'[j] = X[j] - sum_r q_r w_r are no
        combinations of patches alone.
        """
        N, outer = self.config.N, self.outer[:, None, None]
        products = self.products(coefficients)
        patches = products[:, : self.patches]
        slope, summed = self.slope(patches), self.outer @ self.activate(patches)
        of_points = patches[:, self.index[:N]]  # (m, N, P)
        attacked, q = self.moved(of_points, products @ coefficients.T)
        margins = summed @ self.incidence
        margins[N:] = self.labels * self.outputs(attacked)
        psi = torch.sigmoid(-margins)
        pull = psi * self.share
        descent = torch.zeros_like(coefficients)
        descent[:, : self.patches] = (
            self.outer[:, None] * slope * (self.incidence[:, :N] @ pull[:N])
        )
        back = outer * self.slope(attacked) * (self.labels * pull[N:])[:, None]
        descent.index_add_(1, self.index[:N].flatten(), back.flatten(1))
        descent -= back.flatten(1) @ q.flatten(1).T @ coefficients
        return _View(products, slope, summed, margins, psi, descent)

    def outputs(self, patches: torch.Tensor) -> torch.Tensor:
        """f_W of points (N,) from their products with the weights, (m, N, P)."""
        return (self.outer @ self.activate(patches).flatten(1)).view(patches.shape[1:]).sum(1)

    def moved(self, patches: torch.Tensor, gram: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """GTA against f_W, X'[j] = X[j] - sum_r q_r w_r: products of X' from those of X, (m, N, P),
        and q, (m, N, P).

        gram: W W^T, shape (m, m).
        """
        # of f_W at X[j], as coefficients over W
        gradient = self.outer[:, None, None] * self.slope(patches)
        step = (gram @ gradient.flatten(1)).view_as(gradient)
        norm = (gradient * step).sum((0, 2)).clamp_min(torch.finfo(step.dtype).tiny).sqrt()
        reach = self.scales.gamma * self.scales.alpha
        length = ((self.scales.gamma * self.outputs(patches)).clamp(-reach, reach) / norm)[:, None]
        return patches - length * step, length * gradient

    def advance(self, state: State, view: _View) -> None:
        """One step of gradient descent, in place."""
        shape, psi = (self.config.m, self.config.N, -1), torch.sigmoid(-self.noise_margins(view))
        state["pulled"].view(shape).addcmul_(view.slope[:, : self.noises].view(shape), psi[:, None])
        state["psi"] += view.psi
        state["coefficients"].add_(view.descent, alpha=self.config.rate)

    def noise_margins(self, view: _View) -> torch.Tensor:
        """V_i, shape (N,)."""
        return view.summed[: self.noises].view(self.config.N, -1).sum(1) * self.labels

    def test_errors(self, coefficients: torch.Tensor) -> tuple[float, float]:
        """Shares of fresh points with margin <= 0, clean and attacked.

        A test point enters f_W only through its products with the weights; those of noise are
        Gaussian with covariance sigma^2 W (I - w* w*^T) W^T, so they are drawn as such: cost P m^2
        a point, not P m d.
        """
        weights, w = coefficients @ self.basis, self.data.direction.to(coefficients.device)
        u, gram = weights @ w, weights @ weights.T
        root = self.scales.sigma * torch.linalg.qr((weights - u[:, None] * w).T, mode="r").R.T
        clean = robust = 0
        for normal, labels in self.tests:
            noise = (root @ normal).view(len(u), len(labels), -1)
            by_noise, signal = self.outputs(noise), (u[:, None] * labels)[:, :, None]
            outputs = by_noise + self.outputs(self.scales.alpha * signal)
            clean += int((labels * outputs <= 0).sum())
            if self.config.attack == "signal":
                outputs = by_noise + self.outputs(self.left * signal)
            else:
                outputs = self.outputs(
                    self.moved(torch.cat([self.left * signal, noise], 2), gram)[0]
                )
            robust += int((labels * outputs <= 0).sum())
        return clean / self.config.test_points, robust / self.config.test_points

    def measure(self, state: State, view: _View) -> dict[str, Any]:
        """What `PatchRun.curves` records."""
        config, n = self.config, self.noises
        alpha, sigma = self.scales.alpha, self.scales.sigma
        moved = self.products(view.descent)
        u, change = view.products[:, n] / alpha, (view.products - self.initial)[:, :n]
        expected = config.rate * sigma**2 * config.d / (3 * config.N) * state["pulled"]
        losses = functional.softplus(-view.margins).view(2, -1).mean(1)
        clean, robust = self.test_errors(state["coefficients"])
        wrong = (view.margins <= 0).view(2, -1).double().mean(1).tolist()
        return {
            "u": u.cpu(),
            "growth": config.rate / alpha * moved[:, n].cpu(),
            "U": float(self.outer @ self.activate(u)),
            "V": self.noise_margins(view).cpu(),
            "noise": float(view.products[:, :n].abs().max()),
            "loss": float(mixed(losses[0], losses[1], config.robust_weight)),
            "gradient_norm": math.sqrt(float((moved * view.descent).sum().clamp_min(0))),
            "robust_slope": float(state["psi"][config.N :].mean()),
            "shortfall": float(
                (expected - self.labels.repeat_interleave(config.P - 1) * change).max()
            ),
            "interference": float(
                (change - state["coefficients"][:, :n] * self.lengths).abs().max()
            ),
            "clean_train": wrong[0],
            "robust_train": wrong[1],
            "clean_test": clean,
            "robust_test": robust,
        }


def recorded_steps(steps: int, records: int = RECORDS) -> Steps:
    """0, `steps`, and about as many between as asked for, half of them evenly spaced and half in
    ratio.

    >>> recorded_steps(100, 8)
    array([  0,   1,   5,  22,  33,  67, 100])
    """
    even, ratio = np.linspace(0, steps, records // 2), np.geomspace(1, steps, records // 2)
    return np.unique(np.concatenate([even, ratio]).round().astype(np.int64))


@renamed(report=counted)
def train_patches(
    config: PatchConfig,
    *,
    device: str = "cpu",
    checkpoint: str | PathLike[str] | None = None,
    report: Report = silent,
) -> PatchRun:
    """Train the two-layer network on patch data, by full-batch gradient descent in float64.

    W(t+1) = W(t) - eta grad L(W(t)) for all steps; about 400 steps are recorded. What an
    adversarial point is does not depend on W in the gradient (a step of adversarial training), so
    with attack "signal" the gradient is that of the objective. Test errors are estimates from fresh
    points. Determined by the seed; BLAS and device may change the last bits.

    Args:
        config: of the run.
        device: where it runs.
        checkpoint: a .safetensors file, written every 5,000 steps and at the end, from which a run
            of the same configuration goes on, on a CPU to the same bits.
        report: called with a `Progress`, in steps, as often.

    Returns:
        A `PatchRun`.

    Raises:
        ValueError: for a checkpoint of another configuration or kind.
        FloatingPointError: naming the step, if the outputs are NaN or infinite.

    Cost: m k^2 a step, k = N (P - 1) + m + 4, once k^2 d and memory k^2 (where k > 2 d: 2 m k d a
    step and memory k d); N P d numbers of data.

    Source: CGRO (anonymous 2023), Sections 3.3 and 4.

    Example:
        >>> run = train_patches(PatchConfig(d=50, N=5, P=3, m=4, steps=50, test_points=100))
        >>> run.weights.shape, run.curves["V"].shape[1], sorted(run.errors)
        (torch.Size([4, 50]), 5, ['clean_test', 'clean_train', 'robust_test', 'robust_train'])
    """
    path = None if checkpoint is None else _check_path(checkpoint)
    dynamics = _Dynamics(config, device)
    first, state, curves = 0, dynamics.start(), dict[str, list[np.ndarray]]()
    if path is not None and path.exists():
        first, state, curves = _read(path, config, device)
    recorded = set(recorded_steps(config.steps).tolist())
    with torch.inference_mode():  # steps are so short that bookkeeping for autograd shows
        for step in range(first, config.steps + 1):
            if step > first and (step % CHECKPOINT_STEPS == 0 or step == config.steps):
                if path is not None:
                    _write(path, config, step, state, curves)
                report(Progress("gradient descent", step, config.steps))
            view = dynamics.look(state["coefficients"])
            if not math.isfinite(float(view.margins.sum())):
                raise FloatingPointError(
                    f"outputs became NaN or infinite at step {step} (is rate {config.rate} too "
                    f"large?)"
                )
            if step in recorded:
                for name, value in {"step": step, **dynamics.measure(state, view)}.items():
                    curves.setdefault(name, []).append(np.asarray(value))
            if step < config.steps:
                dynamics.advance(state, view)
    weights = (state["coefficients"] @ dynamics.basis).cpu()
    return PatchRun(
        config, {name: np.stack(values) for name, values in curves.items()}, weights, dynamics.data
    )


@renamed("configs engine")
def regime_map(configs: Sequence[PatchConfig], *, engine: Engine = HERE) -> list[PatchErrors]:
    """Train on patch data once for each configuration, and collect the final errors.

    Args:
        configs: one for each run.
        engine: where runs are done, one a shard; with a journal an interrupted map goes on.

    Returns:
        The `PatchErrors` of each run.

    Raises:
        ValueError: as `train_patches` and `run_shards`.
        FloatingPointError: as `train_patches`.

    Example:
        >>> configs = [
        ...     PatchConfig(d=50, N=5, P=3, m=4, steps=5, test_points=100, gamma=gamma)
        ...     for gamma in (0.5, 1.0)
        ... ]
        >>> [0 <= errors.clean_train <= errors.robust_train <= 1 for errors in regime_map(configs)]
        [True, True]
    """
    work = partial(_errors_of, tuple(configs), engine.device)
    found = run_shards(
        work, len(configs), {"patch errors": [asdict(config) for config in configs]}, engine
    )
    return [PatchErrors(**errors) for errors in found]


def _errors_of(configs: Sequence[PatchConfig], device: str, k: int) -> dict[str, float]:
    return asdict(train_patches(configs[k], device=device).errors)


def _check_path(checkpoint: str | PathLike[str]) -> Path:
    path = Path(checkpoint)
    if path.suffix != ".safetensors" or path.is_dir() or not path.parent.is_dir():
        raise ValueError(
            f"checkpoint must be a .safetensors file in a folder that exists, got {path}"
        )
    return path


def _write(
    path: Path, config: PatchConfig, step: int, state: State, curves: dict[str, list[np.ndarray]]
) -> None:
    tensors = {f"state.{name}": tensor.cpu().contiguous() for name, tensor in state.items()}
    tensors |= {
        f"curves.{name}": torch.from_numpy(np.stack(values)) for name, values in curves.items()
    }
    with replacing(path) as temporary:
        save_file(
            tensors,
            temporary,
            metadata={"patch_training": json.dumps({"config": asdict(config), "step": step})},
        )


def _read(
    path: Path, config: PatchConfig, device: str
) -> tuple[int, State, dict[str, list[np.ndarray]]]:
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["patch_training"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, KeyError) as error:
        raise ValueError(f"checkpoint {path} was not written by train_patches: {error}") from error
    if header["config"] != asdict(config):
        raise ValueError(f"checkpoint {path} is of another configuration: choose another file")
    split: dict[str, dict[str, torch.Tensor]] = {"state": {}, "curves": {}}
    for name, tensor in tensors.items():
        kind, rest = name.split(".")
        split[kind][rest] = tensor
    state = {name: tensor.to(device) for name, tensor in split["state"].items()}
    return (
        header["step"],
        state,
        {name: list(tensor.numpy()) for name, tensor in split["curves"].items()},
    )
