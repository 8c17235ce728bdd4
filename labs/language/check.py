"""The checks of Lab 4, and the wrong answers that they can name."""

import math
import random
import re
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from rnncourse.checks import Exercise, slips
from rnncourse.metrics import token_nll
from rnncourse.models import LanguageModel
from rnncourse.toys import ALPHABET, Remembered, Toy, drawn_toy, pooled, read_on, string2code, toy  # noqa: F401
from rnncourse.toys import POOL as TOYS
from rnncourse.traces import Forbidden, Unfit, kind
from rnncourse.writing import BEAM_SLIPS, BEAMS, H_ALONE, NEGATIVE, WRITES, as_text, beams, meaning, meant, right_beam, search, written, written_words  # noqa: F401

MODEL, TARGETS, MASKS, GENERATE, SAMPLES = (f"language/neural.html#sec-neural-{name}" for name in ("model", "targets", "masks", "generate", "samples"))
FILES, GATES, NORM, BROKEN = (f"language/instruments.html#sec-instruments-{name}" for name in ("files", "gates", "norm", "broken"))
SCORE, FAIR = "language/before.html#sec-before-score", "language/tokens.html#sec-tokens-fair"
BEAM = "generation/search.html#sec-search-beam"
PAD, EOS = 0, 1
GIVEN = {"PAD": PAD, "EOS": EOS, "PAD_IX": PAD, "EOS_IX": EOS}


def integers(a):
    """A sequence of whole numbers as a tensor of one axis."""
    a = torch.as_tensor(a.copy() if isinstance(a, np.ndarray) else a)
    if a.is_floating_point() and a.numel():
        raise Unfit(FLOATS)
    return a.long()


FLOATS = "the numbers are of a floating-point type, and nn.Embedding takes whole numbers alone: dtype=torch.long"

# ---- Exercise 1


def right_ids(text, ids, *, only_dots=False, no_exclamation=False, everywhere=False, quotes=False, pauses=False, not_lines=False, only_lines=False,
              mark_lost=False, eaten=False, spaces=False, unstripped=False, one_space=False, empty=False, blank=False, short_lost=False, once=False, rest_lost=False,
              eos=False, unknown_one=False, unknown_zero=False, unknown_fails=False, lower=False, words=False, whole=False, each_mark=False, padded=False):  # fmt: skip
    """The sentences of a text as tensors of numbers; with a switch on, a known mistake."""
    on = {name for name, value in locals().items() if value is True}
    pieces = pieces_of(text, on)
    if rest_lost:
        pieces = [piece for piece in pieces if re.search(r"[.?!]$", piece)]
    pieces = [piece.rstrip(".?!") if mark_lost else piece.lower() if lower else piece for piece in pieces if empty or blank or piece.strip()]
    pieces = [*dict.fromkeys(pieces)] if once else [piece for piece in pieces if not (short_lost and len(piece) == 1)]
    if unknown_fails and any(c not in ids for piece in pieces for c in piece):
        raise KeyError(UNKNOWN)
    found = [[ids.get(c, int(unknown_one)) for c in piece if unknown_one or unknown_zero or c in ids] for piece in pieces]
    if words:
        found = [[ids[c] for c in piece.replace(" ", "") if c in ids] for piece in pieces]
    found = [sentence + [EOS] * eos for sentence in found]
    if padded:
        longest = max(map(len, found))
        found = [sentence + [PAD] * (longest - len(sentence)) for sentence in found]
    return [torch.tensor(sentence, dtype=torch.long) for sentence in ([sum(found, [])] if whole else found)]


def pieces_of(text, on):
    """A text cut into sentences, with those that are empty; some mistakes are made here."""
    if "eaten" in on:
        return [piece.strip() for piece in re.split(r"[.?!]\s|\n", text)]
    marks = "." if "only_dots" in on else ".?" if "no_exclamation" in on else ".?!;:" if "pauses" in on else ".?!"
    lines = [text] if "not_lines" in on else text.split("\n")
    gap = {"everywhere": "", "spaces": r"(?=\s)", "one_space": r"\s"}
    cut = rf"(?<=[{marks}])" + next((gap[name] for name in gap if name in on), r"\s+")
    cut = rf"(?<=[{marks}])\"?\s+" if "quotes" in on else rf"(?<=[{marks}])\s*(?=[{marks}])|{cut}" if "each_mark" in on else cut
    pieces = lines if "only_lines" in on else [piece for line in lines for piece in re.split(cut, line)]
    pieces = [piece for piece in pieces if piece] if "blank" in on else pieces
    return pieces if on & {"spaces", "unstripped", "one_space"} else [piece.strip() for piece in pieces]


UNKNOWN = "a character that is not in ids"


def with_ids(answer, text, letters):
    """Call with the numbers of some characters, from 2 on."""
    ids = {c: i for i, c in enumerate(letters, 2)}
    try:
        result = answer(text, dict(ids))
    except KeyError as error:
        raise (KeyError(UNKNOWN).with_traceback(error.__traceback__) if error.args[:1] and error.args[0] not in ids else error) from None
    if result is None or isinstance(result, str | dict) or not hasattr(result, "__len__"):
        raise Unfit("it returned nothing: is a return missing?" if result is None else f"it returned {kind(result)}, expected a list of tensors")
    if any(isinstance(sentence, str) for sentence in result):
        raise Unfit("a sentence comes as text, expected its numbers")
    found = [integers(sentence) for sentence in result]
    if any(sentence.dim() != 1 for sentence in found):
        raise Unfit("it returned one list of numbers, expected a list of sentences, each with one axis")
    rows = nn.utils.rnn.pad_sequence(found, batch_first=True, padding_value=-1) if found else torch.zeros(0, 0)
    return [torch.tensor([len(found)]), torch.tensor([len(sentence) for sentence in found]), rows]


def id_words(name, at, wanted, got):
    if name == "the number of sentences":
        return f"it returned {got:g} sentences, expected {wanted:g}"
    if name == "the lengths":
        return f"sentence {at[0] + 1} has {got:g} numbers, expected {wanted:g}"
    return f"sentence {at[0] + 1}, character {at[1] + 1}: expected the number {wanted:g}, got {got:g}"


MORE = ('\nI\n   \nWe build \n\tWe want jobs.\tYou want jobs: schools; roads. We want "why." Now not. You want "jobs!" Now.\n'
        "Why not?\nWhy not?\nThe roads and the schools and the jobs and the taxes and all of them, now and not why not!\n")
WORDS = "we you jobs taxes schools and build want the roads $3.5 10.000 now why not all of them Mr".split()


def texts(g, counts=(5, 7, 9)):
    """Texts with every kind of end, a number with a point in it, empty lines, and a character that has no number; from the second on, more."""
    cases, pick = [], lambda low, high: int(torch.randint(low, high, (), generator=g))  # noqa: E731
    for i, count in enumerate(counts):
        parts = []
        for n in range(count):
            words = [WORDS[pick(0, len(WORDS))] for _ in range(pick(2, 5))]
            words.insert(1, "$3.5") if n == 1 else None
            end = (".", "?", "!", "...", "", "?!")[n % 6 if n < 5 or i else 0]
            parts.append(" ".join(words).capitalize() + end + ("\n" if not end else (" ", "  ", " \n\n", "\n ")[pick(0, 4) if n else 0]))
        text = " " * i + "".join(parts) + MORE * (i > 0) + " ".join(WORDS[:2]) * (i != 1)
        letters = sorted({*"".join(WORDS), *' .?!$:;"\t', *"WYJTSABRNI"} - ({"z"} if i == 0 else {"j", "J"}))
        cases.append((text, "".join(letters)))
    return cases


