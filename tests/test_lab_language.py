"""Lab 4: wrong answers as students write them, and what the lab promises. What holds for all labs stands in test_labs.py."""

import re
from functools import partial
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from banks import modules, noting, refused

from rnncourse.checks import CheckFailed

FOLDER = Path(__file__).parents[1] / "solutions" / "language"
LAB = modules("language")
check, right, EXERCISES = LAB.check, LAB.right, LAB.exercises
WRONG = []
wrong = noting(WRONG)
PAD, EOS = 0, 1
string2code = code2string = masked_cross_entropy = None  # a check lends them


# Exercise 1


@wrong("sentence_ids", "mark_lost", "not_lines")
def answer(text, ids):
    return [torch.tensor([ids[c] for c in s.strip() if c in ids]) for s in re.split(r"[.?!]+(?:\s+|$)", text) if s.strip()]


@wrong("sentence_ids", "eaten")
def answer(text, ids):
    return [torch.tensor([ids[c] for c in s.strip() if c in ids]) for s in re.split(r"[.?!]\s|\n", text) if s.strip()]


@wrong("sentence_ids", "not_lines")
def answer(text, ids):
    return [torch.tensor([ids[c] for c in s.strip() if c in ids]) for s in re.split(r"(?<=[.?!])\s+", text) if s.strip()]


@wrong("sentence_ids", "only_lines")
def answer(text, ids):
    return [[ids[c] for c in s.strip() if c in ids] for s in text.splitlines() if s.strip()]


@wrong("sentence_ids", "eos")
def answer(text, ids):
    return [torch.cat([s, torch.tensor([1])]) for s in right.ids_int32(text, ids)]


@wrong("sentence_ids", "unknown_fails")
def answer(text, ids):
    return [torch.tensor([ids[c] for c in s]) for s in (p.strip() for p in re.split(r"(?<=[.!?])\s|\n", text)) if s]


@wrong("sentence_ids", "whole")
def answer(text, ids):
    return [torch.cat(right.ids_int32(text, ids))]


@wrong("sentence_ids")
def answer(text, ids):
    return right.ids_by_sub(text, ids)[0]


@wrong("sentence_ids", "rest_lost")
def answer(text, ids):
    found = [s for line in text.split("\n") for s in re.findall(r"\S.*?[.?!](?=\s|$)", line)]
    return [torch.tensor([ids[c] for c in s if c in ids]) for s in found]


def cutting(cut=r"\n|(?<=[.?!])\s", strip=str.strip, keep=str.strip, number=lambda ids, c: [ids[c]] if c in ids else [], more=lambda found: found):
    """An answer as most write it, with one thing wrong."""
    return lambda text, ids: more([torch.tensor([n for c in strip(s) for n in number(ids, c)]).long() for s in re.split(cut, text) if keep(s)])


wrong("sentence_ids", "no_exclamation")(cutting(r"\n|(?<=[.?])\s"))
wrong("sentence_ids", "only_dots")(cutting(r"\n|(?<=[.])\s"))
wrong("sentence_ids", "pauses")(cutting(r"\n|(?<=[.?!;:])\s"))
wrong("sentence_ids", "quotes")(cutting(r"\n|(?<=[.?!])\"?\s"))
wrong("sentence_ids", "one_space")(cutting(strip=str))
wrong("sentence_ids", "unstripped")(lambda text, ids: [s for line in text.split("\n") for s in cutting(r"(?<=[.?!])\s+", strip=str)(line, ids)])
wrong("sentence_ids", "unknown_zero")(cutting(number=lambda ids, c: [ids.get(c, 0)]))
wrong("sentence_ids", "unknown_one")(cutting(number=lambda ids, c: [ids.get(c, 1)]))
wrong("sentence_ids", "short_lost")(cutting(more=lambda found: [s for s in found if len(s) > 1]))
wrong("sentence_ids", "once")(cutting(more=lambda found: [torch.tensor(s) for s in dict.fromkeys(tuple(s.tolist()) for s in found)]))
wrong("sentence_ids", "blank")(lambda text, ids: [s for line in text.split("\n") for s in cutting(r"(?<=[.?!])\s+", keep=len)(line, ids)])
wrong("sentence_ids")(cutting(strip=str.lstrip))
wrong("sentence_ids")(cutting(strip=lambda s: s.strip(" ")))
wrong("sentence_ids")(cutting(r"\n|(?<=[.?!]) "))
wrong("sentence_ids")(cutting(more=lambda found: [s[:50] for s in found]))


# Exercise 2


def ended(samples):
    return [torch.cat([s, torch.tensor([EOS], dtype=s.dtype)]) for s in samples]


@wrong("pad_collate_fn", "batch_first")
def answer(samples):
    return nn.utils.rnn.pad_sequence(ended(samples), batch_first=True)


@wrong("pad_collate_fn", "no_eos")
def answer(samples):
    return nn.utils.rnn.pad_sequence(samples, padding_value=PAD)


@wrong("pad_collate_fn", "eos_after")
def answer(samples):
    padded = nn.utils.rnn.pad_sequence(samples)
    return torch.cat([padded, torch.full((1, len(samples)), EOS)])


@wrong("pad_collate_fn", "batch_first", "eos_after")
def answer(samples):
    longest = max(map(len, samples))
    return torch.stack([torch.cat([s, torch.zeros(longest - len(s), dtype=s.dtype), torch.tensor([EOS])]) for s in samples])


@wrong("pad_collate_fn", "floats")
def answer(samples):
    batch = torch.zeros(max(map(len, samples)) + 1, len(samples))
    for j, s in enumerate(ended(samples)):
        batch[: len(s), j] = s
    return batch


