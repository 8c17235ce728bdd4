"""n-gram language models: modified Kneser-Ney smoothing, a strong baseline, and two weaker ones beside it.

All of them are one recursion over the context h, cut by its oldest symbol at each step down, with 1 / V at the bottom::

    p(w | h) = share(h w) + left(h) * p(w | h without its oldest symbol)

They differ in what they count, what they take from a count, and so in what is left for the shorter context.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

Ids = Sequence[int] | np.ndarray


class Order(NamedTuple):
    """The k-grams of a text, for one k, and their contexts of k - 1 symbols. Index -1 is for what was never seen.

    Attributes
    ----------
    keys : int64 array, shape (G + 1,)
        Sorted. A k-gram is ``context * V + symbol``, where ``context`` is the index of its first k - 1 symbols among the
        keys of the order below (0 if k = 1): two numbers whatever k is, so that every k fits into 64 bits.
    share : array, shape (G + 1,)
        The probability that a k-gram keeps for itself; 0 at -1.
    left : array, shape (C + 1,)
        The part of a context's probability that the shorter context distributes; 1 at -1.
    """

    keys: np.ndarray
    share: np.ndarray
    left: np.ndarray


class NGram:
    """A language model that looks back n - 1 symbols; `kneser_ney`, `witten_bell` and `add_k` make one.

    No probability is 0, also of symbols and contexts that were never seen. A context shorter than n - 1 symbols, as at
    the start of a text, is answered by the order that fits it.

    Parameters
    ----------
    orders : list of Order
        For k = 1 … n.
    vocab_size : int
    """

    def __init__(self, orders: list[Order], vocab_size: int):
        self.orders, self.vocab_size, self.n = orders, vocab_size, len(orders)

    def nll(self, ids: Ids, start: int = 0) -> np.ndarray:
        """The cost of each symbol given those before it, in nats. Its mean is a cross-entropy.

        Parameters
        ----------
        ids : sequence of int, length T
        start : int
            Symbols before this place are context only.

        Returns
        -------
        array, shape (T - start,)

        Raises
        ------
        ValueError
            If an id is not in 0 … V - 1, or ``start`` is not in 0 … T.
        """
        ids = _checked(ids, self.vocab_size)
        _expect(0 <= start <= len(ids), "start", f"0 to {len(ids)}", start)
        p = np.full(len(ids), 1 / self.vocab_size)
        for order, context, gram in self._walk(ids):
            p = order.share[gram] + order.left[context[:-1]] * p  # (T,)
        return -np.log(p[start:])

    def probabilities(self, context: Ids) -> np.ndarray:
        """What comes after a context: the probability of every symbol.

        Parameters
        ----------
        context : sequence of int
            May be empty; only its last n - 1 symbols count.

        Returns
        -------
        array, shape (V,)
            Its sum is 1.
        """
        ids = _checked(context, self.vocab_size)
        p = np.full(self.vocab_size, 1 / self.vocab_size)
        for order, contexts, _ in self._walk(ids[max(0, len(ids) - self.n + 1) :]):
            h = contexts[-1]
            begin, end = np.searchsorted(order.keys, [h * self.vocab_size, (h + 1) * self.vocab_size])  # the grams that go on from h
            p = order.left[h] * p  # (V,)
            p[order.keys[begin:end] - h * self.vocab_size] += order.share[begin:end]
        return p

    def sample(self, n_tokens: int, seed: int, start: Ids = ()) -> list[int]:
        """Symbols drawn one after another, each from its probability after those before it.

        Parameters
        ----------
        n_tokens : int
        seed : int
        start : sequence of int
            What stands before them; not returned.
        """
        rng, text = np.random.default_rng(seed), [*start]
        for _ in range(n_tokens):
            text.append(int(rng.choice(self.vocab_size, p=self.probabilities(text[-self.n :]))))
        return text[len(text) - n_tokens :]

    def _walk(self, ids: np.ndarray) -> Iterator[tuple[Order, np.ndarray, np.ndarray]]:
        """For k = 1 … n: the order, the context before each of T + 1 places, the k-gram that ends at each of T places."""
        context = np.zeros(len(ids) + 1, np.int64)
        for order in self.orders:
            key = context[:-1] * self.vocab_size + ids  # (T,), negative after an unknown context: found nowhere
            place = np.searchsorted(order.keys, key)
            gram = np.where(order.keys[place] == key, place, -1)
            yield order, context, gram
            context = np.append(-1, gram)  # a k-gram is the context of the symbol after it


def kneser_ney(ids: Ids, n: int, vocab_size: int, boundary: int | None = None) -> NGram:
    """Interpolated modified Kneser-Ney smoothing: a discount on every count, and lower orders that count contexts.

    The highest order counts how often an n-gram occurs. A lower one is heard where the longer context says little; it
    counts after how many different symbols a k-gram occurs ("Francisco" is frequent, but after one word alone).

    Parameters
    ----------
    ids : sequence of int
        The training text.
    n : int
        The model looks back n - 1 symbols.
    vocab_size : int
        V; ids are 0 … V - 1.
    boundary : int, optional
        The symbol that ends a sentence, where sentences do not belong together: no context reaches back beyond it.
        k-grams that begin with it cannot grow to the left, so that their occurrences are counted in every order.
        Texts then best begin with it too, so that their first sentence starts like the others.

    Returns
    -------
    NGram

    Raises
    ------
    ValueError
        If there are no ids, an id is not in 0 … V - 1, or n or V is smaller than 1.

    References
    ----------
    Chen & Goodman (1999), An empirical study of smoothing techniques for language modeling.
    """

    def smooth(gram: _Grams, highest: bool) -> tuple[np.ndarray, np.ndarray]:
        count = gram.count if highest else gram.preceding
        D = discounts(count)[np.minimum(count, 3)]  # (G,)
        return count - D, np.bincount(gram.context, D, gram.contexts)

    return _fit(smooth, ids, n, vocab_size, boundary)


def discounts(count: np.ndarray) -> np.ndarray:
    """What modified Kneser-Ney smoothing takes from a count of 0, 1, 2, and 3 or more.

    Parameters
    ----------
    count : int array
        The counts of all k-grams.

    Returns
    -------
    array, shape (4,)
        ``D[j] = j - (j + 1) Y N[j + 1] / N[j]`` with ``Y = N[1] / (N[1] + 2 N[2])``, where N[j] k-grams have count j.
        A small text may lack one of N[1] … N[4], or give a discount that is not positive: then 0, 0.5, 1, 1.5.

    References
    ----------
    Chen & Goodman (1999), equation 26; the values of last resort are those of KenLM (Heafield et al. 2013).
    """
    N = np.bincount(count, minlength=5)
    if N[1:5].all():
        Y = N[1] / (N[1] + 2 * N[2])
        D = np.array([0] + [j - (j + 1) * Y * N[j + 1] / N[j] for j in (1, 2, 3)])
        if (D[1:] > 0).all():
            return D
    return np.array([0, 0.5, 1, 1.5])


def witten_bell(ids: Ids, n: int, vocab_size: int, boundary: int | None = None) -> NGram:
    """Witten-Bell smoothing: a context passes on one count for each different symbol that came after it.

    Parameters, returns and errors are those of `kneser_ney`.

    References
    ----------
    Witten & Bell (1991), The zero-frequency problem; interpolated as in Chen & Goodman (1999).
    """

    def smooth(gram: _Grams, highest: bool) -> tuple[np.ndarray, np.ndarray]:
        return gram.count, np.bincount(gram.context, minlength=gram.contexts)

    return _fit(smooth, ids, n, vocab_size, boundary)


def add_k(ids: Ids, n: int, vocab_size: int, k: float = 1.0, boundary: int | None = None) -> NGram:
    """Add-k smoothing: every n-gram counts k more than it occurred. Shorter contexts are never asked.

    k = 1 is Laplace's rule, the oldest and weakest. After a context that was never seen all symbols are equal.
    The other parameters, returns and errors are those of `kneser_ney`; k must be positive.
    """
    _expect(k > 0, "k", "more than 0", k)

    def smooth(gram: _Grams, highest: bool) -> tuple[np.ndarray, np.ndarray]:
        return gram.count * highest, np.full(gram.contexts, k * vocab_size)  # of it, 1 / V goes to each symbol

    return _fit(smooth, ids, n, vocab_size, boundary)


class _Grams(NamedTuple):
    """The k-grams of a text, in the order of their keys, and how many contexts the order below has."""

    key: np.ndarray  # (G,)
    context: np.ndarray  # (G,)
    contexts: int
    count: np.ndarray  # (G,), how often it occurs
    preceding: np.ndarray  # (G,), after how many different symbols; at k = n, where nobody asks, the count


def _fit(smooth: Callable, ids: Ids, n: int, vocab_size: int, boundary: int | None) -> NGram:
    """An NGram from what each k-gram keeps, (G,), and each context passes on, (C,), both in the unit of counts."""
    orders = []
    for gram in _count(ids, n, vocab_size, boundary):
        kept, passed = smooth(gram, len(orders) == n - 1)
        total = np.bincount(gram.context, kept, gram.contexts)  # (C,)
        passed = np.where(total + passed > 0, passed, 1)  # nothing follows the text's end: all of it is passed on
        total = total + passed
        share, left = kept / total[gram.context], passed / total  # (G,), (C,)
        orders.append(Order(np.append(gram.key, np.iinfo(np.int64).max), np.append(share, 0), np.append(left, 1)))
    return NGram(orders, vocab_size)


def _count(ids: Ids, n: int, vocab_size: int, boundary: int | None) -> list[_Grams]:
    """The k-grams for k = 1 … n."""
    ids = _checked(ids, vocab_size)
    _expect(len(ids) >= 1, "ids", "at least one", "none")
    _expect(n >= 1, "n", "at least 1", n)
    _expect(boundary is None or 0 <= boundary < vocab_size, "boundary", f"0 to {vocab_size - 1}", boundary)
    counted: list[_Grams] = []
    context, contexts = np.zeros(len(ids), np.int64), 1  # (T,), the (k - 1)-gram before each place, -1 for none
    for k in range(1, n + 1):
        at = np.flatnonzero(context >= 0)
        key, gram, count = np.unique(context[at] * vocab_size + ids[at], return_inverse=True, return_counts=True)
        if k == 1:
            first = key  # (G,), its first symbol
        else:
            suffix = np.empty(len(key), np.int64)
            suffix[gram] = ending[at]  # all places of a k-gram write the same
            preceding = np.bincount(suffix, minlength=contexts)
            if k > 2:  # nothing stands before a boundary: what begins with it keeps its count
                preceding = np.where(first == boundary, counted[-1].count, preceding)
            counted[-1] = counted[-1]._replace(preceding=preceding)
            first = first[key // vocab_size]
        counted.append(_Grams(key, key // vocab_size, contexts, count, count))
        ending = np.full(len(ids), -1, np.int64)  # (T,), the k-gram that ends at each place
        ending[at] = gram
        context, contexts = np.append(-1, ending[:-1]), len(key)
        if k > 1 and boundary is not None:
            context[1:][ids[:-1] == boundary] = -1  # no context reaches back beyond a boundary
    return counted


def _checked(ids: Ids, vocab_size: int) -> np.ndarray:
    """The ids as an array of int64, (T,)."""
    _expect(vocab_size >= 1, "vocab_size", "at least 1", vocab_size)
    ids = np.asarray(ids)
    _expect(ids.ndim == 1, "ids", "one dimension", ids.shape)
    _expect(ids.size == 0 or ids.dtype.kind in "iu", "ids", "integers", ids.dtype)
    wrong = ids[(ids < 0) | (ids >= vocab_size)]
    _expect(not len(wrong), "ids", f"0 to {vocab_size - 1}", wrong[:1])
    return ids.astype(np.int64)


def _expect(ok: bool, name: str, wanted: str, got: object) -> None:
    """`cells.expect`, for a module that needs no torch."""
    if not ok:
        raise ValueError(f"{name}: expected {wanted}, got {got}")
