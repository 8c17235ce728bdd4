"""Right answers that look different; the checks have to accept every one."""

import math
from collections import defaultdict

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from rnncourse import decoding, metrics, models, text, translation

PAD, EOS = 0, 1


# ---- Exercise 1
def collate_stack(pairs):
    B, S, T = len(pairs), max(len(s) for s, _ in pairs), max(len(t) for _, t in pairs) + 1
    source, inputs, targets = torch.zeros(S, B).long(), torch.zeros(T, B).long(), torch.zeros(T, B).long()
    mask = torch.zeros(T, B, dtype=torch.bool)
    for b, (s, t) in enumerate(pairs):
        source[: len(s), b] = s
        inputs[0, b], inputs[1 : len(t) + 1, b] = EOS, t
        targets[: len(t), b], targets[len(t), b] = t, EOS
        mask[: len(t) + 1, b] = True
    return source, torch.LongTensor([len(s) for s, _ in pairs]), inputs, targets, mask


def collate_whole(pairs):
    """EOS on both sides, then shifted; what is masked holds another EOS."""
    whole = pad_sequence([torch.cat([torch.tensor([EOS]), t, torch.tensor([EOS])]) for _, t in pairs], padding_value=PAD)
    targets = whole[1:]
    return [pad_sequence([s for s, _ in pairs]), torch.tensor([s.size(0) for s, _ in pairs]), whole[:-1], targets, targets != PAD]


def collate_lists(pairs):
    S, T = max(len(s) for s, _ in pairs), max(len(t) for _, t in pairs) + 1
    turn = lambda rows: [list(column) for column in zip(*rows)]  # noqa: E731
    pad = lambda row, n: row + [PAD] * (n - len(row))  # noqa: E731
    ts = [t.tolist() for _, t in pairs]
    return (turn([pad(s.tolist(), S) for s, _ in pairs]), [len(s) for s, _ in pairs], turn([pad([EOS] + t, T) for t in ts]), turn([pad(t + [EOS], T) for t in ts]),
            turn([[1] * (len(t) + 1) + [0] * (T - len(t) - 1) for t in ts]))  # fmt: skip


def collate_numpy(pairs):
    S, T = max(len(s) for s, _ in pairs), max(len(t) for _, t in pairs) + 1
    source = np.stack([np.pad(s.numpy(), (0, S - len(s))) for s, _ in pairs], axis=1)
    inputs = np.stack([np.pad(np.r_[EOS, t.numpy()], (0, T - len(t) - 1)) for _, t in pairs], axis=1)
    targets = np.stack([np.pad(np.append(t.numpy(), EOS), (0, T - len(t) - 1)) for _, t in pairs], axis=1)
    return source, np.array([len(s) for s, _ in pairs]), inputs, targets, targets > 0


def collate_eos_filled(pairs):
    """Filled up with EOS, and a mask of its own."""
    n = torch.tensor([len(t) + 1 for _, t in pairs])
    targets = pad_sequence([t for _, t in pairs] + [torch.ones(int(n.max())).long()], padding_value=EOS)[:, :-1]
    inputs = torch.cat([torch.ones(1, len(pairs)).long(), targets[:-1]])
    return pad_sequence([s for s, _ in pairs]).int(), torch.tensor([len(s) for s, _ in pairs]).int(), inputs, targets, (torch.arange(int(n.max()))[:, None] < n).float()


def collate_package(pairs):
    targets = [t for _, t in pairs]
    longest = max(map(len, targets)) + 1
    rows = torch.full((len(pairs), longest + 1), PAD)
    for row, t in zip(rows, targets):
        row[0], row[1 : len(t) + 1], row[len(t) + 1] = EOS, t, EOS
    rows = rows.T.contiguous()
    inputs, after = rows[:-1].clone(), rows[1:].clone()
    mask = after.ne(PAD)
    return pad_sequence([s for s, _ in pairs]), torch.as_tensor([len(s) for s, _ in pairs]), inputs, after, mask


