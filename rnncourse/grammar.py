"""Weighted context-free grammars without recursion: sentences drawn, parsed and scored exactly, one character after the other."""

import math
import random
import re
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable
from graphlib import CycleError, TopologicalSorter
from itertools import accumulate

GLUED = (",", ".", "?", "!", "'", "%")


class Grammar:
    """A grammar that draws sentences and knows their probabilities.

    ``rules`` has a line for every symbol: ``SYMBOL: 3* alternative | alternative`` with weights (1 where none is written),
    or ``SYMBOL ~ first | second | third`` with the weights 1/3, 1/4, 1/5 (Zipf's law in
    Mandelbrot's form). The first symbol is the whole sentence. An
    alternative, which may be empty, is a row of symbols and words. A line that starts with a space goes on with the line
    before; ``#`` starts a comment.

    Words are joined by a space, but what starts with ``,`` ``.`` ``?`` ``!`` ``'`` or ``%`` follows without one, and so does
    what starts with ``+``, which is not written: ``vote +s`` gives "votes". The first letter of a sentence is a capital.

    Parameters
    ----------
    rules : str

    Attributes
    ----------
    start : str
        The first symbol.
    rules : dict[str, list[tuple[float, tuple[str, ...]]]]
        Every symbol's alternatives, each with its probability; words have their space before them.

    Raises
    ------
    ValueError
        If a line is no rule, a symbol is defined twice, is missing (two or more capitals are taken for a symbol), is never
        used or leads back to itself, or a weight is not positive.

    Examples
    --------
    >>> toy = Grammar("SENTENCE: 3* WHO sing +s . | WHO sleep +s , too !\\nWHO: Ada | Bo")
    >>> toy.count(), toy.parses("Bo sings."), round(math.exp(-toy.nll("Bo sings.")), 3)
    (4, 1, 0.375)
    """

    def __init__(self, rules: str):
        text = re.sub(r"\n[ \t]+(?=\S)", " ", re.sub(r"#.*", "", rules))
        found = [_rule(line) for line in text.splitlines() if line.strip()]
        symbols = [symbol for symbol, _ in found]
        if len(set(symbols)) < len(symbols) or not symbols:
            raise ValueError(f"rules: expected one line for every symbol, got {symbols}")
        self.start = symbols[0]
        self.rules = {s: [(p, tuple(_piece(word, symbols) for word in words)) for p, words in right] for s, right in found}
        self._order = self._from_below()
        self._chances = _Reader(self.rules, self.start)
        self._counts = _Reader({s: [(1, right) for _, right in alternatives] for s, alternatives in self.rules.items()}, self.start)

    def _from_below(self) -> list[str]:
        """The symbols, each after those that its own rules use."""
        uses = {s: {x for _, right in alternatives for x in right if x in self.rules} for s, alternatives in self.rules.items()}
        if idle := set(uses) - {self.start}.union(*uses.values()):
            raise ValueError(f"rules: expected that every symbol is used, got {sorted(idle)} in vain")
        try:
            return list(TopologicalSorter(uses).static_order())
        except CycleError as error:
            raise ValueError(f"rules: expected no recursion, got {' in '.join(error.args[1])}") from None

    def _total(self, value: Callable[[float, tuple[str, ...]], float]) -> float:
        """The expected sum of ``value(probability, right side)`` over the rules of a sentence.

        Symbol by symbol from below: that solves the triangular system of all expectations.
        """
        total: dict[str, float] = {}
        for symbol in self._order:
            parts = ((p, value(p, right) + math.fsum(total.get(x, 0.0) for x in right)) for p, right in self.rules[symbol])
            total[symbol] = math.fsum(p * part for p, part in parts)
        return total[self.start]

    def entropy(self) -> float:
        """Entropy of a sentence in nats, exact if no sentence has two derivations; divided by `length`, nats per character."""
        return self._total(lambda p, right: -math.log(p))

    def length(self) -> float:
        """Expected characters of a sentence, the newline that ends it included."""
        pieces = self._total(lambda p, right: sum(len(x) for x in right if x not in self.rules))
        cut = sum(p for stack, p in self._chances.heads((self.start, "\n")).items() if stack[0].startswith(" "))
        return pieces - cut + 1  # the space before the first word is not written, the newline is

    def count(self) -> int:
        """How many derivations there are: distinct sentences, if none has two."""
        number: dict[str, int] = {}
        for symbol in self._order:
            number[symbol] = sum(math.prod(number.get(x, 1) for x in right) for _, right in self.rules[symbol])
        return number[self.start]

    def sample(self, n: int, seed: int) -> list[str]:
        """Draw ``n`` sentences, without newlines; a seed gives the same ones on every machine."""
        rng = random.Random(seed)
        drawn = {s: (_steps(alternatives), [right[::-1] for _, right in alternatives]) for s, alternatives in self.rules.items()}
        sentences = []
        for _ in range(n):
            stack, pieces = [self.start], []
            while stack:
                item = stack.pop()
                if item in drawn:
                    steps, rights = drawn[item]
                    stack.extend(rights[bisect(steps, rng.random())])
                else:
                    pieces.append(item)
            sentences.append(_capital("".join(pieces)))
        return sentences

    def parses(self, sentence: str) -> int:
        """How many derivations a sentence has; 0 says that it is not in the language. A newline at its end may be left out."""
        return int(self._counts.read(sentence.removesuffix("\n") + "\n").get((), 0))

    def nll(self, sentence: str) -> float:
        """Negative log-probability of a sentence in nats, its end included: exact, summed over derivations.

        Parameters
        ----------
        sentence : str
            A newline at its end may be left out.

        Returns
        -------
        float
            Infinity for what is not in the language.
        """
        chance = self._chances.read(sentence.removesuffix("\n") + "\n").get((), 0.0)
        return -math.log(chance) if chance else math.inf

    def following(self, prefix: str) -> dict[str, float]:
        r"""The true distribution of the next character.

        Fast when the prefixes of a sentence are asked for in turn: a prefix that goes on from the last one is not read again.

        Parameters
        ----------
        prefix : str
            The beginning of a sentence; "" for its first character.

        Returns
        -------
        dict[str, float]
            Every character that may follow, with its probability; "\\n" is the end.

        Raises
        ------
        ValueError
            If no sentence begins like that.
        """
        stacks = self._chances.read(prefix)
        if not stacks or () in stacks:
            raise ValueError(f"prefix: expected the beginning of a sentence, got {prefix!r}")
        chances: dict[str, float] = defaultdict(float)
        for stack, weight in stacks.items():
            for char, moves in self._chances.moves(stack).items():
                chances[char] += weight * sum(w for _, w in moves)
        total = math.fsum(chances.values())
        return {char: chance / total for char, chance in sorted(chances.items())}