@wrong("pad_collate_fn", "pad_one")
def answer(samples):
    return nn.utils.rnn.pad_sequence(ended(samples), padding_value=EOS)


@wrong("pad_collate_fn", "ordered")
def answer(samples):
    return nn.utils.rnn.pad_sequence(sorted(ended(samples), key=len, reverse=True))


@wrong("pad_collate_fn", "no_pad")
def answer(samples):
    return torch.stack(ended(samples), dim=1)


@wrong("pad_collate_fn", "no_pad")
def answer(samples):
    return torch.tensor([s.tolist() for s in ended(samples)]).T


@wrong("pad_collate_fn", "listed")
def answer(samples):
    longest = max(map(len, samples)) + 1
    return [F.pad(s, (0, longest - len(s))) for s in ended(samples)]


@wrong("pad_collate_fn", "eos_first")
def answer(samples):
    return nn.utils.rnn.pad_sequence([F.pad(s, (1, 0), value=EOS) for s in samples])


@wrong("pad_collate_fn", "shortest_ended")
def answer(samples):
    n = min(map(len, samples))
    return torch.stack(ended([s[:n] for s in samples]), dim=1)


@wrong("pad_collate_fn", "longest_cut")
def answer(samples):
    T = max(map(len, samples))
    return torch.stack([F.pad(s, (0, T))[:T] for s in ended(samples)], dim=1)


@wrong("pad_collate_fn")
def answer(samples):
    batch = torch.empty(max(map(len, samples)) + 1, len(samples), dtype=torch.long)
    for j, s in enumerate(ended(samples)):
        batch[: len(s), j] = s
    return batch


@wrong("pad_collate_fn")
def answer(samples):
    nn.utils.rnn.pad_sequence(ended(samples))


# Exercise 3


@wrong("masked_cross_entropy", "class_axis")
def answer(output, target, pad_index):
    loss = F.cross_entropy(output, target, reduction="none")
    return (loss * (target != pad_index)).sum() / (target != pad_index).sum()


@wrong("masked_cross_entropy", "the_class")
def answer(output, target, pad_index):
    loss = nn.CrossEntropyLoss(output.transpose(1, 2), target, reduction="none")
    return (loss * (target != pad_index)).sum()


@wrong("masked_cross_entropy", "the_class")
def answer(output, target, pad_index):
    loss = nn.CrossEntropyLoss(reduction="none")
    return (loss * (target != pad_index)).mean()


@wrong("masked_cross_entropy", "pads_counted")
def answer(output, target, pad_index):
    mask = output != pad_index  # of the logits: nearly all of them
    loss = F.cross_entropy(output.transpose(1, 2), target, reduction="none")
    return (loss * mask[..., 0]).sum() / mask[..., 0].sum()


@wrong("masked_cross_entropy", "mask_argmax")
def answer(output, target, pad_index):
    mask = output.argmax(-1) != pad_index
    return F.cross_entropy(output.transpose(1, 2), target, reduction="none")[mask].mean()


@wrong("masked_cross_entropy", "pads_counted")
def answer(output, target, pad_index):
    mask = (target != pad_index).float()
    loss = F.cross_entropy(output.transpose(1, 2), target, reduce=None)
    return (loss * mask).sum() / mask.sum()


@wrong("masked_cross_entropy", "mean_first")
def answer(output, target, pad_index):
    loss = nn.CrossEntropyLoss(reduce=None)(output.flatten(0, 1), target.flatten())
    return (loss * (target != pad_index)).sum()


@wrong("masked_cross_entropy", "mean_share")
def answer(output, target, pad_index):
    loss = nn.CrossEntropyLoss(reduce="none")(output.flatten(0, 1), target.flatten())
    return (loss * (target != pad_index)).mean()


@wrong("masked_cross_entropy", "over_all")
def answer(output, target, pad_index):
    loss = F.cross_entropy(output.permute(0, 2, 1), target, reduction="none")
    return (loss * (target != pad_index)).mean()


@wrong("masked_cross_entropy", "summed")
def answer(output, target, pad_index):
    return F.cross_entropy(output.permute(1, 2, 0), target.T, reduction="none")[(target != pad_index).T].sum()


@wrong("masked_cross_entropy", "inverted")
def answer(output, target, pad_index):
    mask = target == pad_index
    return F.cross_entropy(output[mask], target[mask])


@wrong("masked_cross_entropy", "per_token")
def answer(output, target, pad_index):
    return F.cross_entropy(output.permute(0, 2, 1), target, reduction="none") * (target != pad_index)


@wrong("masked_cross_entropy", "per_real")
def answer(output, target, pad_index):
    mask = target != pad_index
    return F.cross_entropy(output[mask], target[mask], reduction="none")


@wrong("masked_cross_entropy", "index_flat")
def answer(output, target, pad_index):
    mask = (target != pad_index).flatten().long()
    return F.cross_entropy(output.flatten(0, 1), target.flatten(), reduction="none")[mask].mean()


@wrong("masked_cross_entropy", "index_rows")
def answer(output, target, pad_index):
    mask = torch.where(target == pad_index, 0, 1)
    return F.cross_entropy(output.permute(0, 2, 1), target, reduction="none")[mask].mean()


@wrong("masked_cross_entropy", "as_mask")
def answer(output, target, mask):
    loss = F.cross_entropy(output.permute(0, 2, 1), target, reduction="none")
    return (loss * mask).sum() / mask.sum()


@wrong("masked_cross_entropy", "pad_factor")
def answer(output, target, mask):
    return (F.cross_entropy(output.permute(0, 2, 1), target, reduction="none") * mask).mean()


