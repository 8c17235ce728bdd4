"""What crosses the border between a submission and its judge."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnncourse.grading.plain import DTYPES, NotPlain, dump, load

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
THINGS = st.recursive(LEAVES, lambda a: st.lists(a) | st.lists(a).map(tuple) | st.dictionaries(st.text() | st.integers(), a), max_leaves=12)


@given(THINGS)
def test_plain_data_come_back_as_they_went(thing):
    assert load(dump(thing)) == thing


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_a_tensor_comes_back_with_its_type_and_shape(dtype, shape):
    a = (torch.rand(shape) * 9 - 3).to(dtype)
    b = load(dump([a.mT if a.dim() > 1 else a]))[0]
    assert b.dtype == dtype and torch.equal(b, a.mT if a.dim() > 1 else a)


@pytest.mark.parametrize("a", [torch.rand(2, 3, 4), torch.rand(4, 3, 2).mT, torch.rand(3, 2, 4).transpose(0, 1), torch.rand(4, 3)[:, 0], torch.rand(2, 5)[:, ::2], torch.rand(1).expand(3)])
def test_a_tensor_lies_in_memory_as_it_did(a):
    b = load(dump(a))
    axes = lambda t: sorted(range(t.dim()), key=lambda i: -t.stride(i))  # noqa: E731
    assert torch.equal(a, b) and axes(a) == axes(b) and a.is_contiguous() == b.is_contiguous()


def test_not_a_number_and_infinity_come_back():
    a = load(dump(torch.tensor([torch.nan, torch.inf, -torch.inf])))
    assert a.isnan().tolist() == [True, False, False] and a[1:].tolist() == [torch.inf, -torch.inf]


class Sly(str):
    pass


@pytest.mark.parametrize("thing", [len, object(), {1, 2}, Sly("a"), torch.nn.Parameter(torch.ones(2)), torch.ones(2).to_sparse(), 1j], ids=lambda a: type(a).__name__)
def test_what_is_not_plain_is_refused(thing):
    with pytest.raises(NotPlain, match="no plain data"):
        dump([thing])


def nested(n):
    a = []
    for _ in range(n):
        a = [a]
    return a


def test_lists_in_lists_have_an_end():
    with pytest.raises(NotPlain, match="too many"):
        dump(nested(30))


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'["set", [1]]', b'["tensor", ["object", [1], ""]]', b'["tensor", ["int8", [2], [0], true, "AAAA"]]', b"\xff", b"[" * 10**6,
                                  b'["tensor", ["int8", [-1], [0], true, ""]]', b'["tensor", ["int8", [1e9], [0], true, ""]]', b'["dict", [[["list", []], 1]]]', b'["list", 3]',
                                  b'["list", [' * 30 + b"1" + b"]]" * 30, b'["list", "ab"]', b'["tensor", ["float32", [4611686018427387904, 4], [0, 1], true, ""]]',
                                  b'["tensor", ["int8", [0, 0], [0, 0], true, ""]]', b'["tensor", ["int8", [0], [[]], true, ""]]', b'["tensor", ["int8", [0], [0], ""]]'])  # fmt: skip
def test_other_bytes_are_refused(data):
    with pytest.raises(NotPlain):
        load(data)


def test_a_number_with_a_million_digits_is_refused():
    with pytest.raises(NotPlain):
        load(json.dumps("1" * 10**6).replace('"', "").encode())
