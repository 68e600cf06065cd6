"""What the other packages need of this one and users do not: readers of what users pass, files
written whole, shards, digests.
"""

from .basics.engine import run_shards, run_tasks
from .basics.files import replacing, write_file
from .basics.floats import from_shared
from .basics.norms import norm_name, read_norm
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
from .exchange.properties import exact_box
from .linear.matrix import same
from .networks.network import check_network, structure_digest

__all__ = [
    "as_coordinates",
    "as_float",
    "as_tensor",
    "box_of",
    "check_finite",
    "check_interval",
    "check_labels",
    "check_network",
    "exact_box",
    "flattening",
    "from_shared",
    "norm_name",
    "read_box",
    "read_norm",
    "read_rows",
    "renamed",
    "replacing",
    "run_shards",
    "run_tasks",
    "same",
    "structure_digest",
    "write_file",
]
