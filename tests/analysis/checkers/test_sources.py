"""What certificates say of the file or module that a network was read from: compared, bounded
again, and never believed.
"""

import copy
import functools
import gzip
import json
import random
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import torch
from forging import contradicted, forge, renew
from torch import nn

from analysis import certify, certify_box, decide
from analysis.certification.check_files import check_file
from analysis.certification.check_network import read_decision
from analysis.certification.queries import Query, certify_all
from analysis.checkers import check_certificate as checker
from analysis.commands.cli import main
from analysis.search.sets import ExactSet
from constructions import (
    Ball,
    Dense,
    Origin,
    Property,
    ReLUNetwork,
    affine,
    compose,
    load,
    read_network,
    write_onnx,
    write_vnnlib,
)
from constructions.graphs.origin import Errors
from constructions.linear.matrix import column

BOX = [0.5, 0.25], [1.0, 1.0]
NNET = "2,2,1,3,\n2,2,1,\n0,\n-4,-4,\n4,4,\n0,0,0,\n1,1,1,\n1,0,\n{0},1,\n0,\n0,\n1,1,\n-0.5,\n"


def normed(scale=3.0):
    """A module with a batch normalisation that float64 does not hold."""
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1), nn.BatchNorm1d(1))
    with torch.no_grad():
        for layer in (module[0], module[2]):
            layer.weight.fill_(1.0)
            layer.bias.zero_()
        module[3].running_var.fill_(scale)
    return module.double().eval()


