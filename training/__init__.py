"""What gradient descent finds: data, models, attacks, and training runs that can be resumed and
compared.
"""

import warnings

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_INTERNAL = {
    *("as_float", "as_tensor", "batch_norm", "check_differentiable", "check_labels"),
    *("check_sphere", "copied", "differentiating", "measuring", "placement", "read_outputs"),
    "unchanged",
}


def __getattr__(name: str) -> object:
    """A public name, loaded when it is used; for one release also old ones."""
    if name in _INTERNAL:
        text = f"training.{name} is training.internal.{name} now"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        from . import internal

        return getattr(internal, name)
    if name == "margin":
        text = "training.margin is training.output_margin now"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        name = "output_margin"
    return _load(name)