def collate_ignored(pairs):
    """Under the padding, what losses pass over."""
    source, lengths, inputs, targets, mask = collate_stack(pairs)
    return source, lengths, inputs, targets.masked_fill(~mask, -100), mask.to(torch.uint8)


# ---- Exercise 2
def encode_loop(emb, rnn, source, lengths):
    states = [rnn(emb(source[: lengths[b], b : b + 1]))[1] for b in range(source.shape[1])]
    if isinstance(rnn, nn.LSTM):
        return torch.cat([h for h, _ in states], 1), torch.cat([c for _, c in states], 1)
    return torch.cat(states, 1)


def encode_steps(emb, rnn, source, lengths):
    """Step by step, keeping the old state where a sentence has ended."""
    state, x = None, emb(source)
    for t in range(len(source)):
        new = rnn(x[t : t + 1], state)[1]
        if state is None:
            state = new
            continue
        on = (t < lengths)[None, :, None]
        state = tuple(torch.where(on, a, b) for a, b in zip(new, state)) if isinstance(new, tuple) else torch.where(on, new, state)
    return state


def encode_sorted(emb, rnn, source, lengths):
    lengths, order = lengths.sort(descending=True)
    back = order.argsort()
    _, state = rnn(pack_padded_sequence(emb(source[:, order]), lengths))
    return tuple(a[:, back] for a in state) if isinstance(state, tuple) else state[:, back]


def encode_all_states(emb, rnn, source, lengths):
    """Keep every state, then pick."""
    state, all_ = None, []
    for x in emb(source):
        _, state = rnn(x[None], state)
        all_.append(state)
    at = lengths - 1, torch.arange(len(lengths))
    if isinstance(state, tuple):
        return [torch.cat([s[i] for s in all_])[at][None] for i in (0, 1)]
    return torch.cat(all_)[at].unsqueeze(0)


def encode_gather(emb, rnn, source, lengths):
    if isinstance(rnn, nn.LSTM):
        return encode_steps(emb, rnn, source, lengths)
    out, _ = rnn(emb(source))
    index = (lengths - 1).view(1, -1, 1).expand(1, -1, out.shape[2])
    return out.gather(0, index)


def encode_packed_list(emb, rnn, source, lengths):
    packed = pack_padded_sequence(emb(source), lengths.tolist(), enforce_sorted=False)
    out, state = rnn(packed)
    pad_packed_sequence(out)
    return state


def encode_groups(emb, rnn, source, lengths):
    """Sentences of one length together."""
    pair = isinstance(rnn, nn.LSTM)
    parts = [torch.zeros(1, len(lengths), rnn.hidden_size) for _ in range(1 + pair)]
    for n in lengths.unique():
        which = (lengths == n).nonzero()[:, 0]
        state = rnn(emb(source[:n, which]))[1]
        parts = [p.index_copy(1, which, s) for p, s in zip(parts, state if pair else [state])]
    return tuple(parts) if pair else parts[0]


def encode_unbatched(emb, rnn, source, lengths):
    """Sentence by sentence, without an axis for the batch."""
    states = [rnn(emb(source[:n, b]))[1] for b, n in enumerate(lengths.tolist())]
    return tuple(torch.stack(s, 1) for s in zip(*states)) if isinstance(rnn, nn.LSTM) else torch.stack(states, 1)


# ---- Exercise 3
def loss_reduction(emb, rnn, decoder, state, inputs, targets, mask):
    logits = decoder(rnn(emb(inputs), state)[0])
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return (losses * mask.flatten()).sum() / mask.sum()


def loss_steps(emb, rnn, decoder, state, inputs, targets, mask):
    total = 0
    for x, y, m in zip(inputs, targets, mask):
        out, state = rnn(emb(x).unsqueeze(0), state)
        total = total - (decoder(out[0]).log_softmax(-1).gather(1, y[:, None])[:, 0] * m).sum()
    return total / mask.sum().item()


