"""Right answers that look different; the checks have to accept every one."""

import math
import re

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

PAD, EOS = 0, 1
string2code = code2string = masked_cross_entropy = ids = letters = None  # a check lends them


# ---- Exercise 1
def ids_by_hand(text, ids):
    found, current = [], ""
    for i, c in enumerate(text):
        current += c
        after = text[i + 1] if i + 1 < len(text) else " "
        if c == "\n" or c in ".?!" and after.isspace():
            if current.strip():
                found.append([ids[a] for a in current.strip() if a in ids])
            current = ""
    if current.strip():
        found.append([ids[a] for a in current.strip() if a in ids])
    return found


def ids_by_findall(text, ids):
    out = []
    for line in text.splitlines():
        for s in re.findall(r"\S.*?(?:[.?!](?=\s|$)|$)", line):
            out.append(torch.LongTensor([ids[c] for c in s.strip() if ids.get(c) is not None]))
    return out


def ids_by_sub(text, ids):
    parts = re.sub(r"([.?!])\s+", r"\1\n", text).split("\n")
    return tuple(np.array([ids[c] for c in p.strip() if c in ids]) for p in parts if len(p.strip()) > 0)


def ids_int32(text, ids):
    return [torch.tensor([ids[c] for c in s if c in ids], dtype=torch.int32)
            for s in (p.strip() for p in re.split(r"(?<=[.!?])\s|\n", text)) if s]


# ---- Exercise 2
def collate_pad_sequence(samples):
    return nn.utils.rnn.pad_sequence([torch.cat([torch.as_tensor(s), torch.tensor([EOS])]) for s in samples])


def collate_zeros(samples):
    longest = max(len(s) for s in samples) + 1
    batch = torch.zeros(longest, len(samples), dtype=torch.long)
    for j, s in enumerate(samples):
        batch[: len(s), j] = s
        batch[len(s), j] = EOS
    return batch


def collate_stack(samples):
    T = max(map(len, samples)) + 1
    rows = [torch.cat((s, torch.tensor([EOS]), torch.full((T - len(s) - 1,), PAD))) for s in samples]
    return torch.stack(rows).t()


def collate_lists(samples):
    T = max(map(len, samples))
    rows = [s.tolist() + [EOS] + [PAD] * (T - len(s)) for s in samples]
    return [list(column) for column in zip(*rows)]


def collate_numpy(samples):
    T = max(map(len, samples)) + 1
    return np.stack([np.pad(np.append(s.numpy(), EOS), (0, T - len(s) - 1)) for s in samples], axis=1)


def collate_int32(samples):
    out = torch.full((max(s.size(0) for s in samples) + 1, len(samples)), PAD, dtype=torch.int32)
    for b in range(len(samples)):
        n = samples[b].size(0)
        out[:n, b], out[n, b] = samples[b].int(), EOS
    return out


def collate_full(samples):
    out = torch.full((len(samples), max(map(len, samples)) + 1), 0)
    for row, s in zip(out, samples):
        row[: len(s) + 1] = torch.tensor([*s.tolist(), 1])
    return out.permute(1, 0).contiguous()


# ---- Exercise 3
def masked_reduction(output, target, pad_index):
    loss = F.cross_entropy(output.permute(0, 2, 1), target, reduction="none")
    mask = (target != pad_index).float()
    return (loss * mask).sum() / mask.sum()


def masked_class(output, target, pad_index):
    criterion = nn.CrossEntropyLoss(reduction="none")
    loss = criterion(output.flatten(0, 1), target.flatten())
    mask = target.flatten() != pad_index
    return loss[mask].mean()


def masked_transpose(output, target, pad_index):
    loss = nn.CrossEntropyLoss(reduction="none")(output.transpose(1, 2), target)
    return torch.where(target == pad_index, torch.zeros_like(loss), loss).sum() / (target != pad_index).sum()


def masked_gather(output, target, pad_index):
    log_p = torch.log_softmax(output, dim=2).gather(2, target.unsqueeze(2)).squeeze(2)
    return -log_p.masked_select(target.ne(pad_index)).mean()


def masked_nll(output, target, pad_index):
    losses = nn.NLLLoss(reduction="none")(F.log_softmax(output.reshape(-1, output.shape[-1]), 1), target.reshape(-1))
    keep = torch.nonzero(target.reshape(-1) != pad_index)[:, 0]
    return losses[keep].mean()


