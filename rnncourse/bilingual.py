"""English sentences and their French: a grammar of pairs, in which every sentence has one right translation; and numbers in words.

It is small enough to learn in a minute, and needs what makes translation hard: French articles, adjectives and participles agree with
their noun, adjectives move behind it, pronouns move before the verb, "not" becomes "ne … pas", "a" after it becomes "de". And
one word may become several: "sometimes", "de temps en temps"; or several one: "looks for", "cherche".
"""

import random
import re
from collections.abc import Iterator
from functools import cache, lru_cache

from .cells import expect

# A line for every symbol: weighted alternatives, each an English and a French side with the same symbols, in an order of their own.
# A line with @ is written out for the forms M1 F1 M2 F2 (gender, number), one with # for 1 and 2; of words between commas each form
# takes its own.
RULES = """
CLAUSE: CLAUSEM1 / CLAUSEM1 | CLAUSEF1 / CLAUSEF1 | CLAUSEM2 / CLAUSEM2 | CLAUSEF2 / CLAUSEF2
LINK: and / et | but / mais | because / car | when / quand

CLAUSE@: 4* THING@ SEES# OBJECT / THING@ SEES# OBJECT | 2* THING@ SEES# HIM / THING@ HIM SEES#
 | 2* THING@ OFTEN SEES# OBJECT / THING@ SEES# OFTEN OBJECT
 | 2* THING@ does,do not SEE# DENIED / THING@ ne SEE# pas DENIED | 1* THING@ does,do not SEE# HIM / THING@ ne HIM SEE# pas
 | 2* THING@ WITH OBJECT is,are TIGREEN@ / THING@ WITH OBJECT est,sont TIGREEN@ | 1* THING@ is,are TIGREEN@ / THING@ est,sont TIGREEN@
OBJECT: THINGM1 / THINGM1 | THINGF1 / THINGF1 | THINGM2 / THINGM2 | THINGF2 / THINGF2
DENIED: NOTHINGM1 / NOTHINGM1 | NOTHINGF1 / NOTHINGF1 | NOTHINGM2 / NOTHINGM2 | NOTHINGF2 / NOTHINGF2
THING@: THE@ NOUN@ / THE@ NOUN@
NOTHING@: ANY@ NOUN@ / ANY@ NOUN@
NOUN@: 3* DOG@ / DOG@ | 2* SMALL@ DOG@ / SMALL@ DOG@ | 2* GREEN@ DOG@ / DOG@ GREEN@ | 1* SMALL@ GREEN@ DOG@ / SMALL@ DOG@ GREEN@

THE@: the / le,la,les,les | a,a,two,two / un,une,deux,deux | my / mon,ma,mes,mes
 | our / notre,notre,nos,nos | this,this,these,these / ce,cette,ces,ces
ANY@: the / le,la,les,les | a,a,two,two / de,de,deux,deux | my / mon,ma,mes,mes
 | our / notre,notre,nos,nos | this,this,these,these / ce,cette,ces,ces
SMALL@: small / petit,petite,petits,petites | big / grand,grande,grands,grandes | old / vieux,vieille,vieux,vieilles
 | young / jeune,jeune,jeunes,jeunes | beautiful / beau,belle,beaux,belles
GREEN@: green / vert,verte,verts,vertes | blue / bleu,bleue,bleus,bleues | gentle / doux,douce,doux,douces
 | proud / fier,fière,fiers,fières | sad / triste,triste,tristes,tristes | strong / fort,forte,forts,fortes
TIGREEN@: tired / fatigué,fatiguée,fatigués,fatiguées | happy / content,contente,contents,contentes | ready / prêt,prête,prêts,prêtes
 | busy / occupé,occupée,occupés,occupées | sick / malade,malade,malades,malades
DOGM#: dog,dogs / chien,chiens | cat,cats / chat,chats | baker,bakers / boulanger,boulangers | doctor,doctors / docteur,docteurs
 | king,kings / roi,rois | boy,boys / garçon,garçons | horse,horses / cheval,chevaux | painter,painters / peintre,peintres
DOGF#: girl,girls / fille,filles | woman,women / femme,femmes | queen,queens / reine,reines | goat,goats / chèvre,chèvres
 | sister,sisters / sœur,sœurs | cow,cows / vache,vaches | mouse,mice / souris,souris
 | bat,bats / chauve-souris,chauves-souris | nurse,nurses / soignante,soignantes

SEES#: sees,see / voit,voient | looks,look for / cherche,cherchent | looks,look after / garde,gardent | knows,know / connaît,connaissent
 | carries,carry / porte,portent | paints,paint / peint,peignent | greets,greet / salue,saluent | finds,find / trouve,trouvent
 | thanks,thank / remercie,remercient | draws,draw / dessine,dessinent
SEE#: see / voit,voient | look for / cherche,cherchent | look after / garde,gardent | know / connaît,connaissent
 | carry / porte,portent | paint / peint,peignent | greet / salue,saluent
 | find / trouve,trouvent | thank / remercie,remercient | draw / dessine,dessinent
WITH: with / avec | behind / derrière | in front of / devant
OFTEN: often / souvent | always / toujours | sometimes / de temps en temps
HIM: him / le | her / la | them / les
"""
FORMS, ENGLISH, FRENCH = ("M1", "F1", "M2", "F2"), 0, 1
Rules = dict[str, list[tuple[float, list[str], list[str]]]]


