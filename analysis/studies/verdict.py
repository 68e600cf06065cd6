"""What the numbers of a study say, in sentences; what they conclude depends on the numbers."""

from __future__ import annotations

import numpy as np

from ..pages.page import between, percent
from ..quantities.measured import Measured, ShareBounds
from ..quantities.statistics import difference
from .answers import OUTSIDE, PARTS
from .curves import at_radius, interval
from .study import Constructed, RunStudy, Study

EXPLAINED = 0.01
"""Least part of a learned output that memorization must explain for a verdict on its share."""


def summaries(study: Study) -> dict[str, str]:
    """The answer for each robust run, in three or four sentences with numbers."""
    return {run.name: summary_of(study, run) for run in study.runs if run.profiles}


def summary_of(study: Study, run: RunStudy) -> str:
    """What the numbers say; conclusions depend on them, by the rules that the page states."""
    built = next((one for one in study.constructed if one.learned == run.name), None)
    return " ".join([overfitting(run), flatness_told(run, built), likeness(study, run, built)])


def overfitting(run: RunStudy) -> str:
    """Clean and robust errors, and whether they are further apart on test points."""
    rates = run.recorded.final.rates
    train, test = (rates[part].robust_error for part in ("train_sample", "test"))
    attack = rates["test"].attack
    if train is None or test is None:  # the run was not attacked at its end
        assert run.distances is not None  # as it has profiles
        train, test = (run.distances.parts[part].wrong for part in PARTS)
        attack = "for this page"
    gap, clean = difference(errors(test), errors(train)), rates["test"].clean_error
    low, high = gap.interval or (0.0, 0.0)
    verdict = (
        "a robust generalization gap"
        if low > 0
        else "no gap"
        if high < 0
        else "no gap that is clear on so few points"
    )
    stopped = (
        "" if run.run.status == "finished" else f" ({run.run.status}; epoch {run.run.epoch} counts)"
    )
    return (
        f"{run.config.model}, trained with {run.config.attack} in the {run.config.ball}{stopped}, "
        f"errs on {percent(clean)} of "
        f"{clean.total:,} test points, and under attack ({attack}) on at least "
        f"{percent(test)} of them and {percent(train)} of "
        f"{train.total:,} training points, {100 * gap.value:.1f} {points_interval(gap)} points "
        f"apart: {verdict}.{proved(run)}"
    )


def errors(found: Measured) -> np.ndarray:
    """What a share of points was counted from: 1 for each point with an error, else 0."""
    assert found.total is not None
    assert found.count is not None
    return (np.arange(found.total) < found.count).astype(float)


def proved(run: RunStudy) -> str:
    """The certified robust errors in a sentence."""
    if not run.robust_errors:
        return ""
    train, test = certified_cells(run)
    total = run.robust_errors["test"].lower.total
    return (
        f" Proved of {total} points of each kind: {test} of test and {train} of training balls "
        "hold an error."
    )


def flatness_told(run: RunStudy, built: Constructed | None) -> str:
    """How much sharper the loss is outside the training radius than inside, for the learned
    network, f_clean and f_S.
    """
    last = run.profiles[run.run.epoch]["train"]
    here = interval(at_radius(run, run.run.epoch, "train"))
    text = (
        "Around training points the largest gradient within the training radius has the mean "
        f"{here}"
    )
    text += (
        ""
        if last.contrast is None
        else f", and {interval(last.contrast)} times that within {OUTSIDE:g} times the radius"
    )
    if built is None:
        return text + "."
    profiles = {name: built.profiles[name]["train"] for name in ("f_clean", "f_S")}
    inside = profiles["f_S"].radii.index(run.config.radius)
    outside = profiles["f_S"].radii.index(OUTSIDE * run.config.radius)
    zero = profiles["f_S"].gradient[inside].value
    exact = " (exactly, by proof)" if built.facts.proof == "proved" and zero == 0 else ""
    clean = profiles["f_clean"].contrast
    ratio = "not defined" if clean is None else f"{interval(clean)} times"
    return (
        f"{text}; for f_clean the ratio is {ratio}, and f_S, built on {built.facts.memorized:,} "
        f"training points, goes from "
        f"{zero:.3g}{exact} to {profiles['f_S'].gradient[outside].value:.3g}."
    )


def likeness(study: Study, run: RunStudy, built: Constructed | None) -> str:
    """Whether the learned network behaves like f_S."""
    if built is None:
        return f"There is no f_S beside it: {study.without.get(run.name, 'none was built')}."
    zones, shares = built.agreement["by zone"], built.shares["train"]
    places = [zone for zone in ("inside the balls", "in the shells", "outside") if zone in zones]
    parts = ", ".join(f"{percent(zones[zone])} {zone}" for zone in places)
    text = (
        f"It gives f_S's label at {percent(zones['clean test points'])} of the test points and "
        f"{parts} (estimates)"
    )
    if shares.share is None or shares.a is None:
        return f"{text}; how much it memorizes is not identified."
    found, a, gain = shares.share, shares.a, shares.by_memorization
    low, high = found.interval or (found.value, found.value)
    if a.value <= 0 or (gain.interval or (0.0, 0.0))[0] < EXPLAINED:
        verdict = "memorization explains too little of it to say more"
    else:
        verdict = (
            "nearer to f_S"
            if low > 0.5
            else "nearer to f_clean"
            if high < 0.5
            else "between f_clean and f_S"
        )
    return (
        f"{text}; fitted by f_clean and f_S along rays from training points, f_S has the weight "
        f"{interval(found)} (R² "
        f"{told(shares.explained)}, of which by memorization alone {interval(gain)}): {verdict}."
    )


def certified_cells(run: RunStudy) -> list[str]:
    """Between which bounds the robust error of training and test points lies, in percent."""
    return [bounds_told(run.robust_errors[part]) for part in PARTS]


def bounds_told(found: ShareBounds) -> str:
    """A share from below and from above, in percent."""
    assert found.upper is not None  # as balls were decided
    return between(found.lower, found.upper)


def points_interval(value: Measured) -> str:
    """The interval of a difference of shares, in points."""
    return (
        ""
        if value.interval is None
        else "[{:.1f}, {:.1f}]".format(*(100 * v for v in value.interval))
    )


def told(found: Measured | None) -> str:
    """A number with its interval."""
    return "not identified" if found is None else interval(found)
