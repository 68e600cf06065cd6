"""The ledger on feature learning: patch-structured data, the two-layer network, its phases, and the lemmas behind them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import torch

from training import PatchConfig, PatchData, PatchRun, train_patches

from .claims import Check, at_least, at_most, between, claim, equal, share_of
from .feature_learning import Inequality, lemmas, phases

SEEDS = (0, 1, 2)
SETTING = "d = 1000, N = 50, P = 6, m = 10, lambda = 1/2, eta = 0.1, 40,000 steps, gamma = 1 - 1 / (sqrt(d) log(d)^2), three seeds"


@functools.cache
def runs() -> tuple[PatchRun, ...]:
    """The runs that all statements here speak of: `SETTING`. Takes a quarter of a minute a seed."""
    return tuple(train_patches(PatchConfig(seed=seed)) for seed in SEEDS)


def inequalities(statement: str) -> Iterator[Check]:
    """What `lemmas` finds for one inequality, for every seed: its constant beside what O~ may hide, log(d)^2."""
    limit = math.log(runs()[0].config.d) ** 2
    for seed, run in zip(SEEDS, runs(), strict=True):
        (found,) = (entry for entry in lemmas(run) if entry.statement == statement)
        yield _constant(f"seed {seed}: {found.claim}", found, limit)


def _constant(what: str, found: Inequality, limit: float) -> Check:
    value = math.nan if found.constant is None else found.constant
    if ">=" in found.claim and statement_is_lower(found.claim):
        return at_least(what + "; largest c", value, 1 / limit, "empirical upper bound")
    return at_most(what + "; least c", value, limit, "empirical lower bound")


def statement_is_lower(text: str) -> bool:
    """Whether c bounds from below: it stands first, or before a gain."""
    return "- c P" not in text


def lemma(name: str, text: str, found: str, *, also: tuple[str, ...] = (), note: str = "") -> None:
    """Enter a lemma that `lemmas` measures."""
    claim(name, text, "empirical only", f"{note + '; ' if note else ''}along runs with {SETTING}", also=also)(
        functools.partial(inequalities, found)
    )
