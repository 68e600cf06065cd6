"""What gradient descent finds: data, models, attacks, and training runs that can be resumed and
compared.
"""

import warnings

import lazy_loader

import cgro

cgro.check_names("constructions")
_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_INTERNAL = {
    *("as_float", "as_tensor", "batch_norm", "check_differentiable", "check_labels"),
    *("check_sphere", "copied", "differentiating", "measuring", "placement", "read_outputs"),
    "unchanged",
}

_RENAMED = {"Progress": "TrainingProgress", "margin": "output_margin"}


def __getattr__(name: str) -> object:
    """A public name, loaded when it is used; for one release also old ones."""
    if name in _INTERNAL:
        text = f"training.{name} is training.internal.{name} now"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        from . import internal

        return getattr(internal, name)
    if name in _RENAMED:
        text = f"training.{name} is training.{_RENAMED[name]} now"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        name = _RENAMED[name]
    return _load(name)
