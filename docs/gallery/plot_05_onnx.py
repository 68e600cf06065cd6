"""
Read somebody's ONNX and decide a property
==========================================

**Somebody sends a network as an ONNX file: does it ever do what it must not?** The question is
asked in VNN-LIB, the format of the verification competitions. The answer is *unsat* (no input is
unsafe; a proof is kept) or *sat* (here is one), in exact arithmetic, of the very file.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Rectangle

import analysis
from analysis import decide
from constructions import read_network, write_onnx
from training import mlp

plt.rcParams.update({"figure.constrained_layout.use": True})
folder = tempfile.TemporaryDirectory()
file = Path(folder.name, "brake.onnx")

# %%
# The file, as somebody might make it: a network that learned how hard to brake (0 to 1) from the
# speed and the distance to an obstacle, both scaled to [0, 1]. (``torch.onnx.export`` would do as
# well; ``write_onnx`` needs no further package.)

torch.manual_seed(0)
inputs = torch.rand(500, 2)
wanted = (0.6 + inputs[:, 0] - 1.4 * inputs[:, 1]).clamp(0, 1)
module = mlp([2, 16, 16, 1])
optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
for _ in range(300):
    optimizer.zero_grad()
    (module(inputs)[:, 0] - wanted).square().mean().backward()
    optimizer.step()
write_onnx(module, file)

# %%
# From here on there is only the file. Reading it compares every operation with ONNX's own
# evaluator, and says what was read, and what was rounded, if anything was:

network = read_network(file)
print(repr(network.origin))

# %%
# The property, in text: X_0 is the speed, X_1 the distance, Y_0 the output. What is asserted is
# the *unsafe* case: fast and near, and yet hardly any braking.


def query(name, low, high, brake):
    text = f"""
    (declare-const X_0 Real) (declare-const X_1 Real) (declare-const Y_0 Real)
    (assert (>= X_0 {low[0]})) (assert (<= X_0 {high[0]}))
    (assert (>= X_1 {low[1]})) (assert (<= X_1 {high[1]}))
    (assert (<= Y_0 {brake}))
    """
    path = Path(folder.name, name)
    path.write_text(text)
    return path


near = decide(file, query("near.vnnlib", (0.7, 0.0), (1.0, 0.4), 0.5))
print(f"fast and near, brake at most 0.5\n  {near!r}")
middle = decide(file, query("middle.vnnlib", (0.3, 0.3), (0.7, 0.7), 0.25))
print(f"in the middle, brake at most 0.25\n  {middle!r}")

# %%
# In the first box all is well, everywhere. In the second there is an input (cross), which the
# dashed line of output 0.25 explains.

line = torch.linspace(0, 1, 301, dtype=torch.float64)
values = network(torch.cartesian_prod(line, line)).reshape(301, 301).T.numpy()
figure, axes = plt.subplots(figsize=(4.8, 4.2))
image = axes.imshow(
    values, origin="lower", extent=(0, 1, 0, 1), cmap="Greys", vmin=0, vmax=2
)
lines = axes.contour(
    line, line, values, levels=[0.25, 0.5], colors="black", linestyles=["--", "-"]
)
axes.clabel(lines)
axes.add_patch(Rectangle((0.7, 0), 0.3, 0.4, fill=False, linewidth=2))
axes.annotate("unsat:\nproved", (0.73, 0.03), weight="bold")
axes.add_patch(Rectangle((0.3, 0.3), 0.4, 0.4, fill=False, linewidth=2))
axes.annotate("sat", (0.6, 0.33), weight="bold")
axes.plot(*map(float, middle.witness), "X", color="black", markersize=9)
axes.set(xlabel="speed", ylabel="distance")
bar = figure.colorbar(image, label="brake", shrink=0.85)
bar.ax.set_ylim(0, 1)
plt.show()

# %%
# The proof is a file, too. The stand-alone checker of the previous example computes it again; that
# the margin network in it comes from this ONNX file and this property is checked by
# ``cgro check-certificate certificate.json --network brake.onnx --vnnlib near.vnnlib``.

near.save(Path(folder.name, "certificate.json"))
checker = Path(analysis.__file__).parent / "checkers" / "check_certificate.py"
command = [sys.executable, "-I", "-S", str(checker), "certificate.json"]
print(subprocess.run(command, cwd=folder.name, capture_output=True, text=True).stdout)
folder.cleanup()