def masked_weights(output, target, pad_index):
    weight = torch.ones(output.shape[2])
    weight[pad_index] = 0
    return F.cross_entropy(output.flatten(0, 1), target.flatten(), weight=weight)


def masked_product(output, target, pad_index):
    mask = (target != pad_index).float().flatten()
    return F.cross_entropy(output.flatten(0, 1), target.flatten(), reduction="none") @ mask / mask.sum()


def masked_one_hot(output, target, pad_index):
    hot = F.one_hot(target, output.size(-1)).float()
    each = -(hot * output.log_softmax(-1)).sum(-1)
    real = (target != pad_index).to(output.dtype)
    return torch.sum(each * real, dim=(0, 1)) / real.sum().clamp(min=1)


def masked_logsumexp(output, target, pad_index):
    mask = target != pad_index
    picked = torch.take_along_dim(output, target[..., None], 2)[..., 0]
    return (output.logsumexp(2) - picked)[mask].mean().reshape(1)


def masked_over_classes(output, target, pad_index):
    logp, total = F.log_softmax(output, -1), 0
    for v in range(output.shape[-1]):
        if v != pad_index:
            total = total - logp[..., v][target == v].sum()
    return total / (target != pad_index).sum()


# ---- Exercise 4
def embed_one_hot(ids, W):
    return F.one_hot(ids, len(W)).float() @ W


def embed_gather(ids, W):
    return W.gather(0, ids.flatten()[:, None].expand(-1, W.shape[1])).view(*ids.shape, -1)


def embed_along(ids, W):
    return W.take_along_dim(ids.reshape(-1, 1), 0).reshape(*ids.shape, -1)


def embed_functional(ids, W):
    return F.embedding(ids, W)


def embed_select(ids, W):
    return W.index_select(0, ids.reshape(-1)).view(*ids.shape, -1)


def embed_loop(ids, W):
    return torch.stack([torch.stack([W[int(i)] for i in row]) for row in ids])


def embed_eye(ids, W):
    return torch.einsum("tbv,vd->tbd", torch.eye(len(W))[ids], W)


# ---- Exercise 5
def step_all_read(model, optimizer, batch, max_norm):
    optimizer.zero_grad()
    output, state = model(batch)
    loss = masked_cross_entropy(output[:-1], batch[1:], PAD)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return loss, norm


def step_own_loss(model, optimizer, batch, max_norm):
    x, y = batch[:-1, :], batch[1:, :]
    loss = F.cross_entropy(model(x)[0].transpose(1, 2), y, ignore_index=0)
    model.zero_grad()
    loss.backward()
    norm = math.sqrt(sum((p.grad**2).sum().item() for p in model.parameters() if p.grad is not None))
    if norm > max_norm:
        for p in model.parameters():
            p.grad *= max_norm / norm
    optimizer.step()
    optimizer.zero_grad()
    return [loss.item(), norm]


def step_functional(model, optimizer, batch, max_norm):
    logits = model(batch[:-1])[0]
    real = batch[1:] != PAD
    loss = -logits.log_softmax(-1).gather(-1, batch[1:, :, None])[..., 0][real].mean()
    grads = torch.autograd.grad(loss, list(model.parameters()))
    total = torch.cat([g.reshape(-1) for g in grads]).norm()
    for p, g in zip(model.parameters(), grads):
        p.grad = g * min(1.0, max_norm / float(total))
    optimizer.step()
    return loss.item(), total.item()


def step_tensor(model, optimizer, batch, max_norm):
    return torch.stack(step_all_read(model, optimizer, batch, max_norm))


# ---- Exercise 6
def log_numpy(writer, step, model, gates):
    for n, p in model.named_parameters():
        if p.grad is None:
            continue
        writer.add_histogram("gradients/" + n, p.grad.detach().cpu().numpy().__abs__(), global_step=step)
    for k in gates:
        writer.add_histogram("gates/" + k, gates[k].numpy(), global_step=step)


def log_flat(writer, step, model, gates):
    found = {f"gates/{n}": v for n, v in gates.items()}
    found.update({f"gradients/{n}": torch.abs(p.grad).flatten() for n, p in model.named_parameters() if p.grad is not None})
    for tag, v in sorted(found.items()):
        writer.add_histogram(tag, v.clone(), step, bins="auto")
    writer.flush()


# ---- Exercise 7
def scores_by_bits(nll, tokens, characters):
    bits = nll / math.log(2)
    return 2 ** (bits / tokens), bits / characters