def rules(text: str = RULES) -> Rules:
    """A text of rules, written out: for every symbol its alternatives, each a weight, the English side and the French one.

    Raises
    ------
    ValueError
        If a line is no rule, a symbol is defined twice, is missing or never used, or the two sides of an alternative differ in
        their symbols or use one twice (which is which could not be told).
    """
    found: Rules = {}
    for line in re.sub(r"\n[ \t]+(?=\S)", " ", text).strip().splitlines():
        if line.strip():
            for name, alternatives in _written_out(line):
                if name in found:
                    raise ValueError(f"rules: expected one line for {name}, got another")
                found[name] = alternatives
    for name, alternatives in found.items():
        for _, *sides in alternatives:
            symbols = [sorted(word for word in side if word.isupper()) for side in sides]
            if symbols[0] != symbols[1] or len(set(symbols[0])) < len(symbols[0]):
                raise ValueError(f"rules: expected the same symbols on both sides, none twice, got {symbols} for {name}")
            if lost := set(symbols[0]) - set(found):
                raise ValueError(f"rules: expected a line for every symbol, got none for {sorted(lost)[0]}")
    used = {word for alternatives in found.values() for _, side, _ in alternatives for word in side}
    if idle := set(found) - used - {"CLAUSE", "LINK"}:
        raise ValueError(f"rules: expected that every symbol is used, got {sorted(idle)} in vain")
    return found


def _written_out(line: str) -> Iterator[tuple[str, list]]:
    """One line as rules of all its forms."""
    parts = re.fullmatch(r"([A-Z]+[@#]?): (.*)", line.strip())
    if not parts:
        raise ValueError(f"rules: expected SYMBOL: and alternatives, got {line.strip()!r}")
    name, right = parts.groups()
    for form in FORMS if "@" in name else ("1", "2") if "#" in name else ("",):
        pick = lambda word, form=form: _form(word, form)  # noqa: E731
        alternatives = []
        for alternative in right.split("|"):
            sides = re.fullmatch(r"\s*(?:(\d+)\* )?([^/*]+)/([^/*]+)", alternative)
            if not sides:
                raise ValueError(f"rules: expected English / French, got {alternative.strip()!r}")
            alternatives.append((float(sides[1] or 1), [pick(w) for w in sides[2].split()], [pick(w) for w in sides[3].split()]))
        yield pick(name), alternatives


def _form(word: str, form: str) -> str:
    """A word or symbol of a line in one of the line's forms."""
    choices = word.split(",")
    if len(choices) not in (1, 2, 4) or (len(choices) > 1 and not form) or (len(choices) == 4 and form not in FORMS):
        raise ValueError(f"rules: expected one, two or four forms, got {word!r}")
    if len(choices) > 1:
        word = choices[FORMS.index(form) if len(choices) == 4 else int(form[-1]) - 1]
    return word.replace("@", form).replace("#", form[-1:])


@cache
def _all() -> Rules:
    return rules()


def _draw(symbol: str, rng: random.Random) -> tuple[list[str], list[str]]:
    """Words of a symbol, English and French."""
    alternatives = _all()[symbol]
    _, english, french = rng.choices(alternatives, [weight for weight, _, _ in alternatives])[0]
    parts = {word: _draw(word, rng) for word in english if word.isupper()}
    side = lambda words, n: [w for word in words for w in (parts[word][n] if word in parts else [word])]  # noqa: E731
    return side(english, ENGLISH), side(french, FRENCH)


def _written(words: list[str]) -> str:
    """Words as a sentence; English has "an" before a vowel."""
    return re.sub(r"\ba(?= [aeiou])", "an", " ".join(words)) + "."


def pairs(n: int, seed: int, clauses: tuple[int, int] = (1, 4)) -> list[tuple[str, str]]:
    """Draw sentences and their translations; a seed gives the same ones on every machine.

    Parameters
    ----------
    n, seed : int
    clauses : tuple of int
        A sentence has at least and at most so many, each number equally often.

    Returns
    -------
    list of n (English, French)
        Lower case; a full stop ends each, without a space before it.

    Examples
    --------
    >>> pairs(1, seed=0, clauses=(1, 1))
    [('two old bats do not know her.', 'deux vieilles chauves-souris ne la connaissent pas.')]
    """
    rng, found = random.Random(seed), []
    for _ in range(n):
        english, french = _draw("CLAUSE", rng)
        for _ in range(rng.randint(*clauses) - 1):
            for symbol in ("LINK", "CLAUSE"):
                more = _draw(symbol, rng)
                english, french = english + more[ENGLISH], french + more[FRENCH]
        found.append((_written(english), _written(french)))
    return found


