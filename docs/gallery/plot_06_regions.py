"""
Count linear regions
====================

**Of how many linear pieces is a network made, exactly?** A ReLU network is affine on each of
finitely many polygons of the plane. Their number is the usual measure of what a network can
express; here it is counted with certainty, for trained and for constructed networks.
"""

import matplotlib.pyplot as plt
import torch

from analysis import plot_regions
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
print(f"f_clean: at most {bound:,} cells (upper bound, Serra et al. 2018)")

# %%
# ``linear_regions`` gives the regions themselves: corners, maps, volumes. Thin grey lines part
# cells, black lines part pieces; colour is the network's value. Most cells of f_S are no pieces:
# units switch there whose effects cancel.


figure, panels = plt.subplots(2, 1, figsize=(4.8, 9))
for axes, (name, network) in zip(panels, (("f_clean", clean), ("f_S", f)), strict=True):
    found = linear_regions(network, (0, 1), pieces=True)
    plot_regions(found, points=points, labels=labels, reach=6, axes=axes)
    counts = f"{found.cells:,} cells, {found.pieces} pieces (exact)"
    axes.set_title(f"{name}: {counts}", fontsize=10)
plt.show()

# %%
# The volumes of the cells, as fractions, add up to exactly 1: no cell was missed.

found = linear_regions(f, (0, 1), arithmetic="integers")
print(f"sum of {found.cells:,} volumes: {found.volumes.sum()} (exact)")
print(f"smallest: {float(found.volumes.min()):.1e} (exact, rounded here)")
