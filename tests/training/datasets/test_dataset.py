"""Data sets: what is read, what is refused, tasks, splits; augmentation."""

import gzip
import hashlib
import io
import os
import pickle
import tarfile
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from training import Dataset, TrainingConfig, load_data, read_task
from training.datasets import images as image_files
from training.datasets.augmentation import augment
from training.internal import as_float


def picture(value, shape=(5, 4, 3)):
    """An image whose numbers say which one it is."""
    return ((np.arange(np.prod(shape)) * 7 + value * 13) % 256).astype(np.uint8).reshape(shape)


def encoded(array, kind="png", **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, {"png": "PNG", "jpg": "JPEG"}[kind], **options)
    return buffer.getvalue()


def files(counts, parts=("train", "test"), kind="png"):
    """{path: bytes} with counts[name] images of a class in each part."""
    found, value = {}, 0
    for part in parts:
        for name, count in counts.items():
            for k in range(count):
                found["/".join(filter(None, (part, name, f"{k:03d}.{kind}")))] = encoded(
                    picture(value), kind
                )
                value += 1
    return found


def write_folder(folder, contents):
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def write_tar(path, contents, mode="w:gz", prefix=""):
    with tarfile.open(path, mode) as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def same(a, b):
    names = ("train_points", "train_labels", "test_points", "test_labels")
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in names)


# -- digits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 3])
def test_flat_digits_are_those_of_scikit_learn_split_by_class(seed):
    images, digits = load_digits(return_X_y=True)
    split = train_test_split(
        images / 16.0, digits, test_size=0.2, random_state=seed, stratify=digits
    )
    data = load_data("digits", "classes", seed).flat()
    found = (data.train_points, data.test_points, data.train_labels, data.test_labels)
    assert all(torch.equal(a, torch.from_numpy(b)) for a, b in zip(found, split, strict=True))
    assert [t.dtype for t in found] == [torch.float64] * 2 + [torch.int64] * 2


def test_the_default_task_is_that_of_training():
    assert load_data().task == TrainingConfig().task == "classes"
    assert load_data().outputs == 10


def test_digits_are_images():
    data = load_data("digits", "parity")
    assert (data.shape, data.train_points.dtype, data.outputs) == ((1, 8, 8), torch.float64, 1)
    assert data.classes == ("0 or 2 or 4 or 6 or 8", "1 or 3 or 5 or 7 or 9")
    assert torch.equal(data.flat().train_points.reshape(-1, 1, 8, 8), data.train_points)
    assert data.flat(torch.float32).test_points.dtype == torch.float32


@pytest.mark.parametrize(
    ("dtype", "bits"), [(torch.float32, 24), (torch.float64, 53), (torch.bfloat16, 8)]
)
def test_bytes_are_rounded_correctly(dtype, bits):
    values = as_float(torch.arange(256, dtype=torch.uint8), dtype).tolist()
    assert values[0] == 0
    for k, value in enumerate(values[1:], 1):
        spacing = Fraction(2) ** int(np.frexp(value)[1] - bits)
        assert abs(Fraction(value) - Fraction(k, 255)) <= spacing / 2
    points = torch.rand(3)
    assert as_float(points) is points
    assert torch.equal(as_float(points, torch.float64), points.double())


# -- tasks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("parity", None),
        ("3=-1,5=+1", {"3": -1, "5": 1}),
        (" cat = -1 , dog=1", {"cat": -1, "dog": 1}),
        ("0-2=-1,3-4=+1", {"0": -1, "1": -1, "2": -1, "3": 1, "4": 1}),
        ("semi-truck=0,a b=1,7=2", {"semi-truck": 0, "a b": 1, "7": 2}),
        ({"cat": 1, 4: 0}, {"cat": 1, 4: 0}),
    ],
)
def test_tasks_are_read(task, expected):
    assert read_task(task) == expected


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("x", "task must be parity, classes, or labels"),
        ("", "task must be"),
        ("3=-1,", "task must be"),
        ("3=a,5=1", "task must be"),
        ("=1,5=-1", "task must be"),
        ("3=1,5=1", "must be -1 and \\+1, or 0..K-1"),
        ("3=0", "K >= 2"),
        ("3=0,5=2", "got \\[0, 2\\]"),
        ("3=-1,5=0,7=1", "got \\[-1, 0, 1\\]"),
        ("3=-1,3=1", "each class once"),
        ("0-4=-1,4-9=1", "each class once"),
        ({}, "K >= 2"),
        ({"a": 1.0, "b": -1.0}, "integers"),
        ({"a": True, "b": False}, "integers"),
        ("12=-1,3=1", "classes, which are 0, 1.* got '12'"),
        ({3: -1, "3": 1}, "each class once"),
        ({-1: -1, "3": 1}, "got -1"),
    ],
)
def test_wrong_tasks_are_errors(task, message):
    with pytest.raises(ValueError, match=message):
        load_data("digits", task)


