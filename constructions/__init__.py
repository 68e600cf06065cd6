"""What theory builds: ReLU networks with explicit weights, their sizes, provenance and guarantees."""

from .affine_map import Affine
from .approximation import absolute, gate, maximum, multiplication, squaring, tooth, yarotsky_multiplication
from .ball import Ball, read_norm
from .calculus import add, affine, compose, copies, delay, parallel
from .capacity import (
    CapacityRow,
    InterpolationRow,
    capacity_growth,
    capacity_table,
    envelope_vc,
    interpolation_table,
    least_vc,
    log_growth_bound,
    minimal_parameters,
    sauer_shelah,
    vc_fraction,
    vc_upper,
)
from .contracts import CONTRACTS, Contract, contract, contracts
from .counting import CountRow, closed_form, count_table, fitted_exponent
from .distances import distance
from .evaluation import sharded_values
from .exact import exact_signs, exact_values
from .export import write_onnx, write_vnnlib
from .files import replacing, write_file
from .floats import from_shared
from .indicators import lean_indicator, soft_indicator
from .interpolation import interpolation
from .intervals import interval_bounds, magnitude_bound, source_difference
from .level_set import LevelSet, level_set
from .load import load, load_arrays
from .margin_networks import margin_network
from .matrix import Block, Constant, Dense, Identity, Kron, Matrix, Sparse, Unknown, same
from .memorization import f_adv, f_S, fingerprint, predictions
from .memorizer import VARIANTS, memorizer
from .network import ReLUNetwork, Size, check_network, structure_digest
from .origin import Origin
from .packing import log_volume_bound, packing, packing_number, separated_set
from .properties import Conjunct, Constraint, Property
from .provenance import LEMMAS, Lemma, Provenance
from .range_search import RangeSearch
from .reading import read_network
from .region_bounds import montufar_lower, montufar_upper, pattern_bound, serra_upper, zaslavsky
from .regions import LinearRegions, Region, RegionCount, count_regions, linear_regions
from .restriction import on_plane, on_segment
from .rounding import BitBudget, bit_budget, rounding_error
from .screening import localize
from .separation import Separation, nearest_within_class, pairs_within, separation
from .shattering import ShatteredSet, shattered_set
from .statements import explain, implements, parts, statements
from .tasks import HERE, Engine, ProcessLostError, run_shards, run_tasks
from .vnnlib_reading import read_property

__all__ = [
    "CONTRACTS",
    "HERE",
    "LEMMAS",
    "VARIANTS",
    "Affine",
    "Ball",
    "BitBudget",
    "Block",
    "CapacityRow",
    "Conjunct",
    "Constant",
    "Constraint",
    "Contract",
    "CountRow",
    "Dense",
    "Engine",
    "Identity",
    "InterpolationRow",
    "Kron",
    "Lemma",
    "LevelSet",
    "LinearRegions",
    "Matrix",
    "ProcessLostError",
    "Property",
    "Provenance",
    "RangeSearch",
    "ReLUNetwork",
    "Region",
    "RegionCount",
    "Separation",
    "ShatteredSet",
    "Size",
    "Sparse",
    "Unknown",
    "absolute",
    "add",
    "affine",
    "bit_budget",
    "capacity_growth",
    "capacity_table",
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
    "envelope_vc",
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
    "interpolation",
    "interpolation_table",
    "interval_bounds",
    "source_difference",
    "read_network",
    "Origin",
    "lean_indicator",
    "least_vc",
    "level_set",
    "linear_regions",
    "load",
    "load_arrays",
    "localize",
    "log_growth_bound",
    "log_volume_bound",
    "magnitude_bound",
    "margin_network",
    "maximum",
    "memorizer",
    "minimal_parameters",
    "montufar_lower",
    "montufar_upper",
    "multiplication",
    "nearest_within_class",
    "on_plane",
    "on_segment",
    "packing",
    "packing_number",
    "pairs_within",
    "parallel",
    "parts",
    "pattern_bound",
    "predictions",
    "read_norm",
    "read_property",
    "replacing",
    "rounding_error",
    "run_shards",
    "run_tasks",
    "same",
    "sauer_shelah",
    "separated_set",
    "separation",
    "serra_upper",
    "sharded_values",
    "shattered_set",
    "soft_indicator",
    "squaring",
    "statements",
    "structure_digest",
    "tooth",
    "vc_fraction",
    "vc_upper",
    "write_file",
    "write_onnx",
    "write_vnnlib",
    "yarotsky_multiplication",
    "zaslavsky",
]
