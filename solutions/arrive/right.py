"""Right answers that look different; the check has to accept every one."""

import torch


def in_steps(h, x, w, u):
    total = h * w
    total = total.add(x, alpha=u)
    return total.tanh()


def from_exponentials(h, x, w, u):
    e = torch.exp(2 * (w * h + u * x))
    return (e - 1) / (e + 1)


def element_by_element(h, x, w, u):
    return torch.stack([torch.tanh(w * h[b] + u * x[b]) for b in range(len(h))])


def by_a_matrix(h, x, w, u):
    return torch.tanh(torch.stack([h, x], dim=1) @ torch.tensor([w, u]))


def in_place(h, x, w, u):
    h *= w
    h += u * x
    return h.tanh_()


def in_double(h, x, w, u):
    return torch.tanh(w * h.double() + u * x.double())


RIGHT = {"step": [in_steps, from_exponentials, element_by_element, by_a_matrix, in_place, in_double]}