def loss_permuted(emb, rnn, decoder, state, inputs, targets, mask):
    out, _ = rnn(emb(inputs), state)
    loss = nn.CrossEntropyLoss(reduction="none")(decoder(out).permute(0, 2, 1), targets)
    return loss.masked_select(mask).mean()


def loss_ignored(emb, rnn, decoder, state, inputs, targets, mask):
    out, _ = rnn(emb(inputs), state)
    return F.cross_entropy(decoder(out).reshape(-1, decoder.out_features), targets.masked_fill(~mask, -100).reshape(-1), ignore_index=-100)


def loss_where(emb, rnn, decoder, state, inputs, targets, mask):
    logits = rnn(emb(inputs), state)[0] @ decoder.weight.T + decoder.bias
    nll = logits.logsumexp(-1) - logits.gather(-1, targets[..., None]).squeeze(-1)
    return torch.where(mask, nll, 0.0).sum() / mask.float().sum()


def loss_sentences(emb, rnn, decoder, state, inputs, targets, mask):
    logp = F.log_softmax(decoder(rnn(emb(inputs), state)[0]), dim=2)
    picked = [logp[t, b, targets[t, b]] for b in range(mask.shape[1]) for t in range(mask.shape[0]) if mask[t, b]]
    return -torch.stack(picked).mean().reshape(1)


def loss_nll(emb, rnn, decoder, state, inputs, targets, mask):
    logp = decoder(rnn(emb(inputs), state)[0]).log_softmax(-1)
    return F.nll_loss(logp[mask], targets[mask])


# ---- Exercise 4
def attend_bmm(query, keys, mask):
    k = keys.transpose(0, 1)
    s = torch.bmm(k, query.unsqueeze(2)).squeeze(2)
    w = F.softmax(s.masked_fill(~mask.T, -1e9), dim=1)
    return w.T, torch.bmm(w.unsqueeze(1), k).squeeze(1)


def attend_einsum(query, keys, mask):
    s = torch.einsum("bh,sbh->sb", query, keys)
    w = torch.softmax(torch.where(mask, s, torch.tensor(float("-inf"))), 0)
    return w, torch.einsum("sb,sbh->bh", w, keys)


def attend_by_hand(query, keys, mask):
    s = (keys * query).sum(2)
    s = s - s.masked_fill(~mask, -math.inf).max(dim=0).values
    e = torch.exp(s.clamp(max=0)) * mask
    w = e / e.sum(0, keepdim=True)
    return w, (w.unsqueeze(-1) * keys).sum(0)


def attend_loop(query, keys, mask):
    ws, cs = [], []
    for b in range(query.shape[0]):
        real = mask[:, b]
        w = torch.softmax(keys[real, b] @ query[b], dim=0)
        full = torch.zeros(len(keys)).masked_scatter(real, w)
        ws.append(full)
        cs.append(full @ keys[:, b])
    return torch.stack(ws, 1), torch.stack(cs)


def attend_late(query, keys, mask):
    """The mask after the softmax, and a new sum: in float64, with the largest score of all taken away."""
    s = (query.double() * keys.double()).sum(-1)
    w = s.softmax(0) * mask
    w = w / w.sum(0)
    return w.float(), (w[..., None] * keys.double()).sum(0).float()


def attend_added(query, keys, mask):
    s = (query[None] * keys).sum(-1) + (~mask) * -1e9
    w = nn.Softmax(dim=0)(s)
    return [w, (w[:, :, None] * keys).sum(dim=0)]


def attend_matmul(query, keys, mask):
    s = (keys.permute(1, 0, 2) @ query[..., None])[..., 0]
    s[~mask.t()] = torch.finfo(s.dtype).min
    w = s.softmax(-1)
    return w.t(), (w[:, None] @ keys.permute(1, 0, 2))[:, 0]


