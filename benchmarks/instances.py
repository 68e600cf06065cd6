"""Queries with known answers, for any verifier: python benchmarks/instances.py --out FOLDER
[--max-m M] [--seed S]; and ours beside nnenum's answers to those of a folder: --field FOLDER
[--peer PYTHON] [--max-seconds S].

`--field`: expected.csv in FOLDER has columns network, property and nnenum (the right answer, sat or
unsat). Each is decided by `analysis.decide`, and by nnenum in turn where PYTHON, an interpreter
that has it, is given; CPU seconds of one thread, ours without the start of Python, nnenum's with
it, as it comes.

`--out`: writes onnx/*.onnx (float32, exactly), vnnlib/*.vnnlib (1.0), instances.csv with
onnx,vnnlib,timeout in each line, as the verification competition has it, and answers.csv with
onnx,vnnlib,answer. "sat": some point of the box is misclassified.

- Ladder. D_m = f_m - f_(m+1) for squaring networks f_m, m = 1..M: this is the tooth g_(m+1) /
  4^(m+1), so on [0, 1] its least value is 0 and its greatest is u = 4^-(m+1), both attained. f =
  D_m - t with label -1 asks for D_m >= t: sat exactly if t <= u. Label 1 asks for D_m <= t: sat
  exactly if t >= 0. t is u or 0, moved by 0, u 2^-20 and u/10 either way; u/10 is rounded to
  float32, which moves t by at most 2^-24 u. All t are float32 numbers, so the files hold them
  exactly.
- Ties. The l_inf distance d to a point c on the grid 2^-8: d <= t has the one solution c at t = 0,
  none at t = -2^-20 and some at t = 2^-20. With one output (f = d - t, label 1), and with two
  classes (f = (d, t), label 0).
- Balls. f_S as the library builds it from points on the grid 2^-8 and a linear f_clean that knows
  nothing of their labels; on each ball around a point f_S has the point's label, so every query is
  unsat.
"""

import argparse
import csv
import itertools
import os
import resource
import subprocess
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from analysis import decide
from constructions import (
    Ball,
    affine,
    compose,
    distance,
    f_S,
    parallel,
    squaring,
    write_onnx,
    write_vnnlib,
)

TIMEOUT = 60
"""Seconds for one query."""

RADIUS = 2.0**-5
"""Of the balls; different points differ by at least four times as much in their first coordinate.
"""


def ladder(max_m):
    """(name, network, queries); a query is (name, lower, upper, label, answer)."""
    for m in range(1, max_m + 1):
        difference = compose(affine([[1.0, -1.0]]), parallel(squaring(m), squaring(m + 1)))
        top = 4.0 ** -(m + 1)
        steps = {
            "below": -top / 10,
            "just_below": -top * 2.0**-20,
            "tie": 0.0,
            "just_above": top * 2.0**-20,
            "above": top / 10,
        }
        for (side, end, label), (name, step) in itertools.product(
            (("top", top, -1), ("bottom", 0.0, 1)), steps.items()
        ):
            t = float(np.float32(end + step))
            answer = t <= top if label == -1 else t >= 0
            network = compose(affine([[1.0]], [-t]), difference)
            yield f"ladder_{m}_{side}_{name}", network, [("unit", [0.0], [1.0], label, answer)]


def ties(generator):
    for dimension in (1, 2, 5):
        centre = generator.integers(1, 2**8, dimension) / 2**8
        away = distance(centre, "inf")
        box = [0.0] * dimension, [1.0] * dimension
        for name, t in (("below", -(2.0**-20)), ("tie", 0.0), ("above", 2.0**-20)):
            yield (
                f"tie_{dimension}_{name}",
                compose(affine([[1.0]], [-t]), away),
                [("cube", *box, 1, t >= 0)],
            )
            both = compose(affine([[1.0], [0.0]], [0.0, t]), away)
            yield f"tie_{dimension}_{name}_classes", both, [("cube", *box, 0, t >= 0)]