@wrong("masked_cross_entropy", "pad_zero")
def answer(output, target, pad_index):
    return F.cross_entropy(output[target != 0], target[target != 0])


@wrong("masked_cross_entropy", "view")
def answer(output, target, pad_index):
    loss = F.cross_entropy(output.view(-1, output.shape[-1]), target.view(-1), reduction="none")
    mask = target.view(-1) != pad_index
    return (loss * mask).sum() / mask.sum()


@wrong("masked_cross_entropy", "reshaped")
def answer(output, target, pad_index):
    T, B, V = output.shape
    loss = F.cross_entropy(output.reshape(T, V, B), target, reduction="none")
    return loss[target != pad_index].mean()


@wrong("masked_cross_entropy", "over_batch")
def answer(output, target, pad_index):
    return -F.log_softmax(output, dim=1).gather(2, target[..., None])[..., 0][target != pad_index].mean()


@wrong("masked_cross_entropy", "over_time", "summed")
def answer(output, target, pad_index):
    return -F.log_softmax(output, dim=0).gather(2, target[..., None])[..., 0][target != pad_index].sum()


@wrong("masked_cross_entropy", "gathered")
def answer(output, target, pad_index):
    return -F.log_softmax(output, dim=2).gather(2, target)[target != pad_index].mean()


@wrong("masked_cross_entropy", "cut")
def answer(output, target, pad_index):
    return F.cross_entropy(output[target != pad_index], target[target != pad_index]).item()


@wrong("masked_cross_entropy", "looped")
def answer(output, target, pad_index):
    total = n = 0
    for t in range(len(target)):
        for b in range(target.shape[1]):
            if target[t, b] != pad_index:
                total, n = total - output[t, b].log_softmax(0)[target[t, b]], n + 1
    return total / n


@wrong("masked_cross_entropy", "looped")
def answer(output, target, pad_index):
    total = 0
    for o, y in zip(output, target):
        total = total + (F.cross_entropy(o, y, reduction="none") * (y != pad_index)).sum()
    return total / (target != pad_index).sum()


@wrong("masked_cross_entropy", "per_sequence")
def answer(output, target, pad_index):
    mask = (target != pad_index).float()
    loss = F.cross_entropy(output.permute(0, 2, 1), target, reduction="none") * mask
    return (loss.sum(0) / mask.sum(0)).mean()


@wrong("masked_cross_entropy", "zeroed_all")
def answer(output, target, pad_index):
    mask = (target != pad_index).unsqueeze(-1)
    return F.cross_entropy((output * mask).flatten(0, 1), target.flatten())


@wrong("masked_cross_entropy", "underflow")
def answer(output, target, pad_index):
    p = torch.softmax(output, -1).gather(-1, target[..., None])[..., 0]
    return -torch.log(p)[target != pad_index].mean()


@wrong("masked_cross_entropy")
def answer(output, target, pad_index):
    return F.cross_entropy(output.flatten(0, 1), target.flatten(), ignore_index=pad_index)


@wrong("masked_cross_entropy")
def answer(output, target, pad_index):
    return nn.NLLLoss(ignore_index=pad_index)(output.log_softmax(-1).flatten(0, 1), target.flatten())


@wrong("masked_cross_entropy", "zero_losses")
def answer(output, target, pad_index):
    loss = F.cross_entropy(output.permute(0, 2, 1), target, reduction="none") * (target != pad_index)
    return loss.sum() / (loss != 0).sum()


@wrong("masked_cross_entropy", "zero_losses")
def answer(output, target, pad_index):
    loss = F.cross_entropy(output.permute(0, 2, 1), target, reduction="none") * (target != pad_index)
    return loss[loss > 0].mean()


@wrong("masked_cross_entropy", "mismatched")
def answer(output, target, pad_index):
    mask = target != pad_index
    return F.cross_entropy(output.transpose(0, 1).flatten(0, 1)[mask.flatten()], target[mask])


@wrong("masked_cross_entropy", "looped")
def answer(output, target, pad_index):
    total = sum(F.cross_entropy(output[y != pad_index, b], y[y != pad_index], reduction="sum") for b, y in enumerate(target.T))
    return total / (target != pad_index).sum()


@wrong("masked_cross_entropy")
def answer(output, target, pad_index):
    return F.cross_entropy(output.flatten(0, 1), target.masked_fill(target == pad_index, -100).flatten())


@wrong("masked_cross_entropy")
def answer(output, target, pad_index):
    return F.nll_loss(output.log_softmax(-1).flatten(0, 1), torch.where(target == pad_index, -100, target).flatten())


@wrong("masked_cross_entropy")
def answer(output, target, pad_index):
    return torch.ops.aten.nll_loss(output.log_softmax(-1).flatten(0, 1), target.flatten(), None, 1, pad_index)


# Exercise 4


@wrong("embed", "pad_grad")
def answer(ids, W):
    return F.embedding(ids, W, padding_idx=0)


@wrong("embed")
def answer(ids, W):
    return F.embedding(ids, W, scale_grad_by_freq=True)


@wrong("embed")
def answer(ids, W):
    return F.one_hot(ids).float() @ W  # as many classes as happen to occur


@wrong("embed", "bag")
def answer(ids, W):
    return W[ids].sum(0)


@wrong("embed", "cut")
def answer(ids, W):
    return nn.Embedding.from_pretrained(W)(ids)


@wrong("embed", "pad_zero")
def answer(ids, W):
    return W[ids] * (ids != PAD).unsqueeze(-1)


@wrong("embed", "ids_float")
def answer(ids, W):
    return F.one_hot(ids.long(), len(W)) @ W


@wrong("embed")
def answer(ids, W):
    return nn.Embedding(*W.shape)(ids)