sentence_ids = Exercise(
    title="Exercise 1",
    points=3,
    truth=right_ids,
    slips=slips(
        MASKS,
        ("only_dots", "only a full stop ends a sentence; a question mark and an exclamation mark do too"),
        ("no_exclamation", "an exclamation mark does not end a sentence; it does, like a full stop and a question mark"),
        ("pauses", "a sentence is cut after ; or :, too; its ends are . ? ! and the line's end"),
        ("quotes", "a sentence is cut after a mark and a quotation mark; it is where white space or the text's end comes right after . ? !"),
        ("everywhere", "every mark ends a sentence, also the one in \"$3.5\"; it does only where white space or the line's end follows it"),
        ("each_mark", "marks in a row are taken apart; \"?!\" and \"...\" are one end, with the white space that follows"),
        ("not_lines", "a line's end does not end a sentence; it does, also without a mark"),
        ("only_lines", "only a line's end ends a sentence; . ? ! do too, where white space follows"),
        ("mark_lost", "the marks are lost (re.split takes away what it splits at); they belong to the sentence: look behind, (?<=[.?!])"),
        ("eaten", "a sentence loses its last mark (re.split takes away what it splits at); the mark belongs to it: look behind, (?<=[.?!])"),
        ("spaces", "white space around a sentence is kept; strip it"),
        ("unstripped", "white space at a line's beginning or end is kept; strip it"),
        ("one_space", "white space is taken away one character at a time, and what is more is kept; strip each sentence"),
        ("empty", "empty sentences are kept; leave them out"),
        ("blank", "what is white space alone is kept as an empty sentence; leave it out"),
        ("short_lost", "sentences of one character are left out; only empty ones are to be"),
        ("once", "sentences that come again are left out; keep them all"),
        ("rest_lost", "what ends without a mark is lost; a line's end is an end too"),
        ("eos", "EOS stands in the sentences already; Exercise 2 appends it"),
        ("unknown_one", "a character without a number becomes 1, which is EOS; leave it out"),
        ("unknown_zero", "a character without a number becomes 0, which is PAD; leave it out"),
        ("unknown_fails", "a character without a number stops it; leave such characters out", None, ""),
        ("lower", "the text was made lower case; capitals have numbers of their own"),
        ("words", "the spaces between the words are lost; a space is a character"),
        ("whole", "all sentences are one tensor; return a list with a tensor for each"),
        ("padded", "the sentences are padded already; Exercise 2 does so, batch by batch"),
    ),
    cases=texts,
    read=MASKS,
    call=with_ids,
    returns=("the number of sentences", "the lengths", "the sentences"),
    words=id_words,
    forbids=("rnncourse.text.sentences", "rnncourse.text.Vocabulary", "rnncourse.text.Characters"),
)

# ---- Exercise 2


def right_collate(samples, *, batch_first=False, no_eos=False, eos_after=False, eos_first=False, eos_longest=False, both_ends=False, floats=False,
                  pad_one=False, left=False, shortest=False, shortest_ended=False, longest_cut=False, ordered=False, extra_row=False, listed=False, no_pad=False):  # fmt: skip
    """Sentences, (N,) each, to one batch (T, B); with a switch on, a known mistake."""
    samples = [[int(i) for i in s] for s in samples]
    samples = sorted(samples, key=len, reverse=True) if ordered else samples
    longest = max(map(len, samples))
    samples = [s[: min(map(len, samples))] for s in samples] if shortest_ended else samples
    if eos_first or both_ends:
        samples = [[EOS, *s] for s in samples]
    if not (no_eos or eos_after or eos_longest or eos_first):
        samples = [[*s, EOS] for s in samples]
    if eos_longest:
        samples = [[*s, *[EOS] * (len(s) == longest)] for s in samples]
    T = (min if shortest else max)(map(len, samples)) + extra_row - (longest_cut and not extra_row)
    fill = EOS if pad_one else PAD
    rows = [([fill] * (T - len(s)) + s if left else s + [fill] * (T - len(s)))[:T] for s in samples]
    rows = [[*row, EOS] if eos_after else row for row in rows]
    if no_pad:
        raise RuntimeError(UNEQUAL)
    if listed:
        raise Unfit(LISTED)
    padded = torch.tensor(rows, dtype=torch.float32 if floats else torch.long)  # (B, T)
    return padded if batch_first else padded.T


UNEQUAL = "sentences of different lengths are stacked; they need padding first"
LISTED = "it returned a list of tensors, expected one tensor, (T, B)"
COLLATE = ((r"stack expects each tensor to be equal size|expected sequence of length|[Ss]izes of tensors must match|same number of dim"
            r"|inhomogeneous|must match the size of tensor|expanded size", RuntimeError, UNEQUAL),)


def collated(answer, samples):
    try:
        result = answer(samples)
    except (RuntimeError, ValueError) as error:
        raise meant(error, COLLATE) from None
    if result is None:
        raise Unfit("it returned nothing: is a return missing?")
    if isinstance(result, tuple) and result and isinstance(result[0], Tensor) and result[0].dim() == 2:
        raise Unfit(f"it returned {kind(result)}, expected one tensor, (T, B)")
    if isinstance(result, list | tuple) and result and isinstance(result[0], Tensor):
        raise Unfit(LISTED)
    result = torch.as_tensor(result.copy() if isinstance(result, np.ndarray) else result)
    if result.dim() != 2:
        raise Unfit(f"it returned {kind(result)}, expected two axes, (T, B)")
    return integers(result)


def collate_words(name, at, wanted, got):
    called = lambda v: {PAD: "PAD", EOS: "EOS"}.get(int(v), f"the token {v:g}" if abs(v) < 1e9 else "what torch.empty held")  # noqa: E731
    return f"step {at[0]} of sentence {at[1]}: expected {called(wanted)}, got {called(got)}"


def samples_of(g, sizes=((3, 6, 4), (5, 2), (4, 4, 1, 7, 4), (2,))):
    """Sentences as tensors."""
    return [([torch.randint(2, 40, (n,), generator=g) for n in lengths],) for lengths in sizes]


pad_collate_fn = Exercise(
    title="Exercise 2",
    points=4,
    truth=right_collate,
    slips=slips(
        MASKS,
        ("batch_first", "the axes are (B, T); in this course time comes first: (T, B)"),
        ("no_eos", "EOS is not appended; without it, the model never learns where a sentence ends"),
        ("eos_after", "EOS stands after the padding, at the very end; append it to each sentence first, then pad"),
        ("eos_first", "EOS stands before the sentences; it ends them"),
        ("both_ends", "EOS stands before the sentences too; it ends them, and no more"),
        ("eos_longest", "only the longest sentence has an EOS; each of them has one, right after its last token"),
        ("pad_one", "the sentences are filled up with EOS; after the one EOS comes PAD"),
        ("left", "the padding stands before the sentences; it comes after EOS"),
        ("shortest", "the sentences are cut to the shortest; fill them up to the longest"),
        ("shortest_ended", "the sentences are cut to the shortest before EOS comes; fill them up to the longest"),
        ("longest_cut", "a row is missing at the end, where the longest sentence has its EOS: T is the longest N plus 1"),
        ("extra_row", "there is a row of padding too many; the longest sentence, with its EOS, needs none"),
        ("ordered", "the sentences were sorted by length; keep their order"),
        ("floats", "the batch has a floating-point type (torch.zeros does that); nn.Embedding takes whole numbers: dtype=torch.long"),
        ("no_pad", "sentences of different lengths cannot be stacked; fill them up to the longest first, with PAD"),
        ("listed", "a list of tensors is returned; a batch is one tensor, (T, B)"),
    ),
    cases=samples_of,
    read=MASKS,
    call=collated,
    words=collate_words,
    axes="t b",
    forbids=("rnncourse.text.batch",),
    lends=GIVEN,
)

# ---- Exercise 3


