"""`check_certificate`: what the standalone checkers say, asked from Python."""

import json
from fractions import Fraction

import numpy as np
import pytest

from analysis import (
    boundary_distance,
    certificate_of,
    certify,
    certify_memorization,
    check_certificate,
    decide,
)
from constructions import Ball, Property, affine, f_S

NETWORK = affine([[1.0, -1.0]])
PROVED = certify(NETWORK, [0.75, 0.25], Ball("inf", 0.125), 1)
REFUTED = certify(NETWORK, [0.75, 0.25], Ball("inf", 0.25), 1)


def test_results_are_checked_one_or_several():
    found = check_certificate(PROVED, NETWORK)
    assert found
    assert found.accepted
    assert found.statements[0].startswith("proved: margin >= 0.25 > 0 for label 1")
    both = check_certificate([PROVED, REFUTED])
    assert [text.partition(":")[0] for text in both.statements] == ["proved", "refuted"]
    assert both.reasons == ("", "")
    assert "accepted" in repr(both)
    assert "100% (exact, 2 of 2)" in repr(both)


def test_files_and_their_content(tmp_path):
    content = certificate_of([PROVED])
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(content))
    assert (
        check_certificate(path, NETWORK)
        == check_certificate(str(path), NETWORK)
        == check_certificate(content, NETWORK)
    )
    content["queries"][0]["bound"] = "7"
    forged = check_certificate(content)
    assert not forged
    assert forged.statements == ("",)
    assert "the proof does not give the bound" in forged.reasons[0]
    assert "rejected: query 0" in repr(forged)


def test_properties_need_their_network():
    network = affine([[1.0, 0.0], [0.0, 1.0]])
    asked = Property.robust([0.75, 0.25], Ball("inf", 0.125), 0, 2)
    found = decide(network, asked)
    assert check_certificate(found, network, property=asked)
    assert check_certificate(found)
    other = Property.robust([0.75, 0.25], Ball("inf", 0.2), 0, 2)
    refused = check_certificate(found, network, property=other)
    assert not refused
    assert "do not cover" in refused.about
    with pytest.raises(ValueError, match="give the property"):
        check_certificate(found, network)


def test_memorization(tmp_path):
    points, labels, ball = [[0.25, 0.5], [0.75, 0.5]], [1, -1], Ball("inf", 0.125)
    network = f_S(affine([[4.0, 0.0]], [-2.0]), points, labels, ball)
    assert check_certificate(certify_memorization(network, points, labels, ball), network)
    with pytest.raises(ValueError, match="is not about this network"):
        check_certificate(certify_memorization(network, points, labels, ball), NETWORK)


@pytest.mark.parametrize("thing", [3, None, np.zeros(2), {"format": 1}])
def test_what_is_no_certificate_is_refused(thing):
    with pytest.raises(ValueError, match="certificate"):
        check_certificate(thing)


def test_distances_name_their_label():
    found = boundary_distance(NETWORK, [0.75, 0.25], "inf")
    assert found.label == 1
    assert "of label 1" in repr(found)
    lower, upper = found
    assert lower <= Fraction(1, 4) <= upper
    assert found == (lower, upper)
    tie = boundary_distance(NETWORK, [0.5, 0.5], "inf")
    assert (tie.label, tie.lower, tie.upper) == (None, 0, 0)
    assert "distance 0 (exact)" in repr(tie)
    given = boundary_distance(NETWORK, [0.75, 0.25], "inf", label=-1)
    assert (given.label, given.upper) == (-1, 0)