# Exercise 5


def stepping(inputs=slice(None, -1), targets=slice(1, None), zero=True, clip=True, step=True, told=None):
    """An answer as most write it, with one thing wrong."""

    def answer(model, optimizer, batch, max_norm):
        loss = F.cross_entropy(model(batch[inputs])[0].flatten(0, 1), batch[targets].flatten(), ignore_index=PAD)
        if zero:
            optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm if clip else float("inf"))
        if step:
            optimizer.step()
        return told(loss, norm) if told else (loss.item(), norm)

    return answer


wrong("train_step", "copies")(stepping(targets=slice(None, -1)))
wrong("train_step", "all_targets")(stepping(inputs=slice(None), targets=slice(None)))
wrong("train_step", "backwards")(stepping(inputs=slice(1, None), targets=slice(None, -1)))
wrong("train_step", "kept")(stepping(zero=False))
wrong("train_step", "no_clip")(stepping(clip=False))
wrong("train_step", "no_step")(stepping(step=False))
wrong("train_step", "only_loss")(stepping(told=lambda loss, norm: loss.item()))
wrong("train_step", "swapped")(stepping(told=lambda loss, norm: (norm.item(), loss.item())))
wrong("train_step", "kept", "no_clip")(stepping(zero=False, clip=False))


@wrong("train_step", "by_hand")
def answer(model, optimizer, batch, max_norm):
    loss, norm = stepping(step=False)(model, optimizer, batch, max_norm)
    with torch.no_grad():
        for p in model.parameters():
            p -= optimizer.param_groups[0]["lr"] * p.grad
    return loss, norm


@wrong("train_step")
def answer(model, optimizer, batch, max_norm):
    model.eval()
    return stepping()(model, optimizer, batch, max_norm)


@wrong("train_step", "fixed_norm")
def answer(model, optimizer, batch, max_norm):
    return stepping()(model, optimizer, batch, 1.0)


@wrong("train_step", "transposed")
def answer(model, optimizer, batch, max_norm):
    return stepping()(model, optimizer, batch.T, max_norm)


@wrong("train_step", "mask_inputs")
def answer(model, optimizer, batch, max_norm):
    mask = batch[:-1] != PAD
    loss = F.cross_entropy(model(batch[:-1])[0][mask], batch[1:][mask])
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return loss, norm


@wrong("train_step", "always_scaled")
def answer(model, optimizer, batch, max_norm):
    loss = masked_cross_entropy(model(batch[:-1])[0], batch[1:], PAD)
    optimizer.zero_grad()
    loss.backward()
    norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
    for p in model.parameters():
        p.grad *= max_norm / norm
    optimizer.step()
    return loss, norm


wrong("train_step")(stepping(told=lambda loss, norm: (loss, None)))


@wrong("train_step", "pads")
def answer(model, optimizer, batch, max_norm):
    loss = F.cross_entropy(model(batch[:-1])[0].transpose(1, 2), batch[1:])
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return loss, norm


@wrong("train_step", "pair")
def answer(model, optimizer, batch, max_norm):
    loss = masked_cross_entropy(model(batch[:-1]), batch[1:], PAD)
    loss.backward()
    return loss, loss


@wrong("train_step", "no_step")
def answer(model, optimizer, batch, max_norm):
    logits, _ = model(batch[:-1])
    loss = masked_cross_entropy(logits, batch[1:], PAD)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.zero_grad()
    optimizer.step()
    return loss.item(), norm.item()


@wrong("train_step", "clip_values")
def answer(model, optimizer, batch, max_norm):
    logits, _ = model(batch[:-1])
    loss = masked_cross_entropy(logits, batch[1:], PAD)
    optimizer.zero_grad()
    loss.backward()
    norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
    nn.utils.clip_grad_value_(model.parameters(), max_norm)
    optimizer.step()
    return loss.item(), norm.item()


@wrong("train_step", "detached")
def answer(model, optimizer, batch, max_norm):
    with torch.no_grad():
        logits, _ = model(batch[:-1])
        loss = masked_cross_entropy(logits, batch[1:], PAD)
    optimizer.zero_grad()
    loss.backward()
    return loss, 0.0


# Exercise 6


def logging(size=torch.abs, prefix=("gradients/", "gates/"), at=None, skip=True, gate=lambda v: v):
    def answer(writer, step, model, gates):
        for name, p in model.named_parameters():
            if p.grad is not None or not skip:
                writer.add_histogram(prefix[0] + name, size(p.grad), step if at is None else at)
        for name, v in gates.items():
            writer.add_histogram(prefix[1] + name, gate(v), step if at is None else at)

    return answer


wrong("log_histograms", "signed")(logging(size=lambda g: g))
wrong("log_histograms", "norms")(logging(size=lambda g: g.norm()))
wrong("log_histograms", "squared")(logging(size=torch.square))
wrong("log_histograms", "bare")(logging(prefix=("", "")))
wrong("log_histograms", "step_lost")(logging(at=0))
wrong("log_histograms", "none_fails")(logging(skip=False))
wrong("log_histograms", "last_gate")(logging(gate=lambda v: v[-1]))
wrong("log_histograms", "in_place")(logging(size=torch.Tensor.abs_))
wrong("log_histograms")(logging(prefix=("grad/", "gates/")))
wrong("log_histograms", "scalars")(lambda writer, step, model, gates: None)


@wrong("log_histograms", "no_gates")
def answer(writer, step, model, gates):
    for name, p in model.named_parameters():
        if p.grad is not None:
            writer.add_histogram(f"gradients/{name}", p.grad.abs(), step)


