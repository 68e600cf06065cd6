"""
Parameter counts, and what robustness costs
===========================================

**How much larger than a clean classifier must a robust one be?** The papers' answer: a little for
balls around *training* points (f_S), and exponentially in the dimension for *all* points of a
distribution. Both sides can be counted: networks by their nonzero weights and biases, and the
least that any robust network needs by a certified lower bound.
"""

import math

import matplotlib.pyplot as plt

from constructions import capacity_table, closed_form, count_table

plt.rcParams.update({"figure.constrained_layout.use": True, "axes.grid": True})

# %%
# How f_S grows: N training points, D dimensions. The formula is derived by running the code that
# builds the network on symbols; networks that are built agree with it.

print("parameters of f_S (linear f_clean, l∞):", closed_form("inf", "lean"))
for row in count_table([100, 1000], [64], variants=["lean"], hidden=()):
    if row.network == "f_S":
        counts = f"{row.measured:,} counted, {row.closed_form:,} by formula"
        print(f"N = {row.points:5,}: {counts} (exact)")

# %%
# Now the papers' hard case: points on a grid, each moved to one side of the plane x_D = 1/2, which
# is its label. A clean classifier needs two parameters. Balls have radius 0.1 in the maximum norm.

rows = capacity_table(range(2, 61), 0.1, points=1000)
for row in rows[18::20]:
    print(f"D = {row.dimension}: f_clean {row.clean}, f_S {row.cgro:,} (exact)")
    print(
        f"  robust on S_phi, worst phi: at least {row.lower:,} (certified lower bound)"
    )

# %%
# f_S memorizes 1,000 points and grows linearly. A network that is robust at all but 1% of the
# grid's points, for the worst choice of sides, needs more parameters than that from some dimension
# on, and exponentially many in the end. f_S on all of the grid's points is such a network.

figure, axes = plt.subplots(figsize=(5, 4.6))
for name, label, colour, style in (
    ("robust", "f_S on all points: robust (exact)", "#56B4E9", "-."),
    ("lower", "robust on S_phi, worst phi (certified lower bound)", "black", "--"),
    ("cgro", "f_S on 1,000 points (exact)", "#0072B2", "-"),
    ("clean", "f_clean (exact)", "#E69F00", "-"),
):
    logs = [math.log10(max(1, getattr(row, name))) for row in rows]
    axes.plot(
        [row.dimension for row in rows],
        logs,
        style,
        color=colour,
        label=label,
        linewidth=2,
    )
crossing = next(row.dimension for row in rows if row.lower > row.cgro)
axes.annotate(f"beyond f_S\nfrom D = {crossing} on", (0, 0), (crossing + 1, 20))
axes.axvline(crossing, color="black", linewidth=0.8, linestyle=":")
axes.set(xlabel="dimension D", ylabel="parameters", ylim=(0, 40))
axes.yaxis.set_major_formatter(lambda power, _: f"$10^{{{power:g}}}$")
figure.legend(loc="outside upper center", frameon=False)
plt.show()
