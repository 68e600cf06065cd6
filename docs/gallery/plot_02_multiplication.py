"""
x · y
=====

**How does a ReLU network multiply, and is 0 · y really 0?** Two squares make a product:
x y = ((x + y)/2)² − ((x − y)/2)². The classifiers of the papers use such products to switch a
label on and off, so it matters that a product with 0 is 0 exactly, not nearly.
"""

import matplotlib.pyplot as plt
import torch

from analysis import sup_error
from constructions import multiplication, yarotsky_multiplication

plt.rcParams.update({"figure.constrained_layout.use": True})
product = multiplication(3, 1)  # three steps for each square; factors in [-1, 1]
print(product([[0.5, -0.75], [0.3, 0.0], [0.0, -0.7]]).flatten().tolist())
print(f"{product.size.parameters} parameters (nonzero weights and biases, exact count)")

# %%
# The error over the square: positive and negative tiles (the tiles of the two squares), and
# exactly 0 on both axes, where a factor is 0.

line = torch.linspace(-1, 1, 401, dtype=torch.float64)
grid = torch.cartesian_prod(line, line)
error = (product(grid)[:, 0] - grid.prod(1)).reshape(401, 401).T.numpy()

figure, axes = plt.subplots(figsize=(5, 4))
bound = 1 / 256
image = axes.imshow(
    error, origin="lower", extent=(-1, 1, -1, 1), cmap="RdBu_r", vmin=-bound, vmax=bound
)
axes.set(xlabel="x", ylabel="y", title="network − x y (at 401 × 401 points)")
figure.colorbar(image, ticks=[-bound, 0, bound], format="%.4f")
plt.show()

# %%
# :func:`analysis.sup_error` gives the exact range of this error over all real x and y of the
# square, and a point where it is largest:

print(repr(sup_error(product, "x1*x2", (-1, 1))))

# %%
# The papers' own form needs a third square. Both errors fall by a factor of 4 a layer; the
# library's network is smaller and, at the same depth, closer:

figure, axes = plt.subplots(figsize=(5, 3))
for build, name, style in (
    (multiplication, "two squares (the library)", "o-k"),
    (yarotsky_multiplication, "three squares (the papers)", "s--C7"),
):
    networks = [build(m, 1) for m in range(1, 6)]
    exact = [float(sup_error(network, "x1*x2", (-1, 1))) for network in networks]
    sizes = [network.size.parameters for network in networks]
    axes.semilogy(sizes, exact, style, label=name)
axes.set(xlabel="parameters (exact count)", ylabel="largest error (exact)")
axes.grid(True)
axes.legend(frameon=False)
plt.show()
