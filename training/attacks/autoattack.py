"""AutoAttack, by the package pyautoattack."""

from __future__ import annotations

import math
from typing import Any

import torch

from constructions import Ball
from constructions.internal import Floats, Labels, check_labels

from ..datasets.reading import check_differentiable, measuring, read_outputs
from .objectives import Model, is_error
from .projection import project


def import_autoattack() -> Any:
    """The class of the package pyautoattack. Raises ImportError that says how to install it."""
    try:
        from pyautoattack import AutoAttack  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        raise ImportError(
            "autoattack needs the package pyautoattack: pip install 'cgro[autoattack]'"
        ) from error
    return AutoAttack


@measuring(evaluating=False)
def autoattack(
    model: Model,
    x: Floats,
    labels: Labels,
    ball: Ball,
    generator: torch.Generator | None,
) -> Floats:
    """What AutoAttack finds, projected so that it lies in ball and cube exactly; x itself where
    that is no error.
    """
    attack_class = import_autoattack()
    if x.ndim != 4:
        raise ValueError(
            f"autoattack needs images of shape (batch, C, H, W), got x of shape {tuple(x.shape)}"
        )
    if not len(x) or not ball.radius:
        return x.clone()

    def logits(points: torch.Tensor) -> torch.Tensor:
        outputs = model(points).float()
        return torch.cat([-outputs / 2, outputs / 2], 1) if outputs.shape[1] == 1 else outputs

    check_differentiable(model)
    with torch.no_grad():
        outputs = read_outputs(model(x[:2]), len(x[:2])).shape[1]
    labels = check_labels(labels, len(x), outputs)
    names = (
        ["apgd-ce", "fab", "square"] if outputs < 4 else ["apgd-ce", "apgd-t", "fab-t", "square"]
    )
    seed = int(
        torch.randint(
            2**31, (1,), generator=generator, device=generator.device if generator else "cpu"
        )
    )
    with torch.enable_grad():  # it seeds the global state, which `measuring` puts back
        norm = "Linf" if ball.p == math.inf else "L2"
        attack = attack_class(
            logits,
            norm=norm,
            eps=ball.radius,
            seed=seed,
            device=x.device,
            version="custom",
            attacks=names,
        )
        attack.verbose = False
        attack.apgd.n_restarts = attack.apgd_targeted.n_restarts = attack.fab.n_restarts = 1
        attack.apgd_targeted.n_target_classes = attack.fab.n_target_classes = min(9, outputs - 1)
        classes = (labels + 1) // 2 if outputs == 1 else labels
        found, _ = attack.run_standard_evaluation(x.contiguous(), classes, batch_size=len(x))
    found = torch.empty_like(x).copy_(project(found.to(x.dtype), x, ball))
    with torch.no_grad():
        wrong = is_error(model(found), labels)
    return torch.where(wrong.reshape(-1, 1, 1, 1), found, x)
