import re

import pytest

from rnncourse import bilingual
from rnncourse.bilingual import ENGLISH, FRENCH, RULES, english_number, french_number, pairs, rules, translations
from rnncourse.text import Words

MANY = pairs(1500, seed=5)


def test_each_english_sentence_has_one_translation_the_one_drawn():
    assert all(translations(english) == [french] for english, french in MANY[:400])


def test_no_symbol_says_one_english_thing_twice():
    for name, alternatives in rules().items():
        sides = [tuple(english) for _, english, _ in alternatives]
        assert len(set(sides)) == len(sides), name


def test_french_is_read_back():
    for english, french in MANY[:300]:
        assert english in translations(french, FRENCH)


@pytest.mark.parametrize("english, french", [
    ("the dog sees the cat.", "le chien voit le chat."),
    ("an old woman is happy.", "une vieille femme est contente."),
    ("our young cows are ready.", "nos jeunes vaches sont prêtes."),
    ("these big blue mice do not see them.", "ces grandes souris bleues ne les voient pas."),
    ("my sister does not paint a horse.", "ma sœur ne peint pas de cheval."),
    ("two kings always know a beautiful gentle queen.", "deux rois connaissent toujours une belle reine douce."),
    ("our bats sometimes look after a cat.", "nos chauves-souris gardent de temps en temps un chat."),
    ("my old bat in front of these dogs is sick.", "ma vieille chauve-souris devant ces chiens est malade."),
    ("this boy with two girls is tired because the nurses look for him.", "ce garçon avec deux filles est fatigué car les soignantes le cherchent."),
])  # fmt: skip
def test_right_french_by_hand(english, french):
    assert translations(english) == [french] and translations(french, FRENCH) == [english]


@pytest.mark.parametrize("sentence, source", [
    ("the dog see the cat.", ENGLISH), ("a old dog is sick.", ENGLISH), ("an dog is sick.", ENGLISH), ("the dog is sick", ENGLISH), (".", ENGLISH),
    ("the dog sees the cat and.", ENGLISH), ("the dog sees an unicorn.", ENGLISH), ("le chien voit la chat.", FRENCH),
    ("les vaches sont prêts.", FRENCH), ("le chien vert grand est malade.", FRENCH), ("le chien voit le.", FRENCH),
    ("le chien ne voit le chat.", FRENCH),
    ("le chien ne voit pas un chat.", FRENCH), ("le chien le voit le chat.", FRENCH), ("le chien voit de chat.", FRENCH),
])  # fmt: skip
def test_what_is_wrong_has_no_translation(sentence, source):
    assert translations(sentence, source) == []


def test_there_is_nothing_to_elide_or_to_contract():
    words = {word for alternatives in rules().values() for _, _, french in alternatives for word in french if not word.isupper()}
    vowels = {word for word in words if word[0] in "aeiouyhéœ"}
    assert vowels == {"un", "une", "et", "est", "avec", "en", "occupé", "occupée", "occupés", "occupées"}
    together = " ".join(french for _, french in MANY)
    assert not re.search(r"\b(ne|le|la|de|ce|ma|beau|vieux) [aeiouyhéœ]", together)


def test_english_has_an_before_a_vowel():
    together = " ".join(english for english, _ in MANY)
    assert " an old " in together and not re.search(r"\ba [aeiou]|\ban [^aeiou]", together)


def test_pairs_are_repeatable_and_have_the_clauses_asked_for():
    assert MANY[:50] == pairs(50, seed=5) != pairs(50, seed=6)
    links = lambda sentence: len(re.findall(r"\b(?:and|but|because|when)\b", sentence))  # noqa: E731
    assert {links(english) for english, _ in MANY} == {0, 1, 2, 3}
    assert {links(english) for english, _ in pairs(40, 0, (5, 6))} == {4, 5}


def test_words_of_a_sentence_survive_the_vocabulary():
    for side in zip(*MANY[:200]):
        words = Words(" ".join(side), 1000)
        assert all(words.decode(words.encode(sentence).tolist()) == sentence.replace(".", " .").replace("-", " - ") for sentence in side)


@pytest.mark.parametrize("text, message", [
    ("nonsense", "SYMBOL:"),
    ("CLAUSE: a / un\nCLAUSE: b / le", "one line for CLAUSE"),
    ("CLAUSE: a b", "English / French"),
    ("CLAUSE: THING sees / THING\nTHING: a / un | DOG / le\nDOG: dog / chien", "same symbols"),
    ("CLAUSE: THING THING / THING THING\nTHING: a / un", "none twice"),
    ("CLAUSE: THING / THING", "none for THING"),
    ("CLAUSE: a / un\nTHING: b / le", "'THING'.* in vain"),
    ("CLAUSE: a,b,c / un", "one, two or four forms"),
    ("CLAUSE: a,b / un", "one, two or four forms"),
    ("CLAUSE: DOG1 / DOG1\nDOG#: a,b,c,d / un", "one, two or four forms"),
])  # fmt: skip
def test_a_wrong_rule_is_told(text, message):
    with pytest.raises(ValueError, match=message):
        rules(text)


