"""The names of `constructions.internal`, and where each is from; loaded when it is used."""

from .basics.ball import check_ball
from .basics.engine import run_shards, run_tasks
from .basics.files import replacing, write_file
from .basics.floats import from_shared
from .basics.norms import norm_name, read_norm
from .basics.progress import Report, counted, silent, stepped, stepping
from .basics.reading import (
    as_coordinates,
    as_float,
    as_tensor,
    box_of,
    check_finite,
    check_interval,
    check_labels,
    flattening,
    read_box,
    read_rows,
)
from .basics.renamed import renamed
from .basics.result import Keyed, Said, Unpacked, brief, plain, said
from .basics.settings import Settings, setting
from .exchange.properties import exact_box, rationals
from .linear.matrix import same
from .networks.network import check_network, structure_digest

__all__ = [
    "Keyed",
    "Report",
    "Said",
    "Settings",
    "Unpacked",
    "as_coordinates",
    "as_float",
    "as_tensor",
    "box_of",
    "brief",
    "check_ball",
    "check_finite",
    "check_interval",
    "check_labels",
    "check_network",
    "counted",
    "exact_box",
    "flattening",
    "from_shared",
    "norm_name",
    "plain",
    "rationals",
    "read_box",
    "read_norm",
    "read_rows",
    "renamed",
    "replacing",
    "run_shards",
    "run_tasks",
    "said",
    "same",
    "setting",
    "silent",
    "stepped",
    "stepping",
    "structure_digest",
    "write_file",
]
