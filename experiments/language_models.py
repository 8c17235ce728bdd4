"""RNN, GRU and LSTM of equal size as character models: two more seeds with the learning rates that experiments/language_tuning.py chose."""

from rnncourse import results

tuning = results.experiment("language_tuning")
run = tuning.run


def chosen() -> list[dict]:
    """For each text and cell, the case with the lowest loss on the part to choose with."""
    best = {}
    for stored in results.load("language_tuning")["runs"]:
        case, loss = stored["case"], stored["values"][0][0]
        key = case["name"], case["cell"]
        if case["cell"] != "n-gram" and "updates" not in case and loss < best.get(key, (float("inf"),))[0]:
            best[key] = loss, case
    return [case for _, case in best.values()]


if __name__ == "__main__":
    results.record(__file__, cases=chosen(), seeds=(1, 2), updates=tuning.UPDATES)
