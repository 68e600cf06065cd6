"""f_S of all of MNIST: separation, evaluation, attack, and how time and memory grow with N and D.

    CGRO_DATA=FOLDER python benchmarks/scale.py [separation] [evaluation] [attack] [growth]
    [workers]      (default: all)

Evaluation and attack print ratios within one run, on the given device (`--device cuda` where there
is one); growth draws docs/scale.png. One thread, but for `workers`.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from analysis.pages.drawing import new_figure
from constructions import Ball, Engine, ReLUNetwork, f_S, fitted_exponent, separation
from training import Dataset, is_error, load_data, mlp, output_margin, pgd

BALLS = (Ball("inf", 0.1), Ball(2, 1.0))
APART = {
    ("parity", "inf"): 0.7568,
    ("classes", "inf"): 0.7372,
    ("parity", "2"): 2.8296,
    ("classes", "2"): 2.3987,
}
"""Separations of MNIST, rounded down: `separation` measures them (0.7569, 0.7373, 2.82964,
2.39871).
"""

POINTS, SIDES = (7_500, 15_000, 30_000, 60_000), (14, 20, 28, 40, 56)


def seconds(run: Callable[[], object], repeats: int = 3, device: str = "cpu") -> float:
    """The median time of a call, after one call to warm up."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def images(task: str) -> Dataset:
    return load_data("mnist", task).flat(torch.float32)


def built(
    data: Dataset, ball: Ball, count: int | None = None, variant: str = "lean"
) -> ReLUNetwork:
    torch.manual_seed(0)
    clean = mlp([data.train_points.shape[1], 64, 64, data.outputs], 0)
    apart = APART[data.task, "inf" if ball.p != 2 else "2"]
    points, labels = data.train_points[:count], data.train_labels[:count]
    return f_S(clean, points, labels, ball, variant=variant, separation=apart)


def run_separation(_: str) -> None:
    for name, task in (("classes", "classes"), ("odd against even", "parity")):
        data = load_data("mnist", task)
        train, test = (
            (points.flatten(1).numpy(), labels.numpy())
            for points, labels in (
                (data.train_points, data.train_labels),
                (data.test_points, data.test_labels),
            )
        )
        for norm in ("inf", 2):
            for pair, sets in (("train-train", train), ("train-test", (*train, *test))):
                start = time.perf_counter()
                found = separation(*sets, norm=norm)
                taken = time.perf_counter() - start
                print(
                    f"l_{norm} {name}, {pair}: {found.distance:.7f} between {found.pair}, exact "
                    f"{found.is_exact}: {taken:.1f} s"
                )


def run_workers(_: str) -> None:
    """The same shards by one process and by two, five times each in turn."""
    data = load_data("mnist", "classes")
    points, labels = data.train_points.flatten(1).numpy(), data.train_labels.numpy()
    times: dict[int, list[float]] = {1: [], 2: []}
    found = set()
    separation(points[:4096], labels[:4096], engine=Engine(jobs=2))  # starts the workers
    for _ in range(5):
        for jobs in times:
            start = time.perf_counter()
            found.add(separation(points, labels, engine=Engine(jobs=jobs)))
            times[jobs].append(time.perf_counter() - start)
    one, two = (statistics.median(times[jobs]) for jobs in (1, 2))
    equal = "equal results" if len(found) == 1 else "DIFFERENT results"
    ratios = ", ".join(f"{a / b:.2f}" for a, b in zip(times[1], times[2], strict=True))
    faster = f"{one / two:.2f} times as fast (by turn: {ratios})"
    print(f"separation, l_inf: 1 process {one:.1f} s, 2 workers {two:.1f} s, {faster}, {equal}")


def run_evaluation(device: str) -> None:
    for task in ("parity", "classes"):
        for ball in BALLS:
            # a process each: peak memory never falls
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.apply(evaluated, (task, ball, device)), flush=True)


def evaluated(task: str, ball: Ball, device: str) -> str:
    """One line about f_S on the test images, and about the whole network on 1% of them."""
    torch.set_num_threads(1)
    data = images(task)
    x, centres = data.test_points.to(device), data.train_points.to(device)
    floor = seconds(lambda: [torch.cdist(part, centres) for part in x.split(500)], 1, device)
    network = built(data, ball)
    with torch.no_grad():
        start = time.perf_counter()
        network(x[:1])
        setup = time.perf_counter() - start
        taken = seconds(lambda: network(x), 3, device)
        near = seconds(lambda: network(centres[:1000]), 3, device)
        peak = memory("VmHWM") / 1e9
        chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:100].to(device)
        off = float((network(x[chosen]) - network(x[chosen], screened=False)).abs().max())
    return (
        f"{task}, {ball}: 10,000 test images {taken:.2f} s = {taken / floor:.2f} x torch.cdist "
        f"({floor:.1f} s, p = 2), "
        f"{setup:.1f} s to set up, 1,000 training images {near:.2f} s, peak memory {peak:.1f} GB "
        f"on {device}; "
        f"the whole network on 1%: {off:.1e} off"
    )


