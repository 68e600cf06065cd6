"""What learned and constructed networks have in common: errors, agreement, flatness and reports."""

import warnings

import lazy_loader

import cgro

cgro.check_names("constructions", "training")
_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    """A public name, loaded when it is used; for one release also one that is renamed."""
    renamed = {"margin": "boundary_distance", "Interval": "BoundaryDistance"}
    if name in renamed:
        text = f"analysis.{name} is analysis.{renamed[name]} now"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        name = renamed[name]
    return _load(name)
