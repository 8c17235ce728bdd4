import hashlib
import math
import re
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnncourse.grammar import Grammar
from rnncourse.stump import grammar

TOY = Grammar("""
SENTENCE: 3* WHO sing +s . | WHO sleep +s , too !   # 3/4, 1/4
WHO ~ Ada | Bo                                      # 1/3 and 1/4 of 7/12: 4/7, 3/7
""")
HELD = grammar().sample(1000, seed=1)


def test_a_toy_grammar_has_the_four_chances_that_the_eye_finds():
    chances = {"Ada sings.": 12 / 28, "Bo sings.": 9 / 28, "Ada sleeps, too!": 4 / 28, "Bo sleeps, too!": 3 / 28}
    for sentence, chance in chances.items():
        assert TOY.parses(sentence) == 1 and TOY.nll(sentence) == TOY.nll(sentence + "\n") == pytest.approx(-math.log(chance))
    assert TOY.count() == 4 and TOY.entropy() == pytest.approx(-sum(p * math.log(p) for p in chances.values()))
    assert TOY.length() == pytest.approx(sum(p * (len(s) + 1) for s, p in chances.items()))


@pytest.mark.parametrize("wrong", ["Ada sings", "ada sings.", " Ada sings.", "Ada  sings.", "Ada sing.", "", "Ada sings.\n\n"])
def test_what_is_not_in_the_language_has_no_parse_and_no_chance(wrong):
    assert TOY.parses(wrong) == 0 and TOY.nll(wrong) == math.inf


def test_the_next_character_is_known_as_a_distribution():
    assert TOY.following("") == pytest.approx({"A": 4 / 7, "B": 3 / 7})
    assert TOY.following("Bo s") == pytest.approx({"i": 3 / 4, "l": 1 / 4})
    assert TOY.following("Bo si") == {"n": 1.0} and TOY.following("Ada sings.") == {"\n": 1.0}


@pytest.mark.parametrize("prefix", ["Bob", "bo", "Ada sings.\n"])
def test_there_is_no_next_character_where_no_sentence_begins_like_that(prefix):
    with pytest.raises(ValueError, match="prefix: expected the beginning of a sentence, got"):
        TOY.following(prefix)


def test_two_derivations_are_counted_and_their_chances_added():
    double = Grammar("SENTENCE: A_WORD | x\nA_WORD: x | y")
    assert double.parses("X") == 2 and double.nll("X") == pytest.approx(-math.log(3 / 4)) and double.parses("Y") == 1


def test_words_are_joined_by_spaces_or_glued_and_an_alternative_may_be_empty():
    assert set(Grammar("SENTENCE: MANY 've 5 +0% , O'Hara ?\nMANY: | you |").sample(50, 0)) == {"'ve 50%, O'Hara?", "You've 50%, O'Hara?"}


def test_samples_come_as_often_as_their_chance_says():
    counts = Counter(TOY.sample(20_000, seed=3))
    assert all(abs(n / 20_000 - math.exp(-TOY.nll(s))) < 0.015 for s, n in counts.items()) and len(counts) == 4


@pytest.mark.parametrize(
    "rules, message",
    [
        ("SENTENCE: WORD", "expected a line for every symbol, got none for WORD"),
        ("SENTENCE: a\nWORD: b", r"expected that every symbol is used, got \['WORD'\] in vain"),
        ("SENTENCE: a SENTENCE | b", "expected no recursion, got SENTENCE in SENTENCE"),
        ("SENTENCE: a\nSENTENCE: b", "expected one line for every symbol, got"),
        ("SENTENCE: 0* a | b", "expected positive weights, got .* for SENTENCE"),
        ("sentence: a", "expected SYMBOL: or SYMBOL ~ and alternatives, got 'sentence: a'"),
        ("  # nothing", "expected one line for every symbol, got"),
    ],
)
def test_a_wrong_rule_is_named(rules, message):
    with pytest.raises(ValueError, match="rules: " + message):
        Grammar(rules)


def test_entropy_and_length_are_those_of_a_large_sample():
    sample = grammar().sample(2000, seed=2)
    bits = [grammar().nll(s) for s in sample]
    spread = 4 / math.sqrt(len(sample))  # four standard errors, for standard deviations below
    assert abs(sum(bits) / len(bits) - grammar().entropy()) < spread * 4
    assert abs(sum(len(s) + 1 for s in sample) / len(sample) - grammar().length()) < spread * 20


