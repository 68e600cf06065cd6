"""Adversarial training near initialisation: losses, distances and linearity over width, five seeds;
and the kernel behind it.

16 points on the sphere in R^8, caps of delta = 0.1, random labels; perturbation: three steps of
`cap_attack`. Every number is a mean over seeds with the least and the largest. Surrogate loss,
distance, Taylor error and regret are exact for the run's points but for rounding; L_* and errors on
caps are lower bounds, by attacks; CPU seconds are of one thread.
"""

import time
from collections.abc import Callable
from functools import partial

import torch

from analysis import (
    cap_error,
    finite_kernel,
    gradient_change,
    neural_tangent_kernel,
    regret,
    robust_interpolant,
    robust_loss,
    sampled_kernel,
    taylor_error,
)
from training import (
    WideNetwork,
    cap_attack,
    deep_network,
    sphere_data,
    train_lazily,
    two_layer_network,
)

N, D, DELTA, SEEDS = 16, 8, 0.1, 5
X, Y = sphere_data(N, D, DELTA)
NAMES = (
    "min L_A",
    "L_*, at least",
    "distance",
    "Taylor error",
    "gradient change",
    "regret",
    "its convex bound",
)


def spread(found: list[tuple[float, ...]]) -> str:
    """Mean [least, largest] of each column."""
    return " | ".join(
        f"{sum(v) / len(v):.4f} [{min(v):.4f}, {max(v):.4f}]" for v in zip(*found, strict=True)
    )


def row(networks: list[WideNetwork], steps: int, rate: float, radius: float | None) -> str:
    """What one width gives."""
    found: list[tuple[float, ...]] = []
    for network in networks:
        run = train_lazily(
            network,
            X,
            Y,
            partial(cap_attack, delta=DELTA, steps=3),
            steps=steps,
            rate=rate,
            radius=radius,
        )
        against = regret(run, run.best)
        values = (
            run.least,
            robust_loss(network.at(run.best), X, Y, DELTA).value,
            max(network.distances(run.best)),
            taylor_error(network, run.best, run.attacked[-1]).value,
            gradient_change(network, run.best, X).value,
            against.average.value,
            against.bound.value,
        )
        found.append(values)
    return spread(found)


def widths() -> None:
    """Three sweeps."""
    erf = partial(two_layer_network, activation="erf")
    sweeps: list[
        tuple[str, Callable[..., WideNetwork], tuple[int, ...], int, float, float | None]
    ] = [
        (
            "two layers, relu, no projection",
            two_layer_network,
            (16, 64, 256, 1024, 4096),
            300,
            2.0,
            None,
        ),
        ("two layers, erf, no projection", erf, (64, 1024), 300, 2.0, None),
        ("H = 2, R = 4", deep_network, (16, 64, 256, 1024), 200, 0.2, 4.0),
        ("H = 2, R = 1", deep_network, (64, 256), 200, 0.2, 1.0),
    ]
    for title, make, sizes, steps, rate, radius in sweeps:
        print(f"\n{title}; {steps} steps of rate {rate}\n| m | {' | '.join(NAMES)} | seconds |")
        for m in sizes:
            start = time.process_time()
            values = row([make(D, m, seed=seed) for seed in range(SEEDS)], steps, rate, radius)
            print(f"| {m} | {values} | {time.process_time() - start:.1f} |", flush=True)


def kernel() -> None:
    """The closed form against samples and a finite network; robust interpolation, and networks made
    of it.
    """
    for activation in ("relu", "erf"):
        exact = neural_tangent_kernel(X, X, activation)
        pairs = torch.ones(N, N).triu().bool()
        drawn = [
            sampled_kernel(X, X, 2**18, activation=activation, seed=seed)
            for seed in range(1, SEEDS + 1)
        ]
        deviations = torch.stack([((mean - exact) / error)[pairs].abs() for mean, error in drawn])
        finite = finite_kernel(two_layer_network(D, 65_536, activation), X) - exact
        relative = (
            float(finite.norm() / exact.norm()),
            float(finite.abs().max() / exact.diagonal().max()),
        )
        print(
            f"\n{activation}: 136 entries, 2^18 samples, 5 seeds: largest deviation "
            f"{float(deviations.max()):.2f} ",
            end="",
        )
        print(
            f"standard errors, within 3: {float((deviations <= 3).double().mean()):.3f}; ", end=""
        )
        print(
            f"m = 65,536: off by {relative[0]:.4f} (Frobenius), {relative[1]:.4f} (largest, of the "
            f"diagonal)"
        )
    print("\n| points | norm | condition | error on caps, at least | seconds |")
    for samples, rounds in ((0, 0), (4, 0), (16, 0), (4, 4), (4, 8), (4, 16)):
        start = time.process_time()
        f = robust_interpolant(X, Y, DELTA, samples=samples, rounds=rounds)
        error = cap_error(f, X, Y, DELTA).value
        seconds = time.process_time() - start
        print(
            f"| {len(f.points)} | {f.norm:.3f} | {f.condition:.0f} | {error:.4f} | {seconds:.1f} |",
            flush=True,
        )
    print(
        "\nW_0 + sum_j c_j grad f(W_0, x_j) of the last:\n| m | distance | L_*, at least | error "
        "on caps, at least |"
    )
    for m in (256, 1024, 4096, 16_384):
        networks = [two_layer_network(D, m, seed=seed) for seed in range(SEEDS)]
        found = [
            (network.distances(f.weights(network))[0], network.at(f.weights(network)))
            for network in networks
        ]
        values = [
            [r for r, _ in found],
            *(
                [of(g, X, Y, DELTA, 10, 1).value for _, g in found]
                for of in (robust_loss, cap_error)
            ),
        ]
        print(
            f"| {m} | "
            f"{' | '.join(f'{sum(v) / len(v):.4f} [{min(v):.4f}, {max(v):.4f}]' for v in values)} "
            f"|",
            flush=True,
        )


def main() -> None:
    torch.set_num_threads(1)
    start = time.process_time()
    kernel()
    widths()
    print(f"\n{time.process_time() - start:.0f} CPU seconds")


if __name__ == "__main__":
    main()
