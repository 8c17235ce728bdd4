import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnncourse import text
from rnncourse.text import EOS, PAD, UNK, Characters, Pieces, Words

PROSE = "The hunter shot the fox. The fox ran home! Who shot the fox? We don't know, and we don't ask.\n" * 40
LINES = st.lists(st.lists(st.integers(3, 9), min_size=1, max_size=7), min_size=1, max_size=9)


@pytest.mark.parametrize("line, wanted", [
    ("Yes. No? Go!", ["Yes.", "No?", "Go!"]), ("It cost $3.5 million...  So what", ["It cost $3.5 million...", "So what"]),
    ('He said: "Why?" And left.', ['He said: "Why?"', "And left."]), ("one line\n\n  another ", ["one line", "another"]), ("What?! No.", ["What?!", "No."]),
    (" \n ", []),
])  # fmt: skip
def test_a_sentence_ends_at_its_mark(line, wanted):
    assert text.sentences(line) == wanted


@given(st.text())
def test_splitting_loses_nothing_but_white_space(line):
    assert "".join("".join(text.sentences(line)).split()) == "".join(line.split())


@given(st.text(min_size=1))
def test_characters_come_back(line):
    known = Characters(line)
    assert known.decode(known.encode(line)) == line


def test_the_first_numbers_are_kept_for_the_marks():
    letters = Characters("ba")
    assert letters.tokens == ["<pad>", "<eos>", "<unk>", "a", "b"] and (PAD, EOS, UNK) == (0, 1, 2)
    assert letters.encode("abz").tolist() == [3, 4, UNK] and letters.encode("").shape == (0,)


def test_decoding_ends_at_the_first_eos_and_skips_padding():
    assert Characters("ab").decode([3, PAD, 4, EOS, 3]) == "ab"


def test_no_token_stands_twice():
    with pytest.raises(ValueError, match="'a'"):
        text.Vocabulary(["a", "b", "a"])


def test_words_keep_the_most_frequent_ones_and_know_no_others():
    words = Words("to be or not to be, to me", 6)
    assert words.tokens[3:] == ["to", "be", ","] and words.encode("to be not").tolist() == [3, 4, UNK]
    assert Words(PROSE, 99).split("don't go!") == ["don't", "go", "!"]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@pytest.mark.parametrize("line", ["The fox ran home!", "  the  hunter", "fox "])
def test_pieces_come_back_with_their_spaces(kind, line):
    pieces = Pieces(PROSE, 31, kind)
    assert len(pieces) == 31 and pieces.tokens[:3] == [*text.MARKS]
    assert pieces.decode(pieces.encode(line)) == line
    assert UNK in pieces.encode("fox Ω")


def test_merges_make_a_text_shorter():
    assert [len(Pieces(PROSE, size, "bpe").encode("The hunter shot the fox.")) for size in (30, 40, 60)] == [20, 14, 7]


def test_a_size_that_cannot_be_is_refused_with_sentencepieces_words():
    with pytest.raises(ValueError, match="cannot make 4000 pieces"):
        Pieces(PROSE, 4000)
    with pytest.raises(ValueError, match="'unigram' or 'bpe'"):
        Pieces(PROSE, 40, "words")


@given(LINES)
def test_a_batch_holds_each_sentence_between_two_eos(rows):
    inputs, targets, mask = text.batch([torch.tensor(row) for row in rows])
    assert inputs.shape == targets.shape == mask.shape == (1 + max(map(len, rows)), len(rows))
    for b, row in enumerate(rows):
        assert targets[mask[:, b], b].tolist() == [*row, EOS] and inputs[mask[:, b], b].tolist() == [EOS, *row]
    assert not targets[~mask].any() and not inputs[~mask].any()


@given(LINES, st.integers(1, 4))
def test_an_epoch_of_buckets_shows_each_sentence_once(rows, B):
    seen = []
    for _, targets, mask in text.buckets([torch.tensor(row) for row in rows], B, torch.Generator().manual_seed(0), pool=2):
        assert targets.shape[1] <= B
        seen += [targets[mask[:, b], b].tolist()[:-1] for b in range(targets.shape[1])]
    assert sorted(seen) == sorted(rows)


def test_buckets_leave_less_padding_than_chance_and_follow_the_seed():
    rows = [torch.full((n,), 3) for n in torch.randint(1, 60, (400,), generator=torch.Generator().manual_seed(0)).tolist()]
    run = lambda pool, seed: [b.mask for b in text.buckets(rows, 16, torch.Generator().manual_seed(seed), pool)]  # noqa: E731
    padding = lambda masks: sum((~m).sum().item() for m in masks)  # noqa: E731
    assert padding(run(25, 0)) < 0.3 * padding(run(1, 0))
    assert all(map(torch.equal, run(5, 1), run(5, 1))) and [m.shape for m in run(5, 1)] != [m.shape for m in run(5, 2)]


@given(st.integers(4, 30), st.integers(1, 4), st.integers(1, 5))
def test_readers_of_a_stream_read_the_text_on_and_on(N, B, T):
    windows = [text.window(torch.arange(N), B, T, u) for u in range(12)]
    read = torch.cat([inputs for inputs, _ in windows])  # (12 * T, B)
    assert torch.equal((read[1:] - read[:-1]) % N, torch.ones_like(read[1:]) % N)
    assert all(torch.equal((inputs + 1) % N, targets) for inputs, targets in windows)
    assert read[0].tolist() == [b * (N // B) for b in range(B)]
