"""Random crops and horizontal flips of images."""

from __future__ import annotations

import torch
from torch.nn import functional

from constructions.internal import Points


def augment(
    points: Points, generator: torch.Generator | None, *, pad: int = 4, flip: bool = True
) -> Points:
    """Shift images at random, and mirror half of them.

    Each image is shifted by up to `pad` pixels along both axes, zeros coming in, and mirrored left
    to right in half the cases. Shifts are uniform in -pad..pad, independent for each image and
    axis: a crop after padding with zeros. Drawn on the generator's device, so that a generator of
    the CPU gives the same images everywhere.

    Args:
        points: (N, C, H, W), uint8 or floating-point, on any device.
        generator: of the random numbers; None: the global one.
        pad: largest shift, >= 0.
        flip: whether to mirror.

    Returns:
        A new tensor like points.

    Raises:
        ValueError: for points of another shape, and pad < 0.

    Source: He et al. 2016, Section 4.2.

    Example:
        >>> image = torch.tensor([[[[1, 2, 3]]]], dtype=torch.uint8)
        >>> augment(image, torch.Generator().manual_seed(0), pad=1).flatten().tolist()
        [0, 0, 0]
    """
    if points.ndim != 4:
        raise ValueError(
            f"points must be images of shape (N, C, H, W), got shape {tuple(points.shape)}"
        )
    if pad < 0:
        raise ValueError(f"pad must be >= 0, got {pad}")
    n, channels, height, width = points.shape
    source = points.device if generator is None else generator.device
    down, right = torch.randint(2 * pad + 1, (2, n, 1), generator=generator, device=source).to(
        points.device
    )
    mirrored = torch.randint(2, (n, 1), generator=generator, device=source).to(points.device) * flip
    rows = down + torch.arange(height, device=points.device)
    columns = torch.arange(width, device=points.device).expand(n, width)
    columns = right + torch.where(mirrored == 1, width - 1 - columns, columns)
    places = rows[:, :, None] * (width + 2 * pad) + columns[:, None, :]
    padded = functional.pad(points, [pad] * 4).flatten(2)
    return padded.gather(2, places.flatten(1)[:, None].expand(n, channels, -1)).reshape(
        points.shape
    )
