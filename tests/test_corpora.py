"""The texts: what is in them, how they are split, and that they are the same everywhere."""

import hashlib
from collections import Counter

import pytest

from rnncourse.corpora import LOCALES, first_names

TRAIN, HELD_OUT = first_names()


def test_every_language_has_as_many_names():
    assert Counter(language for _, language in TRAIN) == dict.fromkeys(LOCALES, 120)
    assert Counter(language for _, language in HELD_OUT) == dict.fromkeys(LOCALES, 30)


def test_no_name_stands_twice_so_no_name_is_in_two_languages_or_in_both_parts():
    names = [name for name, _ in TRAIN + HELD_OUT]
    assert len(set(names)) == len(names) == 1800


def test_names_are_written_with_a_to_z():
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz") and len(name) > 1 for name, _ in TRAIN + HELD_OUT)


def test_a_name_that_two_languages_share_is_left_out():
    assert not {"maria", "anna", "ana", "laura"} & {name for name, _ in TRAIN + HELD_OUT}


def test_the_names_are_the_same_on_every_machine():
    assert first_names() == (TRAIN, HELD_OUT)
    digest = hashlib.sha256(repr((TRAIN, HELD_OUT)).encode()).hexdigest()
    assert digest.startswith("6aed0a94b90e4346"), "another version of Faker? The numbers of Lab 1 rest on these names"


def test_a_smaller_part_is_the_beginning_of_the_larger():
    small, _ = first_names(train=10, held_out=5)
    assert set(small) < set(TRAIN) and len(small) == 120


def test_more_names_than_there_are_is_refused():
    with pytest.raises(ValueError, match="expected at most .* for Czech, got 2000"):
        first_names(train=1900, held_out=100)
