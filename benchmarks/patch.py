"""Adversarial training on patch data, the setting of Theorem 4.1 at finite d: five seeds, and the
step in weight space beside.

Prints CPU seconds of one thread. A step in weight space is a plain einsum over all patches, timed
over 500 steps.
"""

import time

import torch

from analysis import attacked_errors, lemmas, phases
from training import PatchConfig, PatchData, train_patches


def plain_steps(config: PatchConfig, steps: int) -> float:
    """CPU seconds of steps that compute products with all patches and gradients in R^d."""
    data, scales = PatchData.sample(config.N, config.d, config.P, config.seed), config.scales
    x, y = data.points, data.labels.double()
    attacked = x.clone()
    attacked[torch.arange(config.N), data.signal_patch] *= 1 - scales.gamma
    weights = scales.sigma_0 * torch.randn(config.m, config.d, dtype=torch.float64)
    start = time.process_time()
    for _ in range(steps):
        gradient = torch.zeros_like(weights)
        for points, share in ((x, 1 - config.robust_weight), (attacked, config.robust_weight)):
            h = torch.einsum("md,npd->mnp", weights, points)
            pull = share * y * torch.sigmoid(-y * (h**3).sum((0, 2))) / config.N
            gradient -= torch.einsum("mnp,npd->md", 3 * h**2 * pull[:, None], points)
        weights -= config.rate * gradient
    return time.process_time() - start


def main() -> None:
    torch.set_num_threads(1)
    for seed in range(5):
        config = PatchConfig(seed=seed)
        plain = plain_steps(config, 500) / 500 * config.steps
        start = time.process_time()
        run = train_patches(config)
        taken = time.process_time() - start
        curves, found = run.curves, phases(run)
        signal = config.scales.alpha**3 * curves["U"]
        half = signal[curves["step"] >= config.steps / 2]
        print(f"seed {seed}: {taken:.1f} s (weight space: {plain:.0f} s)")
        print(f"  {run.errors}")
        print(
            f"  alpha^3 U {signal[-1]:.2f}, changed by {100 * (half.max() / half.min() - 1):.4f}% "
            f"over the last half; ",
            end="",
        )
        print(f"V_i from {curves['V'][-1].min():.2f} to {curves['V'][-1].max():.2f}")
        print(f"  {found}")
        print(
            "  "
            + ", ".join(
                f"{one.statement}: {one.constant:.3g}{'' if one.holds else ' (no)'}"
                for one in lemmas(run)
            )
        )
        print(
            "  "
            + ", ".join(f"{name} {error.value:.3f}" for name, error in attacked_errors(run).items())
        )


if __name__ == "__main__":
    main()