def test_tasks_select_and_label():
    classes = load_data("digits", "classes")
    data = load_data("digits", {"8": 1, 0: -1, 3: -1})
    assert (data.outputs, data.classes, data.task) == (1, ("0 or 3", "8"), "8=+1,0=-1,3=-1")
    kept = (classes.train_labels[:, None] == torch.tensor([0, 3, 8])).any(1)
    assert torch.equal(data.train_points, classes.train_points[kept])
    assert torch.equal(data.train_labels, (classes.train_labels[kept] == 8) * 2 - 1)
    three = load_data("digits", "9=0,1-2=1,5=2")
    assert (three.outputs, three.classes) == (3, ("9", "1 or 2", "5"))
    assert three.test_labels.unique().tolist() == [0, 1, 2]


# -- subsets and tensors ---------------------------------------------------------------------------


@given(train=st.integers(10, 1437), seed=st.integers(0, 100))
def test_subsets_are_random_parts_with_the_same_shares(train, seed):
    whole = load_data("digits", "classes")
    part = whole.subset(train, None, seed)
    assert len(part.train_points) == len(part.train_labels) == train
    assert part.test_points is whole.test_points or torch.equal(part.test_points, whole.test_points)
    shares = whole.train_labels.bincount() * (train / 1437)
    assert (part.train_labels.bincount(minlength=10) - shares).abs().max() <= 1.5
    rows = {
        (label, *row)
        for label, row in zip(
            whole.train_labels.tolist(), whole.flat().train_points.tolist(), strict=True
        )
    }
    found = [
        (label, *row)
        for label, row in zip(
            part.train_labels.tolist(), part.flat().train_points.tolist(), strict=True
        )
    ]
    assert set(found) <= rows
    assert len(set(found)) == train  # digits are distinct
    assert same(part, whole.subset(train, None, seed))
    assert torch.equal(whole.subset(10, None, seed).train_points, part.train_points[:10])
    assert train > 1400 or not torch.equal(
        whole.subset(train, None, seed + 1).train_points, part.train_points
    )


@pytest.mark.parametrize(
    ("numbers", "message"),
    [((0, 5), "train_points must be in 1..1437"), ((5, 361), "test_points must be in 1..360")],
)
def test_subsets_have_bounds(numbers, message):
    with pytest.raises(ValueError, match=message):
        load_data().subset(*numbers)


def test_data_move_between_devices():
    data = load_data().to("meta")
    assert {
        t.device.type
        for t in (data.train_points, data.train_labels, data.test_points, data.test_labels)
    } == {"meta"}


X, Y = torch.rand(4, 3), torch.tensor([0, 1, 2, 1])


def test_own_tensors():
    data = Dataset.from_tensors(X, Y.int(), X[:2], Y[:2])
    assert (data.outputs, data.shape, data.classes, data.train_labels.dtype) == (
        3,
        (3,),
        ("0", "1", "2"),
        torch.int64,
    )
    assert Dataset.from_tensors(X, Y, X, Y, outputs=5).outputs == 5
    signed = Dataset.from_tensors(
        (X * 255).byte(), 2 * (Y % 2) - 1, (X * 255).byte(), 2 * (Y % 2) - 1, classes=("no", "yes")
    )
    assert (signed.outputs, signed.classes) == (1, ("no", "yes"))
    assert float(signed.flat().train_points.max()) <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X[:0], Y[:0], X, Y), "train_points must have shape .* N >= 1"),
        ((X, Y[:3], X, Y), "train_labels must have shape \\(4,\\)"),
        ((X, Y, X, Y[:, None]), "test_labels must have shape"),
        ((X, Y, X, Y + 1), "test_labels must be 0..2 .* got 3 at index 2"),
        ((X, Y - 1, X, Y), "train_labels must be -1 or \\+1 .* got 0 at index 1"),
        ((X, Y * 0, X, Y), "got only 0"),
        ((X, Y.float(), X, Y), "train_labels must be integers, got torch.float32"),
        (
            (X * float("nan"), Y, X, Y),
            "train_points must lie in \\[0, 1\\], got values in \\[nan, nan",
        ),
        ((X, Y, X * 255, Y), "test_points must lie in .* give them as uint8"),
        ((X - 1, Y, X, Y), "train_points must lie in"),
        ((X.long(), Y, X, Y), "uint8 .* got torch.int64"),
        ((X, Y, X.double(), Y), "one shape and dtype"),
        ((X, Y, X[:, :2], Y), "one shape and dtype"),
        ((X[0], Y, X, Y), "train_points must have shape"),
    ],
)
def test_unfit_tensors_are_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        Dataset.from_tensors(*arguments)


