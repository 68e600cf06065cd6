"""Our decisions beside other verifiers': python benchmarks/peers.py [FOLDER] [--peer NAME=PYTHON]
[--limit SECONDS] [--queries N].

FOLDER holds networks NAME.npz (W0, b0, W1, ... with ReLUs between) and questions about them,
NAME.*queries.npz (rows of lo, hi and y: is every point of the box classified as y? -1 and 1 are the
sign of one output). Without FOLDER two networks are trained on digits, by PGD-7.

A peer's NAME is that of a function in benchmarks/verifiers.py, PYTHON an interpreter that has it
(several --peer may be given). Each verifier, ours too, works in a process of its own on one thread.
It is told no limit: the system ends it after SECONDS of CPU time, which then count. Starting,
importing and a first small question do not. Of several classes peers are asked about one after
another.

A question is settled by a point of the box that is misclassified in exact arithmetic (whoever
found it; moved into the box if it sticks out), or by our certificate once the checker accepts it.
Words: "right" (in brackets how many of them sat); "claimed", unsat that nothing else settled;
"unreplayed", sat (and that is not wrong) whose point is classified right, or our certificate if the
checker refuses it; "wrong". Ratio: CPU seconds over ours, of questions to which both are right.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np

from analysis.checkers import check_certificate as checker
from analysis.search.prepared import prepare
from constructions import ReLUNetwork

ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
SLOW = 20  # times the limit, by the clock: then a process is killed, should it wait for something
WARM = {"layers": [([[1.0]], [0.0])] * 2, "lower": [0.0], "upper": [1.0], "label": 1}
"""The first question: the identity, through one ReLU, is 0 somewhere."""


class Verifier:
    """A process that answers questions; a new one is started after one that had to be ended."""

    def __init__(self, name, python, limit):
        self.command = [python, "-P", str(Path(__file__).with_name("verifiers.py")), name]
        self.limit, self.process = limit, None

    def ask(self, question):
        """(word, proof, CPU seconds)."""
        if self.process is None:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, **ONE_THREAD},
                process_group=0,
            )
            self.say(WARM, 600)
        return self.say(question, self.limit)

    def say(self, question, limit):
        timer = threading.Timer(SLOW * limit, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(json.dumps({**question, "limit": limit}) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            timer.cancel()
        if answer:
            return json.loads(answer)
        code = self.process.wait()
        self.close()
        if question is WARM:
            raise SystemExit(f"{' '.join(self.command)} must answer, got exit status {code}")
        return "timeout" if code == -signal.SIGPROF else "error", f"exit status {code}", limit

    def close(self):
        """End the process, and those that it started."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()
            self.process = None


# -- what is settled -------------------------------------------------------------------------------


def accepted(network, question, query):
    """Whether the checker accepts a certificate's query, and it is about this question."""
    unit = 2 ** query["scale"]
    sides = [[Fraction(v, unit) for v in query[name]] for name in ("lower", "upper")]
    asked = [[Fraction(v) for v in question[name]] for name in ("lower", "upper")]
    about = sides == asked and query["label"] == question["label"] and "ball" not in query
    known = checker.Network(prepare(network).data)
    return about and query["verdict"] == "proved" and checker.check(known, query) == ""


def misclassified(network, question, point):
    """Whether a point, moved into the box, is misclassified; False for what is no point."""
    try:
        sides = zip(point, question["lower"], question["upper"], strict=True)
        point = [min(max(Fraction(v), Fraction(low)), Fraction(high)) for v, low, high in sides]
    except (TypeError, ValueError, OverflowError):
        return False
    values, label = network.exact(point).tolist(), question["label"]
    if len(values) == 1:
        return label * values[0] <= 0
    return max(v for k, v in enumerate(values) if k != label) >= values[label]


def judge(network, question, answers):
    """The truth, or None where it is open, and a word on each answer."""
    shown = {}
    for name, (word, proof, _) in answers.items():
        if word == "sat":
            shown[name] = misclassified(network, question, proof)
        elif word == "unsat" and name == "cgro":
            shown[name] = accepted(network, question, proof)
    truths = {answers[name][0] for name, right in shown.items() if right}
    if len(truths) == 2:
        raise AssertionError(f"an accepted certificate and a counterexample: {question}")
    truth = truths.pop() if truths else None

    def word_on(name):
        word = answers[name][0]
        if word not in ("sat", "unsat"):
            return word if word in ("unknown", "timeout") else "error"
        if truth and word != truth:
            return "wrong"
        if name in shown:
            return "right" if shown[name] else "unreplayed"
        return "right" if truth else "claimed"

    return truth, {name: word_on(name) for name in answers}


# -- questions -------------------------------------------------------------------------------------


