"""
Train, report, compare
======================

**Does a network that adversarial training finds behave like f_S?** Train one network on clean and
one on attacked images, build f_S from the first, and let ``study`` put them side by side. A few
epochs on 300 digits (8 × 8 pixels, odd against even) are enough to see the shape of the answer.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from analysis import StudySettings, study
from training import TrainingConfig, train

plt.rcParams.update({"figure.constrained_layout.use": True})
folder = tempfile.TemporaryDirectory()
runs = Path(folder.name)

# %%
# A *run* is a folder with configuration, measurements and checkpoints. Radius 0 is ordinary
# training; 0.1 lets the attack (PGD: gradient steps, projected back into the ball) change each
# pixel by a tenth of its range.

shared = {
    "task": "parity",
    "train_points": 300,
    "test_points": 100,
    "eval_points": 100,
    "eval_attack": "pgd3",
    "final_attack": "pgd20",
}
train(TrainingConfig(hidden=(32,), epochs=12, **shared), runs / "clean")
run = train(
    TrainingConfig(hidden=(128, 128), epochs=40, radius=0.1, attack="pgd5", **shared),
    runs / "adversarial",
)
print(f"clean test accuracy {run.final['test']['accuracy']:.0%} (exact, of 100 images)")
print(f"robust, at most {run.final['test']['robust_accuracy']:.0%} (empirical, PGD)")

# %%
# ``study`` trains nothing. It measures both runs and f_S, built from the clean run's network on
# the same 300 images, whose balls it proves.

settings = StudySettings(points=24, steps=3, epochs=1, certify_seconds=0)
found = study([runs / "clean", runs / "adversarial"], settings, kept=runs / "kept")
(beside,) = found.constructed
facts = beside.facts
print(f"f_S: {facts.proof} on all balls of {facts.memorized} training images")
print(f"parameters (exact): {facts.parameters}")

# %%
# *Flatness*: the largest gradient of the loss in a ball, mean over points. Flat in the training
# ball and sharp beyond is what f_S is by construction. Searches find lower bounds of the true
# maxima; f_S in its balls is 0 by proof (drawn at 10⁻³).

profiles = {
    "f_clean": (beside.profiles["f_clean"]["train"], "#E69F00", "^"),
    "f_S": (beside.profiles["f_S"]["train"], "#0072B2", "o"),
    "learned": (found.run("adversarial").profiles[run.epoch]["train"], "#D55E00", "s"),
}
figure, axes = plt.subplots(figsize=(5, 3.6))
for name, (profile, colour, marker) in profiles.items():
    values = [max(1e-3, mean.value) for mean in profile.gradient]
    axes.semilogy(profile.radii, values, marker=marker, color=colour, label=name)
axes.axvline(0.1, color="black", linestyle="--", linewidth=1)
axes.set(
    xlabel="radius of the ball (dashed: of training)",
    ylabel="mean largest gradient (at least)",
)
figure.legend(loc="outside upper center", ncols=3, frameon=False)
plt.show()

# %%
# *Agreement*: how often the learned network and f_S give the same label, by zone.

for zone, share in beside.agreement["by zone"].items():
    print(f"{zone}: {share!r}")

# %%
# ``write_study(found, "page")`` writes all of it as one HTML page with figures; on the command
# line, ``cgro report RUN RUN``. ``cgro compare`` runs everything at full size.

folder.cleanup()
