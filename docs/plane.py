"""Draws docs/plane.png: f_clean and f_S on the unit square, with the balls that f_S memorizes."""

from pathlib import Path

import torch
from toy import BALL, toy_set, trained

from analysis import plot_plane
from analysis.pages.drawing import new_figure
from constructions import ReLUNetwork, f_S


def main() -> None:
    """Train, build, draw."""
    torch.set_num_threads(1)
    points, labels = toy_set()
    clean = ReLUNetwork.from_module(trained(points, labels, [2, 32, 1], 250))
    built = f_S(clean, points, labels, BALL)

    figure, panels = new_figure(10.6, 4.9, 2)
    for axes, network, name in zip(
        panels, (clean, built), ("f_clean, trained", "f_S, built from it"), strict=True
    ):
        ball = BALL if network is built else None
        plot_plane(
            network, points=points, labels=labels, ball=ball, reach=3.0, steps=701, axes=axes
        )
        axes.set_title(f"{name}: {network.size.parameters} parameters", fontsize=10)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