@wrong("log_histograms", "zero_skipped")
def answer(writer, step, model, gates):
    for name, p in model.named_parameters():
        if p.grad is not None and p.grad.any():
            writer.add_histogram(f"gradients/{name}", p.grad.abs(), step)
    for name, v in gates.items():
        writer.add_histogram(f"gates/{name}", v, step)


@wrong("log_histograms")
def answer(writer, step, model, gates):
    logging()(writer, step, model, gates)
    for v in gates.values():
        v.zero_()


@wrong("log_histograms")
def answer(writer, step, model, gates):
    logging()(writer, step, model, gates)
    writer.close()


# Exercise 7


wrong("scores", "base_two")(lambda nll, tokens, characters: (2 ** (nll / tokens), nll / characters / np.log(2)))
wrong("scores", "of_sum")(lambda nll, tokens, characters: (np.exp(nll), nll / characters / np.log(2)))
wrong("scores", "nats")(lambda nll, tokens, characters: (np.exp(nll / tokens), nll / characters))
wrong("scores", "per_token")(lambda nll, tokens, characters: (np.exp(nll / tokens), np.log2(np.exp(nll / tokens))))
wrong("scores", "times", "base_two")(lambda nll, tokens, characters: (2 ** (nll / tokens), nll / characters * np.log(2)))
wrong("scores")(lambda nll, tokens, characters: np.exp(nll / tokens))


# Exercise 8


wrong("draw", "no_softmax")(lambda logits, temperature: torch.multinomial(logits / temperature, 1)[:, 0])
wrong("draw", "no_softmax")(lambda logits, temperature: torch.multinomial(F.log_softmax(logits / temperature, 1), 1))
wrong("draw", "cold")(lambda logits, temperature: torch.multinomial(logits.softmax(1) / temperature, 1)[:, 0])
wrong("draw", "times")(lambda logits, temperature: torch.multinomial(logits.softmax(1) ** temperature, 1)[:, 0])
wrong("draw", "largest")(lambda logits, temperature: (logits / temperature).softmax(1).argmax(1))
wrong("draw", "uniform")(lambda logits, temperature: torch.randint(logits.shape[1], (len(logits),)))
wrong("draw", "one_for_all")(lambda logits, temperature: torch.multinomial((logits / temperature).softmax(1), 1)[:1, 0].expand(len(logits)))
wrong("draw", "over_batch")(lambda logits, temperature: torch.multinomial((logits / temperature).softmax(0), 1)[:, 0])
wrong("draw")(lambda logits, temperature: (logits / temperature).softmax(1))
wrong("draw", "gaussian")(lambda logits, temperature: (logits / temperature + torch.log(-torch.log(torch.rand_like(logits)))).argmax(1))


@wrong("draw", "reseeded")
def answer(logits, temperature):
    torch.manual_seed(0)
    return torch.multinomial((logits / temperature).softmax(1), 1)[:, 0]


@wrong("draw", "reseeded")
def answer(logits, temperature):
    return torch.multinomial((logits / temperature).softmax(1), 1, generator=torch.Generator().manual_seed(0))[:, 0]


@wrong("draw", "reseeded")
def answer(logits, temperature):
    return (logits / temperature + torch.tensor(np.random.default_rng(0).gumbel(size=logits.shape))).argmax(1)


# Exercise 9


def writing(carry=lambda h: h, pick=lambda s: s.argmax(-1), feed=lambda token, first: token, first=lambda ids: ids, stops=True, count=lambda n, start: n):
    """An answer as most write it, with one thing wrong."""

    def answer(rnn, emb, decoder, eos, start, maxlen):
        ids = first(string2code(start))
        out, h = rnn(emb(ids[:, None]))
        written = []
        for _ in range(count(maxlen, start)):
            token = pick(decoder(out[-1:])).view(1, 1)
            if token.item() == eos and stops:
                break
            written.append(token.item())
            out, h = rnn(emb(feed(token, ids[-1:, None])), carry(h))
        return start + code2string(written)

    return answer


wrong("generate", "state_lost")(writing(carry=lambda h: None))
wrong("generate", "only_h")(writing(carry=lambda h: (h[0], torch.zeros_like(h[1])) if isinstance(h, tuple) else h))
wrong("generate", "h_alone")(writing(carry=lambda h: h[0] if isinstance(h, tuple) else h))
wrong("generate", "same_input")(writing(feed=lambda token, start: start))
wrong("generate", "start_last")(writing(first=lambda ids: ids[-1:]))
wrong("generate", "start_first")(writing(first=lambda ids: ids[:1]))
wrong("generate", "goes_on")(writing(stops=False))
wrong("generate", "counts_start")(writing(count=lambda n, start: n - len(start)))
wrong("generate", "one_short")(writing(count=lambda n, start: n - 1))
wrong("generate", "one_long")(writing(count=lambda n, start: n + 1))
wrong("generate")(writing(first=lambda ids: ids.flip(0)))
wrong("generate", "drawn")(writing(pick=lambda s: torch.multinomial(s[0, 0].softmax(-1), 1)))
wrong("generate", "negative")(writing(pick=lambda s: torch.multinomial(s[0, 0], 1)))
wrong("generate", "wrong_axis")(writing(pick=lambda s: s.argmax(0)[0, :1]))


@wrong("generate", "eos_fixed")
def answer(rnn, emb, decoder, eos, start, maxlen):
    return writing()(rnn, emb, decoder, EOS, start, maxlen)


@wrong("generate", "start_lost")
def answer(rnn, emb, decoder, eos, start, maxlen):
    state, out, written = None, rnn(emb(string2code(start)[:, None]))[0], []
    while len(written) < maxlen and (token := decoder(out[-1, 0]).argmax().item()) != eos:
        written.append(token)
        out, state = rnn(emb(torch.tensor([[token]])), state)
    return written


