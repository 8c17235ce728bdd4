"""Lab 5 with one mistake at a time: sentences that are searched for, or drawn, with a small language model.

The model is the right run of `bugs_language`: here nothing is trained wrongly. The functions are those of the lab's own bank: each is right,
with a switch for every mistake that its check can name. From `solutions/`, which is the only source of a lab; asked for like an experiment, so
that what is stored here is stale when the bank changes.
"""

from functools import cache
from statistics import mean

import torch

from rnncourse import results, stump, toys, writing
from rnncourse.text import EOS

bank = results.experiment("../solutions/decoding/check")
model_of = results.experiment("bugs_language")  # the right model, its characters, and how its sentences are judged and shown
STARTS, FIRST, LONGEST = 20, 8, 92  # prompts, characters of each, and of what follows at most
WIDTHS, EXPONENTS, MASSES = (1, 2, 4, 8), (0.0, 0.5, 1.0, 1.5), (0.3, 0.6, 0.9, 1.0)  # of beams, of the length, of the nucleus
MISTAKES = {"goes_on": "generate_beam", "goes_on_cut": "generate_beam", "ended_lost": "generate_beam", "stale_states": "generate_beam",
            "times": "best_hypothesis", "ignored": "best_hypothesis", "crossing_lost": "p_nucleus", "mask_sorted": "p_nucleus"}  # fmt: skip


@cache
def trained(seed: int, updates: int) -> tuple[toys.Toy, toys.Remembered]:
    """The parts of a model, and the same model with a memory of what it has read."""
    with torch.enable_grad():
        model = model_of.trained(seed, "", updates)[0].requires_grad_(False)
    parts = toys.Toy(model.rnn, model.embedding, model.decoder)
    return parts, toys.Remembered(parts)


def prompts() -> list[list[int]]:
    """The first characters of held-out sentences."""
    letters, _, held_out = model_of.corpus()
    return [letters.encode(line[:FIRST]).tolist() for line in held_out[:STARTS]]


def log_prob(model: toys.Toy, prompt: list[int], ids: list[int]) -> float:
    """What the model gives a sentence up to its first EOS when it reads it anew, in nats."""
    return writing.likelihood(model, prompt, ids[: ids.index(EOS)] if EOS in ids else ids, EOS, LONGEST)


def found(seed: int, k: int, mistake: str, updates: int) -> list[list[int]]:
    """What a beam of k finds after each prompt, EOS included: the lab's `generate_beam`, without its alphabet."""
    rows = [writing.search(trained(seed, updates)[1], prompt, EOS, k, LONGEST, frozenset({mistake} - {""})) for prompt in prompts()]
    return [row if EOS in row or len(row) == LONGEST else [*row, EOS] for row in rows]  # where it was cut at the end


def searched(seed: int, mistake: str, updates: int) -> dict:
    """For each of the WIDTHS: the mean log-probability of what is found, the shares that are less likely than with width 1 and that go on
    after EOS, the mean length."""
    (model, _), told = trained(seed, updates), {"log_prob": [], "worse": [], "beyond": [], "length": [], "said": []}
    greedy = [log_prob(model, prompt, ids) for prompt, ids in zip(prompts(), found(seed, 1, "", updates))]
    for k in WIDTHS:
        rows = found(seed, k, mistake, updates)
        values = [log_prob(model, prompt, ids) for prompt, ids in zip(prompts(), rows)]
        told["log_prob"].append(round(mean(values), 3))
        told["worse"].append(mean(v < g - 1e-3 for v, g in zip(values, greedy)))
        told["beyond"].append(mean(EOS in ids[:-1] for ids in rows))
        told["length"].append(mean(map(len, rows)))
        told["said"].append([model_of.shown([*prompt, *ids]) for prompt, ids in zip(prompts()[:2], rows)])
    return told


def ranked(seed: int, mistake: str, updates: int) -> dict:
    """For each of the EXPONENTS: the mean length of the best of what beams of all WIDTHS find."""
    (model, _), told, switch = trained(seed, updates), {"length": [], "said": []}, {mistake: True} if mistake else {}
    lots = []
    for prompt, *rows in zip(prompts(), *(found(seed, k, "", updates) for k in WIDTHS)):
        lots.append([(ids, log_prob(model, prompt, ids)) for ids in rows])
    for alpha in EXPONENTS:
        best = [lot[bank.right_normalised(lot, alpha, **switch)[0]][0] for lot in lots]
        told["length"].append(mean(map(len, best)))
        told["said"].append([model_of.shown([*prompt, *ids]) for prompt, ids in zip(prompts()[:2], best)])
    return told


@torch.no_grad()
def drawn(seed: int, mistake: str, updates: int) -> dict:
    """For each of the MASSES of a nucleus: of 100 drawn sentences the shares that are different, that end, that the grammar allows."""
    (model, _), told, switch = trained(seed, updates), {"different": [], "ended": [], "allowed": [], "said": []}, {mistake: True} if mistake else {}
    letters, _, held_out = model_of.corpus()
    first = letters.encode("".join(line[0] for line in held_out[: model_of.WRITTEN]))  # (B,)
    for alpha in MASSES:
        chosen = bank.right_nucleus(model.decoder, alpha, **switch)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            tokens, state, rows = first, None, [first]
            while len(rows) < model_of.LONGEST:
                out, state = model.rnn(model.emb(tokens[None]), state)  # (1, B, H)
                tokens = torch.multinomial(chosen(out[0]), 1)[:, 0]  # (B, V) -> (B,)
                rows.append(tokens)
        rows = [row[: row.index(EOS) + 1] if EOS in row else row for row in torch.stack(rows, dim=1).tolist()]
        ended, allowed = model_of.judge(rows)
        told["different"].append(len({*map(tuple, rows)}) / len(rows))
        told["ended"].append(ended)
        told["allowed"].append(allowed)
        told["said"].append([model_of.shown(row) for row in rows[:2]])
    return told


def run(seed: int, exercise: str, mistake: str = "", updates: int = model_of.UPDATES) -> dict:
    """What a function of the lab makes of the model, right or with a mistake: `searched`, `ranked` or `drawn`."""
    how = {"generate_beam": searched, "best_hypothesis": ranked, "p_nucleus": drawn}[exercise]
    return how(seed, mistake, updates)


if __name__ == "__main__":
    cases = [{"exercise": exercise} for exercise in ("generate_beam", "best_hypothesis", "p_nucleus")]
    cases += [{"exercise": exercise, "mistake": mistake} for mistake, exercise in MISTAKES.items()]
    results.record(__file__, [{"exercise": "p_nucleus", "updates": 24}, *cases], seeds=range(3), updates=model_of.UPDATES)  # the page runs the first anew
