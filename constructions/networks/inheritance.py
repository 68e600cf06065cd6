"""What composed networks inherit from parts that were rounded when they were read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch

from ..graphs.origin import Errors, Origin, no_errors, passed
from ..linear.affine import Affine
from ..linear.matrix import Constant, Count, Dense, Identity, kron
from .network import ReLUNetwork, structure_digest

Layers = Sequence[Affine]


def layer_errors(network: ReLUNetwork) -> tuple[Errors | None, ...]:
    """By how much each layer may differ from what the network was read from; None: not at all."""
    return network.origin.errors if network.origin else (None,) * len(network.layers)


def met(
    outer: Affine, own: Errors | None, inner: Affine, below: Errors | None, layers: int, exact: bool
) -> tuple[Errors | None, ...]:
    """Errors of one layer, the product of two, or of two layers that carry the values between."""
    if own is None and below is None:
        return (None,) * layers
    if layers == 1:
        return (passed(outer, own, inner, below or no_errors(inner), exact),)
    size = Identity(inner.weight.shape[0])
    split, join = (kron(size, Dense(torch.ones(shape))) for shape in ((2, 1), (1, 2)))
    return (
        below and Errors(split @ below.weight, split @ below.bias),
        own and Errors(own.weight @ join, own.bias),
    )


def repeated(errors: Errors | None, count: Count) -> Errors | None:
    """Those of I (x) layer."""
    return errors and Errors(
        kron(Identity(count), errors.weight), kron(Constant(count, 1), errors.bias)
    )


def inherited(
    how: str,
    layers: tuple[Affine, ...],
    errors: Sequence[Errors | None],
    parts: Sequence[ReLUNetwork],
) -> Origin | None:
    """The origin of a network made of parts, if some layer differs from what it stands for.

    Its digest is that of `how` it is made of them and of the digests of the parts: of what they
    were read from, or of their layers.
    """
    if all(error is None for error in errors):
        return None
    known = [part.origin for part in parts if part.origin is not None]
    digests = (p.origin.digest if p.origin else structure_digest(p) for p in parts)
    named = (o.kind.removeprefix("composition (").removesuffix(")").split(", ") for o in known)
    kinds = sorted({kind for each in named for kind in each})
    return Origin(
        f"composition ({', '.join(kinds)})",
        hashlib.sha256("\n".join([how, *digests]).encode()).hexdigest(),
        sum(origin.parameters for origin in known),
        sum(origin.merged for origin in known),
        sum(origin.carried for origin in known),
        tuple(dict.fromkeys(place for origin in known for place in origin.rounded)),
        tuple(errors),
        layers,
    )
