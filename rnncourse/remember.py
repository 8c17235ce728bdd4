"""Results that a lab's notebook keeps, until an answer that they depend on is another one."""

import functools
import inspect
from collections.abc import Callable, Iterator
from types import CodeType


def remembered(function: Callable) -> Callable:
    """Run a function of a notebook once for each of its arguments, and again when a function or class that it uses has been defined anew.

    ``functools.cache`` would go on showing what a wrong answer did after it was mended. What counts is whatever the notebook defines and the
    function calls by its name, itself or through others.

    Parameters
    ----------
    function : callable
        Its arguments can be hashed.

    Examples
    --------
    >>> @remembered
    ... def work(n):
    ...     print("working")
    ...     return n + 1
    >>> work(1), work(1)
    working
    (2, 2)
    """
    kept, before = {}, []

    @functools.wraps(function)
    def again(*args, **kwargs):
        now = [*used(function)]
        if len(now) != len(before) or any(a is not b for a, b in zip(now, before)):
            kept.clear()
            before[:] = now
        key = args, tuple(sorted(kwargs.items()))
        if key not in kept:
            kept[key] = function(*args, **kwargs)
        return kept[key]

    return again


def used(function: Callable) -> Iterator[object]:
    """The functions and classes of one notebook that a function of it uses by their names, each once, in the order of a walk through them."""
    space, seen, todo = inspect.unwrap(function).__globals__, {id(function)}, [function]
    while todo:
        for name in names(todo.pop(0)):
            thing = space.get(name)
            if callable(thing) and getattr(thing, "__module__", None) == function.__module__ and id(thing) not in seen:
                seen.add(id(thing))
                todo.append(thing)
                yield thing


def names(thing: object) -> Iterator[str]:
    """The names in the code of a function, or of a class's methods."""
    if isinstance(thing, type):
        for part in vars(thing).values():
            yield from names(part) if callable(part) else ()
    while isinstance(thing, functools.partial):
        thing = thing.func
    code = [getattr(inspect.unwrap(thing), "__code__", None)] if callable(thing) else []
    while code:
        one = code.pop()
        if isinstance(one, CodeType):
            yield from one.co_names
            code += [const for const in one.co_consts if isinstance(const, CodeType)]