def attend_logsumexp(query, keys, mask):
    s = (query * keys).sum(-1).masked_fill(mask.logical_not(), -torch.inf)
    w = (s - s.logsumexp(0)).exp()
    return w, (w[..., None] * keys).sum(0)


# ---- Exercise 5
def greedy_lists(step, state, B, eos, maxlen):
    rows, ended, tokens = [[] for _ in range(B)], [False] * B, torch.tensor([eos] * B)
    for _ in range(maxlen):
        logp, state = step(tokens, state)
        tokens = logp.argmax(1)
        for b in range(B):
            if not ended[b]:
                if tokens[b] == eos:
                    ended[b] = True
                else:
                    rows[b].append(tokens[b].item())
        if all(ended):
            break
    return rows


def greedy_to_the_end(step, state, B, eos, maxlen):
    """All maxlen steps, cut afterwards."""
    tokens, out = torch.full((B,), eos, dtype=torch.long), []
    for _ in range(maxlen):
        logp, state = step(tokens, state)
        tokens = torch.max(logp, dim=-1)[1]
        out.append(tokens)
    out = torch.stack(out, 1)
    result = []
    for row in out:
        end = (row == eos).nonzero()
        result.append(row[: end[0, 0]] if len(end) else row)
    return result


def greedy_frozen(step, state, B, eos, maxlen):
    """Who has ended reads EOS."""
    tokens, done, steps = torch.ones(B).long() * eos, torch.zeros(B).bool(), []
    with torch.no_grad():
        while not done.all() and len(steps) < maxlen:
            logp, state = step(tokens, state)
            tokens = torch.where(done, eos, logp.topk(1).indices[:, 0])
            done = done | (tokens == eos)
            steps.append(tokens)
    return tuple(tuple(int(s[b]) for s in steps if s[b] != eos) for b in range(B))


def greedy_recursive(step, state, B, eos, maxlen):
    def go(tokens, state, left):
        if left == 0:
            return [[] for _ in range(B)]
        logp, state = step(tokens, state)
        best = logp.softmax(1).argmax(1)
        return [[] if t == eos else [t, *rest] for t, rest in zip(best.tolist(), go(best, state, left - 1))]

    return go(torch.full((B,), eos), state, maxlen)


def greedy_numpy(step, state, B, eos, maxlen):
    tokens, out = np.full(B, eos), []
    for _ in range(maxlen):
        logp, state = step(torch.from_numpy(tokens), state)
        tokens = logp.numpy().argmax(axis=1)
        out.append(tokens)
    return [np.array(row[: row.index(eos)] if eos in row else row, dtype=np.int64) for row in np.array(out).T.tolist()]


# ---- Exercise 6
def shares_loop(found, wanted, lengths, edges):
    out = []
    for i in range(len(edges) - 1):
        hit = n = 0
        for f, w, length in zip(found, wanted, lengths):
            if edges[i] <= length < edges[i + 1]:
                n, hit = n + 1, hit + (f == w)
        out.append(hit / n if n > 0 else math.nan)
    return out


def shares_numpy(found, wanted, lengths, edges):
    ok = np.array([f == w for f, w in zip(found, wanted)], dtype=float)
    group = np.digitize(lengths, edges)
    return np.array([ok[group == i].mean() if (group == i).any() else np.nan for i in range(1, len(edges))])


def shares_torch(found, wanted, lengths, edges):
    ok, n = torch.tensor([f == w for f, w in zip(found, wanted)]).float(), torch.tensor(lengths)
    return torch.stack([ok[(n >= a) & (n < b)].mean() for a, b in zip(edges, edges[1:])])


