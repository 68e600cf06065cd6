"""Draws docs/plane.png: f_clean and f_S on the unit square, with the balls that f_S memorizes."""

from pathlib import Path

import torch
from matplotlib.patches import Rectangle

from analysis.plots import new_figure
from constructions import Ball, ReLUNetwork, f_S
from training import TrainingSettings, mlp, train

torch.set_num_threads(1)
ball, spacing = Ball("inf", 0.035), 0.105
candidates = 0.05 + 0.9 * torch.rand(400, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
chosen: list[int] = []
for i in range(len(candidates)):
    if all((candidates[i] - candidates[j]).abs().max() > spacing for j in chosen):
        chosen.append(i)
points = candidates[chosen]
labels = torch.where(points[:, 1] > 0.5 + 0.22 * torch.sin(6.3 * points[:, 0]), 1, -1)

model = mlp([2, 32, 1])
train(model, points, labels, TrainingSettings(epochs=250, batch_size=16, learning_rate=0.02))
clean = ReLUNetwork.from_module(model)
built = f_S(clean, points, labels, ball)

line = torch.linspace(0, 1, 701, dtype=torch.float64)
figure, panels = new_figure(8.6, 4.2, 2)
for axes, network, name in zip(panels, (clean, built), ("f_clean, trained", "f_S, built from it"), strict=True):
    values = network(torch.cartesian_prod(line, line))[:, 0].reshape(701, 701).T.clamp(-1.5, 1.5).numpy()
    axes.imshow(values, origin="lower", extent=(0, 1, 0, 1), cmap="RdBu_r", vmin=-2.2, vmax=2.2)
    axes.contour(line.numpy(), line.numpy(), values, levels=[0.0], colors="#222222", linewidths=1.2)
    for (x, y), label in zip(points.tolist(), labels.tolist(), strict=True):
        axes.plot(x, y, marker="o", markersize=3.2, color="#7a1020" if label > 0 else "#0b2f6b")
        if network is built:
            corner, side = (x - ball.radius, y - ball.radius), 2 * ball.radius
            axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor="#333333", linewidth=0.6))
    axes.set_title(f"{name}: {network.size.parameters} parameters", fontsize=10)
    axes.set_axis_off()
figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)
