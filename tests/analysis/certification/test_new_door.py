"""What is proved of a network is proved of its module and its file: the same layers come back, and
the certificate holds.
"""

import itertools

import numpy as np
import pytest
import torch
from plain_networks import cgro, ladder

from analysis import certify_box
from analysis.certification.check_files import check_file
from analysis.search.prepared import prepare
from constructions import (
    Ball,
    ReLUNetwork,
    affine,
    compose,
    distance,
    f_adv,
    f_S,
    lean_indicator,
    multiplication,
    read_network,
    soft_indicator,
    squaring,
    write_onnx,
)

RNG = np.random.default_rng(0)
CLEAN = affine([[4.0, -1.0]], [-1.0])
POINTS, LABELS = [[0.25, 0.5], [0.75, 0.5]], [1, -1]


def random_network(*sizes):
    pairs = itertools.pairwise(sizes)
    return ReLUNetwork.from_layers(
        [(RNG.standard_normal((b, a)), RNG.standard_normal(b)) for a, b in pairs]
    )


NETWORKS = {
    "squaring": squaring(4),
    "multiplication": multiplication(3, 1),
    "l_inf distance": distance([0.3, 0.6], "inf"),
    "soft indicator": soft_indicator(0.25, 0.5),
    "lean indicator": lean_indicator([0.25, 0.5], 0.125, 0.25),
    "f_S": f_S(CLEAN, POINTS, LABELS, Ball("inf", 0.125)),
    "f_S, gate": f_S(CLEAN, POINTS, LABELS, Ball(2, 0.1), variant="gate", m=6),
    "f_adv": f_adv(CLEAN, POINTS, LABELS, Ball("inf", 0.125), margins=[-1.0, -1.0]),
    "ladder": ReLUNetwork.from_layers(ladder(3)),
    "plain f_S": ReLUNetwork.from_layers(cgro(3, 4)[0]),
    "random": random_network(3, 8, 8, 1),
    "random, three classes": random_network(2, 6, 3),
    "carried": compose(affine([[1.0, 1.0, 1.0]], [0.5]), affine([[-(2.0**60)], [-1.0], [2.0**60]])),
}


def decided(network):
    """A certificate of small boxes around points of the unit cube, for the label there; None if
    nothing was resolved.
    """
    for _ in range(5):
        x = torch.from_numpy(RNG.integers(0, 2**10, network.inputs) / 2.0**10)
        values = network.exact(x).tolist()
        label = (1 if values[0] > 0 else -1) if len(values) == 1 else values.index(max(values))
        found = certify_box(
            network, ((x - 2.0**-7).clamp(0, 1), (x + 2.0**-7).clamp(0, 1)), label, max_seconds=5.0
        )
        if found.verdict != "unresolved":
            return found
    return None


@pytest.mark.parametrize("name", NETWORKS)
def test_a_certificate_holds_of_the_module_and_of_the_file(tmp_path, name):
    network = NETWORKS[name].restrict(None)
    result = decided(network)
    assert result is not None
    result.save(tmp_path / "c.json")
    write_onnx(network, tmp_path / "a.onnx", dtype="float64")
    for source in (network.to_module("dense"), tmp_path / "a.onnx"):
        again = read_network(source)
        assert again.origin.is_exact
        assert again.origin.carried == 0
        assert prepare(again).digest == prepare(network).digest
        (finding,) = check_file(tmp_path / "c.json", again)
        assert finding.reason == ""
    last = network.layers[-1].bias.to_dense()[:, 0] + 1.0
    other = ReLUNetwork((*network.layers[:-1], affine(network.layers[-1].weight, last).layers[0]))
    with pytest.raises(ValueError, match="is not about this network"):
        check_file(tmp_path / "c.json", other)
