"""Labelled images as they lie on disk: MNIST, CIFAR-10, and folders or tar files of PNG and JPEG
images.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch

Part = tuple[torch.Tensor, torch.Tensor]
"""Images (N, C, H, W), uint8, and the number of each one's class, (N,), int64."""

MNIST = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""MD5 of the four unpacked files."""

CIFAR10 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
"""MD5 of the six files of the Python version."""

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
FOLDERS = {
    "mnist": (Path("MNIST", "raw"), MNIST),
    "cifar10": (Path("cifar-10-batches-py"), CIFAR10),
}
"""Where torchvision keeps the files."""

SUFFIXES = (".png", ".jpg", ".jpeg")
PIXEL_LIMIT = 2**22
FILE_LIMIT = 2**26


@dataclass(frozen=True)
class Images:
    """Images with the names of their classes; `test` is None where the files are not divided into
    training and test.
    """

    classes: tuple[str, ...]
    train: Part
    test: Part | None
    source: str


def read_published(name: str, root: Path, download: bool) -> Images:
    """MNIST (60,000 and 10,000 images, 1x28x28) or CIFAR-10 (50,000 and 10,000, 3x32x32), in
    torchvision's folders under root.

    Each file is compared with the published one by its MD5 before anything in it is read;
    CIFAR-10's files are pickles, and no other pickle is ever loaded. Missing files are downloaded
    by torchvision if download is true. Raises ValueError for a missing or differing file, OSError
    where the download fails. Source: LeCun et al. 1998; Krizhevsky 2009.
    """
    folder, digests = root / FOLDERS[name][0], FOLDERS[name][1]
    if download and not all((folder / file).exists() for file in digests):
        _download(name, root)
    contents = [_read_file(folder / file, md5) for file, md5 in digests.items()]
    if name == "mnist":
        numbers = [torch.frombuffer(bytearray(content), dtype=torch.uint8) for content in contents]
        # after headers
        train, test = (
            (x[16:].reshape(-1, 1, 28, 28), y[8:].long()) for x, y in (numbers[:2], numbers[2:])
        )
        return Images(tuple("0123456789"), train, test, "MNIST (LeCun et al. 1998)")
    train, test = _unpickle(contents[:-1]), _unpickle(contents[-1:])
    return Images(CIFAR10_CLASSES, train, test, "CIFAR-10 (Krizhevsky 2009)")


def _download(name: str, root: Path) -> None:
    from torchvision import datasets  # type: ignore[import-untyped] # seconds of imports that few need

    try:
        (datasets.MNIST if name == "mnist" else datasets.CIFAR10)(root, download=True)
    except (OSError, RuntimeError) as error:
        raise OSError(f"{name} cannot be downloaded to {root}: {error}") from error


def _read_file(path: Path, md5: str) -> bytes:
    """The bytes of a file. Raises ValueError unless it is there and has this MD5."""
    try:
        content = path.read_bytes()
    except OSError as error:
        advice = (
            "name the folder of the data as root or in CGRO_DATA, or download it (download=True)"
        )
        raise ValueError(f"{path} cannot be read ({error.strerror}): {advice}") from error
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise ValueError(
            f"{path} is truncated, damaged or not the published file: delete it and download it "
            f"(download=True)"
        )
    return content


def _unpickle(contents: list[bytes]) -> Part:
    """CIFAR-10's batches, from bytes that are known to be the published ones."""
    with warnings.catch_warnings():
        # the pickles are from 2009: NumPy reads them, with a warning
        warnings.simplefilter("ignore")
        batches = [pickle.loads(content, encoding="latin1") for content in contents]
    points = torch.from_numpy(np.concatenate([batch["data"] for batch in batches]))
    return points.reshape(-1, 3, 32, 32), torch.tensor(
        [label for batch in batches for label in batch["labels"]]
    )