def balls(generator):
    for (dimension, count), variant in itertools.product(((2, 4), (5, 6)), ("lean", "gate")):
        points = generator.integers(0, 2**8 + 1, (count, dimension)) / 2**8
        points[:, 0] = generator.permutation(count) / 8
        labels = np.array([1, -1] * (count // 2))
        weight = np.zeros((1, dimension))
        weight[0, 0] = 2.0
        clean = affine(weight, [-1.0])
        network = f_S(clean, points, labels, Ball("inf", RADIUS), variant=variant)
        exact = [[Fraction(v) for v in point] for point in points.tolist()]
        queries = []
        for i, (point, label) in enumerate(zip(exact, labels.tolist(), strict=True)):
            lower = [max(v - Fraction(RADIUS), Fraction(0)) for v in point]
            queries.append(
                (
                    str(i),
                    lower,
                    [min(v + Fraction(RADIUS), Fraction(1)) for v in point],
                    label,
                    False,
                )
            )
        yield f"ball_{variant}_{dimension}_{count}", network, queries


def write(folder, max_m=10, seed=0):
    """All files; returns the rows of answers.csv. The same arguments give the same bytes."""
    if not 1 <= max_m <= 30:  # 4^-(m+1) 2^-20 stays far from the subnormal numbers of float32
        raise ValueError(f"max_m must be between 1 and 30, got {max_m}")
    generator = np.random.default_rng(seed)
    for name in ("onnx", "vnnlib"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows = []
    for name, network, queries in itertools.chain(ladder(max_m), ties(generator), balls(generator)):
        onnx = f"onnx/{name}.onnx"
        write_onnx(network, folder / onnx)
        for query, lower, upper, label, answer in queries:
            vnnlib = f"vnnlib/{name}_{query}.vnnlib"
            write_vnnlib(folder / vnnlib, (lower, upper), label, network=network)
            rows.append((onnx, vnnlib, "sat" if answer else "unsat"))
    for file, lines in (
        ("instances.csv", [(onnx, vnnlib, TIMEOUT) for onnx, vnnlib, _ in rows]),
        ("answers.csv", [("onnx", "vnnlib", "answer"), *rows]),
    ):
        with (folder / file).open("w", newline="", encoding="utf-8") as out:
            csv.writer(out, lineterminator="\n").writerows(lines)
    return rows


def nnenum(python, network, asked, max_seconds):
    """The answer of nnenum, in one process, and its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result"
        command = [python, "-m", "nnenum.nnenum", network, asked, str(max_seconds), out, "1"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        word = out.read_text(encoding="utf-8") if out.exists() and not done.returncode else "error"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"holds": "unsat", "violated": "sat"}.get(word, word), seconds


def compare(folder, python=None, max_seconds=60):
    """Print our answers beside the right ones, and nnenum's; returns how many of ours are wrong."""
    torch.set_num_threads(1)
    with (folder / "expected.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    decide(*(folder / rows[0][name] for name in ("network", "property")), max_seconds=1)  # loads
    wrong = slow = 0
    for row in rows:
        network, asked = folder / row["network"], folder / row["property"]
        start = time.process_time()
        found = decide(network, asked, max_seconds=max_seconds)
        seconds = time.process_time() - start
        wrong += found.result != row["nnenum"]
        line = (
            f"{row['network'][:28]:28} {row['property'][:36]:36} {found.result:7} {seconds:6.2f} s"
        )
        if python:
            word, its = nnenum(python, network, asked, max_seconds)
            slow += seconds > max(10, 3 * its)
            line += f"   nnenum {word:7} {its:6.2f} s"
        print(line + "   WRONG" * (found.result != row["nnenum"]), flush=True)
    beyond = f", {slow} beyond 3 times nnenum's seconds and 10 s" if python else ""
    print(f"{len(rows)} queries, {wrong} wrong or unknown{beyond}")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description="Write verification queries with known answers.")
    parser.add_argument("--out", type=Path, help="folder of the files")
    parser.add_argument("--field", type=Path, help="folder of queries with an expected.csv")
    parser.add_argument("--peer", help="a Python interpreter that has nnenum")
    parser.add_argument("--max-seconds", type=float, default=60, help="for one of --field")
    parser.add_argument(
        "--max-m", type=int, default=10, help="the ladder's highest rung (default: 10)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of points")
    options = parser.parse_args()
    if options.field:
        raise SystemExit(int(compare(options.field, options.peer, options.max_seconds) > 0))
    if not options.out:
        parser.error("one of --out and --field is needed")
    rows = write(options.out, options.max_m, options.seed)
    sat = sum(answer == "sat" for *_, answer in rows)
    print(f"{options.out}: {len(rows)} queries, {sat} sat and {len(rows) - sat} unsat")


if __name__ == "__main__":
    main()