def test_lists_and_arrays_are_read_what_is_no_number_is_an_error():
    data = Dataset.from_tensors(X, Y, X.numpy()[:, ::-1], [0, 1, 2, 1])
    assert torch.equal(data.test_points, X.flip(1))
    assert data.test_labels.tolist() == [0, 1, 2, 1]
    with pytest.raises(TypeError, match="test_labels must be numbers of up to 64 bits, got <U1"):
        Dataset.from_tensors(X, Y, X, ["0", "1", "2", "1"])


def test_wrong_names_are_errors():
    with pytest.raises(ValueError, match="classes must name 3 labels"):
        Dataset.from_tensors(X, Y, X, Y, classes=("a", "b"))
    with pytest.raises(ValueError, match="outputs must be at least 1"):
        Dataset.from_tensors(X, Y, X, Y, outputs=0)


# -- folders and tar files of images ---------------------------------------------------------------


def test_folders_and_tar_files_give_the_same_images(tmp_path):
    contents = files({"dog": 3, "cat": 2})
    noise = {"train/readme.txt": b"?", "train/cat/._000.png": b"?", "train/cat/.DS_Store": b"?"}
    data = load_data(write_folder(tmp_path / "folder", contents | noise), "classes")
    assert (data.shape, data.train_points.dtype, data.classes, data.outputs) == (
        (3, 5, 4),
        torch.uint8,
        ("cat", "dog"),
        2,
    )
    assert data.train_labels.tolist() == [0, 0, 1, 1, 1]
    expected = [picture(value).transpose(2, 0, 1) for value in (3, 4, 0, 1, 2)]
    assert torch.equal(data.train_points, torch.from_numpy(np.stack(expected)))
    assert "lossy" not in data.source
    backwards = dict(reversed((contents | noise).items()))
    for name, mode, prefix in (
        ("a.tar", "w", ""),
        ("b.tar.gz", "w:gz", "./"),
        ("c.tgz", "w:gz", "some/where/"),
    ):
        assert same(data, load_data(write_tar(tmp_path / name, backwards, mode, prefix), "classes"))


def test_grey_images_jpeg_files_and_numbers_as_names(tmp_path):
    contents = {
        f"{part}/{name}/x.PNG": encoded(picture(0, (6, 6)))
        for part in ("train", "test")
        for name in ("10", "9", "2")
    }
    assert load_data(write_folder(tmp_path / "grey", contents), "classes").shape == (1, 6, 6)
    assert load_data(tmp_path / "grey", "classes").classes == ("2", "9", "10")
    # names come before numbers
    assert load_data(tmp_path / "grey", "2=-1,9-10=+1").classes == ("2", "9 or 10")
    data = load_data(write_folder(tmp_path / "photos", files({"a": 2, "b": 2}, kind="jpg")))
    assert (
        "JPEG files: lossy, so accuracies are not comparable digit for digit with the original "
        "images" in data.source
    )
    assert (data.train_points[0].numpy().transpose(1, 2, 0) != picture(0)).any()


def test_images_without_a_division_are_split_by_class_and_seed(tmp_path):
    folder = write_folder(tmp_path, files({"a": 30, "b": 10}, parts=("",)))
    data = load_data(folder, "classes", seed=1)
    assert data.train_labels.bincount().tolist() == [24, 8]
    assert data.test_labels.bincount().tolist() == [6, 2]
    everything = torch.cat([data.train_points, data.test_points]).flatten(1)
    assert len(everything.unique(dim=0)) == len({picture(v).tobytes() for v in range(40)})
    assert same(data, load_data(folder, "classes", seed=1))
    assert not torch.equal(data.test_points, load_data(folder, "classes", seed=2).test_points)


GOOD = files({"a": 2, "b": 2})
LONG_PNG = encoded(picture(0, (1, 2**22 + 1)))


