"""Arrays have the shapes that annotations give them: `install` is called before the packages are
imported, and what names a shape is checked at every call from then on.

Checked are arguments and returns of functions and methods and fields of dataclasses and named
tuples, and of them only arrays. A dimension's name has one size within a call. Arguments are
looked at after the call: a function may refuse them in its own words, but may not take them.
"""

import contextlib
import dataclasses
import functools
import inspect
import itertools
import sys
import types
import typing
from importlib.machinery import PathFinder

import numpy as np
import torch
from jaxtyping import AbstractArray, TypeCheckError, jaxtyped

PACKAGES = ("constructions", "training", "analysis")
FITTING = set()  # definitions and forms of their arrays that were checked before


class Finder(PathFinder):
    """Finds the packages' modules, whose definitions are checked ones from their import on."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] not in PACKAGES:
            return None
        spec = super().find_spec(name, path, target)
        if spec and spec.loader:
            run = spec.loader.exec_module
            spec.loader.exec_module = lambda module: (run(module), check_module(module))
        return spec


def install():
    """Check what is imported from now on; jaxtyping's own hook would wrap, and slow, everything."""
    sys.meta_path.insert(0, Finder)


def check_module(module):
    """Let a module's functions and classes check their arrays."""
    for name, value in list(vars(module).items()):
        if getattr(value, "__module__", None) == module.__name__:
            setattr(module, name, checked(value))


def checked(value):
    """A function, property or class whose arrays are checked; the same object without shapes."""
    if inspect.isfunction(value):
        return _checked_function(value)
    if isinstance(value, (classmethod, staticmethod)):
        function = checked(value.__func__)
        return value if function is value.__func__ else type(value)(function)
    if isinstance(value, property) and (get := checked(value.fget)) is not value.fget:
        return property(get, value.fset, value.fdel, value.__doc__)
    if isinstance(value, functools.cached_property):
        value.func = checked(value.func)
    if inspect.isclass(value):
        methods = {
            name: member for name, member in vars(value).items() if not inspect.isclass(member)
        }
        if dataclasses.is_dataclass(value):
            del methods["__init__"]  # whose arguments are the fields
        for name, member in methods.items():
            if (better := checked(member)) is not member:
                setattr(value, name, better)
        _check_fields(value)
    return value


def _checked_function(function):
    if not (shapes := _shapes(function)):
        return function
    signature = inspect.signature(function)

    @functools.wraps(function)
    def called(*args, **kwargs):
        result = function(*args, **kwargs)
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:  # a former form of the call, which warns
            given = {}
        _check(function, shapes, given | {"return": result})
        return result

    return called


def _check_fields(made):
    maker = "__init__" if dataclasses.is_dataclass(made) else "__new__"
    if (maker == "__new__" and not hasattr(made, "_fields")) or not (shapes := _shapes(made)):
        return
    make = getattr(made, maker)

    @functools.wraps(make)
    def maked(first, *args, **kwargs):
        found = make(first, *args, **kwargs)
        instance = first if found is None else found
        _check(made, shapes, {name: getattr(instance, name) for name in shapes})
        return found

    setattr(made, maker, maked)


def _shapes(definition):
    """From names to annotations, of those that have a shape in them."""
    found = {}
    for part in reversed(getattr(definition, "__mro__", [definition])):
        known = getattr(part, "__globals__", None) or vars(sys.modules[part.__module__])
        for name, kind in inspect.get_annotations(part).items():
            with contextlib.suppress(NameError):  # imported for types only, so no shape
                found[name] = eval(kind, known) if isinstance(kind, str) else kind
    return {name: kind for name, kind in found.items() if _has_shape(kind)}


def _has_shape(kind):
    return _is_shape(kind) or any(map(_has_shape, typing.get_args(kind)))


def _is_shape(kind):
    return isinstance(kind, type) and issubclass(kind, AbstractArray)


def _check(definition, shapes, values):
    given = {name: values[name] for name in shapes if name in values}
    if (form := (definition, *given, _form(list(given.values())))) in FITTING:
        return
    with jaxtyped("context"):  # where a name has one size
        for name, value in given.items():
            if not fits(value, shapes[name]):
                found = getattr(value, "shape", type(value))
                raise TypeCheckError(
                    f"{definition.__qualname__}: {name} is no {shapes[name]}: {found}"
                )
    FITTING.add(form)


def _form(value):
    """All that `fits` sees of a value."""
    if isinstance(value, (list, tuple)):
        return type(value), *map(_form, value)
    if isinstance(value, dict):
        return dict, *map(_form, value.values())
    return type(value), getattr(value, "dtype", None), getattr(value, "shape", None)


def fits(value, kind):
    """Whether arrays have the shapes said; what else there is fits."""
    parts = typing.get_args(kind)
    if _is_shape(kind):
        return isinstance(value, kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if parts and isinstance(value, (list, tuple)):
        one_each = typing.get_origin(kind) is tuple and Ellipsis not in parts
        return all(map(fits, value, parts if one_each else itertools.repeat(parts[0])))
    if parts and isinstance(value, dict):
        return all(fits(one, parts[-1]) for one in value.values())
    if isinstance(value, (np.ndarray, torch.Tensor)) and isinstance(kind, type):
        return kind is typing.Any or isinstance(value, kind)
    return True
