"""
Three phases of adversarial training
====================================

**Why does adversarial training end with something like f_S?** The papers' theory is about a small
network on synthetic *patch data*: of each image's patches one holds the *signal* (the true
feature, the same for all), the others *noise* of their own. It predicts three phases: the signal
is learned first, then little happens, and at last each image's noise is memorized.
"""

import matplotlib.pyplot as plt

from analysis import phases
from training import PatchConfig, train_patches

plt.rcParams.update({"figure.constrained_layout.use": True})

# %%
# 20 images of 4 patches with 200 numbers each, and 6 weight vectors with cubic activation (the
# papers' network). The attack takes away nearly all of the signal, as an adversary would.

run = train_patches(PatchConfig(d=200, N=20, P=4, m=6, steps=10_000, test_points=1_000))
found = phases(run)
print(repr(found))

# %%
# The largest weight along the signal, times the signal's size, and what each image's own noise
# adds to its margin (label times output; at 1 it counts as memorized). Vertical lines: the ends
# of the three phases.

curves, step = run.curves, run.curves["step"] + 1  # from 1, for the logarithm
alpha = run.data.alpha
ends = [found.signal_learned, found.noise_begins, found.noise_memorized]

figure, (learned, error) = plt.subplots(2, 1, figsize=(5, 6.2), sharex=True)
learned.plot(step, alpha * curves["u"].max(1), color="black", label="signal")
noise = curves["V"]
learned.fill_between(
    step,
    noise.min(1),
    noise.max(1),
    color="#CC79A7",
    alpha=0.6,
    linewidth=0,
    label="noise, all images",
)
learned.axhline(1, color="black", linewidth=0.8, linestyle=":")
learned.set(ylabel="learned (computed)", xscale="log", yscale="symlog", ylim=(-0.1, 20))
learned.legend(frameon=False, loc="upper left")
for part, style in (("train", "-"), ("test", "--")):
    for kind, color in (("clean", "#56B4E9"), ("robust", "#D55E00")):
        share = 100 * curves[f"{kind}_{part}"]
        error.plot(step, share, style, color=color, label=f"{kind}, {part}")
error.set(xlabel="step of gradient descent (+ 1)", ylabel="error (%)", xscale="log")
error.legend(frameon=False)
for axes in (learned, error):
    for end in ends:
        axes.axvline(end + 1, color="black", linewidth=0.8, linestyle="--")
plt.show()

# %%
# So clean test error falls with the signal, in the first phase. Robust *training* error falls much
# later, with memorized noise, which says nothing about new images: robust *test* error stays. That
# is clean generalization and robust overfitting, in one network.

for name in ("clean_train", "clean_test", "robust_train", "robust_test"):
    kind = (
        "exact, of 20" if name.endswith("train") else "estimate, of 1,000 fresh images"
    )
    print(f"{name.replace('_', ' ')} error: {100 * curves[name][-1]:.1f}% ({kind})")