@settings(max_examples=20)
@given(st.sampled_from(HELD))
def test_the_chances_of_its_characters_multiply_to_that_of_a_sentence(sentence):
    text = sentence + "\n"
    steps = [grammar().following(text[:i]) for i in range(len(text))]
    assert all(sum(step.values()) == pytest.approx(1) for step in steps)
    assert sum(-math.log(step[char]) for step, char in zip(steps, text, strict=True)) == pytest.approx(grammar().nll(sentence))


def is_unambiguous(reader):
    """Follow the set of stacks that a text leads to, for every text; two derivations of one sentence would meet in a stack."""
    if max(reader.first.values()) > 1:
        return False
    todo = [frozenset(reader.first)]
    seen = set(todo)
    while todo:
        after = defaultdict(Counter)
        for stack in todo.pop():
            for char, moves in reader.moves(stack).items():
                for other, derivations in moves:
                    after[char][other] += derivations
        if any(max(stacks.values()) > 1 for stacks in after.values()):
            return False
        new = {frozenset(stacks) for stacks in after.values()} - seen
        seen |= new
        todo.extend(new)
    return True


def test_no_sentence_at_all_has_two_derivations():
    assert is_unambiguous(grammar()._counts)


@pytest.mark.parametrize("before", ["", "x ", "x , "])
def test_that_proof_fails_for_an_ambiguous_grammar(before):
    assert not is_unambiguous(Grammar(f"SENTENCE: {before}PAIR end | {before}a WORD end\nPAIR: a WORD\nWORD: b | c")._counts)


def test_samples_have_one_derivation():
    assert {grammar().parses(s) for s in HELD} == {1}


@pytest.mark.parametrize(
    "right, wrong",
    [
        ("Every nurse who funds our schools needs better jobs.", "Every nurse who funds our schools need better jobs."),
        ("The nurses who fund every school need better jobs.", "The nurses who fund every school needs better jobs."),
        ("Next year, our teachers will open 120 parks in Oxley!", "Next year, our teachers opened 120 parks in Oxley!"),
        ("Long ago, we opened 1,250 parks in Oxley.", "Long ago, we will open 1,250 parks in Oxley."),
        ("Who will repair 25 more roads in Harrow?", "Who will repair 25 more roads in Harrow."),
        ("Nora, 43, says she wants fair rules.", "Nora, 43, says he wants fair rules."),
        ("Both our doctors and our bakers want not old taxes but safe work.", "Both our doctors want not old taxes but safe work."),
        ("On health, our nurses deserve $45 million for clean water.", "On health, our farmers deserve $45 million for clean water."),
    ],
)
def test_a_broken_agreement_is_not_in_the_language(right, wrong):
    assert grammar().parses(right) == 1 and math.isfinite(grammar().nll(right))
    assert grammar().parses(wrong) == 0 and grammar().nll(wrong) == math.inf


def test_a_sentence_with_two_words_swapped_does_not_parse():
    words = [s.split(" ") for s in HELD[:300]]
    swapped = [" ".join([*w[:-3], w[-2], w[-3], w[-1]]) for w in words if w[-2] != w[-3]]
    assert not any(grammar().parses(s) for s in swapped)


def test_full_stops_question_and_exclamation_marks_end_sentences_and_stand_nowhere_else():
    assert re.findall(r"[^.?!]+[.?!]", " ".join(HELD)) == [HELD[0]] + [" " + s for s in HELD[1:]]


def test_fewer_than_5_percent_of_new_sentences_were_seen_in_40_000():
    seen = set(grammar().sample(40_000, seed=0))
    assert 0 < sum(s in seen for s in HELD) / len(HELD) < 0.05


def test_the_source_is_as_rich_as_the_book_says():
    rules = sum(map(len, grammar().rules.values()))
    assert rules > 200 and grammar().count() > 1e7 and 50 <= grammar().length() <= 75 and len(set("".join(HELD))) >= 50


def test_a_seed_gives_the_same_text_on_every_python():
    digest = hashlib.sha256("\n".join(grammar().sample(100, seed=0)).encode()).hexdigest()
    assert digest[:16] == "ce0c9004e0183f24" and grammar().sample(3, seed=0) != grammar().sample(3, seed=1)
