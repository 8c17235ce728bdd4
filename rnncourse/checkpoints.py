"""Save a training run, and go on with it as if nothing had happened."""

import os
from pathlib import Path

import torch


def save(path: str | Path, **parts) -> None:
    """Write the parts of a run to one file, whole or not at all: a crash while writing leaves the older file as it was.

    The state of torch's own random numbers is saved too (dropout draws from it).

    Parameters
    ----------
    path : str or Path
    **parts
        Whatever the run is made of, by name: what has a ``state_dict`` (models, optimizers, schedules, `models.Reading`), a
        ``torch.Generator``, or plain data (numbers, strings, tensors, and lists or dicts of them).

    Examples
    --------
    ::

        save("run.pt", model=model, optimizer=adam, reading=reading)
    """
    path = Path(path)
    stored = {name: _content(part) for name, part in parts.items()}
    unfinished = path.with_name(path.name + ".part")
    try:
        with open(unfinished, "wb") as file:
            torch.save({"random": torch.get_rng_state(), **stored}, file)
            file.flush()
            os.fsync(file.fileno())  # on the disk before it takes the old file's name
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def load(path: str | Path, **parts) -> dict:
    """Bring a run back: the parts named are set to what was saved under their names, torch's random numbers too.

    Parameters
    ----------
    path : str or Path
    **parts
        Objects with a ``load_state_dict``, or ``torch.Generator``, made as for the run that was saved.

    Returns
    -------
    dict
        What was saved and not asked for here: the plain data.

    Raises
    ------
    KeyError
        If a part is not in the file. Nothing is changed then.
    RuntimeError
        From torch, if the file is no whole checkpoint, or a model has another form.
    """
    stored = torch.load(path, weights_only=True)  # reads tensors and plain data; runs no code of the file
    missing = [name for name in parts if name not in stored]
    if missing:
        raise KeyError(f"{path} holds {sorted(stored)}, and not {missing}")
    for name, part in parts.items():
        content = stored.pop(name)
        part.set_state(content) if isinstance(part, torch.Generator) else part.load_state_dict(content)
    torch.set_rng_state(stored.pop("random"))
    return stored


def _content(part: object) -> object:
    if isinstance(part, torch.Generator):
        return part.get_state()
    return part.state_dict() if hasattr(part, "state_dict") else part
