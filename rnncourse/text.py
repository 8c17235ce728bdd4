"""Text to numbers and back: sentences, vocabularies, and batches for a language model."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from .cells import expect

PAD, EOS, UNK = 0, 1, 2  # fills a batch; ends a sentence, and stands before one; any token that the vocabulary lacks
MARKS = ("<pad>", "<eos>", "<unk>")  # how they are shown


def sentences(text: str) -> list[str]:
    """Cut a text after each ``.``, ``?`` or ``!`` that a space or a line's end follows, and at each line's end.

    Marks in a row, and quotes or brackets that close after them, stay with the sentence. TP 6 asks for this rule; it also cuts
    after "Mr." and leaves "U.S.A" whole.

    Examples
    --------
    >>> sentences('Build it! He said: "Why?" Nobody paid $3.5 million...\\nNot yet')
    ['Build it!', 'He said: "Why?"', 'Nobody paid $3.5 million...', 'Not yet']
    """
    pieces = re.split(r"(?<=[.?!])\s+|(?<=[.?!][\"”’')\]])\s+|\s*\n\s*", text)
    return [piece for piece in map(str.strip, pieces) if piece]


class Vocabulary:
    """Tokens and their numbers, after the three marks: 0 is padding, 1 the end of a sentence, 2 any token it does not know.

    Parameters
    ----------
    tokens : iterable of str
        Numbered from 3 on, in their order; none twice.
    """

    glue = ""  # what stands between two tokens in a text

    def __init__(self, tokens: Iterable[str]):
        self.tokens = [*MARKS, *tokens]
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        expect(len(self.ids) == len(self.tokens), "tokens", "no token twice, and no mark among them", [t for t, n in Counter(self.tokens).items() if n > 1])

    def __len__(self) -> int:
        return len(self.tokens)

    def split(self, text: str) -> list[str]:
        """The tokens of a text, known or not."""
        raise NotImplementedError

    def encode(self, text: str) -> Tensor:
        """The numbers of a text's tokens, an int64 Tensor of shape (N,). No EOS: `batch` adds it."""
        return torch.tensor([self.ids.get(token, UNK) for token in self.split(text)], dtype=torch.int64)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some numbers, up to the first EOS; padding is left out."""
        shown = []
        for i in map(int, ids):
            if i == EOS:
                break
            if i != PAD:
                shown.append(self.tokens[i])
        return self.glue.join(shown)


class Characters(Vocabulary):
    """The different characters of a text, in the order of their code points.

    Examples
    --------
    >>> letters = Characters("hello")
    >>> letters.encode("hole").tolist(), len(letters)
    ([4, 6, 5, 3], 7)
    """

    def __init__(self, text: str):
        super().__init__(sorted(set(text)))

    def split(self, text: str) -> list[str]:
        return [*text]


class Words(Vocabulary):
    """The most frequent words of a text; punctuation marks are words of their own, spaces are none.

    ``decode`` puts a space between all of them, so it does not give the text back to the letter.

    Parameters
    ----------
    text : str
    size : int
        Entries at most, the three marks among them.
    """

    glue = " "

    def __init__(self, text: str, size: int):
        expect(size > len(MARKS), "size", f"more than the {len(MARKS)} marks", size)
        counted = Counter(self.split(text))
        super().__init__(sorted(counted, key=lambda word: (-counted[word], word))[: size - len(MARKS)])

    def split(self, text: str) -> list[str]:
        return re.findall(r"\w+(?:['’]\w+)*|[^\w\s]", text)


class Pieces(Vocabulary):
    """Pieces of words that SentencePiece learns from a text: merged pairs (BPE), or a unigram model. Spaces are kept, as "▁".

    Parameters
    ----------
    text : str
        Trained on its lines.
    size : int
        Entries, the three marks among them.
    kind : {"unigram", "bpe"}

    Raises
    ------
    ValueError
        If the text does not have so many pieces, or so few would not hold its characters.

    References
    ----------
    Kudo & Richardson (2018), SentencePiece, EMNLP: System Demonstrations. Sennrich, Haddow & Birch (2016) for BPE, Kudo (2018) for unigram.
    """

    def __init__(self, text: str, size: int, kind: str = "unigram"):
        import sentencepiece  # only here: a student without it can do the rest

        expect(kind in ("unigram", "bpe"), "kind", "'unigram' or 'bpe'", repr(kind))
        lines, model = [line for line in text.splitlines() if line.strip()], BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(lines), model_writer=model, vocab_size=size, model_type=kind, character_coverage=1.0,
                max_sentence_length=100_000, pad_id=PAD, eos_id=EOS, unk_id=UNK, bos_id=-1, num_threads=1, minloglevel=2,
                pad_piece=MARKS[PAD], eos_piece=MARKS[EOS], unk_piece=MARKS[UNK], remove_extra_whitespaces=False,
                normalization_rule_name="identity", hard_vocab_limit=True)  # fmt: skip
        except RuntimeError as error:
            raise ValueError(f"size: SentencePiece cannot make {size} pieces of this text: {error}") from None
        self.processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        super().__init__(self.processor.id_to_piece(i) for i in range(len(MARKS), self.processor.get_piece_size()))

    def split(self, text: str) -> list[str]:
        return self.processor.encode(text, out_type=str)

    def decode(self, ids: Iterable[int]) -> str:
        return super().decode(ids).replace("▁", " ").removeprefix(" ")


class Batch(NamedTuple):
    """Sentences side by side: what the model reads, what it should say next, and where that is real."""

    inputs: Tensor  # int64 (T, B): EOS, then the tokens
    targets: Tensor  # int64 (T, B): the tokens, then EOS
    mask: Tensor  # bool (T, B): True on real targets


def batch(sequences: Sequence[Tensor]) -> Batch:
    """Pad sentences to the longest: from B tensors of shape (N,) to three of shape (T, B), with T = 1 + the longest N.

    Examples
    --------
    >>> inputs, targets, mask = batch([torch.tensor([5, 6, 7]), torch.tensor([8])])
    >>> targets.T.tolist(), mask.T.tolist()
    ([[5, 6, 7, 1], [8, 1, 0, 0]], [[True, True, True, True], [True, True, False, False]])
    >>> inputs.T.tolist()
    [[1, 5, 6, 7], [1, 8, 0, 0]]
    """
    expect(len(sequences) > 0, "sequences", "at least one", len(sequences))
    end = torch.tensor([EOS])
    targets = pad_sequence([torch.cat([s, end]) for s in sequences], padding_value=PAD)  # (T, B)
    inputs = pad_sequence([torch.cat([end, s]) for s in sequences], padding_value=PAD)  # (T, B)
    lengths = torch.tensor([len(s) + 1 for s in sequences])  # (B,)
    return Batch(inputs, targets, torch.arange(len(targets))[:, None] < lengths)


def buckets(sequences: Sequence[Tensor], B: int, generator: torch.Generator, pool: int = 50) -> Iterator[Batch]:
    """One epoch of batches of sentences of nearly one length, so that little is padding.

    The sentences are shuffled, sorted by length in groups of ``pool`` batches, and the batches of a group come in random order.
    """
    order = torch.randperm(len(sequences), generator=generator).tolist()
    for i in range(0, len(order), B * pool):
        near = sorted(order[i : i + B * pool], key=lambda j: len(sequences[j]))
        groups = [near[j : j + B] for j in range(0, len(near), B)]
        for j in torch.randperm(len(groups), generator=generator).tolist():
            yield batch([sequences[n] for n in groups[j]])


def window(ids: Tensor, B: int, T: int, update: int) -> tuple[Tensor, Tensor]:
    """What a stream of B readers shows at one update: the readers start evenly spread, each reads on through the whole text, for ever.

    So the state of one window is the right one for the next (but where a reader goes from the last token on to the first).

    Parameters
    ----------
    ids : int64 Tensor, shape (N,)
    B, T : int
        Readers, and tokens that each reads at an update.
    update : int
        From 0.

    Returns
    -------
    inputs, targets : int64 Tensor, shape (T, B)
        The targets are the inputs one step later.

    Examples
    --------
    >>> inputs, targets = window(torch.arange(8), B=2, T=3, update=1)
    >>> inputs.T.tolist(), targets.T.tolist()
    ([[3, 4, 5], [7, 0, 1]], [[4, 5, 6], [0, 1, 2]])
    """
    expect(len(ids) >= max(B, 2), "ids", f"at least {max(B, 2)} tokens", len(ids))
    starts = torch.arange(B) * (len(ids) // B)  # (B,)
    piece = ids[(torch.arange(T + 1)[:, None] + starts + update * T) % len(ids)]  # (T + 1, B)
    return piece[:-1], piece[1:]
