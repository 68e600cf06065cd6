"""f_S on MNIST images, where CGRO_DATA names a folder that has them (torchvision's layout)."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis import certify_memorization, clean_error, save_points
from analysis.behaviour.zones import outer_radius, zones
from analysis.checkers import check_balls
from constructions import Ball, ReLUNetwork, closed_form, f_S, separation
from training import Dataset, TrainingConfig, is_error, load_data, mlp, train


@pytest.fixture(scope="module")
def mnist(request):
    folder = request.getfixturevalue("data_folder")

    def read(name, count):
        raw = (Path(folder) / "MNIST" / "raw" / name).read_bytes()
        images = "images" in name
        values = np.frombuffer(raw, dtype=np.uint8, offset=16 if images else 8)
        return (values.reshape(-1, 784) if images else values)[:count]

    return [
        read(f"{part}-{kind}", count)
        for part, count in (("train", 1000), ("t10k", 200))
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
    ]


@pytest.mark.parametrize(
    ("p", "radius"), [("inf", 0.1), pytest.param(2, 1.0, marks=pytest.mark.slow)]
)
def test_f_s_memorizes_mnist_images_robustly(mnist, p, radius, tmp_path):
    train_images, train_digits, test_images, test_digits = mnist
    points, others = (torch.from_numpy(images / 255.0) for images in (train_images, test_images))
    labels, other_labels = (
        torch.from_numpy(2 * (digits % 2).astype(np.int64) - 1)
        for digits in (train_digits, test_digits)
    )
    model = mlp([784, 32, 1])
    data = Dataset.from_tensors(points, labels, others, other_labels)
    train(TrainingConfig(epochs=5, final_attack="clean"), tmp_path / "run", data=data, model=model)
    clean, ball = ReLUNetwork.from_module(model), Ball(p, radius)
    network = f_S(clean, points, labels, ball)
    proof = certify_memorization(network, points, labels, ball)
    exact = separation(train_images, labels.numpy(), norm=p)
    assert exact.is_exact
    assert proof.separation == pytest.approx(exact.distance, rel=1e-12)
    assert proof.separation > 0.7
    assert (proof.verdict, proof.bound) == ("proved", 1)
    expected = closed_form(ball.p, "lean", (32,)).subs(
        {"N": 1000, "D": 784, "m": network.provenance.arguments.get("m", 1)}
    )
    assert network.size.parameters <= expected  # pixels that are 0 save biases
    perturbed = ball.sample(points[:50]).clamp(0, 1)
    assert torch.allclose(network(perturbed)[:, 0], labels[:50].double(), atol=1e-9)
    where = zones(others, points, ball, outer_radius(network, ball))
    assert where.outside.sum() > 180
    values, clean_values = network(others), clean(others)
    assert torch.allclose(values[where.outside], clean_values[where.outside], atol=1e-12)
    assert (is_error(values, other_labels) != is_error(clean_values, other_labels)).sum() <= (
        ~where.outside
    ).sum()
    assert clean_error(network, points[:50], labels[:50]).value == 0


@pytest.mark.slow
def test_mnist_separations_are_those_of_the_literature(data_folder):
    """Yang et al. 2020, Table 1: 0.737 between training points of different classes, 0.812 between
    these and test points.
    """
    data = load_data("mnist", "classes", root=data_folder)
    points, labels = data.train_points.flatten(1).numpy(), data.train_labels.numpy()
    found = separation(points, labels)
    assert (found.distance, found.is_exact) == (188 / 255, True)
    i, j = found.pair
    assert labels[i] != labels[j]
    assert np.abs(points[i].astype(int) - points[j]).max() == 188
    found = separation(
        points, labels, data.test_points.flatten(1).numpy(), data.test_labels.numpy()
    )
    assert (found.distance, found.is_exact) == (207 / 255, True)


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["inf", 2])
def test_f_s_of_a_part_of_mnist(data_folder, norm, tmp_path):
    """What the screen computes is the whole network; all balls are certified, and a changed label
    is not.
    """
    data = load_data("mnist", "parity", root=data_folder).subset(10_000, 1000)
    images, labels = data.train_points.flatten(1).numpy(), data.train_labels.numpy()
    points, ball = images / 255.0, Ball(norm, 0.1 if norm == "inf" else 1.0)
    network = f_S(mlp([784, 32, 1], 0), points, labels, ball)
    test = data.flat(torch.float32).test_points
    chosen = torch.cat([test[:3], torch.from_numpy(points[:3]).float() + 0.001]).clamp(0, 1)
    with torch.no_grad():
        assert torch.allclose(network(chosen), network(chosen, screened=False), atol=1e-4)
        assert (
            network(torch.from_numpy(points[:500]).float()).sign().flatten()
            == data.train_labels[:500]
        ).all()
    proof = certify_memorization(network, points, labels, ball)
    assert proof.verdict == "proved"
    save_points(tmp_path / "points.npz", images, labels)
    check_balls.check(json.loads(json.dumps(proof.certificate)), images, labels)
    labels[7] = -labels[7]
    with pytest.raises(ValueError, match="digest"):
        check_balls.check(proof.certificate, images, labels)
