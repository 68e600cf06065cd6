"""What theory builds: ReLU networks with explicit weights, sizes, provenance and guarantees."""

import warnings

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_INTERNAL = {
    *("Said", "Settings", "Unpacked", "brief", "check_network", "from_shared", "plain"),
    *("rationals", "read_norm", "replacing", "run_shards", "run_tasks", "said", "same"),
    *("setting", "structure_digest", "write_file"),
}


def __getattr__(name: str) -> object:
    """A public name, loaded when it is used; for one release also those that moved."""
    if name in _INTERNAL:
        text = f"constructions.{name} is constructions.internal.{name} now"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        from . import internal

        return getattr(internal, name)
    return _load(name)
