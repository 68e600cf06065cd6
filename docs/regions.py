"""Draws docs/regions.png: the linear regions of an adversarially trained network and of f_S on the
same toy set.
"""

from pathlib import Path

import torch
from toy import BALL, toy_set, trained

from analysis import plot_regions
from analysis.pages.drawing import new_figure
from constructions import ReLUNetwork, f_S, level_set, linear_regions


def main() -> None:
    """Train, build, find the regions, draw."""
    torch.set_num_threads(1)
    points, labels = toy_set()
    clean = trained(points, labels, [2, 16, 1], 250)
    networks = {
        "trained adversarially": ReLUNetwork.from_module(
            trained(points, labels, [2, 48, 48, 1], 400, BALL)
        ),
        "f_S, built from f_clean": f_S(clean, points, labels, BALL, variant="lean"),
    }
    figure, panels = new_figure(10.6, 4.9, 2)
    for axes, (name, network) in zip(panels, networks.items(), strict=True):
        found = linear_regions(network, (0, 1), pieces=True)
        boundary = level_set(network, (0, 1))
        plot_regions(found, boundary, points=points, labels=labels, reach=3.0, axes=axes)
        units, cells, pieces = network.size.units, found.cells, found.pieces
        axes.set_title(f"{name}: {units} units, {cells:,} cells, {pieces:,} pieces", fontsize=9)
        print(f"{name}: {found}")
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=115)


if __name__ == "__main__":
    main()
