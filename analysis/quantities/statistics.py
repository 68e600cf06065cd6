"""Numbers with 95% confidence intervals: shares, means, differences and correlations of what was
measured at many points.

An interval speaks of the distribution that the points were drawn from, independently; the value
itself is that of the points.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .measured import Kind, Measured

LEVEL, RESAMPLES = 0.95, 1000

PAIRS = 6
"""Least number of pairs whose correlation gets an interval."""


def share(found: Any, kind: Kind = "exact") -> Measured:
    """The share of true entries, with the binomial interval of Clopper and Pearson 1934 (which 0
    and 1 have, too).

    Raises ValueError if there are none.

    >>> share([True, True, False, True]).interval  # doctest: +ELLIPSIS
    (0.194..., 0.993...)
    """
    from scipy import stats  # a second of imports

    flags = _numbers(found).astype(bool)
    count = int(flags.sum())
    low, high = stats.binomtest(count, len(flags)).proportion_ci(LEVEL, "exact")
    return Measured(count / len(flags), kind, count, len(flags), (float(low), float(high)))


def mean(values: Any, kind: Kind = "estimate", seed: int = 0) -> Measured:
    """The mean, with the percentile interval of Efron's bootstrap. Raises ValueError for no values,
    NaN and infinity.

    >>> mean([1.0, 1.0, 1.0])
    1 [1, 1] (estimate, 95% interval, 3 points)
    """
    x = _numbers(values)
    return Measured(float(x.mean()), kind, None, len(x), _bootstrap((x,), np.mean, seed))


def mean_of_few(values: Any, kind: Kind = "estimate") -> Measured:
    """The mean, with Student's interval, which two or more values that are about normal have; the
    bootstrap of `mean` would be too short for them. Raises ValueError as `mean`.

    >>> mean_of_few([1.0, 2.0, 3.0]).interval  # doctest: +ELLIPSIS
    (-0.484..., 4.484...)
    """
    from scipy import stats  # a second of imports

    x = _numbers(values)
    half = stats.t.ppf((1 + LEVEL) / 2, len(x) - 1) * stats.sem(x) if len(x) > 1 else None
    ends = None if half is None else (float(x.mean() - half), float(x.mean() + half))
    return Measured(float(x.mean()), kind, None, len(x), ends)


def median(values: Any, kind: Kind = "estimate", seed: int = 0) -> Measured:
    """The median, else as `mean`.

    >>> median([0.0, 1.0, 5.0]).value
    1.0
    """
    x = _numbers(values)
    return Measured(float(np.median(x)), kind, None, len(x), _bootstrap((x,), np.median, seed))


def difference(first: Any, second: Any, kind: Kind = "estimate", seed: int = 0) -> Measured:
    """mean(first) - mean(second) of two independent samples, such as a training and a test set.

    Of shares (all numbers 0 or 1) the interval is that of Newcombe 1998, method 10, from Wilson's;
    else as in `mean`.

    >>> difference([1.0, 1.0], [0.0, 0.0]).value, difference([3.0, 3.0], [1.0]).interval
    (1.0, (2.0, 2.0))
    """
    x, y = _numbers(first), _numbers(second)
    value, total = float(x.mean() - y.mean()), len(x) + len(y)
    if np.isin(x, (0.0, 1.0)).all() and np.isin(y, (0.0, 1.0)).all():
        (p, a, b), (q, c, d) = ((v.mean(), *_wilson(v)) for v in (x, y))
        return Measured(
            value,
            kind,
            None,
            total,
            (value - float(np.hypot(p - a, d - q)), value + float(np.hypot(b - p, q - c))),
        )

    def gap(a: np.ndarray, b: np.ndarray, axis: int = -1) -> Any:
        return a.mean(axis=axis) - b.mean(axis=axis)

    return Measured(value, kind, None, total, _bootstrap((x, y), gap, seed))


def _wilson(flags: np.ndarray) -> tuple[float, float]:
    from scipy import stats

    found = stats.binomtest(int(flags.sum()), len(flags)).proportion_ci(LEVEL, "wilson")
    return float(found.low), float(found.high)


def ratio(first: Any, second: Any, kind: Kind = "estimate", seed: int = 0) -> Measured:
    """mean(first) / mean(second) of numbers of the same points; bootstrap over points. Raises
    ValueError if the second is 0.

    >>> ratio([2.0, 4.0], [1.0, 2.0]).interval
    (2.0, 2.0)
    """
    x, y = _numbers(first), _numbers(second)
    if len(x) != len(y) or not y.mean():
        raise ValueError(
            f"first and second must be of the same points, the mean of second not 0, got {len(x)} "
            f"and {len(y)}"
        )

    def quotient(a: np.ndarray, b: np.ndarray, axis: int = -1) -> Any:
        return a.mean(axis=axis) / b.mean(axis=axis)

    return Measured(
        float(x.mean() / y.mean()),
        kind,
        None,
        len(x),
        _bootstrap((x, y), quotient, seed, paired=True),
    )


def correlation(first: Any, second: Any, seed: int = 0) -> Measured:
    """Pearson's correlation of pairs; bootstrap over pairs, for `PAIRS` or more: of fewer it means
    nothing (None).

    Raises ValueError for fewer than 3 pairs or constant values.

    >>> round(correlation([1, 2, 3, 4], [1, 2, 3, 5]).value, 3)
    0.983
    """
    x, y = _numbers(first), _numbers(second)
    if len(x) != len(y) or len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        raise ValueError(
            f"a correlation needs 3 pairs or more of values that vary, got {len(x)} and {len(y)}"
        )
    value = float(np.corrcoef(x, y)[0, 1])
    if len(x) < PAIRS:
        return Measured(value, "estimate", None, len(x))
    generator = np.random.default_rng(seed)
    rows = generator.integers(len(x), size=(RESAMPLES, len(x)))
    a, b = (v[rows] - v[rows].mean(1, keepdims=True) for v in (x, y))
    sizes = np.sqrt((a * a).sum(1) * (b * b).sum(1))
    # others have no correlation
    varied = (np.ptp(x[rows], axis=1) > 0) & (np.ptp(y[rows], axis=1) > 0)
    found = ((a * b).sum(1)[varied] / sizes[varied]).clip(-1, 1)
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Measured(value, "estimate", None, len(x), (float(low), float(high)))


def _numbers(values: Any) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64).reshape(-1)
    if not len(array) or not np.isfinite(array).all():
        raise ValueError(
            f"values must be finite numbers, one or more, got {len(array)} with NaN or infinity or "
            f"none at all"
        )
    return array


def _bootstrap(
    samples: tuple[np.ndarray, ...], statistic: Any, seed: int, paired: bool = False
) -> tuple[float, float]:
    if all(np.ptp(sample) == 0 for sample in samples):  # nothing varies
        value = float(statistic(*samples))
        return value, value
    from scipy import stats

    found = stats.bootstrap(
        samples,
        statistic,
        n_resamples=RESAMPLES,
        batch=max(1, 2**22 // max(map(len, samples))),
        method="percentile",
        confidence_level=LEVEL,
        paired=paired,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)