def written(folder, suffix, weight=1.0):
    """A file of a network of two layers."""
    path = folder / f"{weight}{suffix}"
    layers = [([[1.0, 0.0], [weight, 1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [-0.5])]
    if suffix == ".nnet":
        path.write_text(NNET.format(weight))
    elif suffix == ".npz":
        (w0, b0), (w1, b1) = layers
        np.savez(path, W0=w0, b0=b0, W1=w1, b1=b1)
    elif suffix == ".safetensors":
        ReLUNetwork.from_layers(layers).save(path)
    else:
        write_onnx(ReLUNetwork.from_layers(layers), folder / "plain.onnx")
        content = (folder / "plain.onnx").read_bytes()
        path.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
    return path


def run(certificate, *options):
    """The checker alone: (status, what it prints)."""
    done = subprocess.run(
        [sys.executable, "-I", checker.__file__, certificate, *options],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def rejected(said):
    status, text = said
    return status == 1 and text.startswith("rejected: ") and len(text.splitlines()) == 1


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".onnx", ".onnx.gz", ".nnet", ".npz", ".safetensors"])
def test_a_certificate_is_of_one_file(tmp_path, suffix, capsys):
    own, other = written(tmp_path, suffix), written(tmp_path, suffix, 0.5)
    cert, asked = tmp_path / "c.json", tmp_path / "p.vnnlib"
    certify_box(own, BOX, 1).save(cert)
    write_vnnlib(asked, BOX, 1)
    whole = tmp_path / "whole.json"
    whole.write_text(json.dumps(decide(own, asked).certificate))
    for path, more in ((cert, []), (whole, ["--vnnlib", str(asked)])):
        check = ["check-certificate", str(path), "--network"]
        assert main([*check, str(own), *more]) == 0
        assert main([*check, str(other), *more]) == 2
        if suffix == ".safetensors":  # our own files are compared by their layers
            assert rejected(run(path, "--network", own))
            continue
        status, text = run(path, "--network", own)
        assert status == 0, text
        assert "SHA-256 compared, layers not (cgro check-certificate" in text.splitlines()[-1]
        assert "SHA-256 and layers not compared" in run(path)[1].splitlines()[-1]
        assert rejected(run(path, "--network", other))
    capsys.readouterr()


def test_other_bytes_are_another_file_for_both_checkers(tmp_path, capsys):
    """The same layers, written in another file."""
    path, cert, again = written(tmp_path, ".npz"), tmp_path / "c.json", tmp_path / "again.npz"
    certify_box(path, BOX, 1).save(cert)
    np.savez_compressed(again, **np.load(path))
    for other in (again, written(tmp_path, ".safetensors"), written(tmp_path, ".onnx")):
        assert rejected(run(cert, "--network", other))
        assert main(["check-certificate", str(cert), "--network", str(other)]) == 2
        assert "rejected: " in capsys.readouterr().out


def test_what_is_no_such_file_is_rejected(tmp_path):
    path, cert = written(tmp_path, ".onnx"), tmp_path / "c.json"
    certify_box(path, BOX, 1).save(cert)
    short, broken = tmp_path / "short.onnx", tmp_path / "broken.onnx.gz"
    short.write_bytes(path.read_bytes()[:-1])
    broken.write_bytes(gzip.compress(path.read_bytes())[:-9])
    for file in (short, broken, tmp_path, tmp_path / "missing", ""):
        assert rejected(run(cert, "--network", file)), file
    for options in (["--network"], ["--net", path], ["--network", path, path], [path]):
        assert rejected(run(cert, *options)), options
    certify_box(affine([[1.0, 1.0]]), BOX, 1).save(cert)
    assert rejected(run(cert, "--network", path))  # it names no file
    module = nn.Linear(2, 1)
    with torch.no_grad():
        module.weight.fill_(1.0)
        module.bias.zero_()
    certify_box(read_network(module), BOX, 1).save(cert)
    status, text = run(cert, "--network", path)
    assert rejected((status, text))
    assert "names no file that its network was read from, but a module" in text
    assert run(cert)[0] == 0


def test_certificates_of_properties_say_what_was_not_compared(tmp_path, capsys):
    path, cert = written(tmp_path, ".onnx"), tmp_path / "c.json"
    asked = Property(BOX, [([[-1.0]], [0.0])])
    content = decide(path, asked).certificate
    cert.write_text(json.dumps(content))
    status, text = run(cert, "--network", path)
    query, asked_for, source = text.splitlines()
    assert status == 0
    assert " > 0 for label 0 of a margin network on the box [0.5, 1] x [0.25, 1]; " in query
    assert asked_for.startswith("property: not compared, nor that these are margins of it and ")
    assert all(line.endswith("--network FILE --vnnlib FILE does)") for line in (asked_for, source))
    certify_box(path, BOX, 1).save(cert)
    text = run(cert)[1]
    assert "property" not in text
    assert "margin network" not in text


def test_a_part_of_a_property_has_no_source_and_no_parts_of_its_own(tmp_path):
    path, cert = written(tmp_path, ".onnx"), tmp_path / "c.json"
    content = decide(path, Property(BOX, [([[-1.0]], [0.0])])).certificate
    (part,) = content["parts"]
    inner = ({"conjuncts": [0], "constraints": None}, {})
    forged = [part | {"source": content["source"]}, part | {"source": None}]
    for wrong in (*forged, *(content | more for more in inner)):
        cert.write_text(json.dumps(content | {"parts": [wrong]}))
        assert rejected(run(cert))
        with pytest.raises(ValueError, match="entries are not"):
            check_file(cert)
    cert.write_text(json.dumps(content))
    assert run(cert)[0] == 0


def test_the_checker_says_how_it_is_used(tmp_path):
    path, cert = written(tmp_path, ".onnx"), tmp_path / "c.json"
    certify_box(path, BOX, 1).save(cert)
    usage = "usage: python check_certificate.py CERT.json [--network FILE]; see --help"
    wrong = ([], [cert, path], [cert, "--network"], [cert, "--network", path, "more"])
    for options in (*wrong, [cert, "--property", path], [cert, "--network", path, "--help"]):
        said = run(*options) if options else run("")
        assert rejected(said)
        assert usage in said[1]
    done = subprocess.run([sys.executable, checker.__file__], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert usage in done.stderr
    for option in ("--help", "-h"):
        status, text = run(option)
        assert status == 0
        assert text == checker.__doc__ + "\n"
        assert "python check_certificate.py CERT.json [--network FILE]" in text


def test_certificates_without_a_source_are_accepted_as_before(tmp_path):
    path, cert = written(tmp_path, ".onnx"), tmp_path / "c.json"
    content = certify_box(path, BOX, 1).certificate
    source = content.pop("source")
    assert source == {
        "kind": "ONNX file",
        "digest": load(path).origin.digest,
        "parameters": 9,
        "merged": 0,
        "carried": 0,
        "rounded": [],
    }
    cert.write_text(json.dumps(content))
    status, text = run(cert)
    assert (status, len(text.splitlines())) == (0, 1)
    assert [finding.reason for finding in check_file(cert, load(path))] == [""]
    whole = decide(path, Property(BOX, [([[-1.0]], [0.0])])).certificate
    for old in (None, {name: whole["source"][name] for name in ("kind", "digest")}):
        cert.write_text(json.dumps(whole | {"source": old}))
        assert run(cert)[0] == 0


# -- what was rounded ------------------------------------------------------------------------------


def test_what_was_rounded_is_taken_off(tmp_path):
    network, cert = read_network(normed()), tmp_path / "c.json"
    result = certify_box(network, BOX, 1)
    (query,) = result.certificate["queries"]
    lost = Fraction(query["difference"])
    assert result.bound == Fraction(query["bound"]) - lost < Fraction(query["bound"])
    result.save(cert)
    status, text = run(cert)
    assert status == 0
    assert f"(its source: {checker.show(result.bound, 'ROUND_FLOOR')}, if the difference" in text
    (finding,) = check_file(cert, network)
    shown = f"computed again: margin >= {checker.show(result.bound, 'ROUND_FLOOR')} > 0"
    assert finding.statement.endswith(shown)
    for stated in (query["bound"], str(Fraction(query["bound"]) * 2), "-1", "1e9", 0, None):
        forged = result.certificate | {"queries": [query | {"difference": stated}]}
        cert.write_text(json.dumps(forged))
        assert run(cert)[0] == 1, stated
    for less in ("0", str(lost / 2)):
        cert.write_text(
            json.dumps(result.certificate | {"queries": [query | {"difference": less}]})
        )
        assert run(cert)[0] == 0  # what it says of the layers is true
        assert "is bounded by" in check_file(cert, network)[0].reason


def test_no_stated_error_makes_a_bound_hold_of_the_source(tmp_path):
    """Layers whose margin is 1/8 and may be off by 1/4 prove and refute nothing of their source."""
    layers = affine([[1.0, 1.0]], [-0.625]).layers
    errors = Errors(Dense(torch.zeros(1, 2).double()), column([0.25]))
    origin = Origin("module", "0" * 64, 3, rounded=("a bias",), errors=(errors,), layers=layers)
    network, cert = ReLUNetwork(layers, origin=origin), tmp_path / "c.json"
    for low, high in ((0.375, 0.375), (0.375, 0.5), (0.25, 0.25)):
        box = [low, low], [high, high]
        found = certify_box(network, box, 1)
        assert found.verdict == "unresolved"
        assert found.reason.startswith("the margin is within 0.25 of 0")
        plain = certify_box(ReLUNetwork(layers), box, 1).certificate
        for more in ({}, {"source": {"kind": "module", "digest": "0" * 64}}):
            cert.write_text(json.dumps(plain | more))
            assert run(cert)[0] == 0
            assert check_file(cert, network)[0].reason
        asked = Query(ExactSet(*([Fraction(v) for v in side] for side in box)), 1)
        assert certify_all(network, [asked], 5.0, cert)[0].verdict == "unresolved"
    assert certify_box(network, ([0.75, 0.75], [1.0, 1.0]), 1).bound <= Fraction(5, 8)


def test_what_a_certificate_holds_is_bounded_again_when_it_is_continued(tmp_path):
    point = [Fraction(1, 2), Fraction(1, 2)]
    network, query = read_network(normed()), Query(ExactSet(point, point), 1)
    cert = tmp_path / "c.json"
    (first,) = certify_all(network, [query], 5.0, cert)
    content = json.loads(cert.read_text())
    content["queries"][0]["difference"] = "0"
    cert.write_text(json.dumps(content))
    (again,) = certify_all(network, [query], 5.0, cert)
    assert (again.bound, again.query) == (first.bound, first.query)


# -- forgeries -------------------------------------------------------------------------------------


@functools.cache
def sources(folder):
    """(certificate, network, property or None) of exact and rounded networks."""
    onnx, module = load(written(folder, ".onnx")), read_network(normed())
    asked = Property(BOX, [([[-1.0]], [0.0])])
    out = []
    for network in (onnx, module):
        out.append(
            (certify(network, [0.75, 0.75], Ball("inf", 0.125), 1).certificate, network, None)
        )
        out.append((certify_box(network, BOX, -1).certificate, network, None))
        out.append((decide(network, asked).certificate, network, asked))
    return [(json.dumps(certificate), network, asked) for certificate, network, asked in out]


def stated(content):
    """What is said of the source that is no bound."""
    given = content.get("source") or {}
    return {name: value for name, value in given.items() if name != "difference"}


def forged(rng, text, others):
    """A certificate whose source, differences, or any other entry, are others'."""
    content = json.loads(text)
    how = rng.randrange(5)
    if how == 0:
        content["source"] = forge(rng, content["source"])
    elif how == 1:
        name = rng.choice(list(content["source"]))
        content["source"][name] = forge(rng, content["source"][name])
    elif how == 2:
        content["source"] = copy.deepcopy(json.loads(rng.choice(others)).get("source"))
    elif how == 3:
        content.pop("source")
    part = rng.choice(content["parts"]) if "parts" in content else content
    query = rng.choice(part["queries"])
    if how == 4 or rng.random() < 0.3:
        name = rng.choice([*query, "difference"])
        query[name] = forge(rng, query.get(name, "1/1000000"))
    if rng.random() < 0.1:
        name = rng.choice(list(part))
        part[name] = forge(rng, part[name])
    return renew(content)


def forgeries(count, seed, folder):
    """How many of `count` forgeries the library accepts: of the same source, with bounds that are
    not too small, or of none.
    """
    rng, kept, path = random.Random(seed), 0, folder / "forged.json"
    known = sources(folder)
    for _ in range(count):
        text, network, asked = rng.choice(known)
        content = forged(rng, text, [other for other, *_ in known])
        path.write_text(json.dumps(content))
        try:
            found = check_file(path, network, asked=asked)
        except ValueError:
            continue
        if not found or any(finding.reason for finding in found):
            continue
        kept += 1
        right, content = json.loads(text), json.loads(path.read_text())
        parts = content.get("parts", [content])
        given, own = stated(content), stated(right)
        module = given.get("kind") == "module" != own["kind"]
        assert module == any("; not compared: whether" in finding.statement for finding in found)
        assert module or all(own[name] == value for name, value in given.items())
        queries = [(part["network"], query) for part in parts for query in part["queries"]]
        assert len(queries) + (asked is not None) == len(found)
        for layers, query in queries:
            assert not contradicted(rng, layers, query)
        real = Fraction((right["source"] or {}).get("difference", "0"))
        given = (content.get("source") or {}).get("difference")
        assert given is None or Fraction(given) * 2 >= real
    return kept


def test_forged_sources_are_rejected_or_true(tmp_path):
    assert 20 < forgeries(250, 0, tmp_path) < 200


@pytest.mark.slow
def test_two_thousand_forged_sources_are_rejected_or_true(tmp_path):
    assert forgeries(2000, 1, tmp_path) > 20


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "ONNX file"},
        {"kind": "ONNX file", "digest": "0" * 63},
        {"kind": "x\nquery 1: accepted as", "digest": "0" * 64},
        {"kind": "ONNX file", "digest": "0" * 64, "note": ""},
        "ONNX file",
        [1],
    ],
)
def test_malformed_sources_are_rejected(tmp_path, source):
    content = certify_box(affine([[1.0, 1.0]]), BOX, 1).certificate
    (tmp_path / "c.json").write_text(json.dumps(content | {"source": source}))
    assert rejected(run(tmp_path / "c.json"))
    with pytest.raises(ValueError, match="is no certificate"):
        check_file(tmp_path / "c.json")


