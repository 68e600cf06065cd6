"""How many linear regions ReLU networks can have, from their widths alone: the bounds of the
literature, exactly.

widths: units of the hidden layers, first to last, positive; d: inputs. Upper bounds count
activation cells in all of R^d, so they hold over every box; `montufar_lower` says what some network
of these widths attains in R^d.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import comb, prod

from .packing import read_count


def pattern_bound(widths: Sequence[int]) -> int:
    """Bound linear regions by on-off patterns: each unit is on or off.

    The number is 2^(n_1 + ... + n_L).

    Args:
        widths: units of the hidden layers, n_1, ..., n_L.

    Returns:
        An upper bound, an exact integer.

    Example:
        >>> pattern_bound([3, 2])
        32
    """
    return 2 ** sum(_check(widths, 1))


def zaslavsky(units: int, d: int) -> int:
    """Count the most cells into which n hyperplanes cut R^d.

    sum_{i <= d} C(n, i), reached in general position. So it is the maximum for one hidden layer.

    Args:
        units: n.
        d: input dimension.

    Returns:
        An exact integer.

    Source: Zaslavsky 1975, Facing up to arrangements.

    Example:
        >>> zaslavsky(4, 2)
        11
    """
    (n,) = _check([units], d, "units")
    return sum(comb(n, i) for i in range(d + 1))


def montufar_lower(widths: Sequence[int], d: int) -> int:
    """Count linear regions that some network with these widths has.

    prod_{l < L} floor(n_l / d)^d * sum_{j <= d} C(n_L, j).

    Args:
        widths: units of the hidden layers, each >= d.
        d: input dimension.

    Returns:
        A lower bound of the most that such networks have, an exact integer.

    Raises:
        ValueError: for a layer with fewer than d units.

    Source: Montufar, Pascanu, Cho and Bengio 2014, On the number of linear regions of deep neural
    networks, Theorem 4.

    Example:
        >>> montufar_lower([4, 4], 2)
        44
    """
    layers = _check(widths, d)
    if min(layers) < d:
        raise ValueError(f"widths must be at least d = {d} for this bound, got {layers}")
    *inner, last = layers
    return prod((n // d) ** d for n in inner) * zaslavsky(last, d)


def montufar_upper(widths: Sequence[int], d: int) -> int:
    """Bound the linear regions of all networks with these widths, simply.

    prod_l sum_{j <= m_l} C(n_l, j) with m_l = min(d, n_1, ..., n_l).

    Args:
        widths: units of the hidden layers.
        d: input dimension.

    Returns:
        An upper bound, an exact integer.

    Source: Montufar 2017, Notes on the number of linear regions of deep neural networks,
    Proposition 3.

    Example:
        >>> montufar_upper([4, 4], 2)
        121
    """
    layers = _check(widths, d)
    least = list(accumulate(layers, min, initial=d))[1:]
    return prod(sum(comb(n, j) for j in range(m + 1)) for n, m in zip(layers, least, strict=True))


def serra_upper(widths: Sequence[int], d: int) -> int:
    """Bound the linear regions of all networks with these widths, sharply.

    The sum over J of prod_l C(n_l, j_l), J = {j : 0 <= j_l <= min(d, n_1 - j_1, ..., n_(l-1) -
    j_(l-1), n_l)}: a region of the first layer with n_1 - j_1 units on has an image of at most that
    dimension. Never above `montufar_upper`.

    Args:
        widths: units of the hidden layers.
        d: input dimension.

    Returns:
        An upper bound, an exact integer.

    Cost: layers times d times the widest layer.

    Source: Serra, Tjandraatmadja and Ramalingam 2018, Bounding and counting linear regions, Theorem
    1.

    Example:
        >>> serra_upper([4, 4], 2), serra_upper([2, 4], 2)
        (121, 22)
    """
    layers = _check(widths, d)
    counts: dict[int, int] = {d: 1}  # by the dimension that is left
    for n in layers:
        after: dict[int, int] = defaultdict(int)
        for dimension, count in counts.items():
            for j in range(min(dimension, n) + 1):
                after[min(dimension, n - j)] += count * comb(n, j)
        counts = after
    return sum(counts.values())


def _check(widths: Iterable[int], d: int, name: str = "widths") -> list[int]:
    """Widths as a list; raises ValueError and TypeError that name the argument."""
    if isinstance(d, Iterable) and not isinstance(widths, Iterable):
        raise ValueError(
            f"d must be an integer >= 1, got {d!r}: {name} come first, then d, as in "
            f"({d!r}, {widths!r})"
        )
    read_count("d", d, 1)
    if not isinstance(widths, Iterable):
        raise TypeError(f"{name} must be integers, one a hidden layer, got {widths!r}")
    layers = [read_count(name, n, 1) for n in widths]
    if not layers:
        raise ValueError("widths must hold at least one layer")
    return layers
