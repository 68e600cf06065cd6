"""Values of a network at many points, shard by shard, on any engine."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any

import numpy as np
import torch

from ..basics.engine import HERE, Engine, check_engine, run_shards
from ..basics.floats import from_shared
from ..basics.renamed import renamed
from ..basics.shapes import Outputs
from .network import ReLUNetwork, Screen, check_network, structure_digest

SHARD = 2**10
"""Points that one task evaluates."""


@renamed("network points engine")
def sharded_values(network: ReLUNetwork, points: Any, *, engine: Engine = HERE) -> Outputs:
    """Evaluate a network at many points, in shards that may run in several processes.

    Shards are of `SHARD` points; the computation can be interrupted. f_S is evaluated through its
    screen, and workers get its parts, not its layers.

    Args:
        network: a `ReLUNetwork`.
        points: (M, D).
        engine: where and how shards run.

    Returns:
        Values, (M, K); floating-point tensors are evaluated in their dtype, others in float64.

    Raises:
        TypeError: for another kind of network or engine.
        ValueError: for points of another shape, outside of the domain or not finite.

    Example:
        >>> from constructions import affine
        >>> sharded_values(affine([[2.0]]), [[0.25], [0.5]]).tolist()
        [[0.5], [1.0]]
    """
    check_network(network)
    check_engine(engine)
    x = (
        points
        if isinstance(points, torch.Tensor)
        else from_shared(np.asarray(points, dtype=np.float64))
    )
    network.check_points(x)
    if x.ndim != 2:
        raise ValueError(f"points must have shape (M, {network.inputs}), got {tuple(x.shape)}")
    held = x.double() if not x.is_floating_point() else x.float() if x.itemsize < 4 else x
    given = held.detach().cpu().numpy()
    subject = network if network.screen is None else network.screen
    question = ""
    if engine.journal is not None:
        digest = hashlib.sha256(structure_digest(network).encode())
        digest.update(np.ascontiguousarray(given).data)
        question = digest.hexdigest()
    shards = run_shards(
        partial(_values, subject, given, engine.device), -(-len(given) // SHARD), question, engine
    )
    values = torch.tensor([row for shard in shards for row in shard], dtype=torch.float64)
    return values.reshape(len(given), network.outputs).to(
        x.dtype if x.is_floating_point() else torch.float64
    )


def _values(
    subject: ReLUNetwork | Screen, points: np.ndarray, device: str, k: int
) -> list[list[float]]:
    x = from_shared(points[k * SHARD : (k + 1) * SHARD]).to(device)
    with torch.no_grad():
        return (subject(x) if isinstance(subject, ReLUNetwork) else subject.values(x)).tolist()