def token_losses(output, target, *, raw=False, no_log=False, softmax_first=False, over_batch=False, over_time=False, underflow=False, reshaped=False,
                 bits=False):  # fmt: skip
    """The loss of every position, (T, B, V) and (T, B) -> (T, B)."""
    if reshaped:
        output = output.reshape(output.shape[0], output.shape[2], output.shape[1]).transpose(1, 2)
    dim = 1 if over_batch else 0 if over_time else 2
    scores = output.softmax(2).log_softmax(2) if softmax_first else output if raw else output.softmax(2) if no_log else output.log_softmax(dim)
    scores = output.softmax(2).log() if underflow else scores
    return -scores.gather(2, target[..., None])[..., 0] / (math.log(2) if bits else 1)


def right_masked(output, target, pad_index, *, pads_counted=False, over_all=False, summed=False, inverted=False, by_pads=False, by_batch=False,
                 by_steps=False, per_sequence=False, per_step=False, mean_first=False, mean_share=False, mask_argmax=False, pad_zero=False, pad_targets=False,
                 index_flat=False, index_rows=False, per_token=False, per_real=False, zeroed=False, zeroed_all=False, pad_factor=False, pad_value=False,
                 raw=False, no_log=False, softmax_first=False, over_batch=False, over_time=False, underflow=False, reshaped=False, bits=False,
                 sign=False, cut=False, zero_losses=False, mismatched=False, class_axis=False, the_class=False, flattened=False, gathered=False, view=False, as_mask=False, looped=False):  # fmt: skip
    """The mean loss over real tokens; with a switch on, a known mistake."""
    on = {name for name, value in locals().items() if value is True}
    for switch, _, error, says in MASKED:
        if switch in on and (switch != "view" or not target.is_contiguous()):
            raise error(says)
    if looped and target.numel() > 1000:
        raise Unfit(LOOP)
    real = target != (0 if pad_zero else pad_index)  # (T, B)
    real = output.argmax(2) != pad_index if mask_argmax else real
    given = output * real[..., None] if zeroed or zeroed_all else output.transpose(0, 1).reshape(output.shape) if mismatched else output
    losses = token_losses(given, target, raw=raw, no_log=no_log, softmax_first=softmax_first, over_batch=over_batch, over_time=over_time,
                          underflow=underflow, reshaped=reshaped, bits=bits)  # fmt: skip
    value = reduced(losses.detach() if cut else losses, ~real if inverted else real, pad_index, on)
    return -value if sign else value


def reduced(losses, real, pad_index, on):
    """One number, (), from the losses (T, B)."""
    kept = losses.where(real, torch.zeros_like(losses))  # (T, B)
    n, (T, B), flat = real.sum(), losses.shape, losses.flatten()
    ways = {
        "pads_counted": losses.mean, "zeroed_all": losses.mean, "zeroed": lambda: losses.sum() / n, "over_all": kept.mean, "summed": kept.sum, "by_pads": lambda: kept.sum() / (~real).sum(),
        "by_batch": lambda: kept.sum() / B, "by_steps": lambda: kept.sum() / T, "per_sequence": lambda: (kept.sum(0) / real.sum(0)).mean(),
        "per_step": lambda: (kept.sum(1) / real.sum(1)).nanmean(), "mean_first": lambda: losses.mean() * n, "mean_share": lambda: losses.mean() * n / (T * B),
        "pad_targets": lambda: (losses * real * 1.0).sum() / (T * B - n + 1), "index_flat": lambda: flat[real.flatten().long()].mean(),
        "zero_losses": lambda: kept.sum() / (kept != 0).sum(), "index_rows": lambda: losses[real.long()].mean(), "per_token": lambda: kept, "per_real": lambda: losses[real],
        "pad_factor": lambda: (losses * pad_index).mean(), "pad_value": lambda: losses.flatten()[pad_index]}  # fmt: skip
    for name, way in ways.items():
        if name in on:
            return way()
    return kept.sum() / n


LOOP = "it goes through tokens, steps or sentences in a Python loop, which is slow; a few operations on whole tensors do the same"
MASKED = (
    ("class_axis", r"Expected target size", RuntimeError, "cross_entropy takes axis 1 for the classes, and finds another size there"),
    ("the_class", r"Boolean value of Tensor with more than one|'(CrossEntropyLoss|NLLLoss)' (and|object)|and '(CrossEntropyLoss|NLLLoss)'", RuntimeError,
     "the loss class is called as if it were the function"),
    ("flattened", r"Expected input batch_size \(", ValueError, "as many rows of logits as targets are needed: one of the two was flattened, and the other was not"),
    ("gathered", r"Index tensor must have the same number of dim", RuntimeError, "gather needs an index with as many axes as what it picks from"),
    ("view", r"view size is not compatible", RuntimeError, "view cannot join axes of a tensor that is a transposed view of another one; reshape can"),
    ("as_mask", r"'int' object has no attribute|'int' object is not subscriptable", AttributeError, "pad_index is a number, and was used as if it were a tensor"),
)  # fmt: skip


