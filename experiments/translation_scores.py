"""Two scores for attention on the sentences of `translation`: the plain product of the two outputs, and one with a learned matrix between.

Equal for both: pairs, units, updates, rate.
"""

import torch
from torch import Tensor, nn

from rnncourse import metrics, models, results
from rnncourse.translation import State, Translator, batches

UPDATES = 600
study = results.experiment("translation")


class General(Translator):
    """The score of a word is ``h_t W_a enc_s / sqrt(H)``, "general" of Luong et al. (2015); W_a starts as torch starts any linear layer."""

    def __init__(self, *sizes: int):
        super().__init__(*sizes)
        self.score = nn.Linear(sizes[-1], sizes[-1], bias=False)

    def attend(self, h: Tensor, state: State) -> tuple[Tensor, Tensor]:
        return super().attend(self.score(h), state)


def run(seed: int, score: str) -> list[float]:
    """The share of right translations for sentences of 1, 2, 3 and 4 clauses, and the mean loss of the last 20 updates.

    Parameters
    ----------
    seed : int
        For the weights and the order of the pairs.
    score : {"dot", "general"}
    """
    torch.manual_seed(seed)
    model = {"dot": Translator, "general": General}[score](*map(len, study.vocabularies()), study.EMBEDDING, study.UNITS)
    some = batches(*study.encoded(study.corpus()[0], False), study.BATCH, torch.Generator().manual_seed(seed))
    losses = (metrics.token_nll(model(p.source, p.lengths, p.target.inputs), p.target.targets, p.target.mask) for p in some)
    last = [record.loss for record in models.learn(model, losses, UPDATES, study.RATE)][-20:]
    test = [study.encoded(study.corpus()[1][n], False) for n in range(1, 5)]
    return [study.scores(study.translate(model, sources), targets)[0] for sources, targets in test] + [sum(last) / len(last)]


if __name__ == "__main__":
    results.record(__file__, [{"score": score} for score in ("dot", "general")], seeds=range(3), updates=UPDATES)
