"""
The decision boundary
=====================

**Where exactly does a network change its mind, and how far is that from a training point?** The
boundary of a ReLU network in the plane is made of straight segments. ``level_set`` finds all of
them, so the boundaries of f_clean, f_S and an adversarially trained network can be laid side by
side.
"""

import tempfile

import matplotlib.pyplot as plt
import torch
from matplotlib.collections import LineCollection

from analysis import boundary_distance
from constructions import Ball, ReLUNetwork, f_S, level_set
from training import Dataset, TrainingConfig, mlp, train

plt.rcParams.update({"figure.constrained_layout.use": True})

# %%
# Twenty-five points with three odd labels, and two networks trained on them: one on the points
# themselves (f_clean), one on the worst points that an attack finds in balls around them
# (*adversarial training*; l∞ balls, squares here). Each point stands twenty times in the training
# set, to make an epoch of twenty steps.

torch.manual_seed(2)
steps = torch.linspace(0.12, 0.88, 5, dtype=torch.float64)
points = torch.cartesian_prod(steps, steps) + 0.05 * (
    torch.rand(25, 2, dtype=torch.float64) - 0.5
)
labels = torch.where(points[:, 1] > 0.5 + 0.2 * torch.sin(6.3 * points[:, 0]), 1, -1)
labels[[1, 13, 22]] *= -1
data = Dataset.from_tensors(points.repeat(20, 1), labels.repeat(20), points, labels)
ball = Ball("inf", 0.05)


settings = {"batch_size": 25, "learning_rate": 0.01, "eval_points": 25}
attacks = {"attack": "pgd3", "eval_attack": "pgd3", "final_attack": "pgd20"}


def trained(model, radius, epochs):
    config = TrainingConfig(radius=radius, epochs=epochs, **settings, **attacks)
    with tempfile.TemporaryDirectory() as folder:
        found = train(config, folder, data=data, model=model).final["test"]
    print(f"radius {radius}: clean accuracy {found['accuracy']:.0%} (exact)")
    print(f"  robust accuracy at most {found['robust_accuracy']:.0%} (empirical, PGD)")
    return ReLUNetwork.from_module(model)


clean = trained(mlp([2, 8, 1]), 0.0, 10)
wide = mlp([2, 64, 64, 1])
with torch.no_grad():  # the first units switch all over the square, not near a corner
    wide[0].weight *= 4
    wide[0].bias.copy_(-(wide[0].weight * torch.rand(64, 2)).sum(1))
learned = trained(wide, ball.radius, 35)
built = f_S(clean, points, labels, ball)

# %%
# ``level_set`` lists segments; that none is missed is certified.

networks = {
    "f_clean": (clean, "#E69F00", 4.0),
    "f_S": (built, "#0072B2", 1.8),
    "learned": (learned, "#D55E00", 1.8),
}
boundaries = {
    name: level_set(network, (0, 1)) for name, (network, _, _) in networks.items()
}
for name, found in boundaries.items():
    kind = "exact" if found.certified and found.complete else "not certified"
    print(f"{name}: {len(found.faces)} segments ({kind})")

figure, axes = plt.subplots(figsize=(4.8, 5.2))
for name, (_, colour, width) in networks.items():
    segments = boundaries[name].segments
    axes.add_collection(
        LineCollection(segments, colors=colour, linewidths=width, label=name)
    )
for label, marker in ((1, "o"), (-1, "s")):
    axes.plot(
        *points[labels == label].T,
        marker,
        color="black",
        markersize=4,
        label=f"label {label:+}",
    )
axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="x₁", ylabel="x₂")
figure.legend(loc="outside upper center", ncols=3, frameon=False)
plt.show()

# %%
# Adversarial training found the same islands. How far is an odd point from the boundary?
# ``boundary_distance`` bounds it from both sides, with certainty. Radius 0.05 is what f_S promises,
# and what training aimed at.

for name in ("f_S", "learned"):
    low, high = boundary_distance(networks[name][0], points[13], "inf", gap=1e-3)
    ends = f"between {float(low):.5f} and {float(high):.5f}"
    print(f"{name}: {ends} (certified bounds, rounded here)")