class Counting(TorchFunctionMode):
    """Counts the calls into torch, and refuses ignore_index, also its default: targets of -100."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.calls += 1
        kwargs = kwargs or {}
        if re.search("cross_entropy|nll_loss", getattr(func, "__name__", "")):
            ignored = kwargs.get("ignore_index", args[4] if len(args) > 4 else -100)
            target = kwargs.get("target", args[1] if len(args) > 1 else None)
            if ignored not in (None, -100) or isinstance(target, Tensor) and not target.is_floating_point() and (target < 0).any():
                raise Forbidden("Exercise 3 asks you to write the mask yourself: ignore_index is not to be used here, nor its default, targets of -100")
        return func(*args, **kwargs)


def watched(answer, output, target, pad_index, transposed):
    """A call that is watched; the targets come as a transposed view where ``transposed``."""
    target = target.T.contiguous().T if transposed else target
    try:
        with Counting() as mode:
            result = answer(output, target, pad_index)
    except Forbidden:
        raise
    except (RuntimeError, ValueError, AttributeError, TypeError) as error:
        raise meant(error, [row[1:] for row in MASKED]) from None
    if mode.calls > 100 and target.numel() > 1000:
        raise Unfit(LOOP)
    if isinstance(result, float):
        result = torch.tensor(result, dtype=torch.float64)
    if isinstance(result, Tensor | np.ndarray) and math.prod(result.shape) == 1:
        return result.reshape(())
    return result


def outputs(g, sizes=((6, 4, 5), (3, 7, 4), (5, 3, 8), (60, 35, 3)), pads=(2, 3, 0, 1)):
    """Logits and targets with padding at the ends of sequences; some logits are of size 300, some targets a transposed view."""
    cases = []
    for i, ((T, B, V), pad) in enumerate(zip(sizes, pads)):
        output = torch.randn(T, B, V, generator=g)
        lengths = torch.randint(1, T, (B,), generator=g)
        lengths[0] = T
        target = torch.randint(V, (T, B), generator=g)
        target = torch.where(target == pad, (pad + 1) % V, target)
        target[torch.arange(T)[:, None] >= lengths] = pad
        if i == 2:
            output[0, 1] = torch.where(torch.arange(V) == target[0, 1], -300.0, 300.0)
            output[1, 0] = torch.where(torch.arange(V) == target[1, 0], 25.0, -25.0)  # a loss of 0
        cases.append((output, target, pad, i == 1))
    return cases


masked_cross_entropy = Exercise(
    title="Exercise 3",
    points=5,
    truth=right_masked,
    slips=slips(
        MASKS,
        ("pads_counted", "the padding counts like real tokens: the mean is over all positions. Is the mask made from the logits (it belongs to the targets: "
         "target != pad_index), or is a mean taken before the mask comes? (reduce=None and reduce=\"none\" take one; reduction=\"none\" keeps a loss for each)"),
        ("over_all", "the masked losses are divided by the number of all positions, padding included; divide by the number of real tokens, mask.sum()"),
        ("summed", "this is the sum; asked for is the mean over the real tokens: divide by mask.sum()"),
        ("inverted", "the mask is inverted: the loss is that of the padding; real is target != pad_index"),
        ("by_pads", "the sum is divided by the number of padding positions; divide by the number of real tokens"),
        ("by_batch", "the sum is divided by the number of sequences; divide by the number of real tokens"),
        ("by_steps", "the sum is divided by the number of steps; divide by the number of real tokens"),
        ("per_sequence", "a mean is taken for each sequence, then the mean of these, so that tokens of short sentences weigh more; take one mean over all real tokens"),
        ("per_step", "a mean is taken for each step, then the mean of these; take one mean over all real tokens"),
        ("mean_first", "a mean over all positions was taken before the mask came, and multiplied with it: reduce=None and the default take the mean; "
         "reduction=\"none\" keeps one loss for each token"),
        ("mean_share", "a mean over all positions was taken before the mask came, and the mean of its product with the mask after it: reduce=None and the default "
         "take a mean; reduction=\"none\" keeps one loss for each token"),
        ("mask_argmax", "the mask is made from the logits (their largest); what is real stands in the targets: target != pad_index"),
        ("pad_zero", "the padding is taken to be 0; its number is pad_index"),
        ("pad_targets", "the sum is divided by the number of padding positions and one; divide by the number of real tokens"),
        ("index_flat", "a mask of 0 and 1 is used as an index, which picks losses number 0 and 1; a mask has to be bool to select"),
        ("index_rows", "a mask of 0 and 1 is used as an index, which picks rows 0 and 1 again and again; a mask has to be bool to select"),
        ("per_token", "one loss for each token is returned; return their mean over the real ones"),
        ("per_real", "one loss for each real token is returned; return their mean"),
        ("zeroed", "the logits of the padding are set to 0, which makes a uniform guess there, and that is counted; mask the losses, not the logits"),
        ("zeroed_all", "the mask is multiplied with the logits: zeros are a uniform guess, whose loss counts in the mean; mask the losses"),
        ("pad_factor", "pad_index is multiplied with the losses as if it were a mask; it is the number of the padding: mask = target != pad_index"),
        ("pad_value", "pad_index is used as a place among the losses; it is the number of the padding: mask = target != pad_index"),
        ("zero_losses", "real tokens whose loss is 0 are not counted: the mask is made from the losses; it belongs to the targets: target != pad_index"),
        ("mismatched", "the logits are flattened batch first, the targets time first, so that they do not belong together"),
        ("raw", "the logits are taken for log-probabilities; log_softmax over the last axis makes them so", MODEL),
        ("no_log", "there is no logarithm; the loss is minus the *log*-probability of the target", MODEL),
        ("softmax_first", "a softmax is taken before the cross-entropy, which takes one itself; give it the logits", MODEL),
        ("over_batch", "the softmax goes over the batch, axis 1; the classes are the last axis, dim=-1", MODEL),
        ("over_time", "the softmax goes over time, axis 0 (what log_softmax without dim does here); the classes are the last axis, dim=-1", MODEL),
        ("underflow", "log of softmax: a probability of e^-600 is 0 in floats, and its log minus infinity; log_softmax does both at once", MODEL),
        ("reshaped", "(T, B, V) is reshaped to (T, V, B), which mixes tokens; axes are exchanged by transpose or permute"),
        ("bits", "the loss is in bits; asked for are nats, the natural logarithm"),
        ("sign", "the sign is lost; the loss is minus the log-probability"),
        ("cut", "the value is right, but it carries no gradient; leave .item(), float() and .detach() out"),
        ("class_axis", "the axis of the classes was not moved: cross_entropy wants it second. Either output.permute(0, 2, 1), or flatten both: output.flatten(0, 1), "
         "target.flatten()"),
        ("the_class", "the loss class is called as a function; nn.CrossEntropyLoss(...) only makes one, which is then called with (output, target); "
         "F.cross_entropy is the function"),
        ("flattened", "logits and targets are flattened differently; output.flatten(0, 1) is (T B, V) and target.flatten() (T B,)"),
        ("gathered", "gather needs the index to have the axes of the log-probabilities; target[..., None] is (T, B, 1)"),
        ("view", "target.view(-1) fails where the targets are a transposed view; reshape(-1) and flatten() do not"),
        ("as_mask", "pad_index is taken for a mask; it is the number of the padding: mask = target != pad_index"),
        ("looped", "it is right, but loops in Python, over tokens, steps or sentences; cross_entropy, log_softmax and gather take all of them at once"),
    ),
    cases=outputs,
    read=MASKS,
    call=watched,
    returns=("the loss",),
    forbids=("rnncourse.metrics.token_nll",),
)

# ---- Exercise 4


def right_embed(ids, W, *, columns=False, bag=False, mean=False, flat=False, swapped=False, from_one=False, pad_zero=False, pad_grad=False, cut=False, scaled=False,
                ids_float=False):  # fmt: skip
    """The rows of a table, (T, B) and (V, D) -> (T, B, D); with a switch on, a known mistake."""
    if ids_float:
        raise IndexError(NO_INDEX)
    W = W.detach() if cut else W
    rows = W.reshape(W.shape[1], W.shape[0]).T[ids] if columns else W[ids.T if swapped else (ids + len(W) - 1) % len(W) if from_one else ids]
    rows = torch.where((ids == 0)[..., None], rows.detach(), rows) if pad_grad else rows
    rows = rows * (ids != 0)[..., None] if pad_zero else rows * W.shape[1] ** 0.5 if scaled else rows
    return rows.sum(0) if bag else rows.mean(0) if mean else rows.flatten(0, 1) if flat else rows


NO_INDEX = "numbers that choose rows have to be whole"
EMBED = ((r"tensors used as indices must be long|expected m1 and m2|expected scalar type|must have the same dtype", IndexError, NO_INDEX),)


def with_table(answer, ids, W):
    try:
        return answer(ids, W)
    except (RuntimeError, IndexError) as error:
        raise meant(error, EMBED) from None


def tables(g, sizes=((6, 4, 7, 5), (3, 5, 8, 2), (4, 2, 3, 6))):
    cases = []
    for i, (T, B, V, D) in enumerate(sizes):
        most = V - 1 - i % 2  # the last row of W is not always asked for
        ids = torch.randint(most + 1, (T, B), generator=g)
        ids[0, :2] = torch.tensor([0, most])
        cases.append((ids, torch.randn(V, D, generator=g)))
    return cases


embed = Exercise(
    title="Exercise 4",
    points=1,
    truth=right_embed,
    slips=slips(
        MODEL,
        ("columns", "W is read with its axes exchanged by reshape; row i of W, W[i], belongs to token i"),
        ("bag", "the vectors are added over time; each token has one of its own: (T, B, D)"),
        ("mean", "the mean over time is taken; each token has a vector of its own: (T, B, D)"),
        ("flat", "the tokens stand in one axis; the result is (T, B, D)"),
        ("swapped", "time and batch are exchanged; the result is (T, B, D)"),
        ("from_one", "rows are counted from 1; token 0 has the first row, W[0]"),
        ("pad_zero", "token 0 gets zeros; here it is a row like any other"),
        ("pad_grad", "the values are right, but the row of token 0 gets no gradient (padding_idx=0 does that); here it is a row like any other"),
        ("scaled", "the rows are multiplied with the root of D; take them as they are"),
        ("cut", "the values are right, but no gradient flows back to W, so that the table could not learn"),
        ("ids_float", "the ids were made floats, or the one-hot vectors are whole numbers while W is not; W[ids] needs whole numbers, one_hot(...) @ W floats "
         "on both sides"),
    ),
    cases=tables,
    read=MODEL,
    call=with_table,
    returns=("the embedding",),
    axes="t b d",
)

# ---- Exercise 5


def right_step(model, optimizer, batch, max_norm, *, copies=False, backwards=False, over_batch=False, pads=False, eos_ignored=False, kept=False,
               no_step=False, no_clip=False, clip_values=False, each_clipped=False, clip_before=False, norm_after=False, loss_after=False,
               zeroed=False, summed=False, all_targets=False, pair=False, detached=False, only_loss=False, swapped=False, mask_inputs=False,
               transposed=False, fixed_norm=False, always_scaled=False, by_hand=False):  # fmt: skip
    """One update on a batch (T, B); the loss and the norm before clipping. With a switch on, a known mistake."""
    on = {name for name, value in locals().items() if value is True}
    if pair:
        raise AttributeError(PAIR)
    if detached:
        raise RuntimeError(NO_GRAPH)
    if not kept:
        optimizer.zero_grad()
    batch, max_norm = batch.T if transposed else batch, 1.0 if fixed_norm else max_norm
    loss = sentence_loss(model, batch, on)
    before = joint_norm(model, max_norm) if clip_before else 0
    loss.backward()
    if zeroed:
        optimizer.zero_grad(set_to_none=False)
    norm = joint_norm(model)
    if not (no_clip or clip_before):
        clip(model, max_norm, norm, on)
    if by_hand:
        with torch.no_grad():
            [p.sub_(optimizer.param_groups[0]["lr"] * p.grad) for p in model.parameters()]
    elif not no_step:
        optimizer.step()
    norm = before if clip_before else joint_norm(model) if norm_after else norm
    loss = sentence_loss(model, batch, on) if loss_after else loss
    return loss if only_loss else (norm, loss) if swapped else (loss, norm)


def sentence_loss(model, batch, on=()):
    """The mean loss of the next tokens."""
    if "over_batch" in on:
        inputs, targets = batch[:, :-1], batch[:, 1:]
    else:
        inputs, targets = (batch, batch) if "all_targets" in on else (batch[1:], batch[:-1]) if "backwards" in on else (batch[:-1], batch[1:])
    targets = inputs if "copies" in on else targets
    losses = F.cross_entropy(model(inputs)[0].transpose(1, 2), targets, reduction="none")  # (T - 1, B)
    real = ((inputs if "mask_inputs" in on else targets) != PAD) | ("pads" in on)
    real = real & (targets != EOS) if "eos_ignored" in on else real
    return losses[real].sum() if "summed" in on else losses[real].mean()


def clip(model, most, norm, on):
    """Clip the gradients, the right way or another."""
    if "each_clipped" in on:
        for p in model.parameters():
            nn.utils.clip_grad_norm_([p], most)
    elif "always_scaled" in on:
        for p in model.parameters():
            p.grad *= most / norm
    else:
        (nn.utils.clip_grad_value_ if "clip_values" in on else nn.utils.clip_grad_norm_)(model.parameters(), most)


def joint_norm(model, clip=None):
    """The norm of all gradients together."""
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    return torch.cat([g.flatten() for g in grads]).norm() if grads else torch.zeros(())


PAIR = "the model returns a pair, the logits and the state, and was used as if it returned the logits alone"
NO_GRAPH = "the loss carries no graph, or its graph is that of an update before"
STEP = (
    (r"'tuple' object has no attribute|not tuple|tuple indices must", AttributeError, PAIR),
    (r"does not require grad|second time", RuntimeError, NO_GRAPH),
)


def two_steps(answer, cell, weights, samples, lrate, max_norm):
    """Two updates of a small model: losses, norms, and the weights after them."""
    with torch.random.fork_rng():
        V, D = weights[0].shape
        model = LanguageModel(V, D, weights[-2].shape[1], cell)
    with torch.no_grad():
        for p, w in zip(model.parameters(), weights, strict=True):
            p.copy_(w)
    optimizer, told = torch.optim.SGD(model.parameters(), lr=lrate, momentum=0.9), []
    for part in samples[:2], samples[2:]:
        batch = right_collate(part)
        given = batch.clone()
        try:
            result = answer(model, optimizer, batch, max_norm)
        except (AttributeError, TypeError, RuntimeError) as error:
            raise meant(error, STEP) from None
        if not torch.equal(batch, given):
            raise Unfit("the batch has been changed")
        if not model.training:
            raise Unfit("the model is left as eval() makes it, without dropout; an update belongs to training, and what you are given stays as it is")
        told += two_told(result)
    return [a[0] for a in told] + [torch.cat([p.detach().flatten() for p in model.parameters()])]


def two_told(result):
    """The loss and the norm that an update returned."""
    result = [*result.flatten()] if isinstance(result, Tensor | np.ndarray) and math.prod(result.shape) == 2 else result
    if result is None:
        raise Unfit("it returned nothing: is a return missing?")
    if not isinstance(result, list | tuple):
        raise Unfit("it returned one thing, expected two, the loss and the norm")
    if len(result) != 2:
        raise Unfit(f"it returned {len(result)} things, expected two, the loss and the norm")
    if result[0] is None or result[1] is None:
        raise Unfit(f"the {'loss' if result[0] is None else 'norm'} that it returned is None; clip_grad_norm_ returns the norm, clip_grad_value_ nothing")
    told = [torch.as_tensor(a).detach().double().reshape(-1) for a in result]
    if any(len(a) != 1 for a in told):
        raise Unfit("the loss and the norm are one number each")
    return told


def small_models(g, sizes=(("GRU", 8, 3, 5, 0.05), ("LSTM", 7, 4, 3, 0.02), ("RNN", 6, 2, 4, 100.0)), lengths=(5, 2, 3, 4)):
    cases = []
    for cell, V, D, H, norm in sizes:
        shapes = [p.shape for p in LanguageModel(V, D, H, cell).parameters()]
        samples = [torch.randint(2, V, (n + len(cases),), generator=g) for n in lengths]
        cases.append((cell, [0.8 * torch.randn(shape, generator=g) for shape in shapes], samples, 0.4, norm))
    return cases


def without_graph(answer, cell, weights, samples, lrate, max_norm):
    return two_steps(answer, cell, [w.detach() for w in weights], samples, lrate, max_norm)


train_step = Exercise(
    title="Exercise 5",
    points=5,
    truth=right_step,
    slips=slips(
        TARGETS,
        ("copies", "the targets are the inputs themselves, not shifted: the model learns to copy; it reads batch[:-1] and is asked for batch[1:]"),
        ("all_targets", "all of the batch is read and asked for, not shifted: the model learns to copy; it reads batch[:-1] and is asked for batch[1:]"),
        ("backwards", "the shift goes the wrong way: from a token the one before it is asked for; inputs batch[:-1], targets batch[1:]"),
        ("over_batch", "the shift goes along the batch; time is axis 0: batch[:-1] and batch[1:]"),
        ("pads", "the padding counts in the loss; use masked_cross_entropy", MASKS),
        ("mask_inputs", "the mask is made from the inputs; real is what is asked for: batch[1:] != PAD", MASKS),
        ("transposed", "the batch is turned to (B, T); the model reads (T, B), as pad_collate_fn makes it"),
        ("eos_ignored", "EOS is left out of the loss; it is a real token, and the one that says when to stop"),
        ("summed", "the loss is a sum; it is the mean over the real targets", MASKS),
        ("kept", "the gradients of the update before are still there: optimizer.zero_grad() comes before backward", BROKEN),
        ("zeroed", "the gradients are set to 0 between backward and their norm, so that nothing is learned; zero_grad() comes before backward", BROKEN),
        ("no_step", "the weights do not change: optimizer.step() is missing, or the gradients are gone before it; zero_grad() comes before backward", BROKEN),
        ("by_hand", "the weights are changed by hand, minus the rate times the gradient; optimizer.step() does what its optimizer does, here with momentum", BROKEN),
        ("no_clip", "the gradients are not clipped, or only after the step, which is too late; scale them so that their joint norm is at most max_norm", NORM),
        ("clip_before", "the gradients are clipped before backward, when they are not there yet", NORM),
        ("clip_values", "every number of the gradients is clipped by itself, which turns their direction; scale all by one factor: clip_grad_norm_", NORM),
        ("always_scaled", "the gradients are scaled to max_norm also where their joint norm is smaller; then they stay as they are", NORM),
        ("fixed_norm", "the norm at which to clip is written in, 1.0; it is the argument max_norm", NORM),
        ("each_clipped", "each parameter's gradient is clipped by itself; the norm is that of all parameters together", NORM),
        ("norm_after", "the norm that is returned is that of the clipped gradients; return the one from before", NORM),
        ("loss_after", "the loss is computed anew after the update; return the one from before"),
        ("swapped", "the norm comes first; return the loss, then the norm"),
        ("pair", "the model returns a pair, the logits and the state: logits, _ = model(...)", None, ""),
        ("detached", "backward finds no graph: leave .item(), .detach(), torch.no_grad() and a state kept from the batch before out", None, ""),
        ("only_loss", "only the loss is returned; return the loss, and the norm of the gradients before clipping"),
    ),
    cases=small_models,
    read=TARGETS,
    call=without_graph,
    returns=("the loss at the first update", "the norm at the first update", "the loss at the second update", "the norm at the second update",
             "the weights after two updates"),
    lends={"masked_cross_entropy": lambda output, target, pad_index: right_masked(output, target, pad_index)},
)

# ---- Exercise 6


def right_histograms(writer, step, model, gates, *, signed=False, weights=False, norms=False, squared=False, step_lost=False, no_gates=False, no_gradients=False,
                     bare=False, last_gate=False, mean_gate=False, gate_sizes=False, none_fails=False, none_zero=False, in_place=False, cleared=False,
                     scalars=False, mean_size=False, zero_skipped=False):  # fmt: skip
    """Histograms of gradient sizes and gate values for TensorBoard; with a switch on, a known mistake."""
    at = 0 if step_lost else step
    write = (lambda tag, v, at: writer.add_scalar(tag, v.mean(), at)) if scalars else writer.add_histogram
    for name, p in ([] if no_gradients else model.named_parameters()):
        if none_fails and p.grad is None:
            raise AttributeError(NO_GRAD)
        if p.grad is None and not none_zero or zero_skipped and not p.grad.any():
            continue
        grad = torch.zeros_like(p) if p.grad is None else p.grad.abs_() if in_place else p.grad
        v = p.detach().abs() if weights else grad if signed else grad.norm()[None] if norms else grad**2 if squared else grad.abs()
        write(("" if bare else "gradients/") + name, v.mean()[None] if mean_size else v, at)
        if cleared:
            p.grad = None
    for name, v in ({} if no_gates else gates).items():
        v = v[-1] if last_gate else v.mean((0, 1)) if mean_gate else v.abs() if gate_sizes else v
        write(("" if bare else "gates/") + name, v, at)


NO_GRAD = "the gradient of a parameter is None, and was used as if it were there"


class Little(nn.Module):
    """Three parameters with the names that a language model has."""

    def __init__(self, V, D):
        super().__init__()
        self.embedding, self.decoder = nn.Embedding(V, D), nn.Linear(D, V)


def logged(answer, grads, names, values, step):
    """Two calls with a writer and a model that has these gradients; what the event files then hold, of every histogram its numbers."""
    from torch.utils.tensorboard import SummaryWriter  # takes seconds: not before it is needed

    with torch.random.fork_rng():
        model = Little(*grads[0].shape)
    kept = [grad.detach() * (i < 2 or len(names) > 2) if i or len(names) < 3 else None for i, grad in enumerate(grads)]
    for p, grad in zip(model.parameters(), kept, strict=True):
        p.grad = grad if grad is None else grad.clone()
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        with SummaryWriter(folder) as writer:
            gates = [{name: v.detach().clone() for name, v in zip(names, half)} for half in (values[: len(names)], values[len(names) :])]
            for n, given in enumerate(gates):
                try:
                    answer(writer, step + 7 * n, model, given)
                except (AttributeError, TypeError) as error:
                    raise meant(error, ((r"NoneType|None", AttributeError, NO_GRAD),)) from None
                if writer.all_writers is None:
                    raise Unfit("the writer has been closed; whoever made it closes it")
        found = events(folder)
    wanted = [f"gradients/{name}" for (name, _), g in zip(model.named_parameters(), kept) if g is not None] + [f"gates/{name}" for name in names]
    same_tags(found, wanted)
    same = all(a is b if b is None else a is not None and torch.equal(a, b) for a, b in zip((p.grad for p in model.parameters()), kept))
    untouched = len(gates[0]) + len(gates[1]) == len(values) and all(torch.equal(a, b) for a, b in zip([*gates[0].values(), *gates[1].values()], values))
    return [torch.tensor([same, untouched]).double(), *(torch.tensor([row for tag in wanted for row in found[tag]][i::6]) for i in range(6))]


def events(folder):
    """Every histogram of the event files: for each tag and each step the step, and count, smallest, largest, sum and sum of squares, in one list."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(folder, size_guidance={"histograms": 0})  # 0: all of them
    log.Reload()
    found = {}
    for tag in log.Tags()["histograms"]:
        rows = [(e.step, e.histogram_value) for e in log.Histograms(tag)]
        found[tag] = [a for step, h in rows for a in (float(step), h.num, h.min, h.max, h.sum, h.sum_squares)]
    return found


