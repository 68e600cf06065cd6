"""
Your own network
================

**You have trained a classifier elsewhere. What can be proved of it, and how does it compare with
f_S?** Any piecewise-linear torch module comes in by one door, ``read_network``; from then on it
can be attacked, certified, and put beside f_S built on the same data.
"""

import matplotlib.pyplot as plt
import torch

from analysis import agreement, clean_error, robust_error
from constructions import Ball, f_S, read_network
from training import classification_loss, load_data, pgd

plt.rcParams.update({"figure.constrained_layout.use": True})
torch.manual_seed(0)

# %%
# Stand-ins for your data and your network: 8 × 8 digits, odd (+1) against even (−1), and a small
# convolutional network, trained in plain torch on images that an attack (``pgd``) has changed.
# Points have values in [0, 1]; a network for labels ±1 has one output.

data, ball = load_data("digits", "parity"), Ball("inf", 0.1)
train_points, train_labels = data.train_points[:400].float(), data.train_labels[:400]
test_points, test_labels = data.test_points[:60].float(), data.test_labels[:60]


def fit(model, steps, attacked):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    for _ in range(steps):
        rows = torch.randperm(400)[:100]
        points, labels = train_points[rows], train_labels[rows]
        if attacked:
            points = pgd(model, points, labels, ball, classification_loss, steps=3)
        optimizer.zero_grad()
        classification_loss(model(points), labels).mean().backward()
        optimizer.step()
    return model.eval()


convolution = [
    torch.nn.Conv2d(1, 8, 3, stride=2, padding=1),
    torch.nn.ReLU(),
    torch.nn.Flatten(),
]
yours = fit(
    torch.nn.Sequential(*convolution, torch.nn.Linear(128, 1)), 300, attacked=True
)

# %%
# Reading it takes the shape of one input; afterwards it takes flat rows. What was read, and what
# was rounded, if anything was:

network = read_network(yours, data.shape)
print(repr(network.origin))
train_rows, test_rows = train_points.flatten(1), test_points.flatten(1)

# %%
# f_S beside it: a clean network of its own, and indicators of the balls around the same points.

dense = [
    torch.nn.Flatten(),
    torch.nn.Linear(64, 16),
    torch.nn.ReLU(),
    torch.nn.Linear(16, 1),
]
clean = read_network(fit(torch.nn.Sequential(*dense), 300, attacked=False), data.shape)
built = f_S(clean, train_rows, train_labels, ball)

# %%
# Robust errors, certified from both sides: *at least* counts counterexamples that were re-checked,
# *at most* all balls that are not proved. For ``max_seconds`` it decides what attacks leave open;
# where nothing stays open, the error is exact.

networks = {"f_clean": clean, "f_S": built, "yours": network}
parts = {
    "training": (train_rows[:60], train_labels[:60]),
    "test": (test_rows, test_labels),
}
errors = {}
for name, model in networks.items():
    for part, (points, labels) in parts.items():
        errors[name, part] = robust_error(model, points, labels, ball, max_seconds=3)
        print(f"{name}, {part}: clean error {clean_error(model, points, labels)!r}")
        print(f"  {errors[name, part]!r}")

colours = {"f_clean": "#E69F00", "f_S": "#0072B2", "yours": "#D55E00"}
figure, axes = plt.subplots(figsize=(5, 3))
for row, ((name, _), error) in enumerate(errors.items()):
    low, high = 100 * error.lower.value, 100 * error.upper.value
    axes.plot([low, high], [row, row], "o-", color=colours[name], linewidth=4)
axes.set(xlabel="robust error (%): certified interval, or exact", xlim=(-3, 103))
axes.set_yticks(range(6), [f"{name}, {part}" for name, part in errors])
axes.set_ylim(5.6, -0.6)
axes.grid(axis="x")
plt.show()

# %%
# So f_S is right on whole training balls, by construction, and on test balls as bad as f_clean.
#
# ``compare(model=yours)``, or ``cgro compare --model FILE``, asks all of this at once.
#
# Do the two give the same labels? On the test points, and on training points that an attack on
# your network has changed:

torch.manual_seed(0)
changed = pgd(
    yours, train_points, train_labels, ball, classification_loss, steps=10
).flatten(1)
for name, points in (("test points", test_rows), ("attacked training points", changed)):
    print(f"same label as f_S, {name}: {agreement(network, built, points)!r}")
