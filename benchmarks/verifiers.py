"""One verifier in an interpreter of its own: python benchmarks/verifiers.py NAME.

Questions are read, JSON a line: layers ((W, b), ReLUs between), lower, upper, label and limit: is
every point of the box classified as the label (-1 and 1: the sign of one output)? Answers are
written, likewise: [word, proof, CPU seconds]. The word is "unsat", or "sat" (some point is not,
with that point), or whatever the verifier says. More than limit CPU seconds end the process by
SIGPROF. `benchmarks/peers.py` asks.

A function of `VERIFIERS` imports its package and gives what decides whether g(x) <= 0 somewhere in
a box, for a network g with one output; `cgro` takes labels.
"""

import json
import os
import re
import resource
import signal
import sys
import tempfile

import numpy as np


def cgro():
    from analysis import certify_box
    from constructions import ReLUNetwork

    def decide(layers, lower, upper, label):
        network = ReLUNetwork.from_layers(layers)
        found = certify_box(network, (lower, upper), label, max_seconds=10_000)
        if found.verdict == "refuted":
            return "sat", [str(v) for v in found.witness]
        return ("unsat", found.query) if found.verdict == "proved" else ("unknown", found.reason)

    return decide


def marabou():
    from maraboupy import Marabou, MarabouNetwork, MarabouUtils

    options = Marabou.createOptions(numWorkers=1, verbosity=0)

    def decide(layers, lower, upper):
        model = MarabouNetwork.MarabouNetwork()
        values = [model.getNewVariable() for _ in lower]
        model.inputVars = [np.array(values)]
        for variable, low, high in zip(values, lower, upper, strict=True):
            model.setLowerBound(variable, low)
            model.setUpperBound(variable, high)
        for depth, (weight, bias) in enumerate(layers):
            if depth:
                before, values = values, [model.getNewVariable() for _ in values]
                for pair in zip(before, values, strict=True):
                    model.addRelu(*pair)
            before, values = values, [model.getNewVariable() for _ in bias]
            for row, constant, variable in zip(weight, bias, values, strict=True):
                equation = MarabouUtils.Equation()
                for factor, other in zip([*row, -1.0], [*before, variable], strict=True):
                    equation.addAddend(factor, other)
                equation.setScalar(-constant)
                model.addEquation(equation)
        model.outputVars = [np.array(values)]
        model.setUpperBound(values[0], 0.0)
        word, point, _ = model.solve(verbose=False, options=options)
        return word.lower(), [point[i] for i in range(len(lower))] if word == "sat" else None

    return decide


def nnenum():
    from nnenum.enumerate import enumerate_network
    from nnenum.network import FullyConnectedLayer, NeuralNetwork, ReluLayer
    from nnenum.nnenum import set_control_settings
    from nnenum.settings import Settings
    from nnenum.specification import Specification

    def decide(layers, lower, upper):
        set_control_settings()
        Settings.TIMEOUT, Settings.PRINT_OUTPUT = np.inf, False
        parts = []
        for weight, bias in layers:
            if parts:
                parts.append(ReluLayer(len(parts), (weight.shape[1],)))
            parts.append(FullyConnectedLayer(len(parts), weight, bias, (weight.shape[1],)))
        asked = Specification(np.ones((1, 1)), np.zeros(1))
        found = enumerate_network(np.stack([lower, upper], 1), NeuralNetwork(parts), asked)
        if found.result_str.startswith("unsafe"):
            return "sat", [float(v) for v in found.cinput]
        return ("unsat" if found.result_str == "safe" else found.result_str), None

    return decide


def highs():
    """Big-M; intervals, and linear programs for what is unstable below the first layer."""
    import highspy

    inf = highspy.kHighsInf

    def column(model, low, high):
        model.addVar(low, high)
        return model.numVariables - 1

    def row(model, low, high, *terms):
        model.addRow(low, high, len(terms), *map(list, zip(*terms, strict=True)))

    def tight(model, unit, low, high):
        ends = [low, high]
        model.changeColCost(unit, 1.0)
        for end, sense in enumerate((highspy.ObjSense.kMinimize, highspy.ObjSense.kMaximize)):
            model.changeObjectiveSense(sense)
            model.run()
            if model.getModelStatus() == highspy.HighsModelStatus.kOptimal:
                ends[end] = model.getInfo().objective_function_value
        model.changeColCost(unit, 0.0)
        model.changeColBounds(unit, *ends)
        return ends

    def relu(model, unit, low, high, switches):
        if low >= 0:
            return unit, low, high
        high = max(high, 0.0)
        value = column(model, 0.0, high)
        if high > 0:
            on = column(model, 0.0, 1.0)
            switches.append(on)
            row(model, 0.0, inf, (value, 1.0), (unit, -1.0))
            row(model, -inf, -low, (value, 1.0), (unit, -1.0), (on, -low))
            row(model, -inf, 0.0, (value, 1.0), (on, -high))
        return value, 0.0, high

    def decide(layers, lower, upper):
        model, switches = highspy.Highs(), []
        for name, value in (("output_flag", False), ("threads", 1), ("mip_max_improving_sols", 1)):
            model.setOptionValue(name, value)
        values = [(column(model, *ends), *ends) for ends in zip(lower, upper, strict=True)]
        for depth, (weight, bias) in enumerate(layers):
            inputs, low, high = map(np.array, zip(*values, strict=True))
            plus, minus, values = weight.clip(0), weight.clip(None, 0), []
            ends = np.stack([plus @ low + minus @ high, plus @ high + minus @ low], 1)
            for factors, constant, (low, high) in zip(
                weight, bias, ends + bias[:, None], strict=True
            ):
                unit = column(model, low, high)
                row(model, -constant, -constant, *zip(inputs, factors, strict=True), (unit, -1.0))
                if depth and low < 0 < high:
                    low, high = tight(model, unit, low, high)
                if depth < len(layers) - 1:
                    values.append(relu(model, unit, low, high, switches))
        if low > 0:
            return "unsat", None
        for switch in switches:
            model.changeColIntegrality(switch, highspy.HighsVarType.kInteger)
        model.changeColBounds(unit, low, 0.0)
        model.changeColCost(unit, 1.0)
        model.changeObjectiveSense(highspy.ObjSense.kMinimize)
        model.run()
        if model.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
            return "unsat", None
        if not model.getSolution().value_valid:
            return "unknown", None
        return "sat", list(model.getSolution().col_value[: len(lower)])

    return decide


