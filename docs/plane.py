"""Draws docs/plane.png: f_clean and f_S on the unit square, with the balls that f_S memorizes."""

from pathlib import Path

import torch
from matplotlib.patches import Rectangle
from toy import BALL, toy_set, trained

from analysis.pages.drawing import new_figure
from constructions import ReLUNetwork, f_S


def main() -> None:
    """Train, build, draw."""
    torch.set_num_threads(1)
    points, labels = toy_set()
    clean = ReLUNetwork.from_module(trained(points, labels, [2, 32, 1], 250))
    built = f_S(clean, points, labels, BALL)

    line = torch.linspace(0, 1, 701, dtype=torch.float64)
    figure, panels = new_figure(8.6, 4.2, 2)
    for axes, network, name in zip(
        panels, (clean, built), ("f_clean, trained", "f_S, built from it"), strict=True
    ):
        values = (
            network(torch.cartesian_prod(line, line))[:, 0]
            .reshape(701, 701)
            .T.clamp(-1.5, 1.5)
            .numpy()
        )
        axes.imshow(values, origin="lower", extent=(0, 1, 0, 1), cmap="RdBu_r", vmin=-2.2, vmax=2.2)
        axes.contour(
            line.numpy(), line.numpy(), values, levels=[0.0], colors="#222222", linewidths=1.2
        )
        for (x, y), label in zip(points.tolist(), labels.tolist(), strict=True):
            axes.plot(x, y, marker="o", markersize=3.2, color="#7a1020" if label > 0 else "#0b2f6b")
            if network is built:
                corner, side = (x - BALL.radius, y - BALL.radius), 2 * BALL.radius
                axes.add_patch(
                    Rectangle(corner, side, side, fill=False, edgecolor="#333333", linewidth=0.6)
                )
        axes.set_title(f"{name}: {network.size.parameters} parameters", fontsize=10)
        axes.set_axis_off()
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