def read_images(path: Path) -> Images:
    """The images train/CLASS/FILE and test/CLASS/FILE of a folder or tar file, or CLASS/FILE
    without that division.

    Files are .png, .jpg and .jpeg, 8-bit grey or RGB, all of one size and at most 2^22 pixels;
    others are ignored. Folders above do not matter. Classes are sorted by name, or as numbers if
    all names are numbers; images by name. A tar file (.tar, .tar.gz, .tgz) is read in one pass, to
    its checksum; nothing is extracted, links are not followed. Raises ValueError that names the
    file.
    """
    arrays: list[np.ndarray] = []
    found: list[tuple[str, str, str]] = []  # part, class, name
    with warnings.catch_warnings():
        # Pillow's, of odd metadata and of sizes that are an error here
        warnings.simplefilter("ignore")
        for name, content in _contents(path):
            arrays.append(_decode(content, name, path))
            if arrays[-1].shape != arrays[0].shape:
                size, first = ("x".join(map(str, a.shape)) for a in (arrays[-1], arrays[0]))
                raise ValueError(
                    f"images in {path} must have one size: {name} is {size}, {found[0][-1]} is "
                    f"{first}"
                )
            parts = PurePosixPath(name).parts
            if len(parts) < 2:
                raise ValueError(f"{name} in {path} must lie in a folder named after its class")
            found.append(
                (parts[-3] if parts[-3:-2] in (("train",), ("test",)) else "", parts[-2], name)
            )
    kinds = {part: name for part, _, name in found}
    if set(kinds) not in ({""}, {"train", "test"}):
        layout = (
            "must hold images train/CLASS/FILE and test/CLASS/FILE, or CLASS/FILE, "
            "as .png, .jpg or .jpeg"
        )
        raise ValueError(f"{path} {layout}, got {' and '.join(sorted(kinds.values())) or 'none'}")
    names = {name for _, name, _ in found}
    numeric = all(name.isdecimal() for name in names)
    classes = sorted(names, key=lambda name: (int(name) if numeric else 0, name))
    number = {name: k for k, name in enumerate(classes)}

    def part(wanted: str) -> Part:
        rows = sorted((name, i) for i, (part, _, name) in enumerate(found) if part == wanted)
        stack = np.stack([arrays[i] for _, i in rows])
        images = (
            stack[:, None] if stack.ndim == 3 else np.ascontiguousarray(stack.transpose(0, 3, 1, 2))
        )
        return torch.from_numpy(images), torch.tensor([number[found[i][1]] for _, i in rows])

    lossy = any(name.lower().endswith((".jpg", ".jpeg")) for _, _, name in found)
    note = (
        ": JPEG files: lossy, so accuracies are not comparable digit for digit with the original "
        "images"
        if lossy
        else ""
    )
    divided = "train" in kinds
    train = part("train" if divided else "")
    return Images(
        tuple(classes), train, part("test") if divided else None, f"images of {path.name}{note}"
    )


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Names, relative to path, and bytes of the image files in a folder or tar file."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if _is_image(file.name, file.stat().st_size if file.is_file() else None, path):
                yield file.relative_to(path).as_posix(), file.read_bytes()
        return
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if _is_image(member.name, member.size if member.isfile() else None, path):
                    content = archive.extractfile(member)
                    assert content is not None  # it is a file
                    yield str(PurePosixPath(member.name)), content.read()
            stream = archive.fileobj
            assert stream is not None
            stream.seek(archive.offset)
            # tarfile takes a cut after a file for the end
            if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise EOFError("the mark of the end is missing")
            while stream.read(2**20):  # to the checksum of a compressed file
                pass
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise ValueError(f"{path} is no tar file, or truncated or damaged: {error}") from error


def _is_image(name: str, size: int | None, path: Path) -> bool:
    """Whether a file (size None: no file) is to be read as an image. Raises ValueError where it is
    too large for one.
    """
    base = PurePosixPath(name).name
    if size is None or base.startswith(".") or not base.lower().endswith(SUFFIXES):
        return False
    if size > FILE_LIMIT:
        raise ValueError(f"{name} in {path} must have at most {FILE_LIMIT:,} bytes, got {size:,}")
    return True


def _decode(content: bytes, name: str, path: Path) -> np.ndarray:
    """The pixels (H, W) or (H, W, 3), uint8. Raises ValueError that names the file."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
            mode, (width, height) = image.mode, image.size
            if mode in ("L", "RGB") and width * height <= PIXEL_LIMIT:
                return np.asarray(image)
    except Exception as error:  # decoders of damaged files raise errors of many kinds
        detail = "" if isinstance(error, UnidentifiedImageError) else f": {error}"
        raise ValueError(f"{name} in {path} is damaged or no PNG or JPEG image{detail}") from error
    if mode in ("L", "RGB"):
        raise ValueError(
            f"{name} in {path} must have at most {PIXEL_LIMIT:,} pixels, got {width}x{height}"
        )
    raise ValueError(f"{name} in {path} must be 8-bit grey or RGB (Pillow's L or RGB), got {mode}")