def broken(*args, **options):
    raise TypeError("broken() is called with the arguments of before")


def test_what_is_wrong_with_the_library_is_no_verdict(tmp_path, monkeypatch):
    """A checker's TypeError rejects data; one of the library's own says that the library is
    wrong.
    """
    network, path = load(written(tmp_path, ".onnx")), tmp_path / "c.json"
    asked, query = Property(BOX, [([[-1.0]], [0.0])]), Query(ExactSet([1], [1]), 1)
    margins, content = certify_box(network, BOX, 1).certificate, decide(network, asked).certificate
    for place, about, look in (
        ("check_network.query_loss", margins, lambda: check_file(path, network)),
        ("queries.query_loss", margins, lambda: certify_all(network, [query], 5.0, path)),
        ("check_property.greatest_loss", content, lambda: check_file(path, network, asked=asked)),
        ("check_property.greatest_loss", content, lambda: read_decision(path, network, asked)),
    ):
        path.write_text(json.dumps(about))
        with monkeypatch.context() as patched:
            patched.setattr(f"analysis.certification.{place}", broken)
            with pytest.raises(TypeError, match="is called with"):
                look()
    for wrong in ({"conjuncts": 0}, {"constraints": 5}, {"queries": [1]}):
        part = content["parts"][0] | wrong
        path.write_text(json.dumps(content | {"parts": [part]}))
        assert check_file(path, network, asked=asked)[0].reason


