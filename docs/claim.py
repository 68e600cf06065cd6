"""Draws the pictures of docs/start.md: a ball with an adversarial example, f_S on a line, and the
separation.
"""

import itertools
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from analysis.pages.drawing import new_figure
from constructions import Ball, ReLUNetwork, f_S

DOCS = Path(__file__).parent
PLUS, MINUS, DARK, SOFT = "#8a1c2b", "#0b3d8a", "#222222", "#666666"
BALL = Ball("inf", 0.08)
CENTRES, LABELS = [[0.15], [0.42], [0.8]], [-1, 1, 1]
"""On a line; f_clean is right about the points and wrong in the balls of the last two."""


def robust(axes: Axes) -> None:
    """A ball that the decision boundary cuts."""
    x = torch.linspace(0, 1, 101)
    boundary = 0.5 + 0.2 * torch.sin(5 * x)
    axes.fill_between(x, boundary, 1, color=PLUS, alpha=0.13, linewidth=0)
    axes.fill_between(x, 0, boundary, color=MINUS, alpha=0.13, linewidth=0)
    axes.plot(x, boundary, color=DARK, linewidth=1.4)
    axes.text(0.04, 0.93, "f > 0: class +1", color=PLUS)
    axes.text(0.04, 0.05, "f < 0: class -1", color=MINUS)
    for place, word in (((0.76, 0.62), "cut: not robust"), ((0.3, 0.26), "robust")):
        corner, sign = (place[0] - 0.13, place[1] - 0.13), place[1] > 0.5
        axes.add_patch(Rectangle(corner, 0.26, 0.26, fill=False, edgecolor=DARK, linewidth=1.1))
        axes.plot(*place, "o", color=PLUS if sign else MINUS, markersize=6)
        axes.text(place[0], place[1] + 0.145, word, ha="center")
    axes.plot(0.68, 0.5, "*", color=DARK, markersize=12)
    axes.annotate(
        "adversarial\nexample",
        (0.69, 0.49),
        (0.5, 0.85),
        ha="center",
        va="center",
        arrowprops={"arrowstyle": "->", "color": DARK},
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_axis_off()


def line(axes: Axes) -> None:
    """f_clean and the network f_S, with its balls and shells."""
    clean = interpolant([0, 0.25, 0.55, 0.72, 1], [-1, -0.8, 1, 0.8, -0.9])
    built = f_S(clean, CENTRES, LABELS, BALL)
    x = torch.linspace(0, 1, 4001, dtype=torch.float64)[:, None]
    outer = built.provenance.arguments["outer"]
    for (centre,), label in zip(CENTRES, LABELS, strict=True):
        colour = PLUS if label > 0 else MINUS
        axes.axvspan(centre - outer, centre + outer, color="#b9b9b9", alpha=0.35, linewidth=0)
        axes.axvspan(centre - 0.08, centre + 0.08, color=colour, alpha=0.2, linewidth=0)
        axes.plot(centre, label, "o", color=colour, markersize=7, zorder=5)
    axes.axhline(0, color=SOFT, linewidth=0.8)
    axes.plot(x, clean(x), color="#b06a00", linewidth=1.6, linestyle="--", label="f_clean")
    axes.plot(x, built(x), color="#00639b", linewidth=2, label="f_S")
    axes.text(0.8, -1.32, "ball", ha="center", color=PLUS)
    axes.text(0.91, -1.32, "shell", ha="center", color=SOFT)
    axes.set(xlim=(0, 1), ylim=(-1.5, 1.5), xlabel="x", ylabel="value: its sign is the class")
    axes.grid(visible=False)
    axes.legend(loc="upper right", ncols=2, bbox_to_anchor=(1, 1.12))


def interpolant(knots: list[float], values: list[float]) -> ReLUNetwork:
    """The piecewise-linear function of these values, from the first knot on."""
    pieces = itertools.pairwise(zip(knots, values, strict=True))
    slopes = [0.0, *((w - v) / (y - x) for (x, v), (y, w) in pieces)]
    bends = [after - before for before, after in itertools.pairwise(slopes)]
    hinges = [[1.0] for _ in bends], [-knot for knot in knots[:-1]]
    return ReLUNetwork.from_layers([hinges, ([bends], values[:1])])


def separation(axes: Axes) -> None:
    """Two points of different labels, their balls, and half of their distance."""
    places = ((0.3, PLUS, "+1"), (0.7, MINUS, "-1"))
    for x, colour, label in places:
        for radius, style in ((0.2, ":"), (0.11, "-")):
            corner = (x - radius, 0.5 - radius)
            square = {"fill": False, "edgecolor": colour, "linestyle": style, "linewidth": 1.3}
            axes.add_patch(Rectangle(corner, 2 * radius, 2 * radius, **square))
        axes.plot(x, 0.5, "o", color=colour, markersize=6)
        axes.text(x, 0.53, label, color=colour, ha="center")
        axes.text(x, 0.31, "reach of its shell, R/2", color=colour, ha="center", va="bottom")
    arrow = {"arrowstyle": "<->", "color": DARK}
    axes.annotate("", (0.3, 0.76), (0.7, 0.76), arrowprops=arrow)
    axes.text(0.5, 0.78, "separation R", ha="center")
    axes.annotate("", (0.3, 0.5), (0.41, 0.5), arrowprops=arrow)
    axes.text(0.355, 0.455, "δ", ha="center")
    axes.set(xlim=(0.05, 0.95), ylim=(0.25, 0.86), aspect="equal")
    axes.set_axis_off()


def main() -> None:
    """Draw them all."""
    torch.set_num_threads(1)
    for name, draw, size in (
        ("robust", robust, (4.6, 4.6)),
        ("line", line, (7.2, 3.6)),
        ("separation", separation, (5.6, 3.9)),
    ):
        figure, (axes,) = new_figure(*size)
        draw(axes)
        figure.savefig(DOCS / f"claim-{name}.png", dpi=110)


if __name__ == "__main__":
    main()