def huge_png():
    """A small file that claims 60,000 x 60,000 pixels."""
    header = (60000).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    parts = (
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"test/b/002.png": encoded(picture(0, (4, 5, 3)))},
            "one size: .*002.png is 4x5x3, .* is 5x4x3",
        ),
        ({"test/b/002.png": encoded(picture(0, (5, 4)))}, "one size: .*002.png is 5x4,"),
        (
            {"train/a/000.png": GOOD["train/a/000.png"][:-30]},
            "train/a/000.png .* is damaged or no PNG or JPEG image",
        ),
        ({"train/a/000.jpg": b"GIF89a"}, "train/a/000.jpg .* is damaged or no PNG"),
        ({"train/a/000.png": huge_png()}, "train/a/000.png .*(pixels|bomb)"),
        ({"train/a/000.png": LONG_PNG}, "train/a/000.png .* at most 4,194,304 pixels"),
        (
            {"train/a/000.png": encoded(picture(0, (5, 4, 4)))},
            "train/a/000.png .* must be 8-bit grey or RGB .* got RGBA",
        ),
        ({"train/a/000.png": encoded(picture(0, (5, 4)).astype(np.uint16))}, "got I;16"),
        ({"x.png": GOOD["train/a/000.png"]}, "x.png .* must lie in a folder named after its class"),
        (
            {"val/a/000.png": GOOD["train/a/000.png"]},
            "must hold images train/CLASS/FILE .* got .*val/a/000.png",
        ),
        (
            {"test/c/000.png": GOOD["train/a/000.png"]},
            "training images of each label, got none of c",
        ),
        ({"train/c/000.png": GOOD["train/a/000.png"]}, "test images of each label, got none of c"),
    ],
)
@pytest.mark.parametrize("tar", [False, True])
def test_unfit_images_are_errors_that_name_them(tmp_path, tar, changes, message):
    contents = GOOD | changes
    place = (
        write_tar(tmp_path / "x.tar.gz", contents)
        if tar
        else write_folder(tmp_path / "x", contents)
    )
    with pytest.raises(ValueError, match=message):
        load_data(place, "classes")


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"a.txt": b""}, "must hold images .* got none"),
        (files({"a": 2}), "two classes or more, got a"),
        (
            files({"a": 1, "b": 1}, parts=("train",)),
            "must hold images train/CLASS/FILE and test/CLASS/FILE",
        ),
        (files({"a": 2, "b": 2}, parts=("",)), "test images of each label, got none of"),
    ],
)
def test_incomplete_folders_are_errors(tmp_path, contents, message):
    with pytest.raises(ValueError, match=message):
        load_data(write_folder(tmp_path, contents), "classes")


def test_damaged_tar_files_are_errors_wherever_they_are_cut(tmp_path):
    plain = write_tar(tmp_path / "x.tar", GOOD, "w").read_bytes()
    packed = gzip.compress(plain)
    members = 1024 * len(GOOD)
    cuts = [plain[:n] for n in (0, 100, 512, 1024, 1500, members - 1024, members - 512, members)]
    damaged = bytearray(packed)
    damaged[-6] ^= 1  # the checksum
    for content in (
        *cuts,
        *(packed[:n] for n in range(1, len(packed), 97)),
        bytes(damaged),
        b"no tar file" * 100,
    ):
        (tmp_path / "cut").write_bytes(content)
        with pytest.raises(ValueError, match="cut is no tar file, or truncated or damaged"):
            load_data(tmp_path / "cut")
    assert load_data(tmp_path / "x.tar").shape == (3, 5, 4)


def test_tar_files_extract_nothing_and_follow_no_links(tmp_path):
    path = write_tar(tmp_path / "x.tar", GOOD | {"../escape.txt": b"!", "/absolute.txt": b"!"}, "w")
    with tarfile.open(path, "a") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo("train/a/link.png")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    before = sorted(tmp_path.rglob("*"))
    assert len(load_data(path).train_points) == 4
    assert sorted(tmp_path.rglob("*")) == before


def test_an_oversized_member_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "FILE_LIMIT", 1000)
    with pytest.raises(ValueError, match=r"train/a/9.png .* at most 1,000 bytes, got 5,000"):
        load_data(write_tar(tmp_path / "x.tgz", GOOD | {"train/a/9.png": b"0" * 5000}))


@pytest.mark.parametrize("name", ["cifar", "no/such/folder.tar.gz"])
def test_unknown_data_are_errors(name):
    with pytest.raises(ValueError, match="data must be digits, mnist, cifar10, or the path"):
        load_data(name)
    with pytest.raises(ValueError, match="seed must be >= 0"):
        load_data(seed=-1)


