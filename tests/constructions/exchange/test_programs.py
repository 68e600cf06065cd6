"""Exported programs in files: the same network as the module, read without unpickling; what is not
known is refused by name.
"""

import io
import json
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from constructions import ReLUNetwork, load, read_network


class Net(nn.Module):
    """Layers that programs write in several ways: constants, buffers, splits, sizes."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        self.norm = nn.BatchNorm2d(2)
        self.last = nn.Linear(8, 3)
        self.register_buffer("scale", torch.linspace(1, 2, 8))

    def forward(self, x):
        h = nn.functional.max_pool2d(torch.relu_(self.norm(self.conv(x))), 2)
        h = nn.functional.dropout(h, training=self.training)
        h = h.view(x.shape[0], -1) * self.scale + torch.tensor(0.5)
        first, rest = self.last(h).split([1, 2], dim=1)
        return torch.cat([rest, first], 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("programs")
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.manual_seed(0)
    net = Net()
    net(torch.randn(16, 1, 4, 4))  # statistics of batch normalization
    for name, module, shape in (
        ("net", net.eval(), (1, 4, 4)),
        ("mlp", nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)).double(), (3,)),
    ):
        point = torch.zeros(2, *shape, dtype=next(module.parameters()).dtype)
        program = torch.export.export(module, (point,), dynamic_shapes=({0: batch},))
        torch.export.save(program, found / f"{name}.pt2")
        torch.save(module.state_dict(), found / f"{name}.pt")
    return found


def module_of(folder, name):
    module = Net() if name == "net" else nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    module = module if name == "net" else module.double()
    module.load_state_dict(torch.load(folder / f"{name}.pt", weights_only=True))
    return module.eval()


@pytest.mark.parametrize(("name", "shape"), [("net", (1, 4, 4)), ("mlp", (3,))])
def test_a_program_is_the_network_of_its_module(folder, name, shape):
    module = module_of(folder, name)
    network = load(folder / f"{name}.pt2")
    assert network.size == ReLUNetwork.from_module(module, shape).size
    x = torch.rand(9, *shape, dtype=torch.float64)
    expected = module.double()(x)
    assert torch.allclose(network(x.flatten(1)), expected, rtol=1e-6, atol=1e-6)
    assert read_network(folder / f"{name}.pt2").size == network.size
    assert network.origin.is_exact == (name == "mlp")


def rewritten(folder, out, change, name="mlp"):
    """A copy of a program's file whose entries are changed: {entry: bytes}."""
    with zipfile.ZipFile(folder / f"{name}.pt2") as archive:
        held = {entry.partition("/")[2]: archive.read(entry) for entry in archive.namelist()}
    change(held)
    with zipfile.ZipFile(out, "w") as archive:
        for entry, data in held.items():
            archive.writestr(f"any/{entry}", data)
    return out


def model(change):
    """A change of the JSON text of the graph."""

    def changed(held):
        content = json.loads(held["models/model.json"])
        change(content["graph_module"])
        held["models/model.json"] = json.dumps(content).encode()

    return changed


def first(**entries):
    return model(lambda facts: facts["graph"]["nodes"][0].update(entries))


def argument(given):
    return model(lambda facts: facts["graph"]["nodes"][1]["inputs"][0].update(arg=given))


def config(change):
    def changed(held):
        name = "data/weights/model_weights_config.json"
        content = json.loads(held[name])
        change(next(iter(content["config"].values())))
        held[name] = json.dumps(content).encode()

    return changed


class Trap:
    def __reduce__(self):
        return Path.touch, (Path("executed"),)


def saved(value):
    def changed(held):
        config(lambda entry: entry.update(use_pickle=True))(held)
        buffer = io.BytesIO()
        torch.save(value, buffer)
        held["data/weights/weight_0"] = buffer.getvalue()

    return changed


def named(name):
    """The first operation's input as an option of this name."""
    given = {"name": name, "arg": {"as_none": True}, "kind": 2}
    return model(lambda facts: facts["graph"]["nodes"][0]["inputs"].append(given))


CODE = "bias=print(open('executed', 'w'))#"

FORGED = {
    "code in a name": (named(CODE), "aten.linear.default has no options"),
    "code in a value": (argument({"as_tensor": {"name": CODE}}), "executed"),
    "other option": (named("device"), "has no options 'device'"),
    "other operation": (first(target="torch.ops.aten.tanh.default"), "aten.tanh.default is not"),
    "file": (first(target="torch.ops.aten.from_file.default"), "from_file.default is not known"),
    "system": (first(target="os.system"), "os.system is not known"),
    "deeper": (first(target="torch.ops.aten.relu.default.op.x"), "is not known"),
    "no overload": (first(target="torch.ops.aten.relu.nothing"), "nothing"),
    "text": (argument({"as_string": "x"}), "an argument string of an operation is not read"),
    "device": (argument({"as_device": {"type": "cuda"}}), "an argument device"),
    "wrong kind": (argument({"as_int": "1"}), "an argument int"),
    "no such value": (argument({"as_tensor": {"name": "none"}}), "none"),
    "object": (
        model(lambda f: f["signature"]["input_specs"].append({"custom_obj": {}})),
        "it takes a custom_obj",
    ),
    "two inputs": (
        model(lambda f: f["signature"]["input_specs"].append(f["signature"]["input_specs"][-1])),
        "it must take one tensor, got 2",
    ),
    "mutation": (
        model(lambda f: f["signature"]["output_specs"].append({"buffer_mutation": {}})),
        "change nothing .*buffer_mutation",
    ),
    "trap": (saved(Trap()), "[Ww]eights.only|unpickl"),
    "a list": (saved([1]), "weight_0 is no tensor"),
    "too few numbers": (
        config(lambda e: e["tensor_meta"].update(sizes=[{"as_int": 9}, {"as_int": 9}])),
        "holds 12 numbers, not those of",
    ),
    "beyond": (
        config(lambda e: e["tensor_meta"].update(storage_offset={"as_int": 5})),
        "out of bounds",
    ),
    "other type": (config(lambda e: e["tensor_meta"].update(dtype=99)), "99"),
    "big-endian": (lambda held: held.update(byteorder=b"big"), "not little-endian"),
    "no graph": (lambda held: held.pop("models/model.json"), "is no exported program"),
    "no JSON": (lambda held: held.update({"models/model.json": b"{"}), "is no exported program"),
}


@pytest.mark.parametrize("kind", FORGED)
def test_forged_programs_are_refused_and_run_nothing(folder, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    change, said = FORGED[kind]
    with pytest.raises(ValueError, match=rf"a\.pt2 is no exported program.*({said})|{said}"):
        load(rewritten(folder, Path("a.pt2"), change))
    assert not Path("executed").exists()


def test_what_is_no_archive_of_today_is_named(folder, tmp_path):
    path = tmp_path / "a.pt2"
    path.write_bytes(b"PK no archive")
    with pytest.raises(ValueError, match="is no exported program"):
        load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
    with pytest.raises(ValueError, match="an older PyTorch wrote it"):
        load(path)
    with zipfile.ZipFile(folder / "mlp.pt2") as whole, zipfile.ZipFile(path, "w", 8) as archive:
        for entry in whole.namelist():
            archive.writestr(entry, whole.read(entry))
    with pytest.raises(ValueError, match="is compressed"):
        load(path)


def test_weights_saved_as_tensors_are_read(folder, tmp_path):
    weight = torch.ones(4, 3, dtype=torch.float64)
    found = load(rewritten(folder, tmp_path / "a.pt2", saved(weight)))
    assert found.layers[0].weight.to_dense().tolist() == weight.tolist()
