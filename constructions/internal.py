"""What the other packages need of this one and users do not: readers of what users pass, files
written whole, shards, digests, words of results.
"""

import sys

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub("constructions", __file__)


def __getattr__(name: str) -> object:
    """A name, loaded when it is used; the loader keeps it in the root, where it is an old one."""
    globals()[name] = _load(name)
    del vars(sys.modules["constructions"])[name]
    return globals()[name]