def scores_tensors(nll, tokens, characters):
    nll = torch.tensor(nll)
    return [torch.exp(nll / tokens), nll * math.log2(math.e) / characters]


# ---- Exercise 8
def draw_categorical(logits, temperature):
    return torch.distributions.Categorical(logits=logits / temperature).sample()


def draw_gumbel(logits, temperature):
    noise = -torch.log(-torch.log(torch.rand_like(logits)))
    return (logits / temperature + noise).argmax(dim=1)


def draw_column(logits, temperature):
    return torch.multinomial(torch.exp(logits / temperature), num_samples=1)


def draw_cumulative(logits, temperature):
    p = F.softmax(logits / temperature, dim=-1).cumsum(-1)
    return (torch.rand(len(logits), 1) > p).sum(-1).clamp(max=logits.shape[1] - 1)


def draw_numpy(logits, temperature):
    p = F.softmax(logits.double() / temperature, dim=-1).numpy()
    return [np.random.choice(len(row), p=row / row.sum()) for row in p]


# ---- Exercise 9
def write_char_by_char(rnn, emb, decoder, eos, start, maxlen):
    h, result = None, start
    for c in string2code(start):
        out, h = rnn(emb(c.view(1, 1)), h)
    for _ in range(maxlen):
        code = decoder(out).argmax(-1)
        if code.item() == eos:
            return result
        result += code2string(code.view(-1))
        out, h = rnn(emb(code.view(1, 1)), h)
    return result


def write_ids_with_eos(rnn, emb, decoder, eos, start, maxlen):
    code = string2code(start).tolist()
    n = len(code)
    out, h = rnn(emb(torch.tensor(code).unsqueeze(1)))
    while len(code) - n < maxlen:
        code.append(int(decoder(out[-1, 0]).argmax()))
        if code[-1] == eos:
            break
        out, h = rnn(emb(torch.tensor([[code[-1]]])), h)
    return code


def write_tables(rnn, emb, decoder, eos, start, maxlen):
    """With the notebook's own tables in place of its functions."""
    out, h = rnn(emb(torch.tensor([[ids[c]] for c in start])))
    text = start
    for _ in range(maxlen):
        i = decoder(out[-1, 0]).argmax().item()
        if i == eos:
            break
        text += letters[i]
        out, h = rnn(emb(torch.tensor([[i]])), h)
    return text


def write_unbatched(rnn, emb, decoder, eos, start, maxlen):
    ids, written = string2code(start), []
    out, h = rnn(emb(ids))
    for _ in range(maxlen):
        token = torch.argmax(torch.softmax(decoder(out[-1]), 0))
        written.append(token)
        if token == eos:
            break
        out, h = rnn(emb(token[None]), h)
    return torch.stack(written)


def write_reread(rnn, emb, decoder, eos, start, maxlen):
    ids = string2code(start)[None].T
    for _ in range(maxlen):
        out, _ = rnn(emb(ids))
        token = decoder(out)[-1].argmax(1, keepdim=True)
        ids = torch.cat([ids, token])
        if token == eos:
            break
    return ids[:, 0]


def write_no_grad(rnn, emb, decoder, eos, start, maxlen):
    with torch.no_grad():
        pending, state, out = string2code(start).reshape(-1, 1), None, []
        for _ in range(maxlen):
            y, state = rnn(emb(pending), state)
            pending = decoder(y[-1]).topk(1)[1].view(1, 1)
            if pending[0, 0] == eos:
                break
            out.append(pending[0, 0])
        return out


# ---- Exercise 10
def beam_batched(rnn, emb, decoder, eos, k, start, maxlen):
    """The open sequences are a batch; the ended ones set aside."""
    ids = string2code(start)
    out, state = rnn(emb(ids[:, None]))
    texts, sums, done = torch.zeros(1, 0, dtype=torch.long), torch.zeros(1), []
    pair = isinstance(state, tuple)
    for _ in range(maxlen):
        total = sums[:, None] + decoder(out[-1]).log_softmax(1)
        V = total.shape[1]
        best = total.flatten().topk(min(k, total.numel()))
        rows, tokens = best.indices // V, best.indices % V
        texts, sums = torch.cat([texts[rows], tokens[:, None]], 1), best.values
        done += [(s.item(), t.tolist()) for s, t in zip(sums, texts) if t[-1] == eos]
        open_ = tokens != eos
        if not open_.any():
            break
        texts, sums, rows, tokens = texts[open_], sums[open_], rows[open_], tokens[open_]
        state = tuple(a[:, rows] for a in state) if pair else state[:, rows]
        out, state = rnn(emb(tokens[None]), state)
    else:
        done += [(s.item(), t.tolist()) for s, t in zip(sums, texts)]
    score, text = max(done)
    return text, score