def trained(folder, widths=(32, 64), radii=(0.05, 0.1), count=40):
    """Networks of digits, odd against even, 64-W-W-1, and balls around the first test points."""
    import torch

    from training import TrainingConfig, load_data, mlp, train

    torch.set_num_threads(1)
    data = load_data("digits", "parity").flat()
    points, labels = (v[:count].numpy() for v in (data.test_points, data.test_labels))
    for width in widths:
        config = TrainingConfig(
            epochs=60, radius=0.1, attack="pgd7", final_attack="pgd20", eval_points=100
        )
        run = train(config, folder / f"run{width}", data=data, model=mlp([64, width, width, 1]))
        network = ReLUNetwork.from_module(run.model(into=mlp([64, width, width, 1])))
        weights = {f"W{i}": a.weight.to_dense().numpy() for i, a in enumerate(network.layers)}
        biases = {f"b{i}": a.bias.to_dense()[:, 0].numpy() for i, a in enumerate(network.layers)}
        np.savez(folder / f"digits_{width}-{width}.npz", **weights, **biases)
        for radius in radii:
            low, high = (points.astype(float) + r for r in (-radius, radius))
            name = folder / f"digits_{width}-{width}.{radius}.queries.npz"
            np.savez(name, lo=low.clip(0, 1), hi=high.clip(0, 1), y=labels)


def questions(folder, count):
    """(name, network, questions) of each file of questions, at most count of each."""
    if not (files := sorted(folder.glob("*queries.npz"))):
        raise SystemExit(f"FOLDER must hold *.queries.npz, got {folder}")
    for file in files:
        with np.load(file.with_name(f"{file.name.split('.')[0]}.npz")) as parts:
            depth = sum(name.startswith("W") for name in parts)
            layers = [[parts[f"{n}{i}"].tolist() for n in "Wb"] for i in range(depth)]
        with np.load(file) as asked:
            rows = zip(*(asked[name].tolist() for name in ("lo", "hi", "y")), strict=True)
            found = [
                {"layers": layers, "lower": low, "upper": high, "label": label}
                for low, high, label in list(rows)[:count]
            ]
        yield file.name.removesuffix(".queries.npz"), ReLUNetwork.from_layers(layers), found


def table(name, judged):
    """A line for each verifier: words, CPU seconds in all and of the median, ratio to ours."""
    for verifier in judged[0][1]:
        found = Counter(words[verifier] for _, words, _ in judged)
        sat = sum(words[verifier] == "right" and truth == "sat" for truth, words, _ in judged)
        counts = f"{found.pop('right', 0)} right ({sat})"
        counts += "".join(f", {n} {word}" for word, n in sorted(found.items()))
        both = [a for _, words, a in judged if words[verifier] == words["cgro"] == "right"]
        ours, theirs = (sum(answers[v][2] for answers in both) for v in ("cgro", verifier))
        ratio = f"{theirs / ours:8.3g}" if both else "       -"
        seconds = [answers[verifier][2] for _, _, answers in judged]
        line = f"{name:28} {verifier:10} {counts:44} {sum(seconds):8.3f} s"
        print(f"{line} {statistics.median(seconds):8.4f} s {ratio}", flush=True)


def compare(folder, peers, limit, count=None):
    """Print the table; returns how many of our answers are wrong, unreplayed or errors."""
    verifiers, bad = {name: Verifier(name, python, limit) for name, python in peers.items()}, 0
    print(f"{'questions':28} {'verifier':10} {'':44} {'CPU, all':>10} {'median':>10}    ratio")
    try:
        for name, network, asked in questions(folder, count):
            judged = []
            for question in asked:
                answers = {key: verifier.ask(question) for key, verifier in verifiers.items()}
                judged.append((*judge(network, question, answers), answers))
            table(name, judged)
            bad += sum(w["cgro"] in ("wrong", "unreplayed", "error") for _, w, _ in judged)
    finally:
        for verifier in verifiers.values():
            verifier.close()
    return bad


def named(text):
    name, _, python = text.partition("=")
    if not python:
        raise argparse.ArgumentTypeError(f"must be NAME=PYTHON, got {text}")
    return name, python


def main() -> None:
    parser = argparse.ArgumentParser(description="Decide the same questions by several verifiers.")
    parser.add_argument("folder", nargs="?", type=Path, help="networks and questions, as .npz")
    parser.add_argument("--peer", action="append", type=named, default=[], metavar="NAME=PYTHON")
    parser.add_argument("--limit", type=float, default=30, help="CPU seconds of one question")
    parser.add_argument("--queries", type=int, help="of each file; default: all")
    options = parser.parse_args()
    peers = {"cgro": sys.executable, **dict(options.peer)}
    with tempfile.TemporaryDirectory() as made:
        if not options.folder:
            trained(Path(made))
        bad = compare(options.folder or Path(made), peers, options.limit, options.queries)
    raise SystemExit(int(bad > 0))


if __name__ == "__main__":
    main()
