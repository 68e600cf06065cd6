"""What theory builds: ReLU networks with explicit weights, their sizes, provenance and guarantees."""

from .approximation import absolute, gate, maximum, multiplication, squaring, tooth, yarotsky_multiplication
from .calculus import add, affine, compose, copies, delay, parallel
from .contracts import CONTRACTS, Contract, contract, contracts, memorizer
from .counting import CountRow, closed_form, count_table, fitted_exponent
from .evaluation import sharded_values
from .exact import exact_signs, exact_values
from .export import VnnlibQuery, read_vnnlib, write_onnx, write_vnnlib
from .files import replacing, write_file
from .geometry import Ball, distance, lean_indicator, soft_indicator
from .intervals import interval_bounds, magnitude_bound
from .lemma import LEMMAS, Lemma, Provenance, explain, implements, parts, statements
from .level_set import LevelSet, level_set
from .matrix import Block, Constant, Dense, Identity, Kron, Matrix, Sparse, Unknown, from_shared, same
from .memorization import VARIANTS, f_adv, f_S, fingerprint, predictions
from .network import Affine, ReLUNetwork, Size, check_network
from .range_search import RangeSearch
from .region_bounds import montufar_lower, montufar_upper, pattern_bound, serra_upper, zaslavsky
from .regions import LinearRegions, Region, RegionCount, count_regions, linear_regions
from .restriction import on_plane, on_segment
from .rounding import BitBudget, bit_budget, rounding_error
from .screening import localize
from .separation import Separation, nearest_within_class, pairs_within, separation
from .storage import load, structure_digest
from .tasks import HERE, Engine, ProcessLostError, run_shards, run_tasks

__all__ = [
    "CONTRACTS",
    "HERE",
    "LEMMAS",
    "VARIANTS",
    "Affine",
    "Ball",
    "BitBudget",
    "Block",
    "Constant",
    "Contract",
    "CountRow",
    "Dense",
    "Engine",
    "Identity",
    "Kron",
    "Lemma",
    "LevelSet",
    "LinearRegions",
    "Matrix",
    "ProcessLostError",
    "Provenance",
    "RangeSearch",
    "ReLUNetwork",
    "Region",
    "RegionCount",
    "Separation",
    "Size",
    "Sparse",
    "Unknown",
    "VnnlibQuery",
    "absolute",
    "add",
    "affine",
    "bit_budget",
    "check_network",
    "closed_form",
    "compose",
    "contract",
    "contracts",
    "copies",
    "count_regions",
    "count_table",
    "delay",
    "distance",
    "exact_signs",
    "exact_values",
    "explain",
    "f_S",
    "f_adv",
    "fingerprint",
    "fitted_exponent",
    "from_shared",
    "gate",
    "implements",
    "interval_bounds",
    "lean_indicator",
    "level_set",
    "linear_regions",
    "load",
    "localize",
    "magnitude_bound",
    "maximum",
    "memorizer",
    "montufar_lower",
    "montufar_upper",
    "multiplication",
    "nearest_within_class",
    "on_plane",
    "on_segment",
    "pairs_within",
    "parallel",
    "parts",
    "pattern_bound",
    "predictions",
    "read_vnnlib",
    "replacing",
    "rounding_error",
    "run_shards",
    "run_tasks",
    "same",
    "separation",
    "serra_upper",
    "sharded_values",
    "soft_indicator",
    "squaring",
    "statements",
    "structure_digest",
    "tooth",
    "write_file",
    "write_onnx",
    "write_vnnlib",
    "yarotsky_multiplication",
    "zaslavsky",
]
