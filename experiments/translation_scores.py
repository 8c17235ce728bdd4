"""Three scores for attention, on the sentences of `translation` and on the numbers of `translation_numbers`.

The plain product of the two outputs, the same divided by the root of H, or one with a learned matrix between. Equal for all: pairs,
units, updates, rate.
"""

import torch
from torch import Tensor, nn

from rnncourse import metrics, models, results
from rnncourse.translation import State, Translator, batches, together

UPDATES = 600
sentences, numbers = results.experiment("translation"), results.experiment("translation_numbers")


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
    """Pairs to learn from and to test on, as tokens; sizes of the translator; pairs at an update; rate."""
    if task == "numbers":
        sizes = len(numbers.words()), len(numbers.DIGITS), numbers.EMBEDDING, numbers.UNITS
        return *map(numbers.encoded, numbers.corpus()), sizes, numbers.BATCH, numbers.RATE
    train, fresh = sentences.corpus()
    sizes = *map(len, sentences.vocabularies()), sentences.EMBEDDING, sentences.UNITS
    test = [pair for n in range(1, 5) for pair in fresh[n]]
    return sentences.encoded(train, False), sentences.encoded(test, False), sizes, sentences.BATCH, sentences.RATE


def run(seed: int, task: str, score: str) -> list[float]:
    """The share of right answers on new pairs like those of training, and the mean of the largest weight of every step.

    Parameters
    ----------
    seed : int
        For the weights and the order of the pairs.
    task : {"sentences", "numbers"}
    score : {"dot", "scaled", "general"}
    """
    train, test, sizes, B, rate = data(task)
    torch.manual_seed(seed)
    model = {"dot": Translator, "scaled": Scaled, "general": General}[score](*sizes)
    some = batches(*train, B, torch.Generator().manual_seed(seed))
    losses = (metrics.token_nll(model(p.source, p.lengths, p.target.inputs), p.target.targets, p.target.mask) for p in some)
    for _ in models.learn(model, losses, UPDATES, rate):
        pass
    new = together(*test)
    with torch.no_grad():
        weights = model.decode(new.target.inputs, model.encode(new.source, new.lengths))[1]["weights"]  # (B, T, S)
    right = sentences.scores(sentences.translate(model, test[0]), test[1])[0]
    return [right, weights.amax(dim=2)[new.target.mask.T].mean().item()]


if __name__ == "__main__":
    cases = [{"task": task, "score": score} for task in ("numbers", "sentences") for score in ("dot", "scaled", "general")]
    results.record(__file__, cases, seeds=range(3), updates=UPDATES)
