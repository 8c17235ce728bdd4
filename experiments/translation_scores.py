"""Three scores for attention, on the sentences of `translation` and on the numbers of `translation_numbers`.

The plain product of the two outputs, the same divided by the root of H, or one with a learned matrix between. Equal for all: pairs,
units, updates. On sentences each at several rates; on numbers at the rate of `translation_numbers`.
"""

import torch
from torch import Tensor, nn

from rnncourse import metrics, models, results
from rnncourse.translation import State, Translator, batches, together

UPDATES, RATES = 600, {"dot": (0.005, 0.01), "scaled": (0.005, 0.01), "general": (0.001, 0.002, 0.005, 0.01)}
sentences, numbers = results.experiment("translation"), results.experiment("translation_numbers")
CASES = [{"task": "numbers", "score": score, "lr": numbers.RATE} for score in RATES]
CASES += [{"task": "sentences", "score": score, "lr": lr} for score, rates in RATES.items() for lr in rates]


class Scaled(Translator):
    """h_t enc_s / sqrt(H), as Vaswani et al. (2017) have it."""

    def attend(self, h: Tensor, state: State) -> tuple[Tensor, Tensor]:
        return super().attend(h / h.shape[-1] ** 0.5, state)


class General(Translator):
    """h_t W_a enc_s, "general" of Luong et al. (2015); W_a starts as torch starts any linear layer."""

    def __init__(self, *sizes: int):
        super().__init__(*sizes)
        self.score = nn.Linear(sizes[-1], sizes[-1], bias=False)

    def attend(self, h: Tensor, state: State) -> tuple[Tensor, Tensor]:
        return super().attend(self.score(h), state)


def data(task: str) -> tuple:
    """Pairs to learn from and to test on, as tokens; sizes of the translator; pairs at an update."""
    if task == "numbers":
        sizes = len(numbers.words()), len(numbers.DIGITS), numbers.EMBEDDING, numbers.UNITS
        return *map(numbers.encoded, numbers.corpus()), sizes, numbers.BATCH
    train, fresh = sentences.corpus()
    sizes = *map(len, sentences.vocabularies()), sentences.EMBEDDING, sentences.UNITS
    test = [pair for n in range(1, 5) for pair in fresh[n]]
    return sentences.encoded(train, False), sentences.encoded(test, False), sizes, sentences.BATCH


def run(seed: int, task: str, score: str, lr: float) -> list[float]:
    """The share of right answers on new pairs like those of training, the mean of the largest weight of every step, and the mean loss of
    the last 100 updates, to choose the rate by.

    Parameters
    ----------
    seed : int
        For the weights and the order of the pairs.
    task : {"sentences", "numbers"}
    score : {"dot", "scaled", "general"}
    lr : float
        The highest rate of the cycle.
    """
    train, test, sizes, B = data(task)
    torch.manual_seed(seed)
    model = {"dot": Translator, "scaled": Scaled, "general": General}[score](*sizes)
    some = batches(*train, B, torch.Generator().manual_seed(seed))
    losses = (metrics.token_nll(model(p.source, p.lengths, p.target.inputs), p.target.targets, p.target.mask) for p in some)
    last = [record.loss for record in models.learn(model, losses, UPDATES, lr)][-100:]
    new = together(*test)
    with torch.no_grad():
        weights = model.decode(new.target.inputs, model.encode(new.source, new.lengths))[1]["weights"]  # (B, T, S)
    right = sentences.scores(sentences.translate(model, test[0]), test[1])[0]
    return [right, weights.amax(dim=2)[new.target.mask.T].mean().item(), sum(last) / len(last)]


if __name__ == "__main__":
    results.record(__file__, CASES, seeds=range(3), updates=UPDATES)
