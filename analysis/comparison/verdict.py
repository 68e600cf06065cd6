"""Whether a learned network behaves like f_S, in words that depend on the numbers."""

from __future__ import annotations

import math

from ..pages.page import between, percent
from .result import SplitErrors, TaskResult

CHANCE = 0.4
"""Clean test errors of the learned network from which nothing is concluded."""

CLEAN = 0.05
"""Most clean test errors of a network that generalizes."""

MEMORIZED = 0.05
"""Most robust training errors of a network that memorizes robustly."""

APART = 0.05
"""Least robust test error, beyond the training error, of a network that overfits robustly."""

ASKED = (
    f"asked: at most {100 * CLEAN:g}% clean test errors and {100 * MEMORIZED:g}% robust training "
    f"errors, robust test errors {100 * APART:g} points above these"
)
"""What "like f_S" means."""


def summary(task: TaskResult) -> str:
    """The answer in three sentences, with numbers."""
    return " ".join(part for part in headed(task) if part)


def headed(task: TaskResult) -> tuple[str, str]:
    """The verdict, and the two sentences after it ("" where nothing is concluded)."""
    learned = task.models["learned"].errors
    if learned.test.clean.value >= CHANCE:
        nothing = (
            f"Nothing is concluded: {task.learned} errs on {percent(learned.test.clean)} of the "
            "clean test points. Does it take pixels in [0,1], and are its labels those of the task "
            "(parity: positive for odd)?"
        )
        return nothing, ""
    return verdict(task), f"{constructed(task)} {likeness(task)}"


def verdict(task: TaskResult) -> str:
    """Does the learned network behave like f_S?"""
    learned, built = task.models["learned"].errors, task.models["f_S"].errors
    who = at_start(task.learned)
    some = task.attacked_count < task.train_count
    first = f", the first {task.attacked_count:,}," if some else ""
    numbers = (
        f"an error in {bounds(learned.train)} of the training balls{first} and in "
        f"{bounds(learned.test)} of the test balls (certified), and errs on "
        f"{percent(learned.test.clean)} of the clean test points"
    )
    if built.test.robust.value - built.test.clean.value < APART:
        return (
            f"At this radius f_S hardly errs more under attack than without, so no robust "
            f"overfitting is seen in which to be like it: {task.learned} has {numbers}."
        )
    if learned.test.clean.value > CLEAN:
        return f"{who} does not behave like f_S, whose clean errors are fewer: it has {numbers}."
    train, test = learned.train, learned.test
    if train.robust.value > MEMORIZED:
        return (
            f"{who} does not behave like f_S, certified: it does not memorize robustly, with "
            f"{numbers}."
        )
    least, most = test.robust.value - top(train), top(test) - train.robust.value
    if top(train) <= MEMORIZED and least >= APART:
        points = math.floor(1000 * least) / 10
        return (
            f"{who} behaves like f_S, certified: it has {numbers}; the robust errors are at least "
            f"{points:.1f} points apart ({ASKED})."
        )
    if most < APART:
        points = math.ceil(1000 * most) / 10
        return (
            f"{who} does not behave like f_S, certified: it has {numbers}; the robust errors are "
            f"at most {max(points, 0.0):.1f} points apart ({ASKED})."
        )
    gap = 100 * (test.robust.value - train.robust.value)
    does = "behaves" if gap >= 100 * APART else "does not behave"
    return (
        f"By proof it is open whether {task.learned} behaves like f_S; by attack it {does} like "
        f"it: it has {numbers}; the errors that the attack finds are {gap:.1f} points apart "
        f"({100 * APART:g} are asked)."
    )


def constructed(task: TaskResult) -> str:
    """What f_S does, by construction."""
    built, clean = (task.models[name].errors.test for name in ("f_S", "f_clean"))
    return (
        f"f_S, by construction, has robust training error 0 (certified), an error in "
        f"{bounds(built)} of the test balls, and errs on {percent(built.clean)} of the clean test "
        f"points (f_clean: {percent(clean.clean)})."
    )


def likeness(task: TaskResult) -> str:
    """How often the two give the same label, beside what says little: f_clean, and one label."""
    places = {"clean test points": "the clean test points"}
    places["outside"] = "random points between training points, outside all balls and shells"
    told = []
    for zone, words in places.items():
        if (found := task.agreement.get(zone)) is not None:
            beside = ["estimated"] * (found.kind == "estimate")
            beside += [f"{name}: {percent(table[zone])}" for name, table in task.baselines.items()]
            told.append(f"{percent(found)} of {words}" + f" ({'; '.join(beside)})" * bool(beside))
    return f"The two give the same label at {' and at '.join(told)}."


def at_start(name: str) -> str:
    """A name as a sentence begins with it; that of a file stays as it is."""
    return f"The{name[3:]}" if name.startswith("the ") else name


def top(errors: SplitErrors) -> float:
    """The certified upper bound of a robust error; 1 without one."""
    if errors.robust.kind == "exact":
        return errors.robust.value
    return 1.0 if errors.robust_upper is None else errors.robust_upper.value


def bounds(errors: SplitErrors) -> str:
    """A robust error as its proved range: "at least to at most", one number where both are equal or
    it is exact.
    """
    lower, upper = errors.robust, errors.robust_upper
    if lower.kind == "exact":
        return percent(lower)
    return f"≥ {percent(lower)}" if upper is None else between(lower, upper)