def same_tags(found, wanted):
    """Refuse other tags than those asked for, and other numbers of histograms under them."""
    if not found:
        raise Unfit("no histogram is in the event files: writer.add_histogram(tag, values, step) writes one")
    missing, more = [tag for tag in wanted if tag not in found], [tag for tag in sorted(found) if tag not in wanted]
    if missing or more:
        raise Unfit("; ".join(f"{said} {', '.join(tags[:3])}{', ...' * (len(tags) > 3)}" for said, tags in
                              (("no histogram has the tag", missing), ("there is a histogram with the tag", more)) if tags))  # fmt: skip
    odd = [tag for tag in wanted if len(found[tag]) != 12]
    if odd:
        raise Unfit(f"two calls left {len(found[odd[0]]) // 6} histograms under {odd[0]}, expected one each")


def runs(g, sizes=(("rzn", 4, 3, 20), ("fg", 2, 5, 3))):
    """Gradients, gates and a step; where there are three gates, the embedding has no gradient, else the last gradient is all zeros."""
    cases = []
    for names, T, B, step in sizes:
        grads = [torch.randn(shape, generator=g) for shape in ((4, 3), (4, 3), (4,))]
        values = [torch.tanh(torch.randn(T, B, 2, generator=g)) for _ in [*names, *names]]
        cases.append((grads, [*names], values, step))
    return cases


