"""
x² step by step
===============

**How does a network that knows only max(0, ·) square a number, and how well?** Yarotsky (2017)
adds up sawtooth waves. This is the smallest construction of the library and a part of all others;
its error is not sampled here but computed exactly, over every real number of the interval.
"""

import matplotlib.pyplot as plt
import torch

from analysis import sup_error
from constructions import explain, squaring, tooth

plt.rcParams.update({"figure.constrained_layout.use": True, "axes.grid": True})
x = torch.linspace(0, 1, 1025, dtype=torch.float64)[:, None]

# %%
# A tooth goes up and down once. Applied to its own output it makes 2, 4, 8, ... teeth: each layer
# doubles their number, which is what depth is good for.

figure, axes = plt.subplots(figsize=(5, 2.6))
for s, colour, style in (
    (1, "#56B4E9", "-"),
    (2, "#CC79A7", "--"),
    (3, "#009E73", ":"),
):
    axes.plot(x, tooth(s)(x), color=colour, linestyle=style, label=f"s = {s}")
axes.set(xlabel="x", ylabel="tooth(s)(x)")
figure.legend(loc="outside upper center", ncols=3, frameon=False)
plt.show()

# %%
# Subtract from x one tooth over 4, two teeth over 16, ...: after m steps this is the straight-line
# interpolation of x² at the multiples of 1/2\ :sup:`m`.

figure, (curve, error) = plt.subplots(2, 1, figsize=(5, 5), sharex=True)
curve.plot(x, x**2, color="black", linewidth=3, alpha=0.3, label="x²")
for m, colour, style in (
    (1, "#56B4E9", "-"),
    (2, "#CC79A7", "--"),
    (3, "#009E73", ":"),
):
    network = squaring(m)
    curve.plot(x, network(x), color=colour, linestyle=style, label=f"m = {m}")
    error.plot(x, network(x) - x**2, color=colour, linestyle=style)
curve.set_ylabel("squaring(m)(x)")
error.set(xlabel="x", ylabel="error (at 1,025 points)")
curve.legend(frameon=False)
plt.show()

# %%
# The plotted error is of 1,025 points. :func:`analysis.sup_error` looks at each linear piece, in
# rational numbers, and so gives the *exact* largest error on [0, 1]: a quarter for each layer.

depths = range(1, 9)
errors = [sup_error(squaring(m), "x**2", (0, 1)) for m in depths]
for m, found in zip(depths, errors, strict=True):
    size = squaring(m).size.parameters
    print(f"m = {m}: {size:2} parameters, error {found.value} (exact)")

# %%
# That is the published statement, 4\ :sup:`-(m+1)`. Every network of the library knows the
# statement it comes from, and what this claims of depth, parameters (nonzero weights and biases,
# *dense*: all entries), linear pieces and error:

print(explain(squaring(8)))

# %%
# So the error falls exponentially in the number of parameters, which grows by 7 a layer:

figure, axes = plt.subplots(figsize=(5, 2.8))
sizes = [squaring(m).size.parameters for m in depths]
axes.semilogy(sizes, [float(found) for found in errors], "o-", color="black")
axes.set(xlabel="parameters (exact count)", ylabel="largest error on [0, 1] (exact)")
plt.show()
