"""Plain data as bytes and back: all that ever crosses the border between a submission and what judges it.

None, booleans, numbers, strings, tensors, and lists, tuples and dicts of these. Nothing is unpickled, no class is looked up, and what comes
back is a fresh object that nobody else holds.
"""

import base64
import json
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

DTYPES = {str(dtype).removeprefix("torch."): dtype for dtype in (torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int16,
                                                                 torch.int8, torch.uint8, torch.bool)}  # fmt: skip
DEPTH = 20  # lists in lists


class NotPlain(ValueError):
    """Something that is no plain data, or bytes that stand for none."""


def dump(thing: object) -> bytes:
    """Plain data as bytes.

    Raises
    ------
    NotPlain
        If there is something else in it, such as a function, or an object of a subclass, whose methods may do anything.

    Examples
    --------
    >>> load(dump(([1, 2.5], {"a": None})))
    ([1, 2.5], {'a': None})
    """
    return json.dumps(_down(thing, DEPTH)).encode()


def load(data: bytes) -> object:
    """What `dump` made; `NotPlain` for other bytes."""
    try:
        return _up(json.loads(data), DEPTH)
    except NotPlain:
        raise
    except (ValueError, TypeError, KeyError, RuntimeError, OverflowError, MemoryError) as error:  # RecursionError is a RuntimeError
        raise NotPlain(f"these bytes stand for no plain data ({type(error).__name__})") from None


def _down(a: object, depth: int) -> object:
    """What json can write: everything but None, booleans, numbers and strings becomes a pair (kind, content)."""
    if depth == 0:
        raise NotPlain("too many lists in lists")
    if a is None or type(a) in (bool, int, float, str):
        return a
    if type(a) in (list, tuple):
        return [type(a).__name__, [_down(b, depth - 1) for b in a]]
    if type(a) is dict:
        return ["dict", [[_down(key, depth - 1), _down(b, depth - 1)] for key, b in a.items()]]
    if type(a) is Tensor and a.layout == torch.strided and (name := str(a.dtype).removeprefix("torch.")) in DTYPES:
        order = sorted(range(a.dim()), key=lambda i: -a.stride(i))
        rows = a.detach().cpu().permute(order)
        array = rows.contiguous().numpy()
        return ["tensor", [name, list(array.shape), order, rows.is_contiguous(), base64.b64encode(array.tobytes()).decode()]]
    raise NotPlain(f"{type(a).__name__} is no plain data")


def _up(a: object, depth: int) -> object:
    if depth == 0:
        raise NotPlain("too many lists in lists")
    if not isinstance(a, list):
        return a.encode("utf8", "replace").decode() if isinstance(a, str) else a if not isinstance(a, dict) else _unknown()  # half a character is none
    kind, content = a
    if not isinstance(content, list):
        _unknown()
    if kind in ("list", "tuple"):
        return {"list": list, "tuple": tuple}[kind](_up(b, depth - 1) for b in content)
    if kind == "dict":
        return {_up(key, depth - 1): _up(b, depth - 1) for key, b in content}
    return _tensor(*content) if kind == "tensor" else _unknown()


def _tensor(name: str, shape: Sequence[int], order: Sequence[int], whole: bool, text: str) -> Tensor:
    """A tensor of its bytes, if they are as many as its shape asks for; its axes lie in memory in their order, with gaps unless it is ``whole``.

    Code that is right for tensors of any layout and code that is not, such as ``view(-1)``, are told apart by that.
    """
    data, dtype = base64.b64decode(text, validate=True), DTYPES[name]
    if not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 64 or len(data) != math.prod(shape) * dtype.itemsize:
        raise NotPlain("a tensor with other bytes than its shape asks for")
    array = np.frombuffer(bytearray(data), dtype=name)
    if dtype == torch.bool:
        array = np.frombuffer(data, dtype="uint8") != 0  # a byte of 2 is no boolean
    rows = torch.from_numpy(array).reshape(tuple(shape))
    if not whole and rows.dim():
        rows = torch.stack([rows, torch.zeros_like(rows)], dim=-1)[..., 0]
    if sorted(order) != [*range(len(shape))]:
        raise NotPlain("a tensor whose axes are not those of its shape")
    return rows.permute([order.index(i) for i in range(len(order))])


def _unknown() -> None:
    raise NotPlain("these bytes stand for no plain data")
