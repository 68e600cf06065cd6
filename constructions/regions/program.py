"""One warm linear program: rows are pushed and dropped again as a search goes down and up."""

from __future__ import annotations

from typing import Any

import highspy
import numpy as np


class Program:
    """max g x over rows G x + h >= 0 in the box, rows in a stack; one HiGHS model in coordinates t
    = (x - mid) / radius.
    """

    def __init__(self, lower: np.ndarray, upper: np.ndarray) -> None:
        self.mid, self.radius = lower / 2 + upper / 2, upper / 2 - lower / 2
        self.d, self.rows, self.solved = len(lower), 0, 0
        self.columns = np.arange(self.d, dtype=np.int32)
        self.model = highspy.Highs()
        options: dict[str, Any] = {
            "output_flag": False,
            "presolve": "off",
            "threads": 1,
            "solver": "simplex",
        }
        options |= {
            "simplex_scale_strategy": 0,
            "primal_feasibility_tolerance": 1e-10,
            "dual_feasibility_tolerance": 1e-10,
        }
        for name, value in options.items():
            self.model.setOptionValue(name, value)
        for _ in range(self.d):
            self.model.addVar(-1.0, 1.0)

    def push(self, g: np.ndarray, h: float) -> None:
        """Add the row g x + h >= 0."""
        self.model.addRow(
            -float(h + g @ self.mid), highspy.kHighsInf, self.d, self.columns, g * self.radius
        )
        self.rows += 1

    def reverse(self, row: int, g: np.ndarray, h: float) -> None:
        """Drop all rows after `row`, and let that be g x + h >= 0 where it was -g x - h >= 0."""
        if self.rows > row + 1:
            extra = np.arange(row + 1, self.rows, dtype=np.int32)
            self.model.deleteRows(len(extra), extra)
        self.rows = row + 1
        self.model.changeRowBounds(row, -highspy.kHighsInf, float(h + g @ self.mid))

    def maximise(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """A maximiser (d,) and the rows' multipliers >= 0, both up to rounding; None if HiGHS
        fails.
        """
        self.solved += 1
        self.model.changeColsCost(self.d, self.columns, -g * self.radius)
        self.model.run()
        if self.model.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            self.model.clearSolver()  # once more, from scratch
            self.model.run()
            if self.model.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                return None
        solution = self.model.getSolution()
        return self.mid + self.radius * np.array(solution.col_value), np.abs(
            np.array(solution.row_dual[: self.rows])
        )
