"""Building, counting and describing f_S for N = 60,000 points of D = 784 coordinates, m = 8:
seconds and peak memory.
"""

import resource
import sys
import time

import torch

from constructions import Ball, explain, f_S


def main() -> None:
    variant, p = sys.argv[1:3] if len(sys.argv) > 2 else ("paper", "2")
    generator = torch.Generator().manual_seed(0)
    centres = torch.rand(60_000, 784, generator=generator, dtype=torch.float64)
    labels = 1 - 2 * torch.randint(0, 2, (60_000,), generator=generator)
    start = time.perf_counter()
    network = f_S(
        torch.nn.Linear(784, 1), centres, labels, Ball(p, 0.1), variant=variant, m=8, separation=1.0
    )
    size, text = network.size, explain(network)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{variant}, l_{p}: {size.parameters:,} parameters, {size.stored:,} stored, {len(text):,} "
        f"characters of explanation"
    )
    print(
        f"{seconds:.2f} s, peak memory of the process {peak:.2f} GiB (PyTorch and the points "
        f"included)"
    )


if __name__ == "__main__":
    main()
