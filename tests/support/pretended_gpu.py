"""A GPU that is only pretended: tensors say that they are on "cuda", their numbers are in main
memory, and the rules of devices hold.

PyTorch's fake tensors have no numbers, so whatever reads one ends there. These have: all that a
function does with a GPU is seen, its results can be compared with those on the CPU, and what a GPU
would refuse is refused, at the place where it happens.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar
from unittest import mock

import torch
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

GPU, CPU = torch.device("cuda", 0), torch.device("cpu")
UNDER = torch.device("meta")
"""What PyTorch itself takes the GPU for: its autograd asks the driver about devices named cuda."""

aten = torch.ops.aten

WAITS = {
    aten._local_scalar_dense,  # item, float, int, bool
    aten.equal,
    aten.is_nonzero,
    aten.masked_select,
    aten.nonzero,
    aten.repeat_interleave,
    aten._unique2,
    aten.unique_consecutive,
    aten.unique_dim,
    aten.bincount,
}
"""Operations whose result the host must read before it goes on."""

PLACES = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}
"""Operations that take indices from main memory, too: a copy, and one that waits for masks."""

COPIES = {aten._to_copy, aten.copy_, aten.copy, aten.set_}
"""Operations between devices."""


class DeviceError(RuntimeError):
    """What a GPU would refuse."""


class OnGPU(torch.Tensor):
    """A tensor that says it is on the GPU."""

    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=UNDER,
        )

    def __init__(self, held):
        self.held = held

    @property
    def device(self):
        return GPU

    @property
    def is_cuda(self):
        return True

    __torch_function__ = torch._C._disabled_torch_function_impl

    def tolist(self):
        return self.cpu().tolist()

    def numpy(self, **_):
        raise DeviceError("numpy: can't convert a tensor on the GPU, copy it to main memory first")

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise DeviceError(f"{function} outside of the block that pretends a GPU")


class Generator(torch.Generator):
    """A generator that says it is on the GPU, if it was made there."""

    said: ClassVar = {}
    """By the address of what computes, as operations are given another object of it."""

    def __new__(cls, device="cpu"):
        self = super().__new__(cls, "cpu")
        cls.said[self._cdata] = torch.device(device)
        return self

    @property
    def device(self):
        return self.said[self._cdata]


class WithoutGradients:
    """`torch.inference_mode` as no more than that, as its tensors cannot pretend."""

    def enter(self):
        self.instead = torch.autograd.grad_mode.set_grad_enabled(not self.mode)

    def leave(self, *_):
        self.instead.__exit__(None, None, None)


class PretendedGPU(TorchDispatchMode):
    """Counts copies between host and device, and what the host waits for: by the operation."""

    def __init__(self):
        super().__init__()
        self.to_device, self.to_host, self.waits = Counter(), Counter(), Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        packet, name = function.overloadpacket, str(function.overloadpacket)
        tensors = [v for v in tree_flatten((args, kwargs))[0] if isinstance(v, torch.Tensor)]
        asked = kwargs.get("device")
        asked = GPU if asked is not None and asked.type in ("cuda", "meta") else asked
        found = self.device_of(packet, name, tensors, args)
        target = found if asked is None else asked
        self.check_generator(name, kwargs.get("generator"), target)
        if packet in COPIES:
            self.count_copies(packet, name, args, target)
        elif found == GPU and packet in WAITS:
            self.waits[name] += 1
        if asked is not None:
            kwargs["device"] = CPU
        if packet is aten._to_copy and "non_blocking" in kwargs:
            kwargs["non_blocking"] = False
        if kwargs.get("pin_memory"):
            kwargs["pin_memory"] = False
        held = tree_map_only(OnGPU, lambda t: t.held, (args, kwargs))
        result = function(*held[0], **held[1])
        if torch.Tag.inplace_view in function.tags and isinstance(args[0], OnGPU):
            with no_dispatch():  # the shape of what says so, too
                function(*args, **kwargs)
        return self.wrapped(function, args, kwargs, result, target)

    def device_of(self, packet, name, tensors, args):
        """The device of an operation: that of all its tensors, numbers of main memory aside."""
        devices = {t.device.type for t in tensors}
        if devices == {"cuda", "cpu"} and packet not in COPIES:
            if packet in PLACES and tensors[0].device.type == "cuda":
                strangers = [t for t in tensors[1:] if t.device.type == "cpu"]
                values = args[2] if len(args) > 2 else None
                if any(t is values and t.ndim for t in strangers):
                    raise DeviceError(f"{name}: values in main memory, tensor on the GPU")
                self.to_device[name] += sum(t is not values for t in strangers)
            elif any(t.device.type == "cpu" and t.ndim for t in tensors):
                shapes = ", ".join(f"{tuple(t.shape)} on {t.device.type}" for t in tensors)
                raise DeviceError(f"{name}: expected all tensors on one device, got {shapes}")
        if packet in PLACES and "cuda" in devices:
            masks = [t for t in tensors[1:] if t.dtype in (torch.bool, torch.uint8)]
            self.waits[f"{name} of a mask"] += len(masks)
        if packet is aten.copy_ or packet is aten.copy:
            return args[0].device
        return GPU if "cuda" in devices else CPU

    def check_generator(self, name, generator, target):
        if generator is None:
            return
        device = Generator.said.get(generator._cdata, CPU)
        if device.type != target.type:
            raise DeviceError(f"{name}: generator on {device}, tensor on {target}")

    def count_copies(self, packet, name, args, target):
        source = args[1] if packet is aten.copy_ else args[0]
        if isinstance(source, torch.Tensor) and source.device.type != target.type:
            (self.to_device if target.type == "cuda" else self.to_host)[name] += 1

    def wrapped(self, function, args, kwargs, result, target):
        """The result where it says it is; what was changed in place is the tensor given."""
        schema = function._schema
        written = [
            kwargs.get(a.name, args[i] if i < len(args) else None)
            for i, a in enumerate(schema.arguments)
            if a.alias_info is not None and a.alias_info.is_write
        ]
        known = {id(t.held): t for t in tree_flatten(written)[0] if isinstance(t, OnGPU)}
        if target.type != "cuda":
            return result
        return tree_map_only(
            torch.Tensor, lambda t: known[id(t)] if id(t) in known else OnGPU(t), result
        )


@contextlib.contextmanager
def pretended_gpu() -> Iterator[PretendedGPU]:
    """A block in which there is a GPU; gives the mode that counts."""
    torch._C._ensureCUDADeviceGuardSet()
    replaced = [
        (torch, "Generator", Generator),
        (torch.cuda, "_lazy_init", lambda: None),
        (torch.cuda, "is_available", lambda: True),
        (torch.inference_mode, "__enter__", WithoutGradients.enter),
        (torch.inference_mode, "__exit__", WithoutGradients.leave),
        (torch.cuda, "get_rng_state", lambda *_: torch.get_rng_state()),
        (torch.cuda, "set_rng_state", lambda *_: None),
        (torch.cuda, "is_bf16_supported", lambda *_: True),
        (torch.cuda.amp.common, "amp_definitely_not_available", lambda: False),
        # parameters made anew, as their data cannot change its class
        (torch.__future__, "get_overwrite_module_params_on_conversion", lambda: True),
    ]
    with contextlib.ExitStack() as stack:
        for place, name, value in replaced:
            stack.enter_context(mock.patch.object(place, name, value))
        # whose operations have no other form
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        stack.enter_context(torch.autograd.set_multithreading_enabled(False))
        # or `torch.tensor` asks the driver
        stack.callback(torch._C._set_only_lift_cpu_tensors, torch._C._only_lift_cpu_tensors())
        torch._C._set_only_lift_cpu_tensors(True)
        yield stack.enter_context(PretendedGPU())
    Generator.said.clear()
