"""Texts for the chapters and labs, with fixed splits. Nothing here needs a network."""

import hashlib
import importlib
import unicodedata
from collections import Counter

LOCALES = {
    "Czech": "cs_CZ", "Dutch": "nl_NL", "Finnish": "fi_FI", "French": "fr_FR", "Indonesian": "id_ID", "Italian": "it_IT",
    "Latvian": "lv_LV", "Lithuanian": "lt_LT", "Spanish": "es_ES", "Swahili": "sw", "Turkish": "tr_TR", "Yoruba": "yo_NG",
}  # fmt: skip


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