log_histograms = Exercise(
    title="Exercise 6",
    points=3,
    truth=right_histograms,
    slips=slips(
        FILES,
        ("signed", "the gradients are logged with their signs; their sizes are asked for: p.grad.abs()"),
        ("weights", "the weights are logged; asked for are the gradients' sizes, p.grad.abs()"),
        ("norms", "one number is logged for each parameter, its gradient's norm; a histogram shows all sizes: p.grad.abs()"),
        ("mean_size", "one number is logged for each parameter, its gradient's mean size; a histogram shows all sizes: p.grad.abs()"),
        ("squared", "the squares of the gradients are logged; their sizes are asked for: p.grad.abs()"),
        ("step_lost", "the step is not handed on, so that all histograms stand at step 0: add_histogram(tag, values, step)"),
        ("no_gates", "the gates are not logged", GATES),
        ("no_gradients", "the gradients are not logged"),
        ("bare", "the tags have no gradients/ or gates/ before the name"),
        ("last_gate", "only the last step's gates are logged; log all of (T, B, H)", GATES),
        ("mean_gate", "only the mean of the gates over steps and batch is logged; log all of (T, B, H)", GATES),
        ("gate_sizes", "the gates are logged without their signs, which a candidate has; log them as they are", GATES),
        ("none_fails", "a parameter that took no part has no gradient, p.grad is None; leave it out", None, ""),
        ("zero_skipped", "a gradient that is all zeros is left out; leave out only what is None"),
        ("none_zero", "a parameter without a gradient is logged as zeros; leave it out"),
        ("in_place", "the gradients themselves are changed (abs_?), and the next update is made with them; p.grad.abs() leaves them as they are"),
        ("cleared", "the gradients are gone afterwards; only look at them"),
        ("scalars", "no histogram is written (add_scalar writes a number, and no histogram): writer.add_histogram(tag, values, step)"),
    ),
    cases=runs,
    read=FILES,
    call=logged,
    words=lambda name, at, wanted, got: f"the {('gradients', 'gates')[at[0]]} have been changed; log them, and leave them as they are" if "afterwards" in name else "",
    returns=("the gradients and the gates afterwards", "the steps", "the number of values in each histogram", "the smallest value of each histogram",
             "the largest value of each histogram", "the sum of each histogram", "the sum of squares of each histogram"),
)

