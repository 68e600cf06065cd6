"""Looking at a network: provenance, layers, sizes and pictures."""

from __future__ import annotations

import html
import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from constructions import Block, Constant, Kron, Matrix, ReLUNetwork, Result, explain
from constructions.internal import Said, shares

from .drawing import save_figure
from .plots import network_figure


def form_of(matrix: Matrix, depth: int = 2) -> str:
    """The structured form of a matrix in one line, nested forms to the given depth.

    >>> from constructions import Constant, Identity, Kron
    >>> form_of(Kron(Constant(3, 1), Identity(2)))
    'Constant(3x1) (x) Identity(2x2)'
    """
    rows, columns = matrix.shape
    if isinstance(matrix, Constant) and matrix.value == 0:
        return f"0({rows}x{columns})"
    if isinstance(matrix, Kron) and depth:
        return f"{form_of(matrix.left, depth - 1)} (x) {form_of(matrix.right, depth - 1)}"
    if isinstance(matrix, Block) and depth:
        return (
            "["
            + "; ".join(" ".join(form_of(entry, depth - 1) for entry in row) for row in matrix.grid)
            + "]"
        )
    return f"{type(matrix).__name__}({rows}x{columns})"


@dataclass(frozen=True, repr=False)
class Inspection(Result):
    """A network to look at; prints as text, and as HTML in a notebook.

    Attributes:
        network: what is looked at.

    Example:
        >>> from constructions import squaring
        >>> print(Inspection(squaring(2)).text(width=100).splitlines()[0])
        squaring(m=2, D=1, K=1): depth 2, width 3, 5 units, 12 parameters (17 dense)
    """

    network: ReLUNetwork

    def layers(self) -> list[dict[str, object]]:
        """List the layers: form, shape, nonzero weights, stored numbers, whose the rows are.

        Returns:
            One record a layer; counts are exact. The last column is there for networks of several
            parts.
        """
        whose: dict[int, list[str]] = {}
        for share in shares(self.network):
            whose.setdefault(share.layer, []).append(f"{share.part}: {share.rows}")
        records: list[dict[str, object]] = [
            {
                "layer": index,
                "form": form_of(layer.weight),
                "shape": f"{layer.weight.shape[0]} x {layer.weight.shape[1]}",
                "weights": layer.weight.nonzeros,
                "biases": layer.bias.nonzeros,
                "stored": layer.weight.stored + layer.bias.stored,
            }
            for index, layer in enumerate(self.network.layers, start=1)
        ]
        for record, parts in zip(records, whose.values(), strict=False):
            record["rows of"] = "; ".join(parts)
        return records

    def to_json(self) -> dict[str, object]:
        """Sizes, layers and the provenance text as plain JSON values."""
        return {
            "size": asdict(self.network.size),
            "layers": self.layers(),
            "source": self.network.source or None,
            "explanation": explain(self.network),
        }

    def to_dict(self) -> dict[str, Any]:
        """As `to_json`."""
        return self.to_json()

    def _says(self) -> tuple[str, dict[str, Said]]:
        return repr(self.network), self.network.size._says()[1]

    def renderable(self) -> Group:
        """What the terminal shows."""
        table = Table(title="Layers (exact counts)", title_justify="left")
        for name in self.layers()[0]:
            table.add_column(
                name, justify="left" if name in ("form", "rows of") else "right", overflow="fold"
            )
        for record in self.layers():
            table.add_row(*(f"{v:,}" if isinstance(v, int) else str(v) for v in record.values()))
        sizes = Table(title="Size", title_justify="left", show_header=False)
        for name, value in asdict(self.network.size).items():
            sizes.add_row(name, f"{value:,}")
        return Group(Text(explain(self.network)), Text(), table, Text(), sizes)

    def text(self, width: int = 120) -> str:
        """Write it as plain text.

        Args:
            width: of a line, in characters.

        Returns:
            The text.
        """
        console = Console(width=width, record=True, file=io.StringIO(), force_terminal=False)
        console.print(self.renderable())
        return console.export_text()

    def plot(self, path: Path) -> list[Path]:
        """Draw the unit graph and the function, where they can be drawn.

        Args:
            path: a file that ends in .svg, .png or .pdf.

        Returns:
            The files written.
        """
        return save_figure(network_figure(self.network), path)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return f"<pre style='overflow-x: auto'>{html.escape(self.text())}</pre>"
