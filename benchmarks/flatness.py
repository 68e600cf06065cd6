"""Flatness profiles: cost of a grid of radii, against plain searches from scratch at each radius,
and against exact values.

Cost: CPU seconds of a sweep over 12 radii and of one radius, with equal `steps`, medians of
interleaved runs. Plain: PGD on the loss from one random point with as many steps of 2.5 r / steps,
and the same for the gradient norm by double backward; the largest loss change of the first, and the
larger of the two mean gradient norms along the paths. Networks: small ones with exact values;
digits, always; a training run on MNIST with --run FOLDER, where CGRO_DATA has the images.
"""

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from analysis import exact_flatness, flatness_profile
from constructions import Ball, ReLUNetwork, affine, f_S
from training import Run, TrainingConfig, classification_loss, load_data, mlp, project, train
from training.internal import as_float

STEPS = 20


def grid(top: float) -> list[float]:
    """12 radii, from a thirtieth of the largest on; the training radius is a third of it."""
    return [top * share / 30 for share in (1, 2, 4, 6, 8, 10, 12, 15, 18, 22, 26, 30)]


def plain(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, ball: Ball, second: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Largest gradient norm and loss change along one search from a random point."""
    point = project(ball.sample(x, torch.Generator().manual_seed(0)), x, ball)
    gradients, changes = torch.zeros(len(x)), torch.zeros(len(x))
    with torch.no_grad():
        clean = classification_loss(model(x), y)
    for _ in range(STEPS + 1):
        point = point.detach().requires_grad_(True)
        loss = classification_loss(model(point), y)
        (gradient,) = torch.autograd.grad(loss.sum(), point, create_graph=second)
        size = ball.dual_norm(gradient)
        ascent = torch.autograd.grad(size.sum(), point)[0] if second else gradient
        gradients, changes = (
            torch.maximum(gradients, size.detach()),
            torch.maximum(changes, loss.detach() - clean),
        )
        point = project(point.detach() + 2.5 * ball.radius / STEPS * ball.ascent(ascent), x, ball)
    return gradients, changes


def measure(
    title: str,
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    ball: Ball,
    top: float,
    repeats: int,
) -> None:
    """Print cost and quality on one set of points."""
    model.eval()
    radii = grid(top)
    calls = {"grid": radii, "one": [top / 3]}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for seed in range(1, repeats + 1):
        for name, sizes in calls.items():
            start = time.process_time()
            flatness_profile(model, x, y, ball, sizes, steps=STEPS, seed=seed)
            taken[name].append(time.process_time() - start)
    profile = flatness_profile(model, x, y, ball, radii, steps=STEPS)
    many, one = (statistics.median(taken[name]) for name in calls)
    print(
        f"{title}: {len(x)} points, 12 radii {many:.2f} s, one {one:.2f} s, ratio {many / one:.2f}"
    )
    shares: list[tuple[float, float]] = []
    for k, radius in enumerate(radii):
        loss, second = (
            plain(model, x, y, replace(ball, radius=radius), kind) for kind in (False, True)
        )
        gradient = max(float(loss[0].mean()), float(second[0].mean()))
        shares.append(
            (
                float(profile.gradient[:, k].mean()) / gradient,
                float(profile.change[:, k].mean() / loss[1].mean()),
            )
        )
    for name, values in zip(("gradient", "change"), zip(*shares, strict=True), strict=True):
        print(
            f"  {name:8} over plain: least {min(values):.3f}, at each radius "
            f"{' '.join(f'{v:.3f}' for v in values)}",
            flush=True,
        )
    jump = profile.contrast(radii[5], radii[11])
    between = " to ".join(f"{end:.1f}" for end in jump.interval or ())
    print(
        f"  mean gradient at {radii[11]:.3g} over that at {radii[5]:.3g}: {jump.value:.1f} "
        f"({between})",
        flush=True,
    )


def digits(repeats: int) -> None:
    """An adversarially trained MLP, and one trained on clean points."""
    data = load_data("digits", "classes").flat(torch.float32)
    for radius, name in ((0.0, "clean"), (0.1, "adversarial")):
        config = TrainingConfig(
            data="digits",
            task="classes",
            model="custom",
            epochs=30,
            learning_rate=3e-3,
            radius=radius,
            attack="pgd5",
            eval_attack="clean",
            final_attack="clean",
            device="cpu",
        )
        model = mlp([64, 128, 128, 10], 0)
        with TemporaryDirectory() as folder:
            train(config, Path(folder) / "run", data=data, model=model)
        model.eval()
        for p, top in (("inf", 0.3), (2, 1.5)):
            for which in ("train", "test"):
                x, y = (
                    getattr(data, f"{which}_points")[:256],
                    getattr(data, f"{which}_labels")[:256],
                )
                measure(f"digits, {name}, l_{p}, {which}", model, x, y, Ball(p, top), top, repeats)


def mnist(folder: str, count: int, repeats: int) -> None:
    """The last checkpoint of a run."""
    run = Run.load(folder)
    data = load_data("mnist", "classes").subset(count, count)
    for which in ("train", "test"):
        x, y = as_float(getattr(data, f"{which}_points")), getattr(data, f"{which}_labels")
        measure(
            f"MNIST, {run.config.model}, l_inf, {which}",
            run.model(),
            x,
            y,
            Ball("inf", 0.1),
            0.3,
            repeats,
        )


def exact() -> None:
    """Largest excess over the exact value, and the share of it that is reached, for random and
    constructed networks.
    """
    radii, generator = [0.02, 0.05, 0.1, 0.2], torch.Generator().manual_seed(0)
    points = torch.tensor(
        [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]], dtype=torch.float64
    )
    labels = torch.tensor([1, -1, -1, 1])
    networks = {
        f"generic 2-8-8-{k}": ReLUNetwork.from_module(mlp([2, 8, 8, k], 0)) for k in (1, 2, 3)
    }
    networks["f_S, 4 centres"] = f_S(
        affine([[2.0, 1.0]], [-1.5]), points, labels, Ball("inf", 0.125)
    )
    for name, network in networks.items():
        built = name.startswith("f_S")
        x = points if built else torch.rand(8, 2, generator=generator, dtype=torch.float64)
        y = (
            labels
            if built
            else torch.randint(0, max(2, network.outputs), (8,), generator=generator)
        )
        y = 2 * y - 1 if network.outputs == 1 and not built else y
        start = time.process_time()
        lower, upper = exact_flatness(network, x, y, Ball("inf", 0.1), radii)
        seconds = time.process_time() - start
        found = flatness_profile(network, x, y, Ball("inf", 0.1), radii, steps=STEPS)
        excess = max(
            float((getattr(found, c) - getattr(upper, c)).max()) for c in ("gradient", "change")
        )
        reached = [
            float(getattr(found, c).sum() / getattr(lower, c).sum()) for c in ("gradient", "change")
        ]
        gap = float(upper.gradient.sum() / lower.gradient.sum())
        print(
            f"{name}: {upper.kind}, {seconds:.1f} s; sweep exceeds it by at most {excess:.1e}; "
            f"upper over lower {gap:.3f}"
        )
        print(
            f"  reached: {reached[0]:.3f} of the gradients, {reached[1]:.3f} of the changes",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", help="folder of a training run on MNIST")
    parser.add_argument(
        "--points", type=int, default=256, help="training and test points of MNIST, each"
    )
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    exact()
    digits(args.repeats)
    if args.run:
        mnist(args.run, args.points, args.repeats)


if __name__ == "__main__":
    main()
