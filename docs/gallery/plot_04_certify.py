"""
Certify a ball, and check the certificate alone
===============================================

**Is there any adversarial example in this ball, and why should somebody else believe the answer?**
An attack that finds nothing proves nothing. ``certify`` decides the question for every real point
of the ball, and gives a *certificate*: a file that a short program of its own checks in integer
arithmetic, without this library.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Rectangle

import analysis
from analysis import certificate_of, certify, plot_plane
from constructions import Ball, ReLUNetwork
from training import mlp

plt.rcParams.update({"figure.constrained_layout.use": True})

# %%
# Any network of affine layers and ReLUs will do; here one that learned, in the plane, roughly
# which points lie above a wave.

torch.manual_seed(0)
points = torch.rand(300, 2)
labels = torch.where(points[:, 1] > 0.5 + 0.25 * torch.sin(6.3 * points[:, 0]), 1, -1)
module = mlp([2, 24, 1])
optimizer = torch.optim.Adam(module.parameters(), lr=0.03)
for _ in range(300):
    optimizer.zero_grad()
    torch.nn.functional.softplus(-4 * labels * module(points)[:, 0]).mean().backward()
    optimizer.step()
network = ReLUNetwork.from_module(module)

# %%
# Three balls of the maximum norm (squares) with the label that their centre should have. The
# *margin*, label times output, is positive where the label is right; 0 counts as an error. Proved:
# a certified bound that no point of the ball falls below. Refuted: a point, with its exact margin.

questions = [([0.25, 0.25], 0.2, -1), ([0.75, 0.75], 0.15, 1), ([0.75, 0.45], 0.2, 1)]
results = [
    certify(network, x, Ball("inf", radius), label) for x, radius, label in questions
]
for (x, radius, label), result in zip(questions, results, strict=True):
    print(f"radius {radius} around {x}, label {label:+}\n  {result!r}")

# %%

figure, axes = plt.subplots(figsize=(4.8, 4.6))
plot_plane(network, reach=6, axes=axes)
for ((x, y), radius, _), result in zip(questions, results, strict=True):
    corner, style = (x - radius, y - radius), "-" if result.verdict == "proved" else ":"
    axes.add_patch(
        Rectangle(corner, 2 * radius, 2 * radius, fill=False, lw=2, ls=style)
    )
    axes.annotate(result.verdict, (x, y), ha="center", va="center", weight="bold")
    if result.witness:
        axes.plot(*map(float, result.witness), "X", color="black", markersize=9)
plt.show()

# %%
# The certificate holds the weights, the sets, and the proofs. The checker is run as a program of
# its own, with Python's standard library alone (``-I -S``: no installed package is seen).

checker = Path(analysis.__file__).parent / "checkers" / "check_certificate.py"


def check(certificate):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "certificate.json")
        path.write_text(json.dumps(certificate))
        command = [sys.executable, "-I", "-S", str(checker), str(path)]
        print(subprocess.run(command, capture_output=True, text=True).stdout)


certificate = certificate_of(results)
check(certificate)

# %%
# It believes nothing that it has not computed. A claim that is a little too good:

certificate["queries"][0]["bound"] = "7"
check(certificate)