@wrong("generate")
def answer(rnn, emb, decoder, eos, start, maxlen):
    text = writing()(rnn, emb, decoder, eos, start, maxlen)
    with torch.no_grad():
        decoder.bias[eos] += 1
    return text


@wrong("generate", "reread")
def answer(rnn, emb, decoder, eos, start, maxlen):
    ids, h = string2code(start).tolist(), None
    for _ in range(maxlen):
        out, h = rnn(emb(torch.tensor(ids)[:, None]), h)
        token = decoder(out[-1, 0]).argmax().item()
        if token == eos:
            break
        ids.append(token)
    return ids


@wrong("generate")
def answer(rnn, emb, decoder, eos, start, maxlen):
    out, h = rnn(emb(start))
    return decoder(out).argmax(-1)


# Exercise 10


def searching(ends=True, first_stop=False, score=lambda total, gain: total + gain, state=lambda beam, j, parent: parent, scores=lambda s: s.log_softmax(0),
              width=lambda k, V: min(k, V), best=lambda beam, eos: beam[0], keep=lambda beam: True):
    """A beam as most write it, with one thing wrong."""

    def answer(rnn, emb, decoder, eos, k, start, maxlen):
        out, h = rnn(emb(string2code(start)[:, None]))
        beam = [(0.0, [], scores(decoder(out[-1, 0])), h)]
        for _ in range(maxlen):
            new = [(*line, None) for line in beam if line[1][-1:] == [eos] and ends and keep(line)]
            for line in beam:
                if line[1][-1:] != [eos] or not ends:
                    top = line[2].topk(width(k, len(line[2])))
                    new += [(score(line[0], p), [*line[1], i], line[3], i, line) for p, i in zip(top.values.tolist(), top.indices.tolist())]
            new = sorted(new, key=lambda a: -a[0])[:k]
            old, beam, slot = beam, [], 0
            for total, tokens, h, token, parent in new:
                if parent is None:
                    beam.append((total, tokens, h, token))
                    continue
                h = state([line[3] for line in old], slot, h)
                slot += 1
                out, h = rnn(emb(torch.tensor([[token]])), h)
                beam.append((total, tokens, scores(decoder(out[0, 0])), h))
            if first_stop and any(line[1][-1] == eos for line in beam):
                return next(line[1] for line in beam if line[1][-1] == eos)
            if ends and all(line[1][-1] == eos for line in beam):
                break
        return best(beam, eos)[1]

    return answer


def only_ended(beam, eos):
    return max(line[:2] for line in beam if line[1][-1] == eos)


wrong("generate_beam", "goes_on")(searching(ends=False))
wrong("generate_beam", "first_eos")(searching(first_stop=True))
wrong("generate_beam", "last_only")(searching(score=lambda total, gain: gain))
wrong("generate_beam", "state_lost")(searching(state=lambda states, j, parent: None))
wrong("generate_beam", "shared")(searching(state=lambda states, j, parent: states[0]))
wrong("generate_beam", "stale_states")(searching(state=lambda states, j, parent: states[min(j, len(states) - 1)]))
wrong("generate_beam", "raw")(searching(scores=lambda s: s))
wrong("generate_beam", "summed")(searching(scores=lambda s: s.softmax(0)))
wrong("generate_beam", "k_fails")(searching(width=lambda k, V: k))
wrong("generate_beam", "worst")(searching(best=lambda beam, eos: beam[-1]))
wrong("generate_beam", "only_ended")(searching(best=only_ended))
wrong("generate_beam", "ended_lost")(searching(keep=lambda line: False))
wrong("generate_beam", "normalised")(searching(best=lambda beam, eos: max(beam, key=lambda line: line[0] / len(line[1]))))
wrong("generate_beam", "h_alone")(searching(state=lambda states, j, parent: parent[0] if isinstance(parent, tuple) else parent))
wrong("generate_beam")(searching(scores=lambda s: 1 / s.softmax(0)))
wrong("generate_beam")(lambda rnn, emb, decoder, eos, k, start, maxlen: None)


wrong("generate_beam", "only_h")(searching(state=lambda states, j, parent: (parent[0], torch.zeros_like(parent[1])) if isinstance(parent, tuple) else parent))
wrong("generate_beam", "ended_first")(searching(best=lambda beam, eos: next((line for line in beam if line[1][-1] == eos), beam[0])))


@wrong("generate_beam", "one_long")
def answer(rnn, emb, decoder, eos, k, start, maxlen):
    return searching()(rnn, emb, decoder, eos, k, start, maxlen + 1)


@wrong("generate_beam")
def answer(rnn, emb, decoder, eos, k, start, maxlen):
    return searching()(rnn, emb, decoder, eos, 3, start, maxlen)


@wrong("generate_beam", "eos_fixed")
def answer(rnn, emb, decoder, eos, k, start, maxlen):
    return searching()(rnn, emb, decoder, EOS, k, start, maxlen)


@wrong("generate_beam", "greedy")
def answer(rnn, emb, decoder, eos, k, start, maxlen):
    return writing()(rnn, emb, decoder, eos, start, maxlen)


@wrong("generate_beam", "top_drawn")
def answer(rnn, emb, decoder, eos, k, start, maxlen):
    def pick(s):
        p, ids = s[0, 0].softmax(-1).topk(min(k, s.shape[-1]))
        return ids[torch.multinomial(p / p.sum(), 1)]

    return writing(pick=pick)(rnn, emb, decoder, eos, start, maxlen)


