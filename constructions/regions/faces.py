"""How faces are kept: arrays that grow, lists of faces, patterns as words; and those of a cube."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np


class Table:
    """An array that grows along its last axis (or its first, with by_rows); when full, it reserves
    four times as much.
    """

    def __init__(self, array: np.ndarray, by_rows: bool = False) -> None:
        self.data, self.n = array, len(array) if by_rows else array.shape[-1]
        self.by_rows = by_rows

    def extend(self, count: int) -> np.ndarray:
        """Make room for so many more, and return that part, to be filled in."""
        old, n = self.n, self.n + count
        if n > (len(self.data) if self.by_rows else self.data.shape[-1]):
            size, kept = max(4 * old, n), self.view
            self.data = np.empty(
                (size, *kept.shape[1:]) if self.by_rows else (*kept.shape[:-1], size),
                dtype=kept.dtype,
            )
            self.view[:] = kept
        self.n = n
        return self.data[old:n] if self.by_rows else self.data[..., old:n]

    def append(self, more: np.ndarray) -> None:
        """Append an array whose other axis is the same."""
        self.extend(len(more) if self.by_rows else more.shape[-1])[:] = more

    @property
    def view(self) -> np.ndarray:
        """The array as it stands, writable."""
        return self.data[: self.n] if self.by_rows else self.data[..., : self.n]


class Faces:
    """The faces of one dimension k >= 2, each a list of (k-1)-faces; a changed list is written anew
    at the end.
    """

    def __init__(self, lists: list[list[int]]) -> None:
        lengths = np.array([len(children) for children in lists], dtype=np.int64)
        self.length, self.start = Table(lengths), Table(np.cumsum(lengths) - lengths)
        self.flat = Table(np.array([c for children in lists for c in children], dtype=np.int32))

    @property
    def n(self) -> int:
        """Number of faces."""
        return self.length.n

    def children(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The children of faces one after another, and how many each has."""
        lengths = self.length.data[ids]
        starts = np.cumsum(lengths) - lengths
        index = np.repeat(self.start.data[ids] - starts, lengths) + np.arange(int(lengths.sum()))
        return self.flat.data[index], lengths

    def write(self, ids: np.ndarray | None, children: np.ndarray, lengths: np.ndarray) -> None:
        """Give the faces `ids` (None: new faces) lists of the given lengths."""
        starts = self.flat.n + np.cumsum(lengths) - lengths
        self.flat.append(children)
        if ids is None:
            self.length.append(lengths)
            self.start.append(starts)
        else:
            self.length.data[ids], self.start.data[ids] = lengths, starts

    def compact(self) -> None:
        """Drop lists that are no longer used, and order the rest by face."""
        flat, lengths = self.children(np.arange(self.n))
        self.flat, self.start = Table(flat), Table(np.cumsum(lengths) - lengths)


def pack(bits: np.ndarray) -> np.ndarray:
    """Booleans (m, n) as words (ceil(n / 64), m), unit k in bit k mod 64 of word k // 64."""
    m, n = bits.shape
    words = -(-n // 64)
    padded = np.zeros((m, 8 * words), dtype=np.uint8)
    padded[:, : -(-n // 8)] = np.packbits(bits, axis=1, bitorder="little")
    return np.ascontiguousarray(padded.view("<u8").T)


def unpack(words: np.ndarray, n: int) -> np.ndarray:
    """The inverse of `pack`: booleans (m, n)."""
    rows = np.ascontiguousarray(words.T).astype("<u8").view(np.uint8).reshape(words.shape[1], -1)
    return np.unpackbits(rows, axis=1, count=n, bitorder="little").astype(bool)


def cube(d: int, top: int) -> tuple[list[list[Any]], list[list[list[int]]]]:
    """Faces of the cube up to dimension `top`: lists of faces one dimension lower (edges: of
    corners), and constraints.
    """
    names: list[dict[tuple[int, ...], int]] = [{} for _ in range(top + 1)]
    for code in itertools.product((0, 1, 2), repeat=d):  # per axis: lower, upper, free
        k = code.count(2)
        if k <= top:
            names[k][code] = (
                sum(bit << i for i, bit in enumerate(code)) if k == 0 else len(names[k])
            )
    faces: list[list[Any]] = [[]]
    spans: list[list[list[int]]] = [[]]
    for k in range(1, top + 1):
        below = names[k - 1]
        faces.append(
            [
                [
                    below[(*c[:i], side, *c[i + 1 :])]
                    for i in range(d)
                    if c[i] == 2
                    for side in (0, 1)
                ]
                for c in names[k]
            ]
        )
        spans.append([[i + d * c[i] for i in range(d) if c[i] != 2] for c in names[k]])
    return faces, spans
