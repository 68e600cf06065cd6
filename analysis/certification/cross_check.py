"""Second opinions on exported networks: ONNX Runtime, Z3, and whatever verifier the user has.

Each runs in a process of its own that is killed when its time is over. This file is also that
process: started as a script it computes one answer from standard input and imports nothing of cgro.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from constructions import ReLUNetwork

    from .queries import Query

RELU_LIMIT = 32
"""Most ReLUs that Z3 is asked about: beyond, it rarely ends."""

VERIFIER = "CGRO_VERIFIER"
"""The environment variable with the default command of `run_verifier`."""


@dataclass(frozen=True)
class CrossCheck:
    """What another tool says. verdict: "proved" and "refuted" are exact (a refutation was replayed
    in rationals); "claimed" is a tool's "unsat" that nobody checked; "suspect" a counterexample
    that fails exact replay (or is not shown); "unresolved" no answer in time, or none at all.
    witness: exact coordinates of a counterexample. reason: why, in words.
    """

    verdict: Literal["proved", "refuted", "claimed", "suspect", "unresolved"]
    witness: tuple[Fraction, ...] | None = None
    reason: str = ""


def onnx_deviation(
    network: ReLUNetwork, path: str | os.PathLike[str], points: Any, *, max_seconds: float = 60.0
) -> float:
    """The greatest |g(x) - f(x)| / max(1, |f(x)|) at points (N, D), for g: the .onnx file in ONNX
    Runtime, f: the network.

    The points are rounded to the file's dtype first, and f is evaluated in float64. Expect 1e-12 of
    float64 files and 2e-5 of float32 ones (values and sums of order one). Raises ValueError if the
    package is missing or fails, or time is over.
    """
    import torch

    from ..quantities.reading import read_points

    x = read_points(network, points)
    found = _child(
        "onnxruntime", {"path": str(Path(path).resolve()), "points": x.tolist()}, max_seconds
    )
    if "error" in found:
        raise ValueError(f"ONNX Runtime gave no values for {path}: {found['error']}")
    exact = network(torch.tensor(found["points"], dtype=torch.float64).reshape(x.shape))
    values = torch.tensor(found["values"], dtype=torch.float64).reshape(exact.shape)
    return float(((values - exact).abs() / exact.abs().clamp(min=1)).max())


def decide_with_z3(network: ReLUNetwork, query: Query, *, max_seconds: float = 60.0) -> CrossCheck:
    """Decide in exact arithmetic whether an x in the box has y f(x) <= 0 (K classes: f_k(x) >=
    f_y(x) for some k != y).

    Raises ValueError for more than `RELU_LIMIT` ReLUs, a query that does not fit, or without the
    package.
    """
    _check(network, query)
    if network.size.units > RELU_LIMIT:
        raise ValueError(
            f"Z3 is asked about at most {RELU_LIMIT} ReLUs; this network has {network.size.units:,}"
        )
    layers = [
        (a.weight.to_dense().tolist(), a.bias.to_dense()[:, 0].tolist()) for a in network.layers
    ]
    box = [
        [str(low), str(high)] for low, high in zip(query.set.lower, query.set.upper, strict=True)
    ]
    found = _child("z3", {"layers": layers, "box": box, "label": query.label}, max_seconds)
    if found.get("answer") == "unsat":
        return CrossCheck("proved")
    return (
        _replay(network, query, found["witness"])
        if "witness" in found
        else CrossCheck("unresolved", None, found["error"])
    )


def run_verifier(
    network: ReLUNetwork,
    query: Query,
    command: str | None = None,
    *,
    dtype: Literal["float32", "float64"] = "float32",
    max_seconds: float = 60.0,
) -> CrossCheck:
    """Ask a verifier that the user has installed (alpha-beta-CROWN, Marabou, ...) about an exported
    network and query.

    command: a command line with {onnx}, {vnnlib}, {timeout} and {result} in place of the two files,
    the seconds and a file for its answer; None takes the environment variable CGRO_VERIFIER. The
    answer is the one sat, unsat, timeout or unknown that begins lines of {result}, or else of the
    output; a counterexample is read as (X_0 0.5) or x0 = 0.5, moved into the box and replayed
    exactly. Raises ValueError for a missing command, weights beyond dtype, a query that does not
    fit.
    """
    from constructions import write_onnx, write_vnnlib

    command = command or os.environ.get(VERIFIER)
    if not command:
        raise ValueError(f"command must be given, or the environment variable {VERIFIER} be set")
    _check(network, query)
    with tempfile.TemporaryDirectory() as folder:
        names = {"onnx": "network.onnx", "vnnlib": "query.vnnlib", "result": "result.txt"}
        places = {name: str(Path(folder) / file) for name, file in names.items()} | {
            "timeout": str(max_seconds)
        }
        write_onnx(network, places["onnx"], dtype=dtype)
        box = query.set.lower, query.set.upper
        write_vnnlib(places["vnnlib"], box, query.label, network=network)
        words = [
            re.sub(r"\{(onnx|vnnlib|timeout|result)\}", lambda m: places[m[1]], w)
            for w in shlex.split(command)
        ]
        text, error = _run(words, "", max_seconds)
        if Path(places["result"]).is_file():
            text = Path(places["result"]).read_text(errors="replace")
    found = re.findall(
        r"^\W*(?:result:?\s*)?(sat|unsat|timeout|timed-out|unknown)\b",
        text,
        re.MULTILINE | re.IGNORECASE,
    )
    answer = " and ".join(sorted({word.lower() for word in found}))
    if error or answer not in ("sat", "unsat"):
        return CrossCheck(
            "unresolved", None, error or f"the verifier says {answer or 'neither sat nor unsat'}"
        )
    if answer == "unsat":
        return CrossCheck("claimed", None, "the verifier says so; nothing was checked")
    pairs = re.findall(r"\b[Xx]_?(\d+)(?:\s*=\s*|\s+)([-+]?\d*\.?\d+(?:[eE][-+]?\d{1,3})?)", text)
    point = {int(i): value for i, value in pairs}
    if sorted(point) != list(range(network.inputs)):
        return CrossCheck("suspect", None, "it shows no counterexample, or not all of it")
    return _replay(network, query, [point[i] for i in range(network.inputs)])


def _check(network: ReLUNetwork, query: Query) -> None:
    lower, upper = query.set.lower, query.set.upper
    if len(lower) != network.inputs or query.label not in (
        [-1, 1] if network.outputs == 1 else range(network.outputs)
    ):
        from constructions.internal import several  # the checks' own process needs no package

        sizes = f"{several(network.inputs, 'input')} and {several(network.outputs, 'output')}"
        given = f"{several(len(lower), 'input')} and label {query.label}"
        raise ValueError(f"query must be about {sizes}, got {given}")
    if network.domain and not (network.domain[0] <= min(lower) and max(upper) <= network.domain[1]):
        raise ValueError(f"query must stay in the network's domain {list(network.domain)}")


def _replay(network: ReLUNetwork, query: Query, point: Sequence[str]) -> CrossCheck:
    inside = tuple(query.set.nearest([Fraction(v) for v in point]))
    values, y = network.exact(list(inside)).tolist(), query.label
    if (
        y * values[0] <= 0
        if len(values) == 1
        else any(v >= values[y] for k, v in enumerate(values) if k != y)
    ):
        return CrossCheck("refuted", inside)
    return CrossCheck("suspect", inside, "its counterexample fails exact replay")


# -- processes -------------------------------------------------------------------------------------


def _run(words: Sequence[str], text: str, max_seconds: float) -> tuple[str, str]:
    """Standard output, and what went wrong ("" if nothing did); the process and its children are
    killed when time is over.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(
        words,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(text, timeout=max_seconds)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                return "", f"time was over after {max_seconds:g} s"
            raise
    return (
        output,
        f"exit status {process.returncode}: {errors.strip()[-300:]}" if process.returncode else "",
    )


def _child(job: str, data: dict[str, Any], max_seconds: float) -> dict[str, Any]:
    # -P: no analysis/ in sys.path
    output, error = _run([sys.executable, "-P", __file__, job], json.dumps(data), max_seconds)
    found: dict[str, Any] = {"error": error} if error else json.loads(output)
    if "missing" in found:
        raise ValueError(
            f"this check needs the package {found['missing']}: pip install {found['missing']}"
        )
    return found


def _values(data: dict[str, Any]) -> dict[str, Any]:
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(data["path"], providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    points = np.array(
        data["points"], dtype="float32" if given.type == "tensor(float)" else "float64"
    )
    values = [session.run(None, {given.name: point[None]})[0][0].tolist() for point in points]
    return {"points": points.tolist(), "values": values}


def _decide(data: dict[str, Any]) -> dict[str, Any]:
    import z3

    inputs = values = [z3.Real(f"x{i}") for i in range(len(data["box"]))]
    solver = z3.Solver()
    for x, (low, high) in zip(inputs, data["box"], strict=True):
        solver.add(x >= z3.RealVal(low), x <= z3.RealVal(high))
    for depth, (weight, bias) in enumerate(data["layers"]):
        if depth:
            values = [z3.If(v > 0, v, z3.RealVal(0)) for v in values]
        exact = [
            [z3.RealVal(str(Fraction(w))) for w in (b, *row)]
            for row, b in zip(weight, bias, strict=True)
        ]
        values = [
            z3.Sum([b, *(w * v for w, v in zip(row, values, strict=True))]) for b, *row in exact
        ]
    y = data["label"]
    one = len(values) == 1
    solver.add(
        y * values[0] <= 0
        if one
        else z3.Or([v >= values[y] for k, v in enumerate(values) if k != y])
    )
    answer = solver.check()
    if answer == z3.sat:
        model = solver.model()
        return {
            "witness": [str(model.eval(x, model_completion=True).as_fraction()) for x in inputs]
        }
    return (
        {"answer": "unsat"}
        if answer == z3.unsat
        else {"error": f"Z3 says {answer}: {solver.reason_unknown()}"}
    )


if __name__ == "__main__":
    try:
        result = {"z3": _decide, "onnxruntime": _values}[sys.argv[1]](json.load(sys.stdin))
    except ImportError:
        result = {"missing": {"z3": "z3-solver"}.get(sys.argv[1], sys.argv[1])}
    print(json.dumps(result))