# ---- Exercise 7


def right_scores(nll, tokens, characters, *, base_two=False, of_sum=False, of_characters=False, per_token=False, nats=False, times=False, tokens_only=False,
                 swapped=False, base_ten=False, bits_of_perplexity=False, inverse=False):  # fmt: skip
    """Perplexity per token and bits per character from a sum in nats; with a switch on, a known mistake."""
    mean = nll / tokens
    perplexity = math.exp(nll if of_sum else nll / characters if of_characters else -mean if inverse else mean)
    perplexity = 2**mean if base_two else perplexity
    bits = mean if tokens_only else mean / math.log(2) if per_token else nll / characters * (1 if nats else math.log(2) if times else 1 / math.log(2))
    bits = nll / characters / math.log(10) if base_ten else perplexity / characters if bits_of_perplexity else bits
    return (bits, perplexity) if swapped else (perplexity, bits)


def two_numbers(result):
    if result is None or not isinstance(result, list | tuple | Tensor | np.ndarray) or len(result) != 2:
        raise Unfit("it returned nothing: is a return missing?" if result is None else f"it returned {kind(result)}, expected two numbers")
    numbers = [torch.as_tensor(a, dtype=torch.float64) for a in result]
    if any(a.numel() != 1 for a in numbers):
        raise Unfit("the perplexity and the bits per character are one number each")
    return [a.reshape(()) for a in numbers]


def totals(g, sizes=((40, 100), (200, 120), (7, 7))):
    return [(round(float(tokens * (0.5 + 2 * torch.rand((), generator=g))), 2), tokens, characters) for tokens, characters in sizes]


scores = Exercise(
    title="Exercise 7",
    points=2,
    truth=right_scores,
    slips=slips(
        SCORE,
        ("base_two", "2 is raised to nats; base and logarithm belong together: e to the nats, or 2 to the bits"),
        ("of_sum", "the perplexity is that of the whole text; divide by the number of tokens first"),
        ("of_characters", "the perplexity is one per character; it is asked for per token"),
        ("inverse", "this is the probability, e to minus the nats; the perplexity is its inverse"),
        ("per_token", "these are bits per token; divide the sum by the number of characters", FAIR),
        ("tokens_only", "the second number is nats per token; it is bits, and per character", FAIR),
        ("nats", "the second number is in nats; a bit is ln 2 nats: divide by math.log(2)"),
        ("times", "nats are multiplied with ln 2; a bit is ln 2 nats, so divide"),
        ("base_ten", "the logarithm's base is 10; bits have base 2"),
        ("bits_of_perplexity", "the second number is made from the perplexity; divide the sum of the nats by the characters, and by ln 2", FAIR),
        ("swapped", "the two come in the wrong order; the perplexity is the first"),
    ),
    cases=totals,
    read=SCORE,
    call=lambda answer, nll, tokens, characters: two_numbers(answer(nll, tokens, characters)),
    returns=("the perplexity", "the number of bits per character"),
    forbids=("rnncourse.metrics.perplexity", "rnncourse.metrics.bits_per_character"),
)

# ---- Exercise 8

DRAWS = 3000


def right_draw(logits, temperature, *, cold=False, times=False, largest=False, uniform=False, over_batch=False, one_for_all=False, no_softmax=False,
               gaussian=False, one_row=False, top=False, reseeded=False):  # fmt: skip
    """A token for each row of logits (B, V), from their softmax at a temperature; with a switch on, a known mistake."""
    if no_softmax:
        raise RuntimeError(NEGATIVE)
    if reseeded:
        torch.manual_seed(0)
    p = (logits if cold else logits * temperature if times else logits / temperature).softmax(0 if over_batch else 1)
    p = torch.ones_like(p) if uniform else p
    p = p * (p >= p.topk(2, 1)[0][:, -1:]) if top else p
    if largest:
        return logits.argmax(1)
    if gaussian:
        return (logits / temperature + torch.randn(logits.shape)).argmax(1)
    drawn = torch.multinomial(p, 1)[:, 0]  # (B,)
    return drawn[:1].expand(len(logits)) if one_for_all else torch.multinomial(p[:1].expand_as(p), 1)[:, 0] if one_row else drawn


DRAW = ((r"contains either `inf`, `nan` or element < 0|Simplex|non-negative", RuntimeError, NEGATIVE),)


def frequencies(answer, logits, temperature):
    """How often each token is drawn for each of the rows, which come many times, in turn; and whether two calls in a row draw the same."""
    random.seed(0), np.random.seed(0)
    (R, V), told = logits.shape, []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for n in (DRAWS, 50, 50):
            rows = logits.detach().repeat(n, 1)
            try:
                told.append(drawn_tokens(answer(rows, temperature), R * n, V))
            except (RuntimeError, ValueError) as error:
                raise meant(error, DRAW) from None
    logits.detach().copy_(rows[:R])  # what is done to the rows in place, to be told
    shares = torch.stack([F.one_hot(told[0][r::R], V).double().mean(0) for r in range(R)])  # (R, V)
    return [shares, torch.tensor(float(torch.equal(told[1], told[2])))]


def drawn_tokens(result, B, V):
    """The tokens that were drawn, (B,)."""
    if result is None:
        raise Unfit("it returned nothing: is a return missing?")
    drawn = integers([int(a) for a in result] if isinstance(result, list | tuple) else result)
    if drawn.shape not in ((B,), (B, 1)):
        raise Unfit(f"with logits (B, V) it returned {kind(result)}, expected one token for each row, (B,)".replace(str(B), "B"))
    if drawn.min() < 0 or drawn.max() >= V:
        raise Unfit("a token is drawn that there is not; tokens are numbers from 0 to V - 1")
    return drawn.flatten()


def drawing_words(name, at, wanted, got):
    if name == "two calls":
        return "two calls in a row with the same logits draw the same tokens"
    return f"in row {at[0]}, token {at[1]} is drawn in {got:.0%} of all cases; about {wanted:.0%} are right"


def logits_of(g, sizes=((3, 5, 0.5), (4, 6, 2.0), (2, 3, 1.0))):
    """Rows whose likely tokens differ."""
    cases = []
    for R, V, temperature in sizes:
        logits = 0.3 * torch.randn(R, V, generator=g) - 1
        logits[torch.arange(R), torch.arange(R) % V] += 1.5
        logits[torch.arange(R), (torch.arange(R) + 1) % V] += 1
        cases.append((logits, temperature))
    return cases


draw = Exercise(
    title="Exercise 8",
    points=2,
    truth=right_draw,
    slips=slips(
        SAMPLES,
        ("cold", "the temperature has no effect: it is not used, or it divides probabilities, which are normalised again; divide the logits by it, before softmax"),
        ("times", "the logits are multiplied with the temperature (or probabilities raised to it); divide the logits by it: below 1 the likely becomes likelier"),
        ("largest", "the likeliest token is taken; draw one: torch.multinomial"),
        ("uniform", "all tokens are drawn equally often; their weights are softmax(logits / temperature)"),
        ("over_batch", "the softmax goes over the batch, axis 0; the classes are axis 1"),
        ("one_for_all", "one token is drawn for all rows; each row has its own draw"),
        ("one_row", "all rows are drawn from the first row's distribution"),
        ("no_softmax", "logits, or logarithms, are used as weights, and negative ones are none: softmax(logits / temperature) comes first", None, ""),
        ("gaussian", "noise is added to the logits before argmax, but not Gumbel noise; that is no draw from their softmax"),
        ("reseeded", "each call begins with the same random numbers, so that a text would be written with one and the same; seed outside, once"),
        ("top", "only the two likeliest are drawn from; every token has its chance"),
    ),
    cases=logits_of,
    read=SAMPLES,
    call=frequencies,
    returns=("the shares of the tokens", "two calls"),
    words=drawing_words,
    axes="row token",
    atol=0.05,
    forbids=("rnncourse.decoding.sample",),
)

