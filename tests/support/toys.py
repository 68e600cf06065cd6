"""Small labelled data sets."""

import torch


def toy(count=12, dimension=3, seed=0, classes=None):
    """Separated points on a grid with labels that no linear function explains."""
    generator = torch.Generator().manual_seed(seed)
    grid = torch.cartesian_prod(
        *[torch.tensor([0.125, 0.5, 0.875], dtype=torch.float64)] * dimension
    )
    points = grid[torch.randperm(len(grid), generator=generator)[:count]]
    labels = torch.randint(0, classes or 2, (count,), generator=generator)
    return points, labels if classes else 2 * labels - 1
