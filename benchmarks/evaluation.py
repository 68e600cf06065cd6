"""Evaluating f_S on digits: the structured form against sparse and dense modules, and against bare
distances, in one run.

Prints seconds for the 360 test points (median of several runs, one thread, float32) and ratios to
`torch.cdist` between the same two sets, the least work that any exact evaluation of N indicators
has to do without screening.
"""

import statistics
import tempfile
import time
from collections.abc import Callable

import torch

from constructions import VARIANTS, Ball, f_S
from training import TrainingConfig, load_data, mlp, train


def seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """The median time of a call, after one call to warm up."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    torch.set_num_threads(1)
    data = load_data("digits", "parity").flat()
    clean = mlp([64, 64, 1])
    with tempfile.TemporaryDirectory() as folder:
        train(TrainingConfig(epochs=5), folder, data=data, model=clean)
    x, centres = data.test_points.float(), data.train_points.float()
    for p, radius in (("inf", 0.1), (2, 0.3)):
        ball = Ball(p, radius)
        floor = seconds(lambda p=ball.p: torch.cdist(x, centres, p=p))
        print(f"l_{p}: torch.cdist {floor:.4f} s")
        for variant in VARIANTS[1:]:
            network = f_S(clean, data.train_points, data.train_labels, ball, variant=variant)
            forms = {"structured": network.to_module("structured")}
            if network.size.weights < 10**7:
                forms["sparse"] = network.to_module("sparse", torch.float32)
            for name, module in forms.items():
                with torch.no_grad():
                    taken = seconds(lambda module=module: module(x))
                size = f"({network.size.parameters:,} parameters)"
                print(
                    f"  {variant:5} {name:10} {taken:8.4f} s  {taken / floor:6.1f} x cdist  {size}"
                )


if __name__ == "__main__":
    main()
