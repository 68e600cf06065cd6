"""Algorithm A_delta on digits (odd against even) and on separated data with planted small margins;
CPU seconds of one thread.

Robust training errors are certified bounds: proved below "at most", re-checked counterexamples at
"at least".
"""

import math
import sys
import tempfile
import time

import torch

from analysis import clean_error, errors_by_margin, proved_balls, robust_error
from constructions import Ball
from training import ConstrainedTraining, Dataset, TrainingConfig, a_delta, load_data


def separable(
    N: int, d: int, ball: Ball, share: float, seed: int, direction: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """1/2 + c y w* + xi / 8 within [0,1]^d: c = radius / 4 for a share of the points, else 2
    radius; xi standard normal and orthogonal to w*, as in Section 4 of the paper; points outside
    the cube are drawn again.
    """
    generator = torch.Generator().manual_seed(seed)
    y = 1 - 2 * torch.randint(0, 2, (N,), generator=generator)
    margin = torch.where(
        torch.rand(N, generator=generator) < share, ball.radius / 4, 2 * ball.radius
    ).double()
    x = torch.full((N, d), math.nan, dtype=torch.float64)
    while (left := ~((x >= 0) & (x <= 1)).all(1)).any():
        xi = torch.randn(int(left.sum()), d, dtype=torch.float64, generator=generator) / 8
        xi -= (xi @ direction)[:, None] * direction
        x[left] = 0.5 + xi + (margin * y)[left, None] * direction
    return x, y


def separated_data(
    ball: Ball, N: int = 400, d: int = 40, share: float = 0.2, seed: int = 0
) -> Dataset:
    w = torch.randn(d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    train, test = (
        separable(n, d, ball, share, seed + k, w / w.norm()) for k, n in ((1, N), (2, 1000))
    )
    return Dataset.from_tensors(*train, *test, name="separated")


def show(name: str, found: ConstrainedTraining, ball: Ball, seconds: float) -> None:
    start, flat = time.process_time(), found.data.flat()
    train, test = (flat.train_points, flat.train_labels), (flat.test_points, flat.test_labels)
    proved = proved_balls(found.network, *train, ball, found.small)
    taken = time.process_time() - start
    errors = robust_error(found.network, *train, ball, proved=proved)
    f = {"f_clean": found.f_clean, "A_delta": found.network}
    print(f"{name}, {ball}: {seconds:.1f} s to train, {taken:.1f} s to prove")
    print(
        f"  S_small {int(found.small.sum())} of {len(found.small)}; parameters",
        {k: v.size.parameters for k, v in f.items()},
    )
    print(
        f"  robust training error at least {errors.lower.value:.4f}, at most "
        f"{errors.upper.value:.4f} (certified)"
    )
    for key, network in f.items():
        clean, robust = clean_error(network, *test), robust_error(network, *test, ball).lower
        print(
            f"  {key}: clean test error {clean.value:.4f}, robust test error at least "
            f"{robust.value:.4f}"
        )
        for part, value in zip(
            ("small", "large"), errors_by_margin(network, found.f_clean, *test, ball), strict=True
        ):
            low, high = value.interval or (math.nan, math.nan)
            print(
                f"    {part} margin: {value.count} of {value.total} test errors, {value.value:.4f} "
                f"[{low:.4f}, {high:.4f}]"
            )


def main() -> None:
    torch.set_num_threads(1)
    balls = {"digits": Ball("inf", 0.05), "separated": Ball(2, 0.2)}
    for name in sys.argv[1:] or balls:
        data = load_data("digits", "parity") if name == "digits" else separated_data(balls[name])
        ball = balls[name]
        config = TrainingConfig(
            hidden=(32, 32),
            epochs=15,
            norm=ball.p,
            radius=ball.radius,
            attack="pgd5",
            eval_attack="clean",
            final_attack="pgd20x2",
            device="cpu",
        )
        start = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            found = a_delta(config, folder, data=data)
            seconds = time.process_time() - start
            show(name, found, ball, seconds)


if __name__ == "__main__":
    main()
