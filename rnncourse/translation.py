"""Encoder and decoder: one network reads a sentence to its end, another writes the translation, a token at a time."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from .cells import expect
from .text import PAD, Batch, batch

CONTEXTS, SUMMARIES = ("start", "every", "attention"), ("last", "mean")
State = dict[str, Tensor]


class Translator(nn.Module):
    """An LSTM that reads and an LSTM that writes.

    Parameters
    ----------
    source_size, target_size : int
        The two vocabularies.
    embedding_size, hidden_size : int
        D and H, for both LSTMs.
    context : {"start", "every", "attention"}
        How the decoder knows the source. "start": its first state is the encoder's summary, and that is all (Sutskever et al. 2014).
        "every": the summary is also an input of every step (Cho et al. 2014). "attention": at every step it weighs the encoder's outputs
        anew, by the score ``h_t enc_s`` of its own output h_t and each of theirs ("dot" of Luong et al. 2015); a tanh layer over their
        weighted mean and h_t then feeds the readout. On this course's tasks a learned matrix between h_t and enc_s ("general") learned
        sentences far more slowly, and dividing by sqrt(H) left the weights of short tasks nearly flat.
    summary : {"last", "mean"}
        "last": the encoder's last h and c. "mean": a learned linear map of the mean of its outputs.
    forget_bias : float
        What the forget gates start from, as in `models.LanguageModel`. From torch's numbers around 0 a fixed vector learns far more slowly.
    """

    def __init__(self, source_size: int, target_size: int, embedding_size: int, hidden_size: int, context: str = "attention",
                 summary: str = "last", forget_bias: float = 1.0):  # fmt: skip
        super().__init__()
        expect(context in CONTEXTS, "context", f"one of {CONTEXTS}", repr(context))
        expect(summary in SUMMARIES, "summary", f"one of {SUMMARIES}", repr(summary))
        D, H, self.context, self.summary = embedding_size, hidden_size, context, summary
        self.source_embedding, self.target_embedding = nn.Embedding(source_size, D), nn.Embedding(target_size, D)
        self.encoder = nn.LSTM(D, H)
        self.decoder = nn.LSTM(D + H if context == "every" else D, H)
        self.bridge = nn.Linear(H, 2 * H) if summary == "mean" else None
        if context == "attention":
            self.combine = nn.Linear(2 * H, H, bias=False)
        self.readout = nn.Linear(H, target_size)
        with torch.no_grad():
            for bias in (b for rnn in (self.encoder, self.decoder) for b in (rnn.bias_ih_l0, rnn.bias_hh_l0)):  # torch adds the two
                bias[H : 2 * H] = forget_bias / 2

    def encode(self, source: Tensor, lengths: Tensor) -> State:
        """Read a batch of sources to their ends.

        Parameters
        ----------
        source : int64 Tensor, shape (S, B)
            What lies beyond a sentence's length is never read.
        lengths : int64 Tensor, shape (B,)
            At least 1 each.

        Returns
        -------
        dict of Tensor
            The state before the decoder's first step, rows first: "h" and "c", (B, H); "summary", (B, H), for "every"; "outputs",
            (B, S, H), and "mask", (B, S), True on real tokens, for "attention".
        """
        packed = pack_padded_sequence(self.source_embedding(source), lengths.cpu(), enforce_sorted=False)  # (S, B, D)
        outputs, (h, c) = self.encoder(packed)
        outputs, _ = pad_packed_sequence(outputs, total_length=len(source))  # (S, B, H), zeros beyond the lengths
        h, c = h[0], c[0]  # (B, H)
        if self.bridge is not None:
            h, c = self.bridge(outputs.sum(dim=0) / lengths.to(h)[:, None]).chunk(2, dim=-1)  # (B, H)
        state = {"h": h, "c": c}
        if self.context == "every":
            state["summary"] = h
        if self.context == "attention":
            mask = torch.arange(len(source), device=h.device) < lengths.to(h.device)[:, None]  # (B, S)
            state |= {"outputs": outputs.transpose(0, 1), "mask": mask}  # (B, S, H), (B, S)
        return state

    def attend(self, h: Tensor, state: State) -> tuple[Tensor, Tensor]:
        """What the decoder's outputs look for in the encoder's.

        Parameters
        ----------
        h : Tensor, shape (T, B, H)
        state : dict of Tensor
            With "outputs" and "mask", from `encode`.

        Returns
        -------
        weights : Tensor, shape (B, T, S)
            Each row sums to 1, and is 0 on padding.
        context : Tensor, shape (T, B, H)
        """
        scores = h.transpose(0, 1) @ state["outputs"].transpose(1, 2)  # (B, T, H) @ (B, H, S) -> (B, T, S)
        weights = scores.masked_fill(~state["mask"][:, None], -torch.inf).softmax(dim=-1)  # (B, T, S)
        return weights, (weights @ state["outputs"]).transpose(0, 1)  # (T, B, H)

    def decode(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Score what comes next at each of some steps, given the tokens before: (T, B) -> (T, B, V), and the state after them.

        With attention the state's "weights", (B, T, S), say what each of these steps looked at.
        """
        x = self.target_embedding(inputs)  # (T, B, D)
        if self.context == "every":
            x = torch.cat([x, state["summary"].expand(len(x), -1, -1)], dim=-1)  # (T, B, D + H)
        h, last = self.decoder(x, (state["h"][None].contiguous(), state["c"][None].contiguous()))  # (T, B, H)
        state = state | {"h": last[0][0], "c": last[1][0]}  # (B, H) each
        if self.context == "attention":
            weights, context = self.attend(h, state)
            h = self.combine(torch.cat([context, h], dim=-1)).tanh()  # (T, B, 2H) -> (T, B, H)
            state["weights"] = weights
        return self.readout(h), state  # (T, B, V)

    def forward(self, source: Tensor, lengths: Tensor, inputs: Tensor) -> Tensor:
        """Teacher forcing: what comes next, if the translation so far is the right one.

        Parameters
        ----------
        source : int64 Tensor, shape (S, B)
        lengths : int64 Tensor, shape (B,)
        inputs : int64 Tensor, shape (T, B)
            EOS, then the right translation (`text.batch`).

        Returns
        -------
        Tensor, shape (T, B, V)
            Logits.
        """
        return self.decode(inputs, self.encode(source, lengths))[0]

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """One step, for `decoding`: tokens (B,) -> log-probabilities of the next ones (B, V), and the state, rows first."""
        logits, state = self.decode(tokens[None], state)  # (1, B, V)
        return F.log_softmax(logits[0], dim=-1), state