class _Reader:
    """Reads from left to right and keeps, with its weight, every stack of symbols and text that may still come."""

    def __init__(self, rules: dict[str, list[tuple[float, tuple[str, ...]]]], start: str):
        self.rules = rules
        self.known: dict[tuple[str, ...], dict] = {}
        first: dict[tuple[str, ...], float] = defaultdict(float)
        for (head, *rest), weight in self.heads((start, "\n")).items():
            first[_capital(head), *rest] += weight
        self.first = dict(first)
        self.last = "", self.first

    def heads(self, stack: tuple[str, ...]) -> dict[tuple[str, ...], float]:
        """The stacks, with text on top, that the rules make of one."""
        if not stack or stack[0] not in self.rules:
            return {stack: 1}
        found: dict[tuple[str, ...], float] = defaultdict(float)
        for p, right in self.rules[stack[0]]:
            for other, weight in self.heads(right + stack[1:]).items():
                found[other] += p * weight
        return found

    def moves(self, stack: tuple[str, ...]) -> dict[str, list[tuple[tuple[str, ...], float]]]:
        """For every character that may come next, the stacks after it; kept, because few stacks come again and again."""
        if stack not in self.known:
            found: dict[str, list] = defaultdict(list)
            for (head, *rest), weight in self.heads(stack).items() if stack else ():
                found[head[0]].append(((head[1:], *rest) if head[1:] else tuple(rest), weight))
            self.known[stack] = dict(found)
        return self.known[stack]

    def read(self, text: str) -> dict[tuple[str, ...], float]:
        """The stacks after a text, each with the weight of the derivations that lead there."""
        seen, stacks = self.last if text.startswith(self.last[0]) else ("", self.first)
        for char in text[len(seen) :]:
            after: dict[tuple[str, ...], float] = defaultdict(float)
            for stack, weight in stacks.items():
                for other, w in self.moves(stack).get(char, ()):
                    after[other] += weight * w
            stacks = after
        self.last = text, stacks
        return stacks


def _rule(line: str) -> tuple[str, list[tuple[float, list[str]]]]:
    """A line as its symbol and its alternatives: probability and words."""
    parts = re.fullmatch(r"([A-Z][A-Z_]+)\s*([:~])(.*)", line.strip())
    if not parts:
        raise ValueError(f"rules: expected SYMBOL: or SYMBOL ~ and alternatives, got {line!r}")
    symbol, kind, right = parts.groups()
    found = [re.fullmatch(r"\s*(?:([\d.]+)\*(?=\s|$))?(.*)", alternative).groups() for alternative in right.split("|")]
    weights = [float(weight or 1) / (rank + 2 if kind == "~" else 1) for rank, (weight, _) in enumerate(found, 1)]
    if not min(weights) > 0:
        raise ValueError(f"rules: expected positive weights, got {weights} for {symbol}")
    return symbol, [(weight / math.fsum(weights), words.split()) for weight, (_, words) in zip(weights, found, strict=True)]


def _piece(word: str, symbols: list[str]) -> str:
    """A symbol as it is, a word with the space before it."""
    if word in symbols:
        return word
    if re.fullmatch(r"\+?[A-Z][A-Z_]+", word):
        raise ValueError(f"rules: expected a line for every symbol, got none for {word}")
    return word.removeprefix("+") if word.startswith(("+", *GLUED)) else f" {word}"


def _steps(alternatives: list[tuple[float, tuple[str, ...]]]) -> list[float]:
    """Where the unit interval is cut: rounding never leaves a gap at its end, because the last cut is left out."""
    return list(accumulate(p for p, _ in alternatives))[:-1]


def _capital(text: str) -> str:
    text = text.removeprefix(" ")
    return text[:1].upper() + text[1:]
