"""Linear regions: seconds and cells per second of each way, scaling, memory, and ratios to a peer
where it is installed.

CPU seconds of one thread, median of five (slow ones: of one). Generic networks have PyTorch's
default initialisation, seed 0, over [-1, 1]^d. Peers: pip install 'cgro[peers]'.
"""

import itertools
import statistics
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from constructions import (
    RegionCount,
    ReLUNetwork,
    affine,
    compose,
    copies,
    count_regions,
    distance,
    multiplication,
    soft_indicator,
    squaring,
)

GENERIC = [
    (2, 64, 64, 64),
    (2, 128, 128),
    (2, 256, 256),
    (2, 512, 512),
    (2, 1024),
    (3, 32, 32),
    (3, 64, 64),
    (4, 16, 16),
    (4, 32, 32),
    (5, 16, 16),
    (8, 8, 8),
]


def generic(*sizes: int) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [layer for n, m in itertools.pairwise(sizes) for layer in (nn.Linear(n, m), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 1))


def measure(run: Callable[[], RegionCount], repeats: int) -> tuple[RegionCount, float]:
    """The result, and the median of the CPU seconds."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        found = run()
        seconds.append(time.process_time() - start)
    assert (found.complete, found.certified) == (True, True), found
    return found, statistics.median(seconds)


def memory(run: Callable[[], object]) -> int:
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def row(
    name: str, network: ReLUNetwork, box: tuple[float, float], method: str | None, **options: bool
) -> None:
    def run() -> RegionCount:
        return count_regions(network, box, method=method, **options)

    found, seconds = measure(run, 5)
    kilobytes = memory(run) / found.cells / 1000
    how = method or "chosen"
    numbers = (
        f"{found.cells:>9,} {seconds:9.3f} s {found.cells / seconds:>10,.0f} {kilobytes:8.2f} kB"
    )
    print(f"{name:32}{how:10}{numbers}", flush=True)


def peer() -> None:
    """The same counts by Relucent (facet walking with linear programs), where it is installed."""
    try:
        import relucent
    except ImportError:
        print("Relucent is not installed: pip install 'cgro[peers]'")
        return
    for sizes in ((2, 8, 8), (2, 16, 16), (3, 8, 8)):
        module = generic(*sizes)
        start = time.process_time()
        theirs = relucent.Complex(module)
        theirs.bfs(cube_radius=1.0, cube_mode="clipped", nworkers=1, verbose=0)
        seconds = time.process_time() - start
        found, ours = measure(lambda module=module: count_regions(module, (-1, 1)), 5)
        ratio = f"{seconds / ours:,.0f} times"
        print(
            f"{sizes!s:16} Relucent {len(theirs):,} cells in {seconds:.2f} s; ours {found.cells:,} "
            f"in {ours:.4f} s: {ratio}"
        )


def main() -> None:
    torch.set_num_threads(1)
    print(
        f"{'network':32}{'method':10}{'cells':>9} {'CPU':>11} {'cells/s':>10} {'peak a cell':>11}"
    )
    for sizes in GENERIC:
        network = ReLUNetwork.from_module(generic(*sizes))
        name = "generic " + "-".join(map(str, sizes))
        row(name, network, (-1, 1), None)
        if sizes[0] < 5 and sizes != (2, 512, 512) and sizes != (2, 1024):
            row(name, network, (-1, 1), "lattice")
        if sizes in ((2, 64, 64, 64), (2, 128, 128)):
            row(name + ", exact", network, (-1, 1), "lattice", arithmetic="integers")
    centres = np.random.default_rng(0).integers(2, 15, size=(64, 3)) / 16
    constructed = {
        "squaring(16)": (squaring(16), (0, 1)),
        "multiplication(8, 1)": (multiplication(8, 1), (-1, 1)),
    }
    for d, count in ((2, 64), (3, 16), (5, 2)):
        points = centres[:count, :d] if d <= 3 else np.resize(centres, (count, d))
        indicators = compose(
            affine(np.ones((1, count))),
            copies(count, soft_indicator(1 / 16, 1 / 8)),
            distance(points, "inf"),
        )
        constructed[f"{count} indicators, d = {d}"] = (indicators, (0, 1))
    for name, (network, box) in constructed.items():
        row(name, network, box, "lattice")
        row(name + ", pieces", network, box, "lattice", pieces=True)
    for sizes in ((10, 16, 16), (12, 12, 12)):
        network = ReLUNetwork.from_module(generic(*sizes))
        start = time.process_time()
        found = count_regions(network, (-1, 1), max_cells=1000)
        seconds = time.process_time() - start
        name = "generic " + "-".join(map(str, sizes))
        print(
            f"{name:32}{'search':10}{found.cells:>9,} {seconds:9.3f} s "
            f"{found.cells / seconds:>10,.0f} (the first 1,000)"
        )
    peer()


if __name__ == "__main__":
    main()