def translations(sentence: str, source: int = ENGLISH) -> list[str]:
    """All translations of a sentence: exactly one for an English sentence of this grammar, none for what it does not contain.

    Parameters
    ----------
    sentence : str
    source : {ENGLISH, FRENCH}
        From French it may have several. None says that this is not French: a network's output can be tested for grammar.

    Examples
    --------
    >>> translations("a girl does not see an old green horse.")
    ['une fille ne voit pas de vieux cheval vert.']
    """
    words = re.sub(r"\ban\b", "a", sentence.removesuffix(".")).split() if source == ENGLISH else sentence.removesuffix(".").split()
    links = {sides[source][0]: sides[1 - source][0] for _, *sides in _all()["LINK"]}
    starts = [i + 1 for i, word in enumerate(words) if word in links]
    whole = [()]
    for begin, end in zip([0, *starts], [*(i - 1 for i in starts), len(words)]):
        link = [links[words[begin - 1]]] if begin else []
        whole = [(*before, *link, *clause) for before in whole for clause in _read("CLAUSE", tuple(words[begin:end]), source)]
    found = [_written(list(words)) for words in whole]
    ours = sentence == _written(words)  # not "a old dog", not without its full stop
    return sorted(set(found)) if ours else []


@cache
def _shortest(symbol: str, source: int) -> int:
    """Words that a symbol has at least."""
    return min(sum(_shortest(word, source) if word.isupper() else 1 for word in sides[source]) for _, *sides in _all()[symbol])


@lru_cache(100_000)
def _read(symbol: str, words: tuple[str, ...], source: int) -> frozenset[tuple[str, ...]]:
    """What some words can mean in the other language, taken for a symbol."""
    return frozenset(found for _, *sides in _all()[symbol] for parts in _match(sides[source], words, source)
                     for found in _together(sides[1 - source], parts))  # fmt: skip


def _match(side: list[str], words: tuple[str, ...], source: int) -> Iterator[dict[str, frozenset]]:
    """The ways in which words follow one side of a rule: for each symbol the translations of its words."""
    if not side:
        if not words:
            yield {}
        return
    first, *rest = side
    if not first.isupper():
        if words[:1] == (first,):
            yield from _match(rest, words[1:], source)
        return
    needs = sum(_shortest(word, source) if word.isupper() else 1 for word in rest)
    for end in range(_shortest(first, source), len(words) - needs + 1):
        if meant := _read(first, words[:end], source):
            for parts in _match(rest, words[end:], source):
                yield parts | {first: meant}


def _together(side: list[str], parts: dict[str, frozenset]) -> Iterator[tuple[str, ...]]:
    """All translations of a rule whose symbols have some each."""
    if not side:
        yield ()
        return
    for first in parts.get(side[0], [(side[0],)]):
        for rest in _together(side[1:], parts):
            yield first + rest


ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
FRENCH_ONES = "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit dix-neuf".split()
FRENCH_TENS = "vingt trente quarante cinquante soixante soixante quatre-vingt quatre-vingt".split()


def english_number(n: int) -> str:
    """A number from 0 to 999,999 in English words.

    Examples
    --------
    >>> english_number(204_071)
    'two hundred and four thousand and seventy-one'
    """
    expect(0 <= n < 1_000_000, "n", "0 to 999,999", n)
    if n >= 1000:
        rest = n % 1000
        tail = f"{' and' if 0 < rest < 100 else ''} {english_number(rest)}" if rest else ""
        return f"{english_number(n // 1000)} thousand{tail}"
    if n >= 100:
        return f"{ONES[n // 100]} hundred{f' and {english_number(n % 100)}' if n % 100 else ''}"
    if n >= 20:
        return TENS[n // 10 - 2] + (f"-{ONES[n % 10]}" if n % 10 else "")
    return ONES[n]


def french_number(n: int) -> str:
    """A number from 0 to 999,999 in French words, in the spelling before 1990 (hyphens below one hundred alone).

    Examples
    --------
    >>> french_number(204_071), french_number(280), french_number(281), french_number(80_200)
    ('deux cent quatre mille soixante et onze', 'deux cent quatre-vingts', 'deux cent quatre-vingt-un', 'quatre-vingt mille deux cents')
    """
    expect(0 <= n < 1_000_000, "n", "0 to 999,999", n)
    if n >= 1000:
        head = "" if n < 2000 else french_number(n // 1000).removesuffix("s") if n // 1000 % 100 in (0, 80) else french_number(n // 1000)
        return f"{head} mille {french_number(n % 1000) if n % 1000 else ''}".strip()
    if n >= 100:
        head = "cent" if n < 200 else f"{FRENCH_ONES[n // 100]} cent"
        return f"{head} {french_number(n % 100)}" if n % 100 else head + "s" * (n >= 200)
    if n < 20:
        return FRENCH_ONES[n]
    ten = FRENCH_TENS[n // 10 - 2]
    rest = n % 20 if n >= 60 else n % 10  # soixante-dix, quatre-vingt-dix
    if rest == 0:
        return ten + "s" * (n == 80)
    return f"{ten} et {FRENCH_ONES[rest]}" if rest in (1, 11) and n < 80 else f"{ten}-{FRENCH_ONES[rest]}"
