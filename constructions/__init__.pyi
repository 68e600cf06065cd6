"""The public names of `constructions`, and where each is from; loaded when it is used."""

from .basics.ball import Ball
from .basics.engine import HERE, Engine, ProcessLostError
from .basics.labelled import LabelledPoints
from .basics.progress import Progress
from .basics.result import Result
from .capacity.interpolation import interpolation
from .capacity.memorization_bounds import MemorizationBound, memorization_bound
from .capacity.packing import log_volume_bound, packing, packing_number, separated_set
from .capacity.region_bounds import (
    montufar_lower,
    montufar_upper,
    pattern_bound,
    serra_upper,
    zaslavsky,
)
from .capacity.shattering import ShatteredSet, shattered_set
from .capacity.tables import (
    CapacityGrowth,
    CapacityRow,
    InterpolationRow,
    capacity_growth,
    capacity_table,
    interpolation_table,
)
from .capacity.vc import (
    envelope_vc,
    least_vc,
    log_growth_bound,
    minimal_parameters,
    sauer_shelah,
    vc_fraction,
    vc_upper,
)
from .classifiers.counting import CountRow, closed_form, count_table, fitted_exponent
from .classifiers.memorization import f_adv, f_S, predictions
from .classifiers.memorizer import f_S_from_thresholds, fingerprint
from .classifiers.screening import localize
from .classifiers.variants import VARIANTS
from .exchange.arrays import load_arrays
from .exchange.load import load
from .exchange.margin_networks import margin_network
from .exchange.onnx_export import write_onnx, write_vnnlib
from .exchange.properties import Conjunct, Constraint, Property
from .exchange.reading import read_network
from .exchange.restriction import on_plane, on_segment
from .exchange.vnnlib_reading import read_property
from .functions.boolean import lookup, parity
from .functions.digits import digit_table
from .functions.folding import folding
from .functions.interpolants import kuhn_interpolant, mcshane
from .functions.narrow import narrow_maximum
from .functions.one_input import piecewise_linear
from .functions.pieces import from_pieces
from .functions.polynomials import monomial, multiplication_tree, polynomial
from .functions.separation import l1_distance, sawtooth_bound
from .functions.sorting import kth_largest, median, sorting
from .functions.taylor import taylor_patches
from .gadgets.approximation import (
    absolute,
    gate,
    maximum,
    multiplication,
    squaring,
    tooth,
    yarotsky_multiplication,
)
from .gadgets.contracts import CONTRACTS, Contract, PartContract, contract, contracts
from .gadgets.distances import distance
from .gadgets.indicators import lean_indicator, soft_indicator
from .gadgets.shallow_maximum import shallow_maximum
from .graphs.origin import Origin
from .linear.affine import Affine
from .linear.matrix import Block, Constant, Dense, Identity, Integers, Kron, Matrix, Sparse, Unknown
from .memorizers.grid import grid_memorizer
from .memorizers.line import memorizer
from .memorizers.narrow import narrow_memorizer
from .memorizers.nearest import nearest_neighbour
from .memorizers.projected import projected_memorizer
from .memorizers.smallest import robust_memorizer
from .memorizers.staged import staged_grid_memorizer
from .nearness.range_search import RangeSearch
from .nearness.separation import (
    NearPairs,
    Separation,
    nearest_within_class,
    pairs_within,
    separation,
)
from .networks.calculus import add, affine, compose, copies, delay, parallel
from .networks.exact import exact_signs, exact_values
from .networks.intervals import OutputBounds, interval_bounds, magnitude_bound, source_difference
from .networks.network import ReLUNetwork, Size
from .networks.provenance import LEMMAS, Lemma, Provenance
from .networks.rounding import BitBudget, bit_budget, rounding_error
from .networks.sharded import sharded_values
from .networks.statements import explain, implements, parts, statements
from .regions.counting import count_regions, linear_regions
from .regions.level_set import LevelSet, level_set
from .regions.limits import Stop
from .regions.result import LinearRegions, Region, RegionCount
from .regions.topology import Topology, topology

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
    "Integers",
    "InterpolationRow",
    "Kron",
    "Lemma",
    "LevelSet",
    "LinearRegions",
    "Matrix",
    "MemorizationBound",
    "ProcessLostError",
    "Progress",
    "Property",
    "Provenance",
    "RangeSearch",
    "ReLUNetwork",
    "Region",
    "Result",
    "LabelledPoints",
    "CapacityGrowth",
    "PartContract",
    "NearPairs",
    "OutputBounds",
    "RegionCount",
    "Separation",
    "ShatteredSet",
    "Size",
    "Stop",
    "Sparse",
    "Unknown",
    "absolute",
    "add",
    "affine",
    "bit_budget",
    "capacity_growth",
    "capacity_table",
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
    "f_S_from_thresholds",
    "f_adv",
    "folding",
    "from_pieces",
    "taylor_patches",
    "kuhn_interpolant",
    "mcshane",
    "monomial",
    "polynomial",
    "multiplication_tree",
    "digit_table",
    "narrow_memorizer",
    "narrow_maximum",
    "lookup",
    "parity",
    "kth_largest",
    "median",
    "sorting",
    "l1_distance",
    "sawtooth_bound",
    "piecewise_linear",
    "fingerprint",
    "fitted_exponent",
    "gate",
    "grid_memorizer",
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
    "memorization_bound",
    "memorizer",
    "minimal_parameters",
    "montufar_lower",
    "montufar_upper",
    "multiplication",
    "nearest_neighbour",
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
    "projected_memorizer",
    "read_property",
    "robust_memorizer",
    "rounding_error",
    "sauer_shelah",
    "separated_set",
    "separation",
    "serra_upper",
    "sharded_values",
    "shallow_maximum",
    "shattered_set",
    "soft_indicator",
    "squaring",
    "staged_grid_memorizer",
    "statements",
    "Topology",
    "tooth",
    "topology",
    "vc_fraction",
    "vc_upper",
    "write_onnx",
    "write_vnnlib",
    "yarotsky_multiplication",
    "zaslavsky",
]
