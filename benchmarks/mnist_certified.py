"""Certified robust errors on MNIST: a convolutional network trained adversarially at l_inf 0.1,
f_clean (the same network, trained on clean images), and f_S, built from f_clean on all 60,000
training images.

Both ends of every interval are certified: re-checked counterexamples below; above, points that are
proved neither by one pass of linear bounds nor by a search, whose proofs are kept in a certificate
that `cgro check-certificate` accepts, for each network and split.
f_S on its training balls is proved as a whole; on a test ball that meets none of its shells it *is*
f_clean. A second call goes on from what the folder holds. CPU seconds of one thread.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from analysis import certified_margins, certify_memorization, robust_error
from analysis.behaviour.errors import RobustError
from constructions import Ball, ReLUNetwork, f_S, localize, read_network
from training import Dataset, Run, TrainingConfig, load_data, train

BALL = Ball("inf", 0.1)


def trained(folder: Path, options: argparse.Namespace, radius: float, start: Run | None) -> Run:
    """A finished run; adversarial training starts from the clean network, else it is constant."""
    config = TrainingConfig(
        data="mnist",
        model="strided",
        width=options.width,
        radius=radius,
        attack="pgd3",
        objective="intervals" if options.interval_weight and radius else "adversarial",
        interval_weight=options.interval_weight,
        epochs=options.epochs if radius else 1,
        learning_rate=2e-3,
        eval_points=500,
        eval_attack="pgd10",
        final_attack="pgd20",
    )
    model, resume = start.model() if start else None, (folder / "config.json").exists()
    return train(config, folder, model=model, resume=resume)


def errors(
    name: str, network: ReLUNetwork, data: Dataset, split: str, options: argparse.Namespace
) -> RobustError:
    """The certified interval of one network on the first points of a split."""
    start, count = time.process_time(), options.points
    points, labels = (getattr(data, f"{split}_{what}")[:count] for what in ("points", "labels"))
    kept = options.out / f"{name}-{split}-{count}.npy"
    if not kept.exists():
        np.save(kept, (certified_margins(network, points, labels, BALL) > 0).numpy())
    found = robust_error(
        network,
        points,
        labels,
        BALL,
        proved=torch.from_numpy(np.load(kept)),
        max_seconds=options.seconds,
        certificate=options.out / f"{name}-{split}.json",
    )
    show(name, split, found.lower, found.upper, time.process_time() - start)
    return found


def show(name: str, split: str, low: object, high: object, seconds: float) -> None:
    print(
        f"{name:8} {split:6} at least {low!s:48} at most {high!s:48} {seconds:6.1f} s", flush=True
    )


def same_as_clean(f: ReLUNetwork, clean: ReLUNetwork, points: torch.Tensor) -> torch.Tensor:
    """On which balls f_S is f_clean, bool."""
    same = torch.zeros(len(points), dtype=torch.bool)
    for rows, local in localize(f, points, BALL):
        same[rows] = local.size == clean.size
    return same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1000, help="first so many of each split")
    parser.add_argument("--seconds", type=float, default=200.0, help="to search, each row")
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument(
        "--interval-weight", type=float, default=0.03, help="in adversarial training; 0: plain"
    )
    parser.add_argument("--out", type=Path, default=Path("results/mnist-certified"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    begin = time.process_time()
    clean_run = trained(options.out / "clean", options, 0.0, None)
    robust_run = trained(options.out / "robust", options, BALL.radius, clean_run)
    images = load_data("mnist", "classes")
    data = images.flat()
    clean = read_network(clean_run.model(), images.shape)
    learned = read_network(robust_run.model(into=clean_run.model()), images.shape)
    print(f"trained in {time.process_time() - begin:.0f} s; hidden units {learned.hidden}")
    for name, run in (("f_clean", clean_run), ("learned", robust_run)):
        print(name, {k: run.final[k]["accuracy"] for k in ("train", "test")}, "right, clean")
    for split in ("train", "test"):
        errors("learned", learned, data, split, options)
    errors("f_clean", clean, data, "train", options)
    test = errors("f_clean", clean, data, "test", options)
    begin = time.process_time()
    f = f_S(clean, data.train_points, data.train_labels, BALL)
    proof = certify_memorization(f, data.train_points, data.train_labels, BALL)
    show(
        "f_S",
        "train",
        "-",
        "0" if proof.verdict == "proved" else proof.verdict,
        time.process_time() - begin,
    )
    begin = time.process_time()
    same = same_as_clean(f, clean, data.test_points[: options.points])
    count = int((test.refuted & same).sum()), int((~(test.proved & same)).sum())
    low, high = (f"{100 * n / options.points:.1f}%, {n} of {options.points}" for n in count)
    show("f_S", "test", low, f"{high} ({int(same.sum())} = f_clean)", time.process_time() - begin)


if __name__ == "__main__":
    main()
