"""Arrays of points, boxes and labels in .npz files, read without PyTorch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from constructions import load_arrays

NAMES = {
    "lower": ("lo", "lower"),
    "upper": ("hi", "upper"),
    "label": ("y", "label", "labels"),
    "point": ("x", "points"),
}
"""What arrays in files are called."""


def _load(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        return load_arrays(path)
    except (ValueError, OSError, TypeError) as error:
        raise ValueError(
            f"{path} is not a readable .npz file of arrays of numbers: {error}"
        ) from error


def select(path: Path, *wanted: str) -> list[Any]:
    """Arrays of an .npz file by what they are (`NAMES`): labels as int64, others as float64, uint8
    points as k/255. Raises FileNotFoundError, and ValueError that names the array and the rule.
    """
    arrays, found = _load(path), []
    for name in wanted:
        held = [arrays[key] for key in NAMES[name] if key in arrays]
        if not held:
            hint = (
                ""
                if name == "label"
                else " (queries are boxes; analysis.certify decides l_2 balls, too)"
            )
            raise ValueError(
                f"{path} has no array {' or '.join(NAMES[name])}, got "
                f"{', '.join(arrays) or 'none'}{hint}"
            )
        whole = name == "label"
        values = held[0]
        if values.dtype.kind not in ("iu" if whole else "iuf"):
            raise ValueError(
                f"{path}: {name} must hold {'integers' if whole else 'numbers'}, got {values.dtype}"
            )
        if whole and values.size != (values.shape or (1,))[0]:
            raise ValueError(f"{path}: {name} must have shape (N,), got {values.shape}")
        if values.dtype.itemsize > 8 or (
            values.dtype.kind != "f" and np.abs(values.astype(np.float64)).max(initial=0) > 2**53
        ):
            raise ValueError(
                f"{path}: {name} must hold float64, or integers up to 2^53, got {values.dtype} "
                f"beyond these"
            )
        scale = 255.0 if name == "point" and values.dtype == np.uint8 else 1.0
        if scale > 1 and 0 < values.max(initial=0) <= 16:
            warnings.warn(
                f"{path}: {name} is uint8, read as k/255, and no k exceeds 16: divide pixels of 0 "
                f"to 16 by 16",
                stacklevel=2,
            )
        found.append(
            values.reshape(-1).astype(np.int64) if whole else values.astype(np.float64) / scale
        )
    return found