# -- MNIST and CIFAR-10 ----------------------------------------------------------------------------


def test_digests_and_folders_are_those_of_torchvision():
    from torchvision.datasets import CIFAR10, MNIST

    assert dict([*CIFAR10.train_list, *CIFAR10.test_list]) == image_files.CIFAR10
    assert Path(CIFAR10.base_folder) == image_files.FOLDERS["cifar10"][0]
    assert [Path(url).stem for url, _ in MNIST.resources] == list(image_files.MNIST)


def publish(monkeypatch, folder, name, contents):
    """Make `contents` the published files of a data set."""
    place, _ = image_files.FOLDERS[name]
    digests = {
        file: hashlib.md5(content, usedforsecurity=False).hexdigest()
        for file, content in contents.items()
    }
    monkeypatch.setitem(image_files.FOLDERS, name, (place, digests))
    return write_folder(folder / place, contents)


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    images = {"train": picture(0, (20, 28, 28)), "t10k": picture(5, (10, 28, 28))}
    contents = {}
    for part, values in images.items():
        contents[f"{part}-images-idx3-ubyte"] = idx(values)
        contents[f"{part}-labels-idx1-ubyte"] = idx((np.arange(len(values)) % 10).astype(np.uint8))
    return images, publish(monkeypatch, tmp_path, "mnist", contents)


def test_mnist_is_read_from_a_given_folder_or_the_environment(small_mnist, tmp_path, monkeypatch):
    images, _ = small_mnist
    data = load_data("mnist", "classes", root=tmp_path)
    assert np.array_equal(data.train_points[:, 0].numpy(), images["train"])
    assert np.array_equal(data.test_points[:, 0].numpy(), images["t10k"])
    assert data.train_labels.tolist() == [*range(10)] * 2
    monkeypatch.setenv("CGRO_DATA", str(tmp_path))
    assert same(data, load_data("mnist", "classes"))
    monkeypatch.delenv("CGRO_DATA")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"data{os.sep}MNIST.* cannot be read .* CGRO_DATA"):
        load_data("mnist")


@pytest.mark.parametrize("name", list(image_files.MNIST))
def test_damaged_and_missing_mnist_files_are_errors(small_mnist, tmp_path, name):
    _, folder = small_mnist
    whole = (folder / name).read_bytes()
    for content in (whole[:-1], whole[:4], b"", b"\0\0\x0b\x03" + whole[4:], whole + b"\0"):
        (folder / name).write_bytes(content)
        with pytest.raises(
            ValueError, match=f"{name} is truncated, damaged or not the published file: delete it"
        ):
            load_data("mnist", root=tmp_path)
    (folder / name).unlink()
    with pytest.raises(ValueError, match=rf"{name} cannot be read .*\(download=True\)"):
        load_data("mnist", root=tmp_path)


def python2_pickle(data, labels):
    """A batch as CIFAR-10's are: pickled by Python 2 and an old NumPy."""
    content = pickle.dumps({"data": data, "labels": labels}, protocol=2)
    return content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray").replace(
        b"\x89\x88\x87", b"K\x00K\x01\x87"
    )


def test_cifar10_is_read_from_old_pickles(tmp_path, monkeypatch):
    contents = {
        name: python2_pickle(picture(k, (10, 3072)), [*range(10)])
        for k, name in enumerate(image_files.CIFAR10)
    }
    publish(monkeypatch, tmp_path, "cifar10", contents)
    data = load_data("cifar10", "cat=-1,dog=+1", root=tmp_path)
    assert (data.shape, data.train_labels.tolist(), data.test_labels.tolist()) == (
        (3, 32, 32),
        [-1, 1] * 5,
        [-1, 1],
    )
    assert np.array_equal(data.test_points[0].numpy(), picture(5, (10, 3, 32, 32))[3])


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_tampered_pickle_is_refused_before_it_is_loaded(tmp_path, monkeypatch):
    contents = {
        name: python2_pickle(picture(k, (10, 3072)), [*range(10)])
        for k, name in enumerate(image_files.CIFAR10)
    }
    folder = publish(monkeypatch, tmp_path, "cifar10", contents)
    content = pickle.dumps(Trap(str(tmp_path / "sprung")))
    (folder / "test_batch").write_bytes(content)
    with pytest.raises(
        ValueError, match="test_batch is truncated, damaged or not the published file"
    ):
        load_data("cifar10", root=tmp_path)
    assert not (tmp_path / "sprung").exists()
    pickle.loads(content)  # the trap works
    assert (tmp_path / "sprung").exists()


