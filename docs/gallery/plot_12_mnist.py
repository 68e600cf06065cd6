"""
MNIST at full size
==================

**Does it hold with 60,000 real images?** Training, attacks and proofs at this size take from
minutes to hours and need the data, so nothing is measured here: the numbers were kept, and say how
each was measured. They are in :download:`mnist.json </gallery/mnist.json>`, which the script
expects beside it.
"""

import json
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt

plt.rcParams.update({"figure.constrained_layout.use": True})
folder = Path(globals().get("__file__", "")).parent  # in a notebook: where it runs
kept = json.loads((folder / "mnist.json").read_text("utf-8"))
colours = {"f_clean": "#E69F00", "f_S": "#0072B2", "learned": "#D55E00"}

# %%
# f_S of all 60,000 images is a network of hundreds of millions of parameters (nonzero weights and
# biases). All of its training balls are proved at once, and the certificate is checked by numpy
# alone:

for row in kept["size"]["rows"]:
    print(f"{row['norm']}: {row['parameters']:,} parameters (exact count)", end=", ")
    times = f"proved in {row['proof_seconds']} s, checked in {row['check_seconds']} s"
    print(f"{times} (measured)")

# %%
# **Robust error**, the share of images with an adversarial example within 0.1 of each pixel. Both
# ends are certified: *at least* these have one, *at most* these are not proved to have none. (First
# 200 images of each part; f_S on training images: all 60,000. A small network and little time, so
# the intervals are wide.)

figure, axes = plt.subplots(figsize=(5, 3.2))
rows, of = kept["certified"]["rows"], kept["certified"]["of"]
for place, row in enumerate(rows):
    ends = [100 * row["least"] / of, 100 * row["most"] / of]
    axes.plot(
        ends, [place, place], "|-", color=colours[row["network"]], lw=4, ms=16, mew=2.5
    )
axes.set_yticks(range(len(rows)), [f"{row['network']}, {row['part']}" for row in rows])
axes.set(
    xlabel="robust error (%), certified interval", xlim=(-3, 100), ylim=(5.6, -0.6)
)
axes.grid(axis="x")
print(textwrap.fill(kept["certified"]["how"], 80))

# %%
# f_S is right on all training balls and on test balls no better than f_clean: clean generalization
# and robust overfitting, by construction. The learned network errs on test balls as on training
# balls, or more often; after two epochs the intervals leave that open.
#
# **Training to the end**: LeNet5, with two attacks. Robust accuracies are *at most* these, as an
# attack (PGD-50, ten restarts) may miss some.

for row in kept["trained"]["rows"]:
    print(f"{row['attack']}: clean test accuracy {row['clean']}% (exact, of 10,000)")
    print(f"  robust, at most: {row['robust_training']}% of 1,000 training images,")
    print(f"  {row['robust_test']}% of 10,000 test images (empirical)")

# %%
# **Flatness**: how much larger is the largest gradient of the loss when the ball around a training
# image is twice that of training? For f_S the ratio would be infinite: within its balls it is
# constant, by proof. Bars: 95% intervals (of f_clean's, only the ratio was kept).

figure, axes = plt.subplots(figsize=(5, 2.4))
for place, row in enumerate(kept["contrast"]["rows"]):
    colour = colours[row["network"].split(",")[0]]
    axes.semilogx(row["ratio"], place, "o", color=colour)
    if row["interval"]:
        axes.plot(
            row["interval"],
            [place, place],
            "|-",
            color=colour,
            linewidth=2,
            markersize=12,
        )
axes.set_yticks(range(3), [row["network"] for row in kept["contrast"]["rows"]])
axes.set(xlabel="gradient at radius 0.2 over 0.1 (estimate)", xlim=(0.8, 250))
axes.set(ylim=(2.6, -0.6))
axes.grid(axis="x")
print(textwrap.fill(kept["contrast"]["how"], 80))
plt.show()
