"""Texts for the chapters and labs, with fixed splits. Nothing here needs a network, but one download that must be asked for.

A text comes as ``(train, held_out)``, two ``str``; `overlap` says how much of the second also stands in the first.
"""

import hashlib
import importlib
import os
import sys
import sysconfig
import tokenize
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from . import stump

LOCALES = {
    "Czech": "cs_CZ", "Dutch": "nl_NL", "Finnish": "fi_FI", "French": "fr_FR", "Indonesian": "id_ID", "Italian": "it_IT",
    "Latvian": "lv_LV", "Lithuanian": "lt_LT", "Spanish": "es_ES", "Swahili": "sw", "Turkish": "tr_TR", "Yoruba": "yo_NG",
}  # fmt: skip

HELD_OUT_SEED = 1_000_003  # the held-out speeches: the same whatever the seed of the training part
LEFT_OUT = {"test", "tests", "site-packages", "dist-packages", "idlelib", "lib2to3", "encodings", "pydoc_data"}
SPEECHES_URL = "https://raw.githubusercontent.com/ryanmcdermott/trump-speeches/master/speeches.txt"
SPEECHES_SHA256 = "3b6362724e391ccb7e2adf790bc51e31e018fde8027fefa005630c76eecce6a2"
BY_HAND = (f"By hand: save {SPEECHES_URL} (924,745 bytes, sha256 {SPEECHES_SHA256}) and give its path, "
           "trump_speeches(path) or the environment variable RNNCOURSE_SPEECHES.")


def first_names(train: int = 120, held_out: int = 30) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """First names of twelve languages, the same number of each, split by name.

    They come from the lists of the Python package Faker (https://github.com/joke2k/faker, MIT licence, © 2012 Daniele
    Faraglia), which collected them country by country. A name is brought to the letters a to z: lower case, accents
    removed. A name that needs other letters after that, or that two of the languages share, is left out.
    Which names are taken, and which of them are held out, follows from a hash of the name: no seed, no order of the lists.

    Parameters
    ----------
    train, held_out : int
        Names of each language in the two parts; the smallest language has 156 in all.

    Returns
    -------
    train, held_out : list of (name, language)
        No name stands in both.

    Raises
    ------
    ValueError
        If a language has too few names.

    Examples
    --------
    >>> [len(part) for part in first_names()]
    [1440, 360]
    """
    names = {language: _plain(locale) for language, locale in LOCALES.items()}
    languages = Counter(name for known in names.values() for name in known)  # in how many languages a name is known
    parts: tuple[list, list] = [], []
    for language, known in names.items():
        own = sorted((name for name in known if languages[name] == 1), key=lambda name: hashlib.sha256(name.encode()).digest())
        if len(own) < train + held_out:
            raise ValueError(f"train + held_out: expected at most {len(own)} for {language}, got {train + held_out}")
        parts[0].extend((name, language) for name in own[:train])
        parts[1].extend((name, language) for name in own[train : train + held_out])
    return parts


def _plain(locale: str) -> set[str]:
    """The names of one locale that the letters a to z can write, without accents."""
    provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    spelt = (unicodedata.normalize("NFKD", name.lower()) for name in provider.first_names)  # accents as signs of their own
    bare = ("".join(sign for sign in name if not unicodedata.combining(sign)) for name in spelt)
    return {name for name in bare if name.isascii() and name.isalpha() and len(name) > 1}


def stump_speeches(train: int = 18_000, held_out: int = 1_800, seed: int = 0) -> tuple[str, str]:
    r"""Campaign sentences drawn from the grammar of `rnncourse.stump`: as many as wanted, and the true entropy is known.

    Made for this course, under its licence; nobody is quoted: names, places and numbers are invented.
    A sentence is a line; the newline belongs to it and counts as one of its characters.

    Parameters
    ----------
    train, held_out : int
        Sentences in the two parts, of 55 characters on average. Fewer are always the beginning of more.
    seed : int
        Of the training part; the held-out part is the same for every seed.

    Returns
    -------
    train, held_out : str
        About 0.7 % of the held-out sentences also stand in the training part, and less than 5 % in one of 40,000.

    Raises
    ------
    ValueError
        If the seed is the one of the held-out part.
    """
    if abs(seed) == HELD_OUT_SEED:  # Python's generator takes -7 for 7
        raise ValueError(f"seed: expected another one than that of the held-out part, got {seed}")
    parts = stump.grammar().sample(train, seed), stump.grammar().sample(held_out, HELD_OUT_SEED)
    return tuple("".join(f"{sentence}\n" for sentence in part) for part in parts)


