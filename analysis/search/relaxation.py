"""The linear relaxation of a network on a set: linear programs that are warm-started from node to
node, by HiGHS.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

import highspy
import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array, vstack

from .bounding import BROKEN, Array, Inputs, Layer

ASTRAY = {
    highspy.HighsModelStatus.kNotset,
    highspy.HighsModelStatus.kSolveError,
    highspy.HighsModelStatus.kUnknown,
}
"""What the solver says where its way from the last program's basis went wrong."""

PAIRED = (1, 1, 0, 0), (1, -1, 0, 0), (1, -1, -1, 0), (1, -1, 0, 1), (1, 1, -0.5, -0.5)
"""Coefficients of h_p, h_q, z_p and z_q in the rows of a pair."""


class Status(Enum):
    """How a linear program ended."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    FAILED = "failed"


@dataclass(frozen=True, eq=False)
class Solution:
    """How a linear program ended; the values of inputs and units, and the multipliers of each
    layer, where it has them; reason: why it failed.
    """

    status: Status
    point: Array | None = None
    duals: list[Array] | None = None
    reason: str = ""

    @property
    def is_finite(self) -> bool:
        """Whether no number of it is infinite or NaN."""
        found = [*([] if self.point is None else [self.point]), *(self.duals or [])]
        return all(np.isfinite(v).all() for v in found)


class Relaxation:
    """min form @ (values of the last layer) over the inputs' box and a convex hull of every unit,
    or of every pair of units.

    Rows are h >= z and h <= high (z - low) / (high - low); pairs add the ranges of h_p + h_q, h_p -
    h_q, h_p - h_q - z_p, h_p - h_q + z_q and h_p + h_q - (z_p + z_q) / 2. The duals of the rows,
    times the coefficients that z has in them, are multipliers of a certificate. Of units apart
    there are bounds alone.
    """

    def __init__(self, layers: list[Layer], inputs: Inputs) -> None:
        self.layers, self.inputs = layers, inputs
        self.offsets = np.cumsum([len(inputs.lower), *(len(a.bias) for a in layers)])
        columns = int(self.offsets[-1])
        rows, low, high = [], [], []
        places, units, factors = [], [], []  # rows, units that have z in them, coefficients of -z
        self.first: list[int] = []
        count = 0
        for i, a in enumerate(layers):
            n, start = len(a.bias), int(self.offsets[i])
            before = int(self.offsets[i - 1]) if i else 0
            weight = coo_array(a.weight)
            z = csr_array((weight.data, (weight.row, weight.col + before)), shape=(n, columns))
            h = csr_array((np.ones(n), (np.arange(n), start + np.arange(n))), shape=(n, columns))
            unstable = np.flatnonzero((a.low < 0) & (a.high > 0) & ~a.apart)
            slope = (a.high / np.where(a.high > a.low, a.high - a.low, 1.0))[unstable]
            rows += [h - z, h[unstable] - diags_array(slope) @ z[unstable]]
            low += [np.where(a.apart, -np.inf, a.bias), np.full(len(unstable), -np.inf)]
            on = (a.low >= 0) & ~a.apart
            high += [np.where(on, a.bias, np.inf), slope * (a.bias - a.low)[unstable]]
            places.append(count + np.arange(n + len(unstable)))
            units += [start + np.arange(n), start + unstable]
            factors += [np.ones(n), slope]
            self.first.append(count)
            count += n + len(unstable)
            if len(a.pairs):
                p, q = a.pairs.T
                for one, two, c, e in PAIRED:
                    values = a.ends @ np.array([c, e, one, two])
                    shift = c * a.bias[p] + e * a.bias[q]
                    rows.append(one * h[p] + two * h[q] + c * z[p] + e * z[q])
                    low.append(values.min(axis=1) - shift)
                    high.append(values.max(axis=1) - shift)
                    places += [count + np.arange(len(p))] * 2
                    units += [start + p, start + q]
                    factors += [np.full(len(p), -float(c)), np.full(len(p), -float(e))]
                    count += len(p)
        self.places, self.units, self.factors = (
            np.concatenate(v) if v else np.zeros(0) for v in (places, units, factors)
        )
        matrix = vstack(rows, format="csr") if rows else csr_array((0, columns))
        matrix.eliminate_zeros()
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = columns, matrix.shape[0]
        program.col_cost_ = np.zeros(columns)
        program.col_lower_ = np.concatenate(
            [inputs.lower, *(np.where(a.apart, np.maximum(a.low, 0), 0) for a in layers)]
        )
        program.col_upper_ = np.concatenate(
            [inputs.upper, *(np.maximum(a.high, 0) for a in layers)]
        )
        program.row_lower_, program.row_upper_ = (
            np.concatenate(v) if v else np.zeros(0) for v in (low, high)
        )
        program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        program.a_matrix_.start_ = matrix.indptr
        program.a_matrix_.index_, program.a_matrix_.value_ = matrix.indices, matrix.data
        self.solver = highspy.Highs()
        self.solver.silent()
        for name, value in (
            ("threads", 1),
            ("presolve", "off"),
            ("solver", "simplex"),
            ("random_seed", 1),
        ):
            self.solver.setOptionValue(name, value)
        self.solver.passModel(program)
        self.splits: dict[tuple[int, int], bool] = {}

    def minimise(self, form: Array) -> None:
        """Set the objective."""
        first = int(self.offsets[-2])
        self.solver.changeColsCost(
            len(form), np.arange(first, first + len(form), dtype=np.int32), form.astype(np.float64)
        )

    def split(self, splits: dict[tuple[int, int], bool]) -> None:
        """Fix the signs of units, {(layer, position): on}, and free all others."""
        for (i, j), on in {**dict.fromkeys(self.splits), **splits}.items():
            if self.splits.get((i, j)) == on:
                continue
            layer = self.layers[i]
            column, row = int(self.offsets[i]) + j, self.first[i] + j
            bias = float(layer.bias[j])
            if not layer.apart[j]:
                self.solver.changeRowBounds(row, bias, bias if on else highspy.kHighsInf)
            self.solver.changeColBounds(
                column, 0.0, 0.0 if on is False else float(max(layer.high[j], 0.0))
            )
        self.splits = dict(splits)

    def solve(self, seconds: float, tangents: int) -> Solution:
        """Minimise. An l_2 ball is approached by so many tangents, which stay for later programs.
        What the solver raises is a failure, except for mistakes in calling it.
        """
        try:
            for _ in range(tangents):
                found = self._solve(seconds)
                if found.point is None or not self._cut(found.point[: len(self.inputs.lower)]):
                    break
        except BROKEN as error:
            return Solution(Status.FAILED, reason=str(error))
        return found if found.is_finite else Solution(Status.FAILED, reason="NaN")

    def _solve(self, seconds: float) -> Solution:
        self.solver.setOptionValue("time_limit", self.solver.getRunTime() + max(seconds, 0.01))
        self.solver.run()
        status = self.solver.getModelStatus()
        if status in ASTRAY:
            self.solver.clearSolver()  # of that basis
            self.solver.run()
            status = self.solver.getModelStatus()
        if status == highspy.HighsModelStatus.kOptimal:
            solution = self.solver.getSolution()
            if solution is None:
                return Solution(Status.FAILED, reason="no solution")
            duals = self._multipliers(np.array(solution.row_dual))
            return Solution(Status.OPTIMAL, np.array(solution.col_value), duals)
        if status == highspy.HighsModelStatus.kInfeasible:
            _, known, ray = self.solver.getDualRay()  # type: ignore[attr-defined] # missing in the stubs
            proof = self._multipliers(np.array(ray)) if known else None
            return Solution(Status.INFEASIBLE, duals=proof)
        if not isinstance(status, highspy.HighsModelStatus):
            return Solution(Status.FAILED, reason=f"the status {status!r}")
        return Solution(Status.FAILED, reason=self.solver.modelStatusToString(status))

    def _cut(self, x: Array) -> bool:
        """Cut off an input outside the ball by the tangent nearest to it; whether there was need
        to.
        """
        if self.inputs.centre is None:
            return False
        away = x - self.inputs.centre
        length = float(np.linalg.norm(away))
        if length <= self.inputs.radius * (1 + 1e-7):
            return False
        normal = away / length
        limit = float(normal @ self.inputs.centre) + self.inputs.radius
        columns = np.flatnonzero(normal).astype(np.int32)
        self.solver.addRow(-highspy.kHighsInf, limit, len(columns), columns, normal[columns])
        return True

    def _multipliers(self, duals: Array) -> list[Array]:
        weights = duals[self.places.astype(np.int64)] * self.factors  # tangents have no units
        total = np.bincount(
            self.units.astype(np.int64), weights=weights, minlength=int(self.offsets[-1])
        )
        return [total[a:b] for a, b in pairwise(self.offsets)]