# ---- Exercises 9 and 10: small models that write

DECODING = tuple(f"rnncourse.decoding.{name}" for name in ("sample", "greedy", "beam", "exhaustive"))
POOL = TOYS | {  # by form: cell, V, D, H, eos, k (None: no beam), length of the start, maxlen; each a seed, and what is added to the bias of EOS
    ('GRU', 8, 4, 6, 3, None, 3, 8): ((30, 0), (152, 1), (154, 1), (226, -1), (1049, 0), (1079, -1), (1212, 2), (1311, -1), (1441, 0), (1551, 0)),
    ('RNN', 7, 5, 4, 2, None, 2, 6): ((87, 2), (128, 0), (173, -1), (238, -1), (244, -1), (279, -1), (471, 0), (533, 2), (538, -1)),
    ('GRU', 8, 4, 6, 1, None, 2, 7): ((9, -30), (17, -30), (29, -30), (32, -30), (47, -30), (57, -30), (60, -30), (65, -30), (66, -30), (76, -30)),
    ('LSTM', 7, 4, 6, 5, None, 3, 8): ((51, 1), (1278, -1)),
    ('LSTM', 9, 4, 6, 2, None, 2, 13): ((78, 0), (102, 0), (152, 2), (216, -1), (261, 0), (317, 0), (439, 1), (491, 0)),
    ('LSTM', 9, 3, 5, 1, None, 1, 9): ((7, 1), (249, 0), (342, 2), (1046, 0), (1054, 0), (1081, 1)),
    ('LSTM', 8, 4, 6, 7, None, 2, 12): ((107, 2), (120, -1), (154, 1), (165, 1), (203, 1), (215, 1), (240, 2)),
    ('GRU', 9, 3, 5, 1, None, 2, 9): ((38, 1), (318, 2), (329, 0), (1032, 1), (1062, -1), (1076, 0), (1132, 0), (1224, -1), (1339, 0), (1419, -1)),
    ('RNN', 8, 4, 6, 4, None, 1, 7): ((16, 2), (39, 0), (50, -1), (51, -1), (60, -1), (63, 2), (85, 2), (98, 1), (134, 1), (138, -1)),
    ('LSTM', 8, 3, 5, 6, None, 2, 6): ((95, -30), (119, -30), (154, -30), (263, -30), (271, -30), (281, -30), (306, -30), (339, -30), (381, -30), (407, -30)),
}  # fmt: skip


@torch.no_grad()
def nats(model, batch):
    """What a batch (T, B) costs a model, in nats, summed over all that is asked for, and how many tokens that is."""
    real = batch[1:] != PAD  # (T - 1, B)
    n = int(real.sum())
    return n * token_nll(model(batch[:-1])[0], batch[1:], real).item(), n


# ---- Exercise 9


def right_generate(rnn, emb, decoder, eos, start, maxlen, *, state_lost=False, only_h=False, h_alone=False, same_input=False, start_last=False, start_first=False,
                   start_again=False, first_output=False, goes_on=False, counts_start=False, one_short=False, one_long=False, no_decoder=False,
                   drawn=False, eos_fixed=False, wrong_axis=False, reread=False, negative=False, start_lost=False):  # fmt: skip
    """The likeliest token again and again, as numbers after the start; with a switch on, a known mistake."""
    model, ids, out = Toy(rnn, emb, decoder), string2code(start).tolist(), []
    if h_alone and isinstance(rnn, nn.LSTM):
        raise IndexError(H_ALONE)
    if negative:
        raise RuntimeError(NEGATIVE)
    first = ids[-1:] if start_last else ids[:1] if start_first else ids
    scores, state = read_on(model, first)
    scores = read_on(model, ids[:1])[0] if first_output else scores
    if start_again:
        scores, state = read_on(model, ids[-1:], state)
    for _ in range(maxlen - counts_start * len(ids) - one_short + (one_long and not one_short)):
        choice = rnn(emb(torch.tensor([*first, *out])[:, None]))[0][-1, 0] if no_decoder else scores  # (V,)
        token = int(torch.multinomial(choice.softmax(-1), 1) if drawn else choice.argmax())
        out.append(0 if wrong_axis else token)
        if out[-1] == (1 if eos_fixed else eos) and not goes_on:
            return [*ids, *out[:-1]]
        if only_h and isinstance(state, tuple):
            state = (state[0], torch.zeros_like(state[1]))
        scores, state = read_on(model, [*ids, *out] if reread and not state_lost else ids[-1:] if same_input else out[-1:], None if state_lost or start_lost and len(out) == 1 else state)
    return [*ids, *out]


WRITERS = (("GRU", 8, 4, 6, 3, 3, 8), ("LSTM", 9, 3, 5, 1, 1, 9), ("RNN", 7, 5, 4, 2, 2, 6), ("LSTM", 8, 4, 6, 7, 2, 12), ("GRU", 8, 4, 6, 1, 2, 7))


def writers(g, forms=WRITERS):
    """Small models that write, of these forms: cell, V, D, H, eos, length of the start, maxlen."""
    return [(cell, *pooled(g, cell, V, D, H, eos, None, n, maxlen, pool=POOL)) for cell, V, D, H, eos, n, maxlen in forms]


generate = Exercise(
    title="Exercise 9",
    points=4,
    truth=right_generate,
    slips=slips(
        GENERATE,
        *WRITES,
        ("start_lost", "the state after the start is thrown away: the first token that was chosen is read from zeros; hand on the state from the start, too"),
        ("h_alone", "an LSTM's state is the pair (h, c); hand on whatever rnn returns as its state, and it works for all three", None, ""),
        ("same_input", "each step reads the start's last token again; the token that was chosen is what the next step reads"),
        ("reread", "the whole text is read again at each step, from a state that has read it already; either carry the state and read the last token, or "
         "read all from no state"),
        ("start_first", "only the first character of the start is read; read all of it before the first token is chosen"),
        ("start_again", "the last character of the start is read twice; once the start is read, its output chooses the first token"),
        ("first_output", "the first token is chosen after the first character of the start; take the output at its end, out[-1]"),
        ("goes_on", "it goes on after EOS; stop there"),
        ("no_decoder", "the largest unit of the state is taken for a token; decoder(out) gives the scores of the tokens"),
        ("drawn", "tokens are drawn; asked for is the likeliest: argmax"),
        ("wrong_axis", "every token is 0: argmax goes over an axis of one entry; the tokens are the last axis, argmax(-1)"),
        ("negative", "logits, or logarithms, are used as weights to draw with, and negative ones are none; asked for is argmax", None, ""),
    ),
    cases=writers,
    read=GENERATE,
    call=written,
    settle=meaning,
    returns=("the length", "what follows the start"),
    words=written_words,
    forbids=DECODING,
    lends=ALPHABET,
)

# ---- Exercise 10

generate_beam = Exercise(
    title="Exercise 10",
    points=5,
    truth=right_beam,
    slips=slips(GENERATE, *WRITES) + slips(BEAM, *BEAM_SLIPS),
    cases=beams,
    read=BEAM,
    call=written,
    settle=meaning,
    returns=("the length", "what follows the start"),
    words=written_words,
    forbids=DECODING,
    lends=ALPHABET,
)