def sequential(layers):
    """A module of torch, of its default type."""
    import torch

    parts = []
    for weight, bias in layers:
        linear = torch.nn.Linear(*weight.T.shape)
        linear.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
        parts += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1])


def auto_LiRPA():  # noqa: N802
    import torch
    from auto_LiRPA import BoundedModule, BoundedTensor, PerturbationLpNorm

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)

    def decide(layers, lower, upper):
        low, high = torch.tensor(np.stack([lower, upper]))[:, None]
        model = BoundedModule(sequential(layers), low)
        box = BoundedTensor(low, PerturbationLpNorm(norm=np.inf, x_L=low, x_U=high))
        least, _ = model.compute_bounds(x=(box,), method="CROWN-Optimized", bound_upper=False)
        return "unsat" if least.min() > 0 else "unknown", None  # it only bounds

    return decide


def alpha_beta_crown():
    """Version 0.7.0 (8250d5f), with neither Gurobi nor CPLEX; it rounds the box to float32.

    Its repository with submodules, complete_verifier/requirements.txt and torch 2.8 are installed;
    the repository and its folder auto_LiRPA are on the path.
    """
    import torch
    from abcrown import ABCrownSolver, ConfigBuilder, VerificationSpec

    torch.set_num_threads(1)
    below = [[(torch.ones(1, 1), torch.zeros(1))]]  # 1 g(x) <= 0
    settings = {
        "general": {"device": "cpu", "complete_verifier": "bab", "save_adv_example": True},
        "attack": {"pgd_restarts": 50},
        "solver": {"batch_size": 256, "beta-crown": {"iteration": 20}},
        "bab": {"timeout": 1e6, "branching": {"reduceop": "max"}},
    }

    def decide(layers, lower, upper):
        asked = VerificationSpec.build_from_input_bounds(*torch.tensor([[lower], [upper]]), below)
        with tempfile.NamedTemporaryFile("r") as point:
            config = ConfigBuilder.from_defaults().update(settings, attack__cex_path=point.name)
            found = ABCrownSolver(asked, sequential(layers), config=config).solve()
            told = re.findall(r"X_\d+ +(\S+)\)", point.read())
        if found.status.startswith("unsafe"):
            return "sat", [float(np.float32(v)) for v in told]
        return ("unsat" if found.status.startswith("safe") else found.status), None

    return decide


def rivals(decide):
    """Ask about one class after another what is asked about a network with one output."""

    def decide_all(layers, lower, upper, label):
        *before, (weight, bias) = layers
        if len(bias) == 1:
            rows = [(label * weight, label * bias)]
        else:
            rows = [
                (weight[[label]] - weight[[k]], bias[[label]] - bias[[k]])
                for k in range(len(bias))
                if k != label
            ]
        for last in rows:
            word, point = decide([*before, last], lower, upper)
            if word != "unsat":
                break
        return word, point

    return decide_all


def cpu():
    """CPU seconds of this process; `time.process_time` counts in ticks while a timer is set."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def serve(name):
    """Questions in, a line each, answers out; more CPU time than is allowed ends the process."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a verifier prints, imported or asked, is no answer
    decide = VERIFIERS[name]() if name == "cgro" else rivals(VERIFIERS[name]())
    os.register_at_fork(after_in_child=answers.close)  # so that its end is seen, whoever is left
    with answers:
        for line in sys.stdin:
            asked = json.loads(line)
            layers = [(np.array(weight), np.array(bias)) for weight, bias in asked["layers"]]
            lower, upper = np.array(asked["lower"]), np.array(asked["upper"])
            signal.setitimer(signal.ITIMER_PROF, asked["limit"])
            start = cpu()
            try:
                word, proof = decide(layers, lower, upper, asked["label"])
            except Exception as error:  # one question's
                word, proof = "error", repr(error)
            seconds = cpu() - start
            signal.setitimer(signal.ITIMER_PROF, 0)
            print(json.dumps([word, proof, seconds]), file=answers, flush=True)


PEERS = highs, marabou, nnenum, auto_LiRPA, alpha_beta_crown
VERIFIERS = {"cgro": cgro} | {f.__name__: f for f in PEERS}

if __name__ == "__main__":
    serve(sys.argv[1])