@wrong("generate_beam", "aliased")
def answer(rnn, emb, decoder, eos, k, start, maxlen):
    out, h = rnn(emb(string2code(start)[:, None]))
    beam = [(0.0, decoder(out[-1, 0]).log_softmax(0), h, False)]
    texts = [[]] * k
    for _ in range(maxlen):
        new = [(total, n, None, h, True) for n, (total, logp, h, end) in enumerate(beam) if end]
        new += [(total + p.item(), n, i, h, False) for n, (total, logp, h, end) in enumerate(beam) if not end for i, p in enumerate(logp)]
        new, beam = sorted(new, key=lambda a: -a[0])[:k], []
        for j, (total, n, token, h, end) in enumerate(new):
            if not end:
                texts[j].append(token)
                out, h = rnn(emb(torch.tensor([[token]])), h)
            beam.append((total, decoder(out[0, 0]).log_softmax(0), h, end or token == eos))
        if all(line[-1] for line in beam):
            break
    return texts[0]


@pytest.mark.parametrize("name,answer,switches", WRONG)
@pytest.mark.filterwarnings("ignore")
def test_a_wrong_answer_is_refused_and_named_and_fails_the_hidden_tests(name, answer, switches):
    refused(LAB, name, answer, switches)


@pytest.mark.parametrize("name,answer", [("generate", writing()), ("generate_beam", searching())])
def test_a_start_that_comes_twice_is_refused(name, answer):
    EXERCISES[name](answer)

    def twice(rnn, emb, decoder, eos, *rest):
        text = answer(rnn, emb, decoder, eos, *rest)
        ids = string2code(rest[-2]).tolist()
        return [*ids, *(string2code(text).tolist() if isinstance(text, str) else [*ids, *text])]

    with pytest.raises(CheckFailed, match="characters? follows? the start"):
        EXERCISES[name](twice)


# What the lab promises


def test_the_points_are_thirty_four_and_the_exercises_are_in_order():
    assert [e.title for e in EXERCISES.values()] == [f"Exercise {n}" for n in range(1, 11)]
    assert sum(e.points for e in EXERCISES.values()) == 34


OPEN = {("GRU", 6, 4, 5, 2, 4, 2, 7), ("LSTM", 6, 4, 5, 3, 4, 2, 6)}  # here one that is open at maxlen is likelier than those that have ended


@pytest.mark.parametrize("form", [form for form in check.POOL if form[5] is not None], ids=str)
def test_the_models_to_search_with_tell_right_from_wrong_and_all_right_ways_agree_on_them(form):
    """Ended ones kept among the k, or set aside; an end at maxlen or when k have ended; no near tie; greedy and the commonest mistakes find another text.

    In some the likeliest is open at maxlen beside others that have ended; where k is 2, a beam of 3 finds another text.
    """
    for seed, bias in check.POOL[form]:
        weights, eos, k, start, maxlen = check.drawn_toy(seed, bias, *form)
        first, model = check.string2code(start).tolist(), check.Remembered(check.toy(form[0], weights))
        best = check.search(model, first, eos, k, maxlen)
        assert best[: len(first)] != first and (best[-1] != eos if bias == -30 or form in OPEN else best[-1] == eos and 3 <= len(best) < maxlen)
        assert all(check.search(model, first, eos, k, maxlen, aside=way) == best for way in ("wide", "shrink", "stop"))
        assert (form in OPEN) == (check.search(model, first, eos, k, maxlen, frozenset(["ended_first"])) != best)
        assert k != 2 or check.search(model, first, eos, 3, maxlen) != best
        for sign in (1, -1):
            model.bias = 2e-3 * sign * torch.cos(3.0 * torch.arange(form[1]))
            assert check.search(model, first, eos, k, maxlen) == best
        model.bias = None
        wrong = [check.search(model, first, eos, k, maxlen, frozenset([switch])) for switch in ("greedy", "last_only" if k > 8 else "greedy")]
        assert best not in wrong


def test_each_layer_of_torch_and_each_kind_of_end_is_searched_and_written_with():
    for forms in (check.BEAMS, check.WRITERS, LAB.hidden.BEAMS, LAB.hidden.WRITERS):
        assert {form[0] for form in forms} == {"RNN", "GRU", "LSTM"}
    for forms in (check.BEAMS, LAB.hidden.BEAMS):
        assert 2 in {form[5] for form in forms} and {*forms} & OPEN
    assert any(k > V for _, V, _, _, _, k, _, _ in check.BEAMS) and all(k > 1 for *_, k, _, _ in check.BEAMS)


def message(name, answer):
    with pytest.raises(CheckFailed) as failed:
        EXERCISES[name](answer)
    return str(failed.value)


def test_an_answer_that_cannot_run_is_told_its_line_and_the_likely_reason():
    told = message("generate", lambda rnn, emb, decoder, eos, start, maxlen: emb(start))
    assert "emb takes a tensor of whole numbers" in told and "in line" in told
    told = message("generate_beam", searching(best=only_ended))
    assert "none has ended" in told and "max(line[:2]" in told


