"""
The classifier f_S, drawn
=========================

**What does a network look like that generalizes on clean data and yet memorizes robustly?** The
papers' answer is f_S: a trained classifier f_clean, plus, for each training point, an *indicator*
(a small network that is 1 near the point and 0 farther away) that puts the point's label there.
Here it is in the plane, where one sees all of it.
"""

import matplotlib.pyplot as plt
import torch

from analysis import certify_memorization, clean_error, plot_plane
from constructions import Ball, ReLUNetwork, f_S, separation
from training import mlp

plt.rcParams.update({"figure.constrained_layout.use": True})

# %%
# Sixteen points of two classes, with three labels that no simple rule explains. f_clean is a small
# network, trained as usual; it gets most of them.

torch.manual_seed(0)
steps = torch.linspace(0.14, 0.86, 4, dtype=torch.float64)
points = torch.cartesian_prod(steps, steps) + 0.06 * (
    torch.rand(16, 2, dtype=torch.float64) - 0.5
)
labels = torch.where(points[:, 0] + points[:, 1] > 1, 1, -1)
labels[[1, 10, 13]] *= -1

module = mlp([2, 8, 1], seed=3)
optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
for _ in range(150):
    optimizer.zero_grad()
    torch.nn.functional.softplus(
        -labels * module(points.float())[:, 0]
    ).mean().backward()
    optimizer.step()
clean = ReLUNetwork.from_module(module)
print(f"f_clean: share of wrong labels {clean_error(clean, points, labels)!r}")

# %%
# f_S wants balls that do not reach a point of the other class: δ below half the *separation*, the
# least distance between points of different labels (here in the maximum norm, where balls are
# squares).

print(repr(separation(points, labels)))
ball = Ball("inf", 0.06)
f = f_S(clean, points, labels, ball)
print(f"parameters (exact): f_clean {clean.size.parameters}, f_S {f.size.parameters}")

# %%
# In each ball (inner square) f_S *is* the label; outside the outer square it *is* f_clean; in the
# *shell* between them it passes from one to the other. The black line is where the class changes;
# red is +1, blue −1, in all pictures of the library.

figure, panels = plt.subplots(2, 1, figsize=(4.8, 9))
shown = {"points": points, "labels": labels, "reach": 3}
plot_plane(clean, **shown, axes=panels[0]).set_title("f_clean")
plot_plane(f, **shown, ball=ball, axes=panels[1]).set_title("f_S")
plt.show()

# %%
# The same along a line through a point with a surprising label: flat on the ball, steep in the
# shell, f_clean beyond.

centre, offset = points[10], torch.linspace(-0.12, 0.12, 801, dtype=torch.float64)
line = centre + torch.stack([offset, torch.zeros_like(offset)], dim=1)
figure, axes = plt.subplots(figsize=(5, 3))
axes.axvspan(
    -ball.radius, ball.radius, color="#0072B2", alpha=0.12, linewidth=0, label="ball"
)
axes.plot(offset, clean(line), color="#E69F00", linewidth=4, label="f_clean")
axes.plot(offset, f(line), color="#0072B2", label="f_S")
axes.set(xlabel="x₁ less that of the point", ylabel="value (801 points)")
axes.legend(frameon=False)
plt.show()

# %%
# That the picture does not lie is a theorem, and it is checked on the weights that are there. The
# *margin*, label times value, is positive where the class is right; on all sixteen balls it is
# at least

print(certify_memorization(f, points, labels, ball))