def test_data_are_downloaded_only_on_request_and_only_if_missing(
    small_mnist, tmp_path, monkeypatch
):
    _, folder = small_mnist
    asked, content = [], (folder / "t10k-labels-idx1-ubyte").read_bytes()

    def download(root, *, download):
        asked.append((root, download))
        (folder / "t10k-labels-idx1-ubyte").write_bytes(content)

    monkeypatch.setattr("torchvision.datasets.MNIST", download)
    load_data("mnist", root=tmp_path, download=True)
    assert asked == []
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        load_data("mnist", root=tmp_path)
    assert asked == []
    load_data("mnist", root=tmp_path, download=True)
    assert asked == [(tmp_path, True)]

    def fail(root, *, download):
        raise OSError("no network")

    monkeypatch.setattr("torchvision.datasets.MNIST", fail)
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(OSError, match=r"mnist cannot be downloaded to .*: no network"):
        load_data("mnist", root=tmp_path, download=True)


def test_real_mnist(data_folder):
    if not (Path(data_folder) / "MNIST" / "raw").exists():
        pytest.skip("no MNIST in CGRO_DATA")
    data = load_data("mnist", "classes")
    assert (data.train_points.shape, data.test_points.shape) == (
        (60000, 1, 28, 28),
        (10000, 1, 28, 28),
    )
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert data.train_labels.bincount().tolist() == counts
    assert load_data("mnist", "0-4=-1,5-9=+1").train_labels.sum() == sum(counts[5:]) - sum(
        counts[:5]
    )


@pytest.mark.slow
def test_a_tar_file_of_60000_photographs(data_folder):
    path = Path(data_folder) / "cifar10-jpeg.tar.gz"
    if not path.exists():
        pytest.skip("no cifar10-jpeg.tar.gz in CGRO_DATA")
    data = load_data(path, "classes")
    assert (data.train_points.shape, data.test_points.shape) == (
        (50000, 3, 32, 32),
        (10000, 3, 32, 32),
    )
    assert data.classes == image_files.CIFAR10_CLASSES
    assert data.train_labels.bincount().tolist() == [5000] * 10
    assert data.test_labels.bincount().tolist() == [1000] * 10


# -- augmentation ----------------------------------------------------------------------------------


def shifted(image, down, right, mirror):
    """The crop at (down, right) of a zero-padded image, by indices."""
    _, height, width = image.shape
    result = torch.zeros_like(image)
    for i in range(height):
        for j in range(width):
            a, b = i + down, (width - 1 - j if mirror else j) + right
            if 0 <= a < height and 0 <= b < width:
                result[:, i, j] = image[:, a, b]
    return result


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_augmented_images_are_shifted_and_mirrored_copies_each_equally_often(dtype):
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(1, 256, (2, 4, 3), generator=generator).to(dtype)
    copies = {
        (down, right, mirror): shifted(image, down, right, mirror)
        for down in range(-1, 2)
        for right in range(-1, 2)
        for mirror in (False, True)
    }
    found = augment(image.expand(9000, 2, 4, 3), generator, pad=1)
    assert found.dtype == dtype
    counts = {key: int((found == copy).flatten(1).all(1).sum()) for key, copy in copies.items()}
    assert sum(counts.values()) == 9000
    assert all(abs(count - 500) < 110 for count in counts.values())  # five standard deviations
    plain = augment(image.expand(1000, 2, 4, 3), generator, pad=1, flip=False)
    assert (
        sum(
            int((plain == copy).flatten(1).all(1).sum())
            for key, copy in copies.items()
            if not key[2]
        )
        == 1000
    )


def test_augmentation_is_seeded_keeps_its_input_and_can_do_nothing():
    images = torch.rand(50, 3, 8, 8)
    before = images.clone()
    first, again, other = (
        augment(images, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(images, before)
    assert torch.equal(augment(images, None, pad=0, flip=False), images)
    assert augment(images[:0], None).shape == (0, 3, 8, 8)


def test_augmentation_needs_images():
    with pytest.raises(ValueError, match="points must be images of shape"):
        augment(torch.rand(5, 64), None)
    with pytest.raises(ValueError, match="pad must be >= 0, got -1"):
        augment(torch.rand(5, 1, 8, 8), None, pad=-1)