@pytest.mark.parametrize(
    "content", ["[1]", "null", "{", '{"format": 1e-99999999999999999999}', "[" * 10**5, '"\xff']
)
def test_what_is_no_certificate_is_neither_checked_nor_continued_nor_replaced(tmp_path, content):
    network, path = affine([[1.0, 1.0]]), tmp_path / "c.json"
    path.write_bytes(content.encode("latin-1"))
    asked = Property(BOX, [([[-1.0]], [0.0])])
    for look in (
        check_file,
        lambda path: read_decision(path, network, asked),
        lambda path: certify_all(network, [], 5.0, path),
    ):
        with pytest.raises(ValueError, match="is no certificate"):
            look(path)


def test_scales_that_would_fill_memory_are_rejected_first(tmp_path):
    network, asked = load(written(tmp_path, ".onnx")), Property(BOX, [([[-1.0]], [0.0])])
    content = decide(network, asked).certificate
    content["parts"][0]["queries"][0]["scale"] = 10**12
    (tmp_path / "c.json").write_text(json.dumps(content))
    assert check_file(tmp_path / "c.json", network, asked=asked)[0].reason == "a query is rejected"
    content = decide(network, asked).certificate
    for wrong in (content | {"note": 1}, content | {"parts": [content["parts"][0] | {"note": 1}]}):
        (tmp_path / "c.json").write_text(json.dumps(wrong))
        with pytest.raises(ValueError, match="entries are not"):
            check_file(tmp_path / "c.json", network, asked=asked)


def test_certificates_of_compositions_are_accepted(tmp_path, capsys):
    """Their source is named by what they are made of; nested, each kind once."""
    third = nn.BatchNorm1d(1, eps=0.0, affine=False).double().eval()
    third.running_var.fill_(9.0)
    read = ReLUNetwork.from_module(third)
    network = compose(affine([[2.0]]), compose(affine([[1.0]], [1.0]), read), read)
    assert network.origin.kind == "composition (module)"
    file, path = tmp_path / "f.safetensors", tmp_path / "cert.json"
    network.save(file)
    certify_box(network, ([0.0], [1.0]), 1).save(path)
    assert checker.main(path) == 0
    assert "source: composition (module) " in capsys.readouterr().out
    (found,) = check_file(path, load(file))
    assert not found.reason
    assert "what was read, computed again" in found.statement
    (found,) = check_file(path, network.restrict((0.0, 1.0)))
    assert not found.reason
    assert checker.origin({"kind": "composition (.npz file, ONNX file)", "digest": "0" * 64})
    for kind in ("composition (module", "composition (module)\nquery 1: accepted", "f (a) (b)"):
        with pytest.raises(ValueError, match="not named"):
            checker.origin({"kind": kind, "digest": "0" * 64})
