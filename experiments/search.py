"""What a small model of the stump speeches writes when its likeliest sentences are searched for, and when sentences are drawn from it.

All begin as held-out sentences do: with their first characters. How likely the likeliest sentence is, is found for certain.
"""

import math
from collections.abc import Callable, Iterator
from functools import cache
from statistics import mean

import torch
from torch import Tensor

from rnncourse import corpora, decoding, metrics, models, results, stump, text
from rnncourse.text import EOS

HIDDEN, EMBEDDING, BATCH, RATE, MAXIMUM = 64, 32, 32, 0.02, 150
FIRST, PROMPTS, SEARCHED, CHECKED = 8, 200, 60, 500  # characters of a prompt; prompts to go on from, and to search exactly; sentences for the loss
WIDTHS = (1, 2, 4, 16, 64)
DRAWN = {
    "argmax": {"temperature": 0.0}, "temperature 0.5": {"temperature": 0.5}, "temperature 1": {}, "temperature 1.5": {"temperature": 1.5},
    "top-k 5": {"top_k": 5}, "nucleus 0.9": {"top_p": 0.9}, "nucleus 0.5": {"top_p": 0.5},
}  # fmt: skip
BEAMS = {"beam 4": {"k": 4}, "beam 16": {"k": 16}, "beam 16, α = 1": {"k": 16, "alpha": 1.0}}


@cache
def corpus() -> tuple[text.Characters, list[Tensor], list[str]]:
    """The characters, the training sentences as numbers, and the held-out sentences."""
    train, held_out = corpora.stump_speeches()
    letters = text.Characters(train.replace("\n", ""))
    return letters, [letters.encode(line) for line in train.splitlines()], held_out.splitlines()


def losses(model: models.LanguageModel, seed: int) -> Iterator[Tensor]:
    """Of one batch of sentences after another, for ever."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        for inputs, targets, mask in text.buckets(corpus()[1], BATCH, generator):
            yield metrics.token_nll(model(inputs)[0], targets, mask)


def trained(seed: int, updates: int) -> models.LanguageModel:
    torch.manual_seed(seed)
    model = models.LanguageModel(len(corpus()[0]), EMBEDDING, HIDDEN)
    for _ in models.learn(model, losses(model, seed), updates, RATE):
        pass
    return model.eval()


@torch.no_grad()
def held_out_nll(model: models.LanguageModel) -> float:
    """Nats per character, the end of a sentence being one."""
    letters, _, lines = corpus()
    inputs, targets, mask = text.batch([letters.encode(line) for line in lines[:CHECKED]])
    return metrics.token_nll(model(inputs)[0], targets, mask).item()


@torch.no_grad()
def prompts(model: models.LanguageModel, count: int) -> tuple[list[str], Tensor, object]:
    """The first characters of held-out sentences, the last of them (B,), and the state before that."""
    letters, _, lines = corpus()
    given = [line[:FIRST] for line in lines[:count]]
    ids = torch.stack([letters.encode("<" + line) for line in given], dim=1)  # (T, B)
    ids[0] = EOS
    return given, ids[-1], model(ids[:-1])[1]


@torch.no_grad()
def exact(step: Callable, tokens: Tensor, eos: int, maximum: int, state: object, bound: float, select: Callable) -> decoding.Hypothesis | None:
    """The likeliest sequence of all, if it is likelier than ``bound`` (nats): what has fallen below the best so far can't rise again."""
    best, log_prob, paths = None, torch.zeros(1), tokens.new_empty(1, 0)  # tokens (1,)
    for _ in range(maximum):
        log_probs, state = step(tokens, state)  # (N, V)
        total = log_prob[:, None] + log_probs  # (N, V)
        n = total[:, eos].argmax()
        if total[n, eos] > bound:
            bound = total[n, eos].item()
            best = decoding.Hypothesis([*paths[n].tolist(), eos], bound, bound)
        total[:, eos] = -math.inf
        parent, tokens = (total > bound).nonzero(as_tuple=True)  # (M,) each
        log_prob, state = total[parent, tokens], select(state, parent)
        paths = torch.cat([paths[parent], tokens[:, None]], dim=1)  # (M, t)
        if len(tokens) == 0:
            break
    return best


def judged(given: list[str], rows: list[list[int]]) -> list[float]:
    """Of some sentences: the share that the grammar has, the share of different ones, that of different ones that it has, mean length."""
    letters, grammar = corpus()[0], stump.grammar()
    whole = [start + letters.decode(row) for start, row in zip(given, rows, strict=True)]
    right = [sentence for sentence in whole if grammar.parses(sentence)]
    return [len(right) / len(whole), len({*whole}) / len(whole), len({*right}) / len(whole), mean(map(len, whole))]


def written(model: models.LanguageModel, seed: int) -> list[list[float]]:
    """`judged` for each of DRAWN, then of BEAMS."""
    given, tokens, state = prompts(model, PROMPTS)
    rows = []
    for options in DRAWN.values():
        rows.append(decoding.sample(model.step, tokens, EOS, MAXIMUM, torch.Generator().manual_seed(seed), state=state, **options))
    for options in BEAMS.values():
        found = decoding.beam(model.step, tokens, EOS, maximum=MAXIMUM, state=state, select=decoding.columns, **options)
        rows.append([several[0].tokens for several in found])
    return [judged(given, some) for some in rows]


def searched(model: models.LanguageModel, count: int = SEARCHED) -> list[list[float]]:
    """For each of WIDTHS: nats that the best of the beam lies below the best of all (mean), the share of prompts where it is the best of all,
    the share where it lies below that of width 1, then as in `judged`. Last, the same for the best of all."""
    given, tokens, state = prompts(model, count)
    beams = [[several[0] for several in decoding.beam(model.step, tokens, EOS, k, MAXIMUM, state, select=decoding.columns)] for k in WIDTHS]
    every = []
    for b, several in enumerate(zip(*beams, strict=True)):
        known, one = max(several, key=lambda h: h.log_prob), torch.tensor([b])
        better = exact(model.step, tokens[one], EOS, MAXIMUM, decoding.columns(state, one), known.log_prob, decoding.columns)
        every.append(better or known)
    answers = []
    for found in [*beams, every]:
        below = [best.log_prob - h.log_prob for best, h in zip(every, found, strict=True)]
        worse = mean(h.log_prob < narrow.log_prob - 1e-3 for h, narrow in zip(found, beams[0], strict=True))
        answers.append([mean(below), mean(nats < 1e-3 for nats in below), worse, *judged(given, [h.tokens for h in found])])
    return answers


def run(seed: int, updates: int, search: bool = True) -> list:
    """Held-out nats per character, `written`, and `searched` if that is asked for.

    Parameters
    ----------
    seed : int
        For the weights, the order of the sentences and what is drawn.
    updates : int
        Of 32 sentences.
    search : bool
    """
    model = trained(seed, updates)
    return [held_out_nll(model), written(model, seed), searched(model) if search else []]


if __name__ == "__main__":
    cases = [{"updates": 100, "search": False}, {"updates": 500}, {"updates": 2000}, {"updates": 8000}]  # the chapter runs one of 2,000 anew
    results.record(__file__, cases, seeds=range(3), updates=8000)