def test_each_form_takes_its_own_word():
    small = rules("CLAUSE: THINGM1 / THINGM1 | THINGF1 / THINGF1 | THINGM2 / THINGM2 | THINGF2 / THINGF2\n"
                  "THING@: 2* SEE# a,two / un,une,deux,deux SEE#\nSEE#: sees,see / voit,voient")  # fmt: skip
    assert small["THINGF1"] == [(2.0, ["SEE1", "a"], ["une", "SEE1"])] and small["THINGM2"] == [(2.0, ["SEE2", "two"], ["deux", "SEE2"])]
    assert small["SEE2"] == [(1.0, ["see"], ["voient"])] and len(RULES.splitlines()) < len(rules())


FRENCH_NUMBERS = {
    0: "zéro", 1: "un", 16: "seize", 17: "dix-sept", 20: "vingt", 21: "vingt et un", 22: "vingt-deux", 60: "soixante", 61: "soixante et un",
    69: "soixante-neuf", 70: "soixante-dix", 71: "soixante et onze", 72: "soixante-douze", 77: "soixante-dix-sept", 80: "quatre-vingts",
    81: "quatre-vingt-un", 90: "quatre-vingt-dix", 91: "quatre-vingt-onze", 99: "quatre-vingt-dix-neuf", 100: "cent", 101: "cent un",
    180: "cent quatre-vingts", 200: "deux cents", 201: "deux cent un", 283: "deux cent quatre-vingt-trois", 1000: "mille", 1001: "mille un",
    1100: "mille cent", 1999: "mille neuf cent quatre-vingt-dix-neuf", 2000: "deux mille", 2200: "deux mille deux cents", 21_000: "vingt et un mille",
    80_000: "quatre-vingt mille", 80_080: "quatre-vingt mille quatre-vingts", 100_000: "cent mille", 200_000: "deux cent mille",
    280_000: "deux cent quatre-vingt mille", 202_303: "deux cent deux mille trois cent trois",
    999_999: "neuf cent quatre-vingt-dix-neuf mille neuf cent quatre-vingt-dix-neuf"}  # fmt: skip
ENGLISH_NUMBERS = {
    0: "zero", 7: "seven", 13: "thirteen", 20: "twenty", 42: "forty-two", 100: "one hundred", 101: "one hundred and one", 110: "one hundred and ten",
    999: "nine hundred and ninety-nine", 1000: "one thousand", 1001: "one thousand and one", 1100: "one thousand one hundred",
    1999: "one thousand nine hundred and ninety-nine", 20_015: "twenty thousand and fifteen", 300_000: "three hundred thousand",
    123_456: "one hundred and twenty-three thousand four hundred and fifty-six"}  # fmt: skip


def test_numbers_in_words_by_hand():
    assert {n: french_number(n) for n in FRENCH_NUMBERS} == FRENCH_NUMBERS
    assert {n: english_number(n) for n in ENGLISH_NUMBERS} == ENGLISH_NUMBERS


def value(words, names, hundred, thousand):
    """What a number in words says: words add up, and what stands before a hundred, a thousand or a "vingt" multiplies it."""
    total = part = 0
    for word in re.split(r"[- ]", words):
        if word in ("et", "and"):
            continue
        if word.rstrip("s") == thousand:
            total, part = (part or 1) * 1000, 0
        elif word in (hundred, hundred + "s"):
            part = (part or 1) * 100
        elif word in ("vingt", "vingts") and part % 100 == 4:
            part += 76  # quatre-vingt
        else:
            part += names[word]
    return total + part


def test_words_say_their_number():
    french = {french_number(n): n for n in [*range(17), 20, 30, 40, 50, 60]}
    english = {english_number(n): n for n in [*range(20), *range(20, 100, 10)]}
    for n in [*range(2000), *range(2000, 1_000_000, 397)]:
        assert value(french_number(n), french, "cent", "mille") == n
        assert value(english_number(n), english, "hundred", "thousand") == n


@pytest.mark.parametrize("n", [-1, 1_000_000])
def test_a_number_beyond_the_range_is_told(n):
    for words in (english_number, french_number):
        with pytest.raises(ValueError, match="0 to 999,999"):
            words(n)


def test_plural_marks_stand_where_they_should():
    for n in range(0, 1_000_000, 41):
        words = french_number(n)
        assert not re.search(r"(cents|vingts)[- ]", words) and not words.endswith("mille cents")
        assert words.endswith("quatre-vingts") == (n % 100 == 80) and bilingual.french_number(n).count("milles") == 0
