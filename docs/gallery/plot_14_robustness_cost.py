"""
What robustness costs at every radius
=====================================

**How many parameters do balls of a given radius need?** The labels of N points alone fit into
the bits of about the square root of N weights; balls as large as they can be take a
parameter for each coordinate of each point. Between these, the smallest known construction
changes with the radius. All of them are built here, and every ball is proved.
"""

import matplotlib.pyplot as plt
import numpy as np

from analysis import memorization_costs
from constructions import Ball, robust_memorizer

plt.rcParams.update({"figure.constrained_layout.use": True, "axes.grid": True})

# %%
# Random points with labels that alternate. Radii are shares rho of half the least distance of
# points with different labels: at rho = 1 balls of different labels meet, and nothing is right.

points = np.random.default_rng(0).integers(0, 2**12 + 1, (100, 10)) / 2**12
labels = np.where(np.arange(len(points)) % 2, 1, -1)
shares = [1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.2, 0.4, 0.7, 0.99]
costs = memorization_costs(points, labels, 2, shares)
for cost in costs[::2]:
    least = f"{cost.sizes[cost.smallest]:,} parameters ({cost.smallest}; exact)"
    print(
        f"rho = {cost.rho:g}: {least}, some points need {cost.needed} (certified bound)"
    )

# %%
# `robust_memorizer` builds the smallest that is right, and says what became of the others.

network = robust_memorizer(points, labels, Ball(2, costs[4].radius))
print(network.provenance.arguments["why"].replace("; ", "\n"))

# %%
# Sizes over the radius. A curve ends where its construction is no longer right on all balls. The
# lower bound is about the worst points of this number and dimension, and far below.

figure, axes = plt.subplots(figsize=(5.2, 4.8))
looks = {
    "memorizer": ("s-", "#009E73"),
    "grid_memorizer": ("D-", "#56B4E9"),
    "staged_grid_memorizer": ("X-", "#8A7A00"),
    "projected_memorizer": ("^-", "#CC79A7"),
    "nearest_neighbour": ("o-", "#E69F00"),
    "narrow_memorizer": ("P-", "#D55E00"),
    "f_S": ("v-", "#0072B2"),
}
for name, (style, colour) in looks.items():
    proved = [(cost.rho, cost.sizes[name]) for cost in costs if name in cost.sizes]
    axes.plot(
        [rho for rho, _ in proved],
        [size for _, size in proved],
        style,
        color=colour,
        label=name,
    )
axes.plot(
    shares,
    [cost.needed for cost in costs],
    "--",
    color="black",
    label="needed by the worst points (lower bound)",
)
axes.set(xscale="log", yscale="log", xlabel="rho", ylabel="nonzero parameters")
axes.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
plt.show()

# %%
# On the command line `cgro figure robustness-cost` draws both norms, `--data digits` for digits.