def python_files(characters: int = 2_000_000) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Sources of Python's own standard library, the one that runs this code: whole files, some of them held out.

    © Python Software Foundation, PSF licence (https://docs.python.org/3/license.html).
    Files of 3,000 to 80,000 characters, at most one folder deep; no tests, no tables, nothing installed from elsewhere.
    A hash of its path gives each its place: the first twentieth of all hashes is held out, the training part follows. So
    another version holds out the same files, as far as it has them; it has written some of them anew, and every number
    made with them differs. Tabs become spaces, and what is not ASCII "?".

    Parameters
    ----------
    characters : int
        Of the training part: the first files that have as many.

    Returns
    -------
    train, held_out : list of (path, text)
        Paths with slashes, relative to the library's folder.

    Raises
    ------
    FileNotFoundError
        If this Python came without the sources of its library.
    ValueError
        If they have fewer characters.
    """
    folder = Path(sysconfig.get_path("stdlib"))  # also in a virtual environment: that of the Python it was made with
    paths = sorted(path.relative_to(folder).as_posix() for pattern in ("*.py", "*/*.py") for path in folder.glob(pattern))
    order = {hashlib.md5(path.encode(), usedforsecurity=False).digest(): path for path in paths if _is_library(path)}
    train, held_out, size = [], [], 0
    for digest, path in sorted(order.items()):
        if size >= characters:
            break
        with tokenize.open(folder / path) as file:  # in the encoding that the file states; lines end with "\n" on every system
            text = file.read().expandtabs(4).replace("\f", "").encode("ascii", "replace").decode()
        if not 3_000 < len(text) < 80_000:
            continue
        if digest[0] < 13:  # of 256
            held_out.append((path, text))
        else:
            train.append((path, text))
            size += len(text)
    if not order:
        raise FileNotFoundError(f"expected the sources of Python's library in {folder}, found none: install Python from python.org")
    if size < characters:
        raise ValueError(f"characters: expected at most {size}, got {characters}")
    return train, held_out


def _is_library(path: str) -> bool:
    """Whether Python itself brings the file: a system's own additions have names that Python does not know."""
    parts = path.removesuffix(".py").split("/")
    return parts[0] in sys.stdlib_module_names and not LEFT_OUT.intersection(parts)


def python_source(characters: int = 2_000_000) -> tuple[str, str]:
    """The files of `python_files` (there: source, licence, split), one after the other: real text on every machine.

    Returns
    -------
    train, held_out : str
        In Python 3.11: 2,026,651 and 228,769 characters, up to 17,000 less in other versions and where optional parts are
        missing. Of the held-out windows of 60 characters, 0.24 to 0.25 % also stand in the training part.
    """
    return tuple("".join(text for _, text in files) for files in python_files(characters))


def python_docs(repeats: bool = False) -> tuple[str, str]:
    """The texts of Python's ``help()``: chapters of its language reference, from the module ``pydoc_data.topics``.

    © Python Software Foundation, PSF licence (https://docs.python.org/3/license.html). 100 equal blocks, every tenth held out.

    Parameters
    ----------
    repeats : bool
        These texts repeat themselves, so a paragraph that stood before, and tables with their ruled lines, are left out.
        True keeps everything and shows the trap: what a model has only remembered then looks as if it had been learnt.

    Returns
    -------
    train, held_out : str
        In Python 3.11: 308,000 and 34,000 characters, 4 to 6 % more in 3.12 and 3.13. Of the held-out windows of 60
        characters, 0.4 to 2 % also stand in the training part; with the repeats it is 53 % (55 and 57 %).
    """
    topics = importlib.import_module("pydoc_data.topics").topics
    seen, kept = set(), []
    for paragraph in "\n\n".join(topics[name].strip("\n") for name in sorted(topics)).split("\n\n"):
        words = " ".join(paragraph.split())
        if repeats or not (words in seen or "--+" in paragraph):
            kept.append(paragraph)
        seen.add(words)
    return _blocks("\n\n".join(kept))


def _blocks(text: str) -> tuple[str, str]:
    """100 equal blocks; the sixth, the sixteenth and so on are held out: the tail of a text is often unlike the rest."""
    ends = [len(text) * i // 100 for i in range(101)]
    blocks = [text[a:b] for a, b in zip(ends, ends[1:], strict=False)]
    return "".join(block for i, block in enumerate(blocks) if i % 10 != 5), "".join(blocks[5::10])


def trump_speeches(path: str | os.PathLike | None = None, download: bool = False, check: bool = True) -> tuple[str, str]:
    """Campaign speeches of Donald Trump, the text of the practical TP 6. They are no part of this course.

    Transcripts of public speeches, collected by Ryan McDermott: ``speeches.txt`` of
    https://github.com/ryanmcdermott/trump-speeches, 924,745 bytes. We could verify no licence for them, so you bring the
    file: by path, by the environment variable RNNCOURSE_SPEECHES, or by a download, which is kept in your cache
    folder and found there from then on.

    Parameters
    ----------
    path : str or path, optional
        Where the file lies.
    download : bool
        Whether the network may be used if the file is neither given nor in the cache.
    check : bool
        False reads a file with another checksum: a text of your own.

    Returns
    -------
    train, held_out : str
        806,642 and 89,627 characters: 100 equal blocks, every tenth held out. Of the held-out windows of 60 characters,
        3.3 % also stand in the training part; one character, "_", stands in the held-out part alone.

    Raises
    ------
    OSError
        If there is no file, or the download fails. No half file is left.
    ValueError
        If the file has another checksum.
    """
    path = Path(path or os.environ.get("RNNCOURSE_SPEECHES") or _cached_speeches(download)).expanduser()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileNotFoundError(f"path: expected a file that can be read, got {path} ({error.strerror}). {BY_HAND}") from error
    digest = hashlib.sha256(data).hexdigest()
    if check and digest != SPEECHES_SHA256:
        raise ValueError(f"path: expected a file with sha256 {SPEECHES_SHA256}, got {digest} for {path}. check=False reads it all "
                         f"the same, download=True replaces a spoiled one in the cache folder. {BY_HAND}")
    return _blocks(data.decode("utf-8-sig").replace("\r\n", "\n"))


def _cached_speeches(download: bool) -> Path:
    """The file in the cache folder, fetched if that is allowed and needed."""
    import pooch  # here, because it brings a library for the network that nothing else needs

    folder = pooch.os_cache("rnncourse")
    if download:
        try:
            pooch.retrieve(SPEECHES_URL, f"sha256:{SPEECHES_SHA256}", "speeches.txt", folder)  # renamed at the end, if it is right
        except (OSError, ValueError) as error:
            raise OSError(f"the download of {SPEECHES_URL} to {folder} failed, and nothing of it is kept: {error}. {BY_HAND}") from error
    elif not (folder / "speeches.txt").exists():
        raise FileNotFoundError(f"path: expected the file of the speeches, got none. download=True fetches it. {BY_HAND}")
    return folder / "speeches.txt"


def overlap(train: str, held_out: str, width: int | None = 60) -> float:
    r"""How much of a held-out text also stands in the training text: what a model can know by heart.

    Parameters
    ----------
    train, held_out : str
    width : int or None
        Characters of a window; all windows of the held-out text are looked up. None compares whole lines.

    Returns
    -------
    float
        Share of the held-out windows, or lines, between 0 and 1.

    Raises
    ------
    ValueError
        If the held-out text has no window or line.

    Examples
    --------
    >>> overlap("abcd", "bcde", width=2), overlap("one\ntwo\n", "two\nthree\n", width=None)
    (0.6666666666666666, 0.5)
    """
    def pieces(text: str) -> Iterable[str]:
        return (text[i : i + width] for i in range(len(text) - width + 1)) if width else filter(None, text.split("\n"))

    asked = Counter(pieces(held_out))
    if not asked:
        raise ValueError(f"held_out: expected at least {width or 'one line of'} characters, got {len(held_out)}")
    seen = set(asked).intersection(pieces(train))  # only what is asked for is kept: little memory
    return sum(asked[piece] for piece in seen) / asked.total()