def beam_reread(rnn, emb, decoder, eos, k, start, maxlen):
    """No state at all: each text is read again; returns all k, best first."""
    first = string2code(start).tolist()
    lines = [(first, 0.0)]
    for _ in range(maxlen):
        new = []
        for line, score in lines:
            if len(line) > len(first) and line[-1] == eos:
                new.append((line, score))
                continue
            logp = F.log_softmax(decoder(rnn(emb(torch.tensor(line)[:, None]))[0][-1, 0]), 0)
            new += [(line + [i], score + p.item()) for i, p in enumerate(logp)]
        lines = sorted(new, key=lambda a: a[1], reverse=True)[:k]
    return lines


def beam_strings(rnn, emb, decoder, eos, k, start, maxlen):
    """Texts, the best last."""
    out, h = rnn(emb(string2code(start).view(-1, 1)), None)
    beam = [{"text": start, "p": 0.0, "logits": decoder(out[-1, 0]), "h": h, "end": False}]
    for _ in range(maxlen):
        candidates = [b for b in beam if b["end"]]
        for b in beam:
            if b["end"]:
                continue
            logp = torch.log_softmax(b["logits"], -1)
            for i in torch.argsort(logp, descending=True)[:k]:
                if i == eos:
                    candidates.append({**b, "p": b["p"] + logp[i].item(), "end": True})
                else:
                    candidates.append({"text": b["text"] + code2string([i]), "p": b["p"] + logp[i].item(), "logits": None, "h": b["h"], "end": False, "i": i})
        beam = sorted(candidates, key=lambda b: b["p"])[-k:]
        for b in beam:
            if b["logits"] is None:
                out, b["h"] = rnn(emb(b["i"].view(1, 1)), b["h"])
                b["logits"] = decoder(out[0, 0])
    return [b["text"] for b in beam]


def beam_probabilities(rnn, emb, decoder, eos, k, start, maxlen):
    """Products of probabilities in float64, one tensor of ids with the start."""
    ids = string2code(start).tolist()
    out, h = rnn(emb(torch.tensor([ids]).T))
    beam = [(1.0, ids, h, out[-1], False)]
    for _ in range(maxlen):
        pool = []
        for p, line, h, o, end in beam:
            if end:
                pool.append((p, line, h, o, end))
            else:
                q = decoder(o).softmax(-1)[0].double()
                values, indices = torch.topk(q, k=min(k, q.size(0)))
                pool.extend((p * v.item(), line + [i.item()], h, None, i.item() == eos) for v, i in zip(values, indices))
        pool.sort(key=lambda a: a[0], reverse=True)
        beam = []
        for p, line, h, o, end in pool[:k]:
            if o is None and not end:
                y, h = rnn(emb(torch.tensor([[line[-1]]])), h)
                o = y[-1]
            beam.append((p, line, h, o, end))
        if all(b[-1] for b in beam):
            break
    return torch.tensor(beam[0][1])


RIGHT = {
    "sentence_ids": [ids_by_hand, ids_by_findall, ids_by_sub, ids_int32],
    "pad_collate_fn": [collate_pad_sequence, collate_zeros, collate_stack, collate_lists, collate_numpy, collate_int32, collate_full],
    "masked_cross_entropy": [masked_reduction, masked_class, masked_transpose, masked_gather, masked_nll, masked_weights, masked_product, masked_one_hot, masked_logsumexp,
                             masked_over_classes],
    "embed": [embed_one_hot, embed_gather, embed_along, embed_functional, embed_select, embed_loop, embed_eye],
    "train_step": [step_all_read, step_own_loss, step_functional, step_tensor],
    "log_histograms": [log_numpy, log_flat],
    "scores": [scores_by_bits, scores_tensors],
    "draw": [draw_categorical, draw_gumbel, draw_column, draw_cumulative, draw_numpy],
    "generate": [write_char_by_char, write_ids_with_eos, write_tables, write_unbatched, write_reread, write_no_grad],
    "generate_beam": [beam_batched, beam_reread, beam_strings, beam_probabilities],
}  # fmt: skip
