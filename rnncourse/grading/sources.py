"""The files of a folder or an LMS's zip that may be submissions. All of them are hostile; none is parsed, no link is followed, nothing is extracted."""

import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from .verdict import BIGGEST

MOST = 20_000  # files of a source
LINK, LEAVES = "it is a link", "its path leads out of the archive"
INSTEAD = re.compile(r"\.(zip|7z|rar|tar|t?gz|t?bz2|t?xz)$|\.ipynb\.\w+$", re.I)  # also what a browser makes of a notebook's name
NOT_TAKEN = "only files whose names end in .ipynb are taken, and none out of an archive in the archive"
TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?) ?(UTC|Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII)


class Unreadable(ValueError):
    """A submitted file that is not looked at; the message says why."""


def content(root: Path, *steps: str) -> bytes:
    """A file under a folder, of which no step may be a link.

    Raises
    ------
    Unreadable
        If it is no plain file, or too big.
    """
    place = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for step in steps:
            inner = os.open(step, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
            os.close(place)
            place = inner
        if not stat.S_ISREG(os.fstat(place).st_mode):
            raise OSError(0, "a pipe, a device or a folder")
        with open(os.dup(place), "rb") as file:
            data = file.read(BIGGEST + 1)
    except OSError as error:
        raise Unreadable(f"it is no plain file ({error.strerror})") from None
    finally:
        os.close(place)
    if len(data) > BIGGEST:
        raise Unreadable(f"it has more than {BIGGEST >> 20} MB")
    return data


@dataclass(frozen=True)
class File:
    """A file of a source: its path there, its time, how its bytes are got, and why they are not."""

    path: str
    time: datetime
    read: Callable[[], bytes]
    why: str = ""


@contextmanager
def files(source: Path) -> Iterator[list[File]]:
    """The notebooks of a folder or a zip, and what stands there in place of one; they can be read until the end.

    The times in a zip have no zone: they are taken for local time of this machine.

    Raises
    ------
    ValueError
        If the source is neither, or holds too many files.
    """
    if source.is_dir():
        yield chosen(source, inside(source))
        return
    try:
        archive = zipfile.ZipFile(source)
    except FileNotFoundError:
        raise ValueError(f"there is no {source}: give the folder or the zip that came from the LMS") from None
    except (zipfile.BadZipFile, struct.error, ValueError) as error:
        raise ValueError(f"{source} is neither a folder nor a whole zip ({shown(str(error))}): download it again") from None
    with archive:
        yield chosen(source, (member(archive, info) for info in archive.infolist() if not info.is_dir()))


def chosen(source: Path, found: Iterable[File]) -> list[File]:
    """Those that an instructor wants to know of."""
    kept = []
    for n, file in enumerate(found):
        if n == MOST:
            raise ValueError(f"{source} holds more than {MOST} files: give the folder or the zip of one lab")
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in file.path.split("/"))
        if file.why == LEAVES or not hidden and (file.path.lower().endswith(".ipynb") or file.why == LINK):
            kept.append(file)
        elif not hidden and INSTEAD.search(file.path):
            kept.append(File(file.path, file.time, file.read, NOT_TAKEN))
    return sorted(kept, key=lambda file: file.path)


def inside(folder: Path) -> Iterator[File]:
    """All that a folder holds."""
    for place, folders, names in os.walk(folder, onerror=_stop):
        for name in sorted([*names, *(inner for inner in folders if os.path.islink(os.path.join(place, inner)))]):
            found, path = os.lstat(os.path.join(place, name)), Path(place, name).relative_to(folder)
            yield File(path.as_posix(), moment(found.st_mtime), partial(content, folder, *path.parts), amiss(found.st_size, found.st_mode))


def _stop(error: OSError) -> None:
    raise ValueError(f"{shown(str(error.filename))} cannot be read ({error.strerror})")


def member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> File:
    """One of a zip's."""
    name, why = info.filename.replace("\\", "/"), amiss(info.file_size, info.external_attr >> 16)
    if not info.flag_bits & 0x800:  # a Mac writes UTF-8 without saying so
        try:
            name = name.encode("cp437").decode("utf8")
        except UnicodeError:
            pass
    try:
        seconds = datetime(*info.date_time).timestamp()
    except (ValueError, OverflowError):
        seconds = 0
    if info.flag_bits & 1:
        why = "it is encrypted"
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        why = "it is compressed in an unusual way"
    if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in name.split("/"):
        why = LEAVES
    return File(name, moment(seconds), partial(unpacked, archive, info), why)


def amiss(size: int, mode: int) -> str:
    """Why a file is not read, "" if it is."""
    if stat.S_ISLNK(mode):
        return LINK
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "it is no plain file"
    return "it is empty" if not size else f"it has more than {BIGGEST >> 20} MB" if size > BIGGEST else ""


def unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The bytes of a zip's member, whatever its header says of their number."""
    try:
        with archive.open(info) as file:
            data = file.read(BIGGEST + 1)
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise Unreadable(f"it cannot be unpacked ({shown(str(error))})") from None
    if len(data) > BIGGEST:
        raise Unreadable(f"it has more than {BIGGEST >> 20} MB")
    return data


def moment(seconds: float) -> datetime:
    """A file's time; that of 1970 if it can be none."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)


def when(text: str) -> datetime | None:
    """The time that a submission's timestamp.txt tells.

    Parameters
    ----------
    text : str
        "2026-12-01 10:00:00 UTC", as collecting writes it, or with a T between, with Z or an offset such as +01:00 at the end. Without a zone it is UTC.

    Returns
    -------
    datetime or None
        In UTC and without a zone, as nbgrader keeps times. None of an empty text.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    text = text.strip("\ufeff \t\r\n")
    try:
        if found := TIME.fullmatch(text):
            day, clock, zone = found.groups("Z")
            return datetime.fromisoformat(f"{day}T{clock}{zone.replace('UTC', 'Z')}").astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        pass
    if text:
        raise ValueError(f'"{shown(text)}" is no time that is understood: write it like 2026-12-01 10:00:00 UTC, or 2026-12-01 10:00:00+01:00')
    return None


def shown(text: str) -> str:
    """A hostile name in one short line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:150]) + "..." * (len(text) > 150)
