"""A language model over a layer of torch, and its losses on a text that is read on and on."""

from collections.abc import Iterable, Iterator
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .cells import expect
from .metrics import token_nll
from .text import window
from .training import Record, detach, fit


class LanguageModel(nn.Module):
    """Embedding, recurrent layers, readout: from tokens to scores of the next token.

    Parameters
    ----------
    vocab_size, embedding_size, hidden_size : int
        V, D and H.
    cell : {"RNN", "GRU", "LSTM"}
        Layers of ``torch.nn``: `cells.from_torch` and `unfold.unfold` look into them.
    num_layers : int
    dropout : float
        Share of the layers' inputs and of the readout's inputs that is set to 0 in training.
    forget_bias : float
        What the forget gate of an LSTM starts from, in place of torch's random number around 0.
    """

    def __init__(self, vocab_size: int, embedding_size: int, hidden_size: int, cell: str = "LSTM", num_layers: int = 1,
                 dropout: float = 0.0, forget_bias: float = 1.0):  # fmt: skip
        super().__init__()
        expect(cell in ("RNN", "GRU", "LSTM"), "cell", "'RNN', 'GRU' or 'LSTM'", repr(cell))
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        self.rnn = getattr(nn, cell)(embedding_size, hidden_size, num_layers, dropout=dropout if num_layers > 1 else 0.0)
        self.decoder = nn.Linear(hidden_size, vocab_size)
        self.dropout = nn.Dropout(dropout)
        if cell == "LSTM":
            with torch.no_grad():
                for layer in range(num_layers):
                    for part in ("ih", "hh"):  # torch adds the two
                        getattr(self.rnn, f"bias_{part}_l{layer}")[hidden_size : 2 * hidden_size] = forget_bias / 2

    def forward(self, ids: Tensor, state: object = None) -> tuple[Tensor, object]:
        """Scores of what comes next at every step: (T, B) -> (T, B, V), and torch's state after the last; None: the zero state."""
        h, state = self.rnn(self.dropout(self.embedding(ids)), state)  # (T, B) -> (T, B, D) -> (T, B, H)
        return self.decoder(self.dropout(h)), state  # (T, B, V)

    def step(self, tokens: Tensor, state: object = None) -> tuple[Tensor, object]:
        """One step, to generate with: tokens (B,) -> log-probabilities of the next ones (B, V), and the state."""
        logits, state = self(tokens[None], state)  # (1, B, V)
        return F.log_softmax(logits[0], dim=-1), state


class Reading:
    """The losses of a model that reads a text on and on, B readers side by side: truncated BPTT with carried state (k1 = k2 = T).

    An endless iterator for `training.fit`, each time with the weights as they are then. It can be saved and resumed
    (`checkpoints.save`) like a model: it keeps the number of updates and the state.

    Parameters
    ----------
    model : nn.Module
        From ids (T, B) and a state to logits (T, B, V) and a state.
    ids : int64 Tensor, shape (N,)
    B, T : int
        Readers, and tokens of each at an update.
    """

    def __init__(self, model: nn.Module, ids: Tensor, B: int = 32, T: int = 64):
        self.model, self.ids, self.B, self.T, self.update, self.state = model, ids, B, T, 0, None

    def __iter__(self):
        return self

    def __next__(self) -> Tensor:
        inputs, targets = window(self.ids, self.B, self.T, self.update)  # (T, B) each
        logits, state = self.model(inputs, self.state)  # (T, B, V)
        self.update, self.state = self.update + 1, detach(state)
        return token_nll(logits, targets)

    def state_dict(self) -> dict:
        return {"update": self.update, "state": self.state}

    def load_state_dict(self, stored: dict) -> None:
        self.update, self.state = stored["update"], stored["state"]


def learn(model: nn.Module, losses: Iterable[Tensor], updates: int, lr: float, max_norm: float = 1.0) -> Iterator[Record]:
    """`training.fit` for a number of updates, as all language models of this course are trained: Adam, clipping, one cycle.

    The learning rate rises for a tenth of the updates and then falls along a cosine to nearly 0.

    Parameters
    ----------
    model : nn.Module
    losses : iterable of scalar Tensor
        As for `training.fit`; it may be endless.
    updates : int
    lr : float
        The highest learning rate.
    max_norm : float

    Yields
    ------
    Record

    References
    ----------
    Smith & Topin (2019), Super-convergence, for the cycle.
    """
    adam = torch.optim.Adam(model.parameters(), lr, betas=(0.9, 0.98))
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, lr, updates, pct_start=0.1, cycle_momentum=False)
    for record in islice(fit(model, losses, adam, max_norm), updates):
        cycle.step()
        yield record


@torch.no_grad()
def held_out_nll(model: nn.Module, ids: Tensor, B: int = 8, T: int = 256, before: Tensor | None = None) -> float:
    """Nats per token on a text that the model did not learn from, cut into B parts that are read from their beginning to their end.

    Its first token, and what the B parts leave over at the end, fewer than B tokens, have no score.

    Parameters
    ----------
    model : nn.Module
        From ids (T, B) and a state to logits (T, B, V) and a state.
    ids : int64 Tensor, shape (N,)
    B, T : int
        Parts, and tokens of each that are read at once.
    before : int64 Tensor, shape (M,), optional
        What is read in front of each part, without a score. A model that learned with carried state has hardly met the zero state, from
        which the parts start otherwise, and can be lost there for thousands of tokens: give it the end of the training text.
    """
    training, total, state = model.training, 0.0, None
    model.eval()
    n = (len(ids) - 1) // B
    expect(n > 0, "ids", f"at least {B + 1} tokens", len(ids))
    if before is not None:
        state = model(before[:, None].expand(-1, B))[1]  # (M,) -> (M, B)
    inputs = ids[: n * B].view(B, n).T  # (n, B)
    targets = ids[1 : n * B + 1].view(B, n).T  # (n, B)
    for t in range(0, n, T):
        logits, state = model(inputs[t : t + T], state)  # (T, B, V)
        total += F.cross_entropy(logits.flatten(0, 1), targets[t : t + T].flatten(), reduction="sum").item()
    model.train(training)
    return total / (n * B)
