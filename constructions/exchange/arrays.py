"""Arrays of .npz files, read without PyTorch."""

from __future__ import annotations

import math
import os
import struct
import zipfile
import zlib

import numpy as np


def load_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read all arrays of an .npz file.

    What its headers announce is compared with the file's size before memory is taken for it.

    Args:
        path: the file.

    Returns:
        A dict from names to arrays.

    Raises:
        ValueError: for what is no .npz file of plain arrays, or cannot hold what it announces.
        OSError: if it cannot be read.

    Example:
        >>> np.savez("arrays.npz", x=np.eye(2))
        >>> load_arrays("arrays.npz")["x"].tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    headers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        total = os.path.getsize(path)
        with zipfile.ZipFile(path) as archive:
            for held in archive.infolist():
                # deflate makes 1032 of one byte
                if held.compress_size > total or held.file_size > 1100 * held.compress_size:
                    raise ValueError(
                        f"{held.filename} announces {held.file_size} bytes, more than its file can "
                        f"hold"
                    )
                with archive.open(held) as file:
                    shape, _, dtype = headers[np.lib.format.read_magic(file)](file)
                if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize > held.file_size:
                    raise ValueError(
                        f"{held.filename} announces shape {shape}, more than its {held.file_size} "
                        f"bytes"
                    )
        with np.load(path, allow_pickle=False) as content:
            return dict(content)
    except FileNotFoundError:
        raise
    except (
        KeyError,
        EOFError,
        AttributeError,
        NotImplementedError,
        RuntimeError,
        MemoryError,
        SyntaxError,
    ) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    except (zipfile.BadZipFile, zlib.error, struct.error) as error:
        raise ValueError(f"no .npz file: {error}") from error
