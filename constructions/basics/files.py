"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file so that it is there as a whole or not at all.

    What is written to the path that the block gets takes the place of `path` if the block succeeds.
    The new file is on the disk before the old one goes; after an error, or a crash, the old one is
    as it was.

    Args:
        path: the file to replace.

    Yields:
        A path of the same name in a folder beside `path`.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replacing(f"{folder}/a.txt") as temporary:
        ...         _ = temporary.write_text("all of it")
        ...     Path(f"{folder}/a.txt").read_text()
        'all of it'
    """
    path = Path(path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        temporary = Path(folder) / path.name
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        os.replace(temporary, path)


def write_file(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file as `replacing` does; text as UTF-8.

    Args:
        path: where.
        content: text or bytes.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_file(f"{folder}/a.txt", "all of it")
        ...     Path(f"{folder}/a.txt").read_text()
        'all of it'
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
