"""Draws docs/floors.png: folders by floors, as tests/test_architecture.py has them."""

import ast
from pathlib import Path

from matplotlib.figure import Figure

ROOT = Path(__file__).parent.parent
COLOURS = {"constructions": "#0072B2", "training": "#009E73", "analysis": "#D55E00"}
"""Of the packages, from left to right; imports go left and down."""


def floors() -> dict[str, tuple[str, ...]]:
    """The table of floors, read without running the tests."""
    for node in ast.parse((ROOT / "tests" / "test_architecture.py").read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "FLOORS":
            return ast.literal_eval(node.value)
    raise LookupError("tests/test_architecture.py has no table FLOORS")


def purpose(package: str, folder: str) -> str:
    """What a folder says it is for: the first line of its docstring."""
    tree = ast.parse((ROOT / package / folder / "__init__.py").read_text())
    return (ast.get_docstring(tree) or "").splitlines()[0]


def described() -> str:
    """All that the drawing says, a line a folder; kept in the file, so a stale one is found."""
    return "\n".join(
        f"{package} {height} {folder}: {purpose(package, folder)}"
        for package, rows in floors().items()
        for height, row in enumerate(rows)
        for folder in row.split()
    )


def draw() -> Figure:
    """One tower a package, each floor resting on those below."""
    table = floors()
    tall = max(map(len, table.values()))
    figure = Figure(figsize=(11.5, 0.92 * tall + 0.9), layout="constrained")
    axes = figure.subplots()
    for x, (package, rows) in enumerate(table.items()):
        colour = COLOURS[package]
        for height, row in enumerate(rows):
            names = row.split()
            width = 0.92 / len(names)
            for i, folder in enumerate(names):
                left = x + 0.04 + i * width
                place = {"facecolor": colour, "alpha": 0.13, "edgecolor": colour}
                axes.bar(left, 0.86, width - 0.02, height + 0.07, align="edge", **place)
                middle = left + (width - 0.02) / 2
                axes.text(middle, height + 0.68, f"{folder}/", ha="center", weight="bold", size=9.5)
                text = purpose(package, folder).replace("`", "")
                words = wrapped(text if len(names) == 1 else text.split(":")[0], 62 // len(names))
                axes.text(middle, height + 0.56, words, ha="center", va="top", size=7.4)
        axes.text(
            x + 0.49, len(rows) + 0.12, package, ha="center", weight="bold", color=colour, size=12
        )
    note = "A file imports from its own folder and from floors below;\n"
    note += "across packages only to the left, through the root."
    axes.text(1.49, tall - 0.3, note, ha="center", va="top", size=9, style="italic")
    axes.set(xlim=(0, len(table)), ylim=(0, tall + 0.5))
    axes.set_axis_off()
    return figure


def wrapped(text: str, width: int) -> str:
    """Text in lines of about this many characters."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


if __name__ == "__main__":
    draw().savefig(ROOT / "docs" / "floors.png", dpi=130, metadata={"Description": described()})