def run_attack(device: str) -> None:
    data = images("parity")
    x, y = data.test_points[:1000].to(device), data.test_labels[:1000].to(device)
    clean = trained(data)
    for ball in BALLS:
        apart = APART["parity", "inf" if ball.p != 2 else "2"]
        network = f_S(clean, data.train_points, data.train_labels, ball, separation=apart)
        with torch.no_grad():
            once = seconds(partial(network, x), 3, device)
        start = time.perf_counter()
        found = pgd(network, x, y, ball, lambda f, labels: -output_margin(f, labels), steps=20)
        taken = time.perf_counter() - start
        wrong = is_error(network(found.double()), y)
        first = pgd(clean, x, y, ball, lambda f, labels: -output_margin(f, labels), steps=20)
        base = is_error(clean(first.float()), y)
        print(
            f"PGD-20 on f_S, 1,000 test images, {ball}: {taken:.1f} s = {taken / once:.1f} "
            f"evaluations; errors under attack: "
            f"f_S {int(wrong.sum())}, f_clean {int(base.sum())} of 1,000",
            flush=True,
        )
        # a second or two an example for l_inf: the whole network has 94 million units
        with torch.no_grad():
            parts = zip(found[wrong].split(20), y[wrong].split(20), strict=True)
            whole = [
                int(is_error(network(a, screened=False), b).sum())
                for a, b in track(list(parts), "the whole network")
            ]
        print(f"  wrong for the whole network, too: {sum(whole)}", flush=True)


def trained(data: Dataset) -> torch.nn.Module:
    """f_clean: two epochs of Adam."""
    torch.manual_seed(0)
    clean = mlp([784, 64, 64, data.outputs], 0)
    optimizer = torch.optim.Adam(clean.parameters(), 3e-3)
    for _ in range(2):
        for rows in torch.randperm(len(data.train_points)).split(128):
            loss = torch.nn.functional.softplus(
                -data.train_labels[rows] * clean(data.train_points[rows])[:, 0]
            ).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return clean


def resized(points: torch.Tensor, side: int) -> torch.Tensor:
    square = points.reshape(-1, 1, 28, 28)
    return torch.nn.functional.interpolate(
        square, size=(side, side), mode="area" if side < 28 else "nearest"
    ).flatten(1)


def cost(train: np.ndarray, labels: np.ndarray, test: np.ndarray, norm: str) -> tuple[float, float]:
    """Seconds to evaluate the test images, and the bytes that building and evaluating took at their
    peak, with the centres.
    """
    torch.set_num_threads(1)
    dimension, before = train.shape[1], memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts here (Linux)
    ball = Ball("inf", 0.1) if norm == "inf" else Ball(2, (dimension / 784) ** 0.5)
    network = f_S(
        mlp([dimension, 64, 1], 0),
        train,
        labels,
        ball,
        separation=0.7 if norm == "inf" else 2.5 * ball.radius,
    )
    x = torch.from_numpy(test)
    with torch.no_grad():
        taken = seconds(lambda: network(x))
    return taken, train.nbytes + memory("VmHWM") - before


def memory(name: str) -> float:
    """Bytes that this process holds (VmRSS), or held at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def costs(cases: list[tuple[int, int]], norm: str) -> list[tuple[float, float]]:
    """`cost` for numbers of points and sides of images, each in a process of its own: peak memory
    never falls.
    """
    data, found = images("parity"), []
    for count, side in cases:
        train, test = (
            resized(part, side).numpy()
            for part in (data.train_points[:count], data.test_points[:2000])
        )
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found.append(pool.apply(cost, (train, data.train_labels[:count].numpy(), test, norm)))
    return found


def run_growth(_: str) -> None:
    figure, panels = new_figure(8.6, 3.6, 2)
    for norm, colour in (("inf", "#0072B2"), ("2", "#D55E00")):
        for name, cases, axis in (
            ("N", [(count, 28) for count in POINTS], list(POINTS)),
            ("D", [(15_000, side) for side in SIDES], [side**2 for side in SIDES]),
        ):
            found = costs(cases, norm)
            rows = zip(axis, found, strict=True)
            print(
                f"l_{norm}, {name}: "
                + ", ".join(f"{k:,}: {s:.3f} s {b / 2**20:,.0f} MiB" for k, (s, b) in rows)
            )
            for label, values, marker in (
                ("seconds", [s for s, _ in found], "o-"),
                ("GiB", [b / 2**30 for _, b in found], "s--"),
            ):
                exponent = fitted_exponent(axis, values)
                print(f"  {label} grow as {name}^{exponent:.2f}")
                text = f"l_{norm}: {label} ~ {name}^{exponent:.2f}"
                panels[name == "D"].loglog(
                    axis, values, marker, color=colour, label=text, markersize=4
                )
    panels[0].set_xlabel("N, training points (D = 784)")
    panels[1].set_xlabel("D, pixels (N = 15,000)")
    for panel, axis in zip(panels, (list(POINTS), [side**2 for side in SIDES]), strict=True):
        panel.set_xticks(axis, [f"{k:,}" for k in axis])
        panel.set_xticks([], minor=True)
        panel.set_yticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"])
        panel.set_yticks([], minor=True)
        panel.set_ylabel("seconds; GiB")
        panel.legend(fontsize=8)
    figure.suptitle("f_S on MNIST: time for 2,000 test images, and peak memory", fontsize=10)
    figure.savefig(Path(__file__).parent.parent / "docs" / "scale.png", dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = {
        name.removeprefix("run_"): part
        for name, part in globals().items()
        if name.startswith("run_")
    }
    parser.add_argument("parts", nargs="*", help=", ".join(parts))
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.parts or parts:
        parts[name](options.device)


if __name__ == "__main__":
    main()