def shares_dict(found, wanted, lengths, edges):
    seen = defaultdict(list)
    for i, n in enumerate(lengths):
        for a, b in zip(edges[:-1], edges[1:]):
            if n in range(a, b):
                seen[a, b].append(len(found[i]) == len(wanted[i]) and all(x == y for x, y in zip(found[i], wanted[i])))
    return {(a, b): np.mean(seen[a, b]) if seen[a, b] else float("nan") for a, b in zip(edges[:-1], edges[1:])}


# ---- Exercises 7 and 8
def learn_attention(batches):
    words = text.Words(" ".join(source for batch in batches for source, _ in batch), 1000)
    digits = text.Characters("0123456789")
    model = translation.Translator(len(words), len(digits), 32, 64)
    together = lambda batch: translation.together([words.encode(s) for s, _ in batch], [digits.encode(t) for _, t in batch])  # noqa: E731
    losses = (metrics.token_nll(model(p.source, p.lengths, p.target.inputs), p.target.targets, p.target.mask) for p in map(together, batches))
    for _ in models.learn(model, losses, len(batches), 0.01):
        pass

    @torch.no_grad()
    def translate(sentences):
        p = together([(s, "") for s in sentences])
        return [digits.decode(row) for row in decoding.greedy(model.step, torch.full((len(sentences),), EOS), EOS, 10, model.encode(p.source, p.lengths))]

    return translate


def learn_gru(batches):
    """A GRU of one's own on both sides, a vector between them, and Adam: no vocabulary of the course, no attention, no cycle."""
    ids = {w: i for i, w in enumerate(sorted({w for batch in batches for s, _ in batch for w in s.split()}), 1)}
    emb, encoder, code, decoder, out = nn.Embedding(len(ids) + 1, 48), nn.GRU(48, 96), nn.Embedding(11, 16), nn.GRU(16, 96), nn.Linear(96, 11)
    parameters = [p for m in (emb, encoder, code, decoder, out) for p in m.parameters()]
    adam = torch.optim.Adam(parameters, lr=5e-3)

    def read(sentences):
        rows = [torch.tensor([ids.get(w, 0) for w in s.split()]) for s in sentences]
        packed = pack_padded_sequence(emb(pad_sequence(rows)), torch.tensor([len(r) for r in rows]), enforce_sorted=False)
        return encoder(packed)[1]

    for batch in batches:
        rows = [torch.tensor([10, *map(int, t), 10]) for _, t in batch]
        whole = pad_sequence(rows, padding_value=-1)
        logits = out(decoder(code(whole[:-1].clamp(min=0)), read([s for s, _ in batch]))[0])
        loss = F.cross_entropy(logits.flatten(0, 1), whole[1:].flatten(), ignore_index=-1)
        adam.zero_grad()
        loss.backward()
        adam.step()

    def translate(sentences):
        with torch.no_grad():
            state, tokens, rows = read(sentences), torch.full((1, len(sentences)), 10), []
            for _ in range(8):
                h, state = decoder(code(tokens), state)
                tokens = out(h).argmax(-1)
                rows.append(tokens[0])
        return ["".join(map(str, row[: row.index(10)] if 10 in row else row)) for row in torch.stack(rows, 1).tolist()]

    return translate


RIGHT = {
    "collate": [collate_stack, collate_whole, collate_lists, collate_numpy, collate_eos_filled, collate_package, collate_ignored],
    "encode": [encode_loop, encode_steps, encode_sorted, encode_all_states, encode_gather, encode_packed_list, encode_groups, encode_unbatched],
    "translation_loss": [loss_reduction, loss_steps, loss_permuted, loss_ignored, loss_where, loss_sentences, loss_nll],
    "attend": [attend_bmm, attend_einsum, attend_by_hand, attend_loop, attend_late, attend_added, attend_matmul, attend_logsumexp],
    "greedy": [greedy_lists, greedy_to_the_end, greedy_frozen, greedy_recursive, greedy_numpy],
    "by_length": [shares_loop, shares_numpy, shares_torch, shares_dict],
    "learn": [learn_gru],
    "learn_long": [learn_attention],
}
