"""The papers' figures, drawn from runs, with f_S in them; each with its numbers, and what the
papers say of theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..pages.figure import Drawing
from .distance_figures import margins, radial
from .flatness_figures import flatness, gap, learning_process, robust_memorization
from .settings import FIGURES
from .study import RunStudy, Study
from .training_figures import capacity, learning_curves


def drawings(study: Study, names: Sequence[str] = FIGURES) -> list[Drawing]:
    """All figures of these names that the runs allow. Raises ValueError for an unknown name."""
    for name in names:
        if name not in FIGURES:
            raise ValueError(f"figure must be one of {', '.join(FIGURES)}, got {name!r}")
    found = [drawing for run in study.runs for drawing in of_run(study, run)] + list(
        capacity(study)
    )
    chosen = [drawing for name in names for drawing in found if drawing.name == name]
    taken: Counter[str] = Counter()
    for k, drawing in enumerate(chosen):
        taken[drawing.file] += 1
        if taken[drawing.file] > 1:
            chosen[k] = replace(drawing, about=f"{drawing.about}-{taken[drawing.file]}")
    return chosen


def of_run(study: Study, run: RunStudy) -> Iterator[Drawing]:
    """The figures of one run."""
    yield learning_curves(run)
    if not run.profiles:
        return
    built = next((built for built in study.constructed if built.learned == run.name), None)
    last = run.profiles[run.run.epoch]
    profiles = {"learned": last, **(built.profiles if built else {})}
    yield robust_memorization(run, profiles, built is not None and built.facts.proof == "proved")
    if len(run.profiles) > 1:
        yield learning_process(run)
        yield flatness(run)
        yield gap(run)
    learned = {} if run.distances is None else {"learned": run.distances}
    yield margins(run, learned | (built.distances if built else {}))
    if built:
        yield radial(run, built)