class Pairs(NamedTuple):
    """Sentences side by side with their translations."""

    source: Tensor  # int64 (S, B)
    lengths: Tensor  # int64 (B,)
    target: Batch  # inputs, targets and mask, (T, B) each


def together(sources: Sequence[Tensor], targets: Sequence[Tensor]) -> Pairs:
    """Pad sources and their translations: two lists of B tensors (N,), without EOS, to one batch.

    Examples
    --------
    >>> source, lengths, target = together([torch.tensor([5, 6]), torch.tensor([7])], [torch.tensor([8]), torch.tensor([9, 3])])
    >>> source.T.tolist(), lengths.tolist(), target.targets.T.tolist()
    ([[5, 6], [7, 0]], [2, 1], [[8, 1, 0], [9, 3, 1]])
    """
    expect(len(sources) == len(targets), "targets", f"{len(sources)} translations", len(targets))
    expect(all(len(s) > 0 for s in sources), "sources", "at least one token each", [len(s) for s in sources])
    return Pairs(pad_sequence(list(sources), padding_value=PAD), torch.tensor([len(s) for s in sources]), batch(targets))


def batches(sources: Sequence[Tensor], targets: Sequence[Tensor], B: int, generator: torch.Generator, pool: int = 20) -> Iterator[Pairs]:
    """Batches for ever: in each epoch all pairs once, B of nearly one length together (as `text.buckets` does for a single text).

    Parameters
    ----------
    sources, targets : sequence of int64 Tensor, shape (N,)
    B : int
    generator : torch.Generator
        For the order.
    pool : int
        Pairs are sorted by the target's length within groups of so many batches.

    Yields
    ------
    Pairs
    """
    expect(len(sources) == len(targets) > 0, "sources and targets", "as many of one as of the other", (len(sources), len(targets)))
    while True:
        order = torch.randperm(len(sources), generator=generator).tolist()
        for i in range(0, len(order), B * pool):
            near = sorted(order[i : i + B * pool], key=lambda j: len(targets[j]))
            groups = [near[j : j + B] for j in range(0, len(near), B)]
            for j in torch.randperm(len(groups), generator=generator).tolist():
                yield together([sources[n] for n in groups[j]], [targets[n] for n in groups[j]])
