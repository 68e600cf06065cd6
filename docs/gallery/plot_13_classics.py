"""
What depth is good for
======================

**Which functions need deep networks, and which only seem to?** Three classics of the theory, built
and measured: folds that make regions, a sawtooth that small networks stay away from, and a deep
network that turns into a shallow one.
"""

import matplotlib.pyplot as plt
from matplotlib.collections import PolyCollection

from constructions import (
    count_regions,
    folding,
    from_pieces,
    l1_distance,
    linear_regions,
    maximum,
    montufar_lower,
    piecewise_linear,
    sawtooth_bound,
    squaring,
    tooth,
    topology,
)

plt.rcParams.update({"figure.constrained_layout.use": True})

# %%
# Each layer but the last folds the square like paper, so that what the last one cuts appears
# everywhere, mirrored. Montúfar et al. (2014) promise a number of regions; here the
# activation cells are counted.

widths = [6, 5]
network = folding(widths, 2)
counted = count_regions(network, (0, 1), pieces=True)
print(f"{counted.cells} activation cells, {montufar_lower(widths, 2)} promised (exact)")

found = linear_regions(network, (0, 1))
figure, axes = plt.subplots(figsize=(4.6, 4.2))
shapes = [found.vertices[list(polygon)] for polygon in found.polygons()]
values = network(found.points).flatten().numpy()
cells = PolyCollection(shapes, array=values, cmap="cividis", edgecolors="white")
axes.add_collection(cells)
axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="x₁", ylabel="x₂", aspect="equal")
figure.colorbar(cells, label="value in the middle")
plt.show()

# %%
# The set where the network is at least 1.5 has holes; they are counted, too.

found = topology(network, (0, 1), side="above", level=1.5)
print(f"components {found.betti[0]}, loops {found.betti[1]} (exact)")

# %%
# A tooth of depth s has 2\ :sup:`s` linear pieces. A network with fewer of them cannot follow, so
# its L1 distance is bounded from below. Here is one that follows the first pieces and then stays at
# 1/2, and what is certified for all networks of as many units:

s, follow = 7, []
for p in (2, 8, 16, 32, 64, 96):
    knots = [k / 2**s for k in range(p + 1)] + [(p + 0.5) / 2**s, 1]
    heights = [k % 2 for k in range(p + 1)] + [0.5, 0.5]
    follow.append(piecewise_linear(knots, heights))
units = [f.size.units for f in follow]
distances = [l1_distance(tooth(s), f) for f in follow]
bounds = [sawtooth_bound(s, [n]) for n in units]
figure, axes = plt.subplots(figsize=(5, 2.8))
axes.plot(
    units, [float(d) for d in distances], "s--", color="#009E73", label="this one"
)
axes.plot(units, [float(b) for b in bounds], "o-", color="black", label="any, at least")
axes.set(xlabel="units of one hidden layer", ylabel="L1 distance from tooth(7)")
axes.legend(frameon=False)
plt.show()
print(f"{units[3]} units: {distances[3]} (exact), no less than {bounds[3]} (certified)")
print(f"the tooth itself: {tooth(s).size.units} units in {s} layers")

# %%
# On the other hand, any deep network of n inputs is a network of depth log₂(n + 1), rounded up, on
# a box: its linear pieces are read off and put together anew. For one input that is a single layer.

shallow = from_pieces(linear_regions(squaring(5), (0, 1)))
print(f"depth {squaring(5).size.depth} to {shallow.size.depth} (exact)")
print(f"the same function: distance {l1_distance(squaring(5), shallow)} (exact)")

# %%
# And the maximum of five numbers, long believed to need three layers, needs two:

print(f"depth {maximum(5).size.depth} to {maximum(5, depth=2).size.depth} (exact)")
