"""
Count linear regions
====================

**Of how many linear pieces is a network made, exactly?** A ReLU network is affine on each of
finitely many polygons of the plane. Their number is the usual measure of what a network can
express; here it is counted with certainty, for trained and for constructed networks.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.collections import LineCollection

from constructions import (
    Ball,
    ReLUNetwork,
    count_regions,
    f_S,
    linear_regions,
    serra_upper,
)
from training import mlp

plt.rcParams.update({"figure.constrained_layout.use": True})

# %%
# Twelve points, a network trained on them, and f_S built from it (see *The classifier f_S, drawn*).

torch.manual_seed(1)
steps = torch.linspace(0.15, 0.85, 4, dtype=torch.float64)
points = torch.cartesian_prod(steps, steps[:3]) + 0.05 * torch.rand(
    12, 2, dtype=torch.float64
)
labels = torch.where(points.sum(1) > 0.9, 1, -1)
labels[[1, 6]] *= -1
module = mlp([2, 12, 12, 1], seed=2)
optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
for _ in range(100):
    optimizer.zero_grad()
    torch.nn.functional.softplus(
        -labels * module(points.float())[:, 0]
    ).mean().backward()
    optimizer.step()
clean = ReLUNetwork.from_module(module)
f = f_S(clean, points, labels, Ball("inf", 0.05))

# %%
# A *cell* is where the same units are on; a *piece* joins neighbouring cells on which the network
# is the same affine map. Signs are proved by rounding bounds or integers, so the counts are exact:
# nothing is sampled, and no cell is too small.

for name, network in (("f_clean", clean), ("f_S", f)):
    print(f"{name}: {count_regions(network, (0, 1), pieces=True)}")

# %%
# Without counting one can say only what holds for all networks of these widths, which is far more:

bound = serra_upper(clean.hidden, 2)
print(f"f_clean: at most {bound:,} activation cells (upper bound, Serra et al. 2018)")

# %%
# ``linear_regions`` gives the regions themselves: corners, maps, volumes. Thin grey lines part
# cells, black lines part pieces; colour is the network's value. Most cells of f_S are no pieces:
# units switch there whose effects cancel.


def draw(axes, network, title):
    line = torch.linspace(0, 1, 401, dtype=torch.float64)
    values = network(torch.cartesian_prod(line, line)).reshape(401, 401).T.numpy()
    axes.imshow(
        values, origin="lower", extent=(0, 1, 0, 1), cmap="RdBu_r", vmin=-6, vmax=6
    )
    found = linear_regions(network, (0, 1), pieces=True)
    beside = {}  # of each side of a cell: the pieces on it
    for polygon, piece in zip(found.polygons(), found.piece, strict=True):
        for side in zip(polygon, np.roll(polygon, 1), strict=True):
            beside.setdefault(tuple(sorted(side)), set()).add(piece)
    cells = [found.vertices[list(side)] for side in beside]
    pieces = [
        found.vertices[list(side)] for side, both in beside.items() if len(both) == 2
    ]
    axes.add_collection(LineCollection(cells, colors="#00000060", linewidths=0.25))
    axes.add_collection(LineCollection(pieces, colors="black", linewidths=0.7))
    for label, marker in ((1, "o"), (-1, "s")):
        axes.plot(*points[labels == label].T, marker, color="black", markersize=4)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="x₁", ylabel="x₂")
    axes.set_title(
        f"{title}: {found.cells:,} activation cells,\n{found.pieces} linear pieces (exact)",
        fontsize=10,
    )


figure, panels = plt.subplots(2, 1, figsize=(4.2, 8), sharex=True)
draw(panels[0], clean, "f_clean")
draw(panels[1], f, "f_S")
plt.show()

# %%
# The volumes of the cells, as fractions, add up to exactly 1: no cell was missed.

found = linear_regions(f, (0, 1), arithmetic="integers")
print(f"sum of {found.cells:,} volumes: {found.volumes.sum()} (exact)")
print(f"smallest: {float(found.volumes.min()):.1e} (exact, rounded here)")
