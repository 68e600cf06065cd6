"""Random modules and ONNX graphs: the network that is read has the values of the source in float64,
or the read is refused.
"""

import copy
import itertools
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, prune

from constructions import ReLUNetwork, affine, compose, load, source_difference

SEEDS = st.integers(0, 2**32 - 1)
SIZE = 300
"""Most numbers in a value, so that examples take milliseconds."""


def assert_close(network, points, expected):
    """Within float64's rounding of both, each relative to the sizes of the numbers added up, and
    what was rounded on reading.
    """
    values, spread = network(points), network.layers[0].weight.absolute().apply(points.abs()) + 1
    one = torch.ones(1, dtype=torch.float64)
    for i, layer in enumerate(network.layers):
        if i:
            spread = layer.weight.absolute().apply(spread)
        spread = spread + layer.bias.absolute().apply(one)
    assert values.shape == expected.shape
    lost = source_difference(network, (points.amin(0), points.amax(0)))
    assert bool(((values - expected).abs() <= 2.0**-40 * spread + lost).all()), (
        (values - expected).abs().max()
    )


# -- modules ---------------------------------------------------------------------------------------


class Wrapped(nn.Module):
    """A function of the input and of what an inner module makes of it."""

    def __init__(self, inner, kind):
        super().__init__()
        self.inner, self.kind = inner, kind

    def forward(self, x):
        y = self.inner(x)
        return FUNCTIONS[self.kind](x, y)


FUNCTIONS = {
    "residual": lambda x, y: x + y,
    "difference": lambda x, y: torch.sub(y, x, alpha=0.5),
    "concat": lambda x, y: torch.cat([y, x], 1),
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "abs": lambda x, y: y.abs() - 0.25,
    "clamp": lambda x, y: y.clamp(-0.3, 0.9) / 0.7,
    "in place": lambda x, y: functional.relu_(y.clone()).mul_(-2).add_(x),
    "mean": lambda x, y: y - y.flatten(1).mean(1).reshape(-1, *[1] * (y.ndim - 1)),
    "moved": lambda x, y: y.flip(1).transpose(1, -1).reshape(y.shape),
    "chosen": lambda x, y: y[:, [0, -1]].unsqueeze(1).squeeze(1),
    "split": lambda x, y: torch.cat(torch.split(y, 1, 1)[::-1], 1) * 1.5,
    "square": lambda x, y: y * x,
}


