"""Draws docs/frontier.png: how large certified robust errors of trained networks are, by width and
by epochs, with and without a term of interval bounds in training.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import CompareSettings, certified_margins, robust_error
from analysis.behaviour.errors import RobustError
from analysis.pages.drawing import BLUE, RED, new_figure
from constructions import Ball, ReLUNetwork
from training import Dataset, Run, TrainingConfig, load_data, mlp, train

DEFAULT = CompareSettings()
WIDTHS, EPOCHS = (64, 128, 256, 512), (25, 50, 100, 200)
SECONDS = 8.0
"""Of search for proofs, for each network on training and on test points."""

COLOURS = {"training": BLUE, "test": RED}
Found = dict[str, RobustError]


def trained(data: Dataset, width: int, weight: float, folder: Path) -> Run:
    """The network that `cgro compare` trains on digits, of another width or weight of the term."""
    config = TrainingConfig(
        task="parity",
        radius=DEFAULT.ball.radius,
        attack=f"pgd{DEFAULT.training_attack_steps}",
        objective="intervals",
        interval_weight=weight,
        epochs=DEFAULT.adversarial_epochs,
        learning_rate=DEFAULT.learning_rate,
        eval_attack="clean",
        final_attack="clean",
        device="cpu",
    )
    return train(config, folder, data=data, model=mlp([64, width, 1]))


def certified(data: Dataset, width: int, run: Run, epoch: int, ball: Ball) -> Found:
    """Robust errors after an epoch, each between two certified bounds."""
    network = ReLUNetwork.from_module(run.model(epoch, into=mlp([64, width, 1])))
    found = {}
    for name, x, y in (
        ("training", data.train_points, data.train_labels),
        ("test", data.test_points, data.test_labels),
    ):
        proved = certified_margins(network, x, y, ball) > 0
        found[name] = robust_error(
            network, x, y, ball, proved=proved, steps=40, max_seconds=SECONDS
        )
        print(f"width {width}, epoch {epoch}, {name}: {found[name]}", flush=True)
    return found


def frontier(weight: float) -> tuple[list[Found], list[Found]]:
    """Robust errors by width after the last epoch, and of the widest network by epochs."""
    data, ball = load_data("digits", "parity", 0).flat(), DEFAULT.ball
    with TemporaryDirectory() as folder:
        runs = {w: trained(data, w, weight, Path(folder) / str(w)) for w in WIDTHS}
        by_width = [certified(data, w, run, EPOCHS[-1], ball) for w, run in runs.items()]
        wide = WIDTHS[-1]
        by_epoch = [certified(data, wide, runs[wide], epoch, ball) for epoch in EPOCHS[:-1]]
    return by_width, [*by_epoch, by_width[-1]]


def draw(axes: Axes, places: tuple[int, ...], found: list[Found]) -> None:
    """Bands from what attacks find to what is not proved."""
    for name, color in COLOURS.items():
        lower, upper = (
            [100 * getattr(each[name], end).value for each in found] for end in ("lower", "upper")
        )
        axes.fill_between(places, lower, upper, color=color, alpha=0.25, linewidth=0)
        axes.plot(places, upper, color=color, linewidth=1.0)
        axes.plot(places, lower, color=color, linewidth=1.0, marker="o", markersize=3, label=name)
    axes.set_xscale("log", base=2)
    axes.set_xticks(places, [str(place) for place in places])
    axes.minorticks_off()
    axes.set_ylim(0, 100)


def figure_of(frontiers: dict[str, tuple[list[Found], list[Found]]]) -> Figure:
    """By width, then by epochs; trained plainly beside trained with the term."""
    figure, panels = new_figure(13.0, 3.5, 4)
    for k, (name, (by_width, by_epoch)) in enumerate(frontiers.items()):
        draw(panels[k], WIDTHS, by_width)
        draw(panels[2 + k], EPOCHS, by_epoch)
        for axes, label in ((panels[k], "hidden units"), (panels[2 + k], "epochs")):
            axes.set_title(name, fontsize=9)
            axes.set_xlabel(label)
    panels[0].set_ylabel("robust error in %, attack to proof")
    panels[1].legend(fontsize=9)
    return figure


def main() -> None:
    """Train, certify, draw."""
    torch.set_num_threads(1)
    plain = replace(DEFAULT, interval_weight=0.0).learned_by
    frontiers = {plain: frontier(0.0), DEFAULT.learned_by: frontier(DEFAULT.term)}
    figure_of(frontiers).savefig(Path(__file__).with_suffix(".png"), dpi=115)


if __name__ == "__main__":
    main()