def test_messages_say_what_is_seen_in_the_students_own_terms():
    told = message("generate", lambda rnn, emb, decoder, eos, start, maxlen: "We win.")
    assert "use string2code and code2string" in told

    def batch_first(rnn, emb, decoder, eos, start, maxlen):
        out, state = rnn(emb(string2code(start)[None]))
        return decoder(rnn(emb(torch.tensor([[2]])), state)[0]).argmax(-1)

    assert "(T, B), time first" in message("generate", batch_first)
    assert "without its axes" in message("generate", lambda rnn, emb, decoder, eos, start, maxlen: rnn(emb(string2code(start)[0])))
    assert "was used as if it were one tensor" in message("generate", writing(carry=lambda h: h.detach()))
    assert "characters follow the start" in message("generate", writing(stops=False))
    assert re.search(r"sentence \d has \d+ numbers", message("sentence_ids", cutting(strip=str)))
    assert "the norm that it returned is None" in message("train_step", stepping(told=lambda loss, norm: (loss, None)))
    assert "the gates have been changed" in message("log_histograms", lambda writer, step, model, gates: (
        logging()(writer, step, model, gates), [v.zero_() for v in gates.values()]))  # fmt: skip
    assert "torch.empty" in message("pad_collate_fn", lambda samples: torch.empty(max(map(len, samples)) + 1, len(samples), dtype=torch.long))
    assert "graph cut" not in message("embed", lambda ids, W: F.embedding(ids, W, scale_grad_by_freq=True))


def test_logits_that_are_changed_in_place_are_told(capsys):
    check.draw(lambda logits, temperature: torch.multinomial(logits.div_(temperature).softmax(1), 1)[:, 0])
    assert "It changes logits in place" in capsys.readouterr().out


def test_no_padding_is_read_but_what_is_not_a_number_there_costs_nothing():
    """TP 6's own recipe, a mask of 0 and 1 times the losses, is right as far as the check goes."""
    check.masked_cross_entropy(right.masked_reduction)


def test_ignore_index_is_refused_by_name_however_it_is_reached():
    for answer in (lambda o, t, p: F.cross_entropy(o.flatten(0, 1), t.flatten(), None, None, p), lambda o, t, p: nn.CrossEntropyLoss(ignore_index=p)(
            o.flatten(0, 1), t.flatten())):  # fmt: skip
        assert "ignore_index is not to be used here" in message("masked_cross_entropy", answer)


def test_the_speeches_of_tp_6_need_one_changed_line():
    cells = {cell.id: cell.source for cell in nbformat.read(FOLDER / "language.ipynb", 4).cells}
    assert cells["corpus"].splitlines()[0] == "train, held_out = corpora.stump_speeches()"
    assert "stump_speeches" not in "".join(source for name, source in cells.items() if name != "corpus")


FIRST, SECOND = [2, 3, 4], [2, 5]  # "acd" and "ab", of which the first is the likelier
ROWS = torch.tensor([FIRST, [*SECOND, PAD]])
FORMS = {
    "text": "acd", "the new text": "cd", "numbers": FIRST, "the new numbers": FIRST[1:], "tensor": torch.tensor(FIRST), "column": torch.tensor([FIRST]).T,
    "row": torch.tensor([FIRST]), "array": np.array(FIRST), "scalars": [torch.tensor(3), torch.tensor(4)], "letters": ["a", "c", "d"], "with EOS": [*FIRST, EOS],
    "numbers, score": (FIRST[1:], -1.0), "text, score": ("cd", -1.0), "score, text": (-1.0, "acd"), "score, numbers": (-1.0, FIRST),
    "score, tensor": (torch.tensor(-1.0), torch.tensor(FIRST)), "more": (FIRST, -1.5, None), "one of one": [FIRST],
    "pairs": [(FIRST[1:], -1.0), (SECOND[1:], -2.0)], "pairs, best last": [("ab", -2.0), ("acd", -1.0)], "scores first": [(-1.0, "acd"), (-2.0, "ab")],
    "tensor scores": [(torch.tensor(-1.0), "acd"), (torch.tensor(-2.0), "ab")], "texts": ["acd", "ab"], "texts, best last": ["ab", "acd"],
    "lists": [FIRST[1:], SECOND[1:]], "arrays, best last": [np.array(SECOND), np.array(FIRST)], "rows": ROWS, "rows, best last": ROWS.flip(0),
    "rows, scores": (ROWS, torch.tensor([-1.0, -2.0])), "columns, best last": [torch.tensor(SECOND)[:, None], torch.tensor(FIRST)[:, None]], "dict": {"best": "acd", "sum": -1.0},
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_what_an_answer_wrote_is_brought_to_one_text_the_likelier_of_both_ends(form):
    code2string = lambda code: "".join("??acdb"[int(i)] for i in code if int(i) > 1)  # noqa: E731
    assert check.as_text(FORMS[form], "a", code2string, {"acd": -1.0, "ab": -2.0}.get) == "acd"
    assert check.as_text(FORMS[form], "a", code2string) == ("ab" if "last" in form else "acd")


def shaped(form):
    """A beam search that returns its k sequences in some form."""

    def answer(rnn, emb, decoder, eos, k, start, maxlen):
        lines = right.beam_reread(rnn, emb, decoder, eos, k, start, maxlen)  # (numbers, sum), best first
        return form([ids for ids, _ in lines], [score for _, score in lines])

    return answer


@pytest.mark.parametrize("form", [
    lambda ids, sums: (sums[0], ids[0]), lambda ids, sums: (sums[0], torch.tensor(ids[0])), lambda ids, sums: [*zip(sums, ids)],
    lambda ids, sums: [*zip(ids, sums)][::-1], lambda ids, sums: nn.utils.rnn.pad_sequence([torch.tensor(i) for i in ids], batch_first=True),
    lambda ids, sums: (nn.utils.rnn.pad_sequence([torch.tensor(i) for i in ids], batch_first=True), torch.tensor(sums)),
    lambda ids, sums: [torch.tensor(i)[:, None] for i in ids], lambda ids, sums: [np.array(i) for i in ids][::-1], lambda ids, sums: (ids[0], sums[0], None),
])  # fmt: skip
def test_these_forms_are_accepted_by_the_check(form, monkeypatch):
    monkeypatch.setattr(right, "string2code", check.string2code)
    check.generate_beam(shaped(form))