def layer_of(r, shape):
    """A random layer for values of a shape, not always one that fits."""

    def pick(*options):
        return options[r.integers(len(options))]

    n, spatial = shape[0], len(shape) - 1
    general = [
        *(
            nn.ReLU,
            lambda: nn.LeakyReLU(pick(0.01, 0.25, 1.5)),
            lambda: nn.PReLU(pick(1, n)),
            nn.Identity,
            nn.ReLU6,
        ),
        *(
            lambda: nn.Hardtanh(-0.5, pick(0.25, 1.0)),
            nn.Dropout,
            nn.Flatten,
            lambda: nn.Linear(shape[-1], int(r.integers(1, 6))),
        ),
        lambda: nn.Linear(shape[-1], shape[-1], bias=False),
    ]
    if not spatial:
        general += [
            lambda: nn.BatchNorm1d(n),
            lambda: nn.Linear(n, n),
            lambda: nn.Unflatten(1, (1, -1)),
        ]
        return pick(*general)()
    conv, turned = (
        (nn.Conv1d, nn.Conv2d)[spatial - 1],
        (nn.ConvTranspose1d, nn.ConvTranspose2d)[spatial - 1],
    )
    k, s, p, d = (
        [int(v) for v in r.integers(low, high, spatial)]
        for low, high in ((1, 4), (1, 3), (0, 2), (1, 3))
    )
    groups = pick(1, n) if n < 5 else 1
    out = groups * int(r.integers(1, 3))
    half = [min(a, b // 2) for a, b in zip(p, k, strict=True)]
    ceil = bool(r.integers(2))
    dim = f"{spatial}d"
    norm, average, most, adaptive, highest, dropout = (
        getattr(nn, f"{name}{dim}")
        for name in (
            *("BatchNorm", "AvgPool", "MaxPool", "AdaptiveAvgPool", "AdaptiveMaxPool"),
            "Dropout",
        )
    )
    general += 2 * [
        lambda: conv(
            n,
            out,
            k,
            s,
            p,
            d,
            groups,
            bool(r.integers(2)),
            pick("zeros", "zeros", "reflect", "replicate", "circular"),
        ),
        lambda: conv(n, out, k, 1, pick("same", "valid"), d, groups),
        lambda: turned(n, out, k, s, p, [v - 1 for v in s], groups, True, d),
        *(
            lambda: norm(n, affine=bool(r.integers(2))),
            lambda: average(k, s, half, ceil, bool(r.integers(2))),
        ),
        *(
            lambda: most(k, s, half, pick(1, d), ceil_mode=ceil),
            lambda: pick(adaptive, highest)(int(r.integers(1, 4))),
            dropout,
        ),
    ]
    return pick(*general)()


def random_module(seed):
    """(module, input shape, whether it may be refused)."""
    r = np.random.default_rng(seed)
    torch.manual_seed(seed)
    dtype = (torch.float32, torch.float64, torch.float16, torch.bfloat16)[
        r.choice(4, p=[0.5, 0.3, 0.1, 0.1])
    ]
    start = shape = [(4,), (3, 6), (2, 5, 4)][r.integers(3)]
    layers, odd, made = [], False, []
    value = torch.zeros(7, *shape)
    for _ in range(r.integers(1, 7)):
        try:
            if made and r.random() < 0.2:
                layer = made[r.integers(len(made))]
            elif r.random() < 0.25:
                kind = list(FUNCTIONS)[r.integers(len(FUNCTIONS))]
                layer = Wrapped(layer_of(r, shape), kind)
            else:
                layer = layer_of(r, shape)
            after = layer.eval()(value).detach()
        except (RuntimeError, ValueError, IndexError):
            continue
        if not 0 < after[0].numel() <= SIZE or after.ndim < 2 or len(after) != 7:
            continue
        odd = odd or (isinstance(layer, Wrapped) and layer.kind == "square")
        layers.append(layer)
        made.append(layer)
        value, shape = after, tuple(after.shape[1:])
    module = nn.Sequential(*layers)  # shared layers under several names
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.2, 3.0)
            if layer.affine:
                nn.init.normal_(layer.weight)
    module = module.to(dtype).eval()
    leaves = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    if dtype == torch.float64 and leaves:
        layer = leaves[r.integers(len(leaves))]
        kind = r.integers(4)
        if kind == 0:
            parametrizations.weight_norm(layer)
        elif kind == 1:
            prune.l1_unstructured(layer, "weight", 0.5)
    if layers and r.random() < 0.3:
        layers[r.integers(len(layers))].register_forward_hook(
            lambda layer, inputs, output: output * 0.5 - 1
        )
    if layers and r.random() < 0.3:
        layers[r.integers(len(layers))].register_forward_pre_hook(
            lambda layer, inputs: (inputs[0] + 0.125,)
        )
    return module.eval(), start, odd


def acts_on_rows_together(module, wide, x, expected):
    """Whether PyTorch takes one row for an image, or has no such operation for the module's type,
    or makes no numbers.
    """
    try:
        module(torch.zeros(x.shape, dtype=next(module.parameters(), x.float()).dtype))
        rows = torch.cat([wide(row[None]).detach().flatten(1) for row in x])
    except RuntimeError:
        return True
    return rows.shape != expected.shape or not (
        rows.isfinite().all() and torch.allclose(rows, expected)
    )


def check_module(seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module, shape, odd = random_module(seed)
        x = torch.randn(7, *shape, dtype=torch.float64)
        wide = random_module(seed)[0].double()
        expected = wide(x).detach().flatten(1)
        before = copy.deepcopy(module.state_dict())
        try:
            network = ReLUNetwork.from_module(module, shape)
        except (TypeError, ValueError) as refusal:
            odd = odd or "padding alone" in str(refusal)  # a maximum of nothing, -inf
            if not (odd or acts_on_rows_together(module, wide, x, expected)):
                raise
            return False
        assert_close(network, x.flatten(1), expected)
        assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
        return True


@given(SEEDS)
def test_random_modules(seed):
    check_module(seed)


@pytest.mark.slow
@settings(max_examples=250)
@given(SEEDS)
def test_many_random_modules(seed):
    check_module(seed)


# -- ONNX ------------------------------------------------------------------------------------------


class Model:
    """A random graph, node by node; `values` holds what each name is at one point."""

    def __init__(self, r, dtype, shape, dims):
        self.r, self.dtype, self.dims = r, dtype, dims
        self.values = {"x": r.normal(size=shape)}
        self.live = {"x"}
        self.nodes, self.tensors = [], {}

    def constant(self, array):
        array = np.asarray(array)
        if array.dtype == np.float64:
            array = array.astype(np.float16).astype(np.float64)
        name = f"c{len(self.tensors)}"
        self.tensors[name] = self.values[name] = array
        return name

    def add(self, operation, names, **options):
        """Append a node if the reference evaluates it to something small; its name."""
        name = f"v{len(self.nodes)}"
        node = helper.make_node(operation, names, [name], name=f"n{len(self.nodes)}", **options)
        try:
            (value,) = self.run([node], [name], {n: self.values[n] for n in names if n})
        except Exception:
            return None
        if not 0 < value.size <= SIZE or (value.dtype.kind == "f" and not np.isfinite(value).all()):
            return None
        self.nodes.append(node)
        self.values[name] = value
        if any(n in self.live for n in names) and operation not in ("Shape", "Size"):
            self.live.add(name)
        return name

    def run(self, nodes, outputs, feed):
        inputs = [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for n, v in feed.items()
        ]
        ends = [helper.make_tensor_value_info(name, 11, None) for name in outputs]
        graph = helper.make_graph(nodes, "graph", inputs, ends)
        return ReferenceEvaluator(
            helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        ).run(None, feed)

    def model(self, output, dtype):
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        arrays = {
            n: a.astype(dtype) if a.dtype == np.float64 else a for n, a in self.tensors.items()
        }
        tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
        x, y = (
            helper.make_tensor_value_info("x", kind, self.dims),
            helper.make_tensor_value_info(
                output, kind, [f"d{i}" for i in range(self.values[output].ndim)]
            ),
        )
        graph = helper.make_graph(self.nodes, "graph", [x], [y], tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def grow(m):
    """One more node, or None where the choice does not fit."""
    r = m.r
    pick = lambda *options: options[r.integers(len(options))]  # noqa: E731
    numbers = lambda *shape: m.constant(r.normal(size=shape))  # noqa: E731
    live = sorted(m.live)
    x = live[-1] if r.random() < 0.6 else pick(*live)
    shape = m.values[x].shape
    rank = len(shape)
    alike = [n for n in live if m.values[n].shape == shape]
    k, s, d = ([int(v) for v in r.integers(1, high, max(0, rank - 2))] for high in (4, 3, 3))
    pads = [int(v) for v in r.integers(0, 2, 2 * max(0, rank - 2))]
    padding = pick(
        {"pads": pads}, {"pads": pads}, {"auto_pad": pick("SAME_UPPER", "SAME_LOWER", "VALID")}
    )
    ceil = int(r.integers(2))
    window = {"kernel_shape": k}
    other = pick(pick(*alike), numbers(*shape), numbers(), numbers(*shape[-1:]))
    channels = shape[1] if rank > 1 else 1
    operation = pick(*OPERATIONS, *(SLIDING if rank in (3, 4) else ()))
    match operation:
        case "Add" | "Sub" | "Mul" | "Div":
            names = [x, other] if operation == "Div" or r.random() < 0.5 else [other, x]
            return m.add(operation, names)
        case "Max" | "Min" | "Sum":
            return m.add(operation, [x, other, pick(*alike)][: r.integers(1, 4)])
        case "Relu" | "Abs" | "Neg" | "Identity":
            return m.add(operation, [x])
        case "LeakyRelu":
            return m.add(operation, [x], **pick({}, {"alpha": 0.3}))
        case "PRelu":
            return m.add(operation, [x, pick(numbers(*shape), numbers(1))])
        case "Clip":
            return m.add(
                operation,
                [x, pick("", m.constant(np.array(-0.5))), pick("", m.constant(np.array(0.5)))],
            )
        case "MatMul":
            return pick(
                lambda: m.add(operation, [x, numbers(shape[-1] if rank else 1, 3)]),
                lambda: m.add(operation, [numbers(2, shape[-2] if rank > 1 else 1), x]),
            )()
        case "Gemm" if rank:
            turn = int(r.integers(2))
            weight = numbers(3, shape[-1]) if turn else numbers(shape[-1] if rank else 1, 3)
            return m.add(
                operation,
                [x, weight, *pick([], [numbers(3)], [numbers(1)])],
                transB=turn,
                **pick({}, {"alpha": 0.5, "beta": 0.3}),
            )
        case "Flatten":
            return m.add(operation, [x], axis=int(r.integers(0, rank + 1)))
        case "Transpose" if rank:
            return m.add(operation, [x], perm=[int(v) for v in r.permutation(rank)])
        case "Reshape":
            return m.add(
                operation,
                [x, m.constant(np.array(pick([-1], [1, -1], [0, -1], [2, -1], list(shape))))],
            )
        case "Shape":
            sizes = m.add("Shape", [x])
            first = sizes and m.add("Gather", [sizes, m.constant(np.array([0]))])
            target = first and m.add("Concat", [first, m.constant(np.array([-1]))], axis=0)
            return target and m.add("Reshape", [x, target])
        case "Squeeze":
            return m.add(operation, [x])
        case "Unsqueeze":
            return m.add(operation, [x, m.constant(np.array([int(r.integers(0, rank + 1))]))])
        case "Slice":
            axis = int(r.integers(0, max(1, rank)))
            ends = pick((0, 1, 1), (1, 100, 1), (-1, -100, -1), (0, 100, 2))
            return m.add(
                operation, [x, *(m.constant(np.array([v])) for v in (*ends[:2], axis, ends[2]))]
            )
        case "Gather":
            axis = int(r.integers(0, max(1, rank)))
            return m.add(operation, [x, m.constant(np.array(pick([0, -1], [0], 0)))], axis=axis)
        case "Concat":
            return m.add(
                operation,
                [x, pick(pick(*alike), numbers(*shape)), *pick([], [x])],
                axis=int(r.integers(0, max(1, rank))),
            )
        case "Pad":
            widths = m.constant(np.array(r.integers(0, 2, 2 * rank)))
            kind = pick({}, {"mode": "edge"}, {"mode": "reflect"})
            return m.add(operation, [x, widths, *([] if kind else pick([], [numbers()]))], **kind)
        case "Tile":
            return m.add(operation, [x, m.constant(r.integers(1, 3, rank))])
        case "Expand":
            return m.add(operation, [x, m.constant(np.array([pick(1, 2), *[1] * rank]))])
        case "ReduceSum":
            return m.add(
                operation, [x, *pick([], [m.constant(np.array([-1]))])], keepdims=int(r.integers(2))
            )
        case "ReduceMean" | "ReduceMax" | "ReduceMin":
            return m.add(operation, [x], keepdims=int(r.integers(2)), **pick({}, {"axes": [-1]}))
        case "Cast":
            return m.add("Cast", [x], to=11)
        case "Dropout":
            return m.add(operation, [x])
        case "Conv":
            groups = pick(1, channels) if channels < 5 else 1
            weight = numbers(groups * int(r.integers(1, 3)), channels // groups, *k)
            bias = pick([], [numbers(m.values[weight].shape[0])])
            return m.add(
                operation, [x, weight, *bias], strides=s, dilations=d, group=groups, **padding
            )
        case "ConvTranspose":
            return m.add(
                operation,
                [x, numbers(channels, 2, *k), *pick([], [numbers(2)])],
                strides=s,
                dilations=d,
                pads=pads,
            )
        # the reference is wrong for others; see the test with onnxruntime
        case "MaxPool" if "auto_pad" not in padding:
            return m.add(
                operation,
                [x],
                **window,
                strides=s,
                pads=[0] * len(pads),
                dilations=d,
                ceil_mode=ceil,
            )
        case "AveragePool":
            return m.add(
                operation, [x], **window, strides=s, **padding, count_include_pad=int(r.integers(2))
            )
        case "BatchNormalization" if rank > 1:
            statistics = [numbers(channels) for _ in range(3)]
            return m.add(
                operation,
                [x, *statistics, m.constant(r.uniform(0.2, 3.0, channels))],
                **pick({}, {"epsilon": 0.01}),
            )
        case "GlobalMaxPool" | "GlobalAveragePool" if rank == 4:
            return m.add(operation, [x])


OPERATIONS = [
    *(
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Max",
        "Min",
        "Sum",
        "Relu",
        "Relu",
        "Abs",
        "Neg",
        "Identity",
        "LeakyRelu",
        "PRelu",
        "Clip",
    ),
    *(
        "MatMul",
        "Gemm",
        "Gemm",
        "Flatten",
        "Transpose",
        "Reshape",
        "Shape",
        "Squeeze",
        "Unsqueeze",
        "Slice",
        "Gather",
        "Concat",
    ),
    *(
        "Pad",
        "Tile",
        "Expand",
        "ReduceSum",
        "ReduceMean",
        "ReduceMax",
        "ReduceMin",
        "Cast",
        "Dropout",
        "BatchNormalization",
    ),
]
SLIDING = 3 * [
    "Conv",
    "ConvTranspose",
    "AveragePool",
    "MaxPool",
    "GlobalAveragePool",
    "GlobalMaxPool",
]


def nonlinear(m):
    """Whether a node multiplies or divides by a value that depends on the input."""
    live = [(node.op_type, [name in m.live for name in node.input]) for node in m.nodes]
    return any((kind == "Mul" and all(used)) or (kind == "Div" and used[1]) for kind, used in live)


def check_graph(seed, path):
    r = np.random.default_rng(seed)
    dtype = (np.float32, np.float64, np.float16)[r.choice(3, p=[0.5, 0.4, 0.1])]
    shape = [(4,), (1, 4), (2, 3), (1, 3, 5), (1, 2, 4, 5), (2, 1, 3, 3)][r.integers(6)]
    dims = ["N", *shape[1:]] if shape[0] == 1 and r.random() < 0.5 else list(shape)
    m = Model(r, dtype, shape, dims)
    for _ in range(r.integers(1, 9)):
        grow(m)
    output = sorted(m.live, key=lambda name: int(name[1:] or -1))[-1] if m.nodes else None
    if output is None or output == "x":
        return None
    if any(node.op_type == "Cast" for node in m.nodes):
        dtype = np.float64
    path.write_bytes(m.model(output, dtype).SerializeToString())
    points = r.normal(size=(3, *shape))
    wide = ReferenceEvaluator(m.model(output, np.float64))
    expected = np.stack(
        [np.asarray(wide.run(None, {"x": point})[0]).reshape(-1) for point in points]
    )
    try:
        network = load(path)
    except ValueError:
        if not nonlinear(m):
            raise
        return False
    assert_close(network, torch.from_numpy(points.reshape(3, -1)), torch.from_numpy(expected))
    return True


@given(SEEDS)
def test_random_graphs(tmp_path_factory, seed):
    check_graph(seed, tmp_path_factory.getbasetemp() / "random.onnx")


@pytest.mark.slow
@settings(max_examples=500)
@given(SEEDS)
def test_many_random_graphs(tmp_path_factory, seed):
    check_graph(seed, tmp_path_factory.getbasetemp() / "random.onnx")


# -- chains of affine maps -------------------------------------------------------------------------


def random_chain(seed):
    """Affine maps with entries m 2^e, e up to 60 in size, and their composition at a point in exact
    arithmetic.
    """
    r = np.random.default_rng(seed)
    widths = r.integers(1, 4, r.integers(2, 6))
    maps = []
    for n, m in itertools.pairwise(widths):
        bits = [
            r.integers(-7, 8, size) * 2.0 ** r.choice([-60, 0, 60], size) for size in ((m, n), m)
        ]
        maps.append(
            bits
            if r.random() < 0.7
            else [r.normal(size=b.shape) * 2.0 ** r.choice([-60, 0, 60], b.shape) for b in bits]
        )
    point = [Fraction(int(v), 8) for v in r.integers(-20, 20, widths[0])]
    value = point
    for weight, bias in maps:
        rows = zip(weight.tolist(), bias.tolist(), strict=True)
        value = [
            sum((Fraction(w) * v for w, v in zip(row, value, strict=True)), Fraction(b))
            for row, b in rows
        ]
    return maps, point, value


def check_chain(seed, path):
    maps, point, value = random_chain(seed)
    composed = compose(*(affine(weight, bias) for weight, bias in reversed(maps)))
    assert composed.exact(point).tolist() == value
    module = nn.Sequential(
        *(nn.Linear(*weight.shape[::-1], dtype=torch.float64) for weight, _ in maps)
    )
    for layer, (weight, bias) in zip(module, maps, strict=True):
        layer.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})
    network = ReLUNetwork.from_module(module)
    assert network.origin.is_exact
    assert network.exact(point).tolist() == value
    nodes, tensors, last = [], [], "x"
    for i, (weight, bias) in enumerate(maps):
        tensors += [
            numpy_helper.from_array(weight.T.copy(), f"w{i}"),
            numpy_helper.from_array(bias, f"b{i}"),
        ]
        nodes += [
            helper.make_node("MatMul", [last, f"w{i}"], [f"m{i}"]),
            helper.make_node("Add", [f"m{i}", f"b{i}"], [f"a{i}"]),
        ]
        last = f"a{i}"
    x, y = (
        helper.make_tensor_value_info(name, 11, dims)
        for name, dims in (("x", ["N", len(point)]), (last, ["N", len(value)]))
    )
    graph = helper.make_graph(nodes, "graph", [x], [y], tensors)
    path.write_bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        ).SerializeToString()
    )
    network = load(path)
    assert network.origin.is_exact
    assert network.exact(point).tolist() == value


@given(SEEDS)
def test_random_chains_of_affine_maps_are_exact(tmp_path_factory, seed):
    check_chain(seed, tmp_path_factory.getbasetemp() / "chain.onnx")


@pytest.mark.slow
@settings(max_examples=100)
@given(SEEDS)
def test_many_random_chains_of_affine_maps_are_exact(tmp_path_factory, seed):
    check_chain(seed, tmp_path_factory.getbasetemp() / "chain.onnx")
