"""Finds files with weights in folders that may hold anything, on disks that may be slow."""

import heapq
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from node import gguf
from node.state import ModelFile

SUFFIX = ".gguf"
# How llama.cpp names the parts of weights that are in several files.
PART_OF = "-of-"
PART = re.compile(r"(?P<stem>.+)-(?P<part>\d{5})-of-(?P<parts>\d{5})\.[Gg][Gg][Uu][Ff]")

MAX_ENTRIES = 500_000
MAX_DEPTH = 32
MAX_PARTS = 256  # of one model
MAX_TOLD = 1_000  # that control takes
MAX_PROBLEMS = 100
MAX_LINE = 400
MAX_PATH = 4_096
# Of paths and problems together, as UTF-8: the rest of a registration needs its room.
MAX_TOLD_BYTES = 256 << 10
WALK_SECONDS = 30.0
HEADER_SECONDS = 5.0  # at a time; what is left is read the next time
FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True, slots=True)
class Found:
    """What one look found. `whole`: nothing was left for the next one."""

    files: tuple[ModelFile, ...] = ()
    count: int = 0
    problems: tuple[str, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True, order=True)
class _Part:
    """A file. `stamp`: its size and when it was changed."""

    path: str
    stamp: tuple[int, int] = field(compare=False)


@dataclass(frozen=True, slots=True)
class _Weights:
    """The parts of a model, in their order. missing: how many are not there."""

    parts: tuple[_Part, ...]
    missing: int = 0

    @property
    def path(self) -> str:
        return self.parts[0].path

    @property
    def stamps(self) -> tuple[tuple[int, int], ...]:
        return tuple(part.stamp for part in self.parts)

    @property
    def size(self) -> int:
        return sum(size for size, _ in self.stamps)


class Scan:
    """Looks through `roots`; a header is read once, until its file changes.

    now: seconds, monotonic.
    """

    def __init__(self, roots: Sequence[Path], now: Callable[[], float] = time.monotonic) -> None:
        self._roots = roots
        self._now = now
        self._known: dict[str, tuple[tuple[tuple[int, int], ...], gguf.Header]] = {}

    def look(self) -> Found:
        """Return what is there now.

        It blocks, where the disk answers for `WALK_SECONDS` and `HEADER_SECONDS` at most.
        """
        walk = _Walk(self._now, self._now() + WALK_SECONDS)
        paths = (found for root in self._roots for found in walk.weights(root))
        told = heapq.nsmallest(MAX_TOLD, paths, key=lambda one: one.path)
        files, whole = self._with_headers(told, walk.problems)
        return _bounded(files, walk.count, walk.problems, whole)

    def _with_headers(
        self, told: Sequence[_Weights], problems: list[str]
    ) -> tuple[list[ModelFile], bool]:
        deadline = self._now() + HEADER_SECONDS
        known, self._known = self._known, {}
        files, whole = [], True
        for one in told:
            stamps, header = known.get(one.path, ((), None))
            if stamps != one.stamps:
                header = None
            if header is None and (whole := whole and self._now() < deadline):
                header = _header(one.parts)
            if header is not None:
                self._known[one.path] = one.stamps, header
                if header.problem:
                    problems.append(f"{shown(one.path)}: {header.problem}")
            if one.missing:
                problems.append(f"{shown(one.path)}: {one.missing} of its parts are missing")
            files.append(_file(one, header or gguf.Header()))
        return files, whole


class _Walk:
    """One way through folders; each is entered once, whatever links lead to it."""

    def __init__(self, now: Callable[[], float], deadline: float) -> None:
        self.problems: list[str] = []
        self.count = 0
        self._now = now
        self._deadline = deadline
        self._entries = 0
        self._seen: set[tuple[int, int]] = set()

    def weights(self, root: Path) -> Iterator[_Weights]:
        """Yield what is under `root`, in no order."""
        try:
            top = str(root.expanduser().absolute())
        except RuntimeError:  # whose home it is cannot be told
            self._complain(str(root), "there is no such home")
            return
        folders = [(top, 0)]
        while folders:
            folder, depth = folders.pop()
            if depth > MAX_DEPTH:
                self._complain(folder, f"more than {MAX_DEPTH} folders deep; it is left out")
                continue
            parts: list[_Part] = []
            try:
                if not self._first_time(os.stat(folder)):
                    continue
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if self._given_up(top):
                            folders.clear()
                            break
                        if (part := self._part(entry)) is not None:
                            parts.append(part)
                        elif self._is_folder(entry):
                            folders.append((entry.path, depth + 1))
            except OSError as error:
                self._complain(folder, _why(error))
            for found in _joined(parts):
                self.count += 1
                yield found

    def _part(self, entry: os.DirEntry[str]) -> _Part | None:
        """Return a file with weights that was not met before; None when it is none."""
        if not entry.name.lower().endswith(SUFFIX):
            return None
        try:
            status = os.stat(entry.path)  # of what a link leads to
        except OSError as error:
            nowhere = entry.is_symlink() and isinstance(error, FileNotFoundError)
            self._complain(entry.path, "a link to nothing" if nowhere else _why(error))
            return None
        if stat.S_ISDIR(status.st_mode):
            return None
        if not stat.S_ISREG(status.st_mode):
            self._complain(entry.path, "no regular file")
        elif len(entry.path) > MAX_PATH:
            self._complain(entry.path, f"its path has more than {MAX_PATH} characters")
        elif self._first_time(status):
            return _Part(entry.path, (status.st_size, status.st_mtime_ns))
        return None

    def _is_folder(self, entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_dir()
        except OSError as error:  # of a link into what cannot be read, or to itself
            self._complain(entry.path, _why(error))
            return False

    def _first_time(self, status: os.stat_result) -> bool:
        """Return whether this is met first; a system that does not number files tells no more."""
        identity = status.st_dev, status.st_ino
        new = identity not in self._seen
        if status.st_ino:
            self._seen.add(identity)
        return new

    def _given_up(self, root: str) -> bool:
        self._entries += 1
        if self._entries > MAX_ENTRIES:
            self._complain(root, f"more than {MAX_ENTRIES} entries; the rest is left out")
        elif self._now() > self._deadline:
            self._complain(root, f"it takes more than {WALK_SECONDS:.0f} s; the rest is left out")
        else:
            return False
        return True

    def _complain(self, path: str, why: str) -> None:
        # One more than is told, so that there being more shows.
        if len(self.problems) <= MAX_PROBLEMS:
            self.problems.append(f"{shown(path)}: {why}")


def _joined(parts: list[_Part]) -> Iterator[_Weights]:
    """Yield the models of one folder: those in several parts as one, by the first part."""
    split: dict[tuple[str, int], list[_Part]] = {}
    for part in parts:
        match = PART.fullmatch(os.path.basename(part.path)) if PART_OF in part.path else None
        if match is None:
            yield _Weights((part,))
        else:
            split.setdefault((match["stem"], int(match["parts"])), []).append(part)
    for (_, said), found in split.items():
        yield _Weights(tuple(sorted(found)), max(said - len(found), 0))


def _header(parts: Sequence[_Part]) -> gguf.Header:
    """Return what the first part says; the weights of all of them count."""
    first, *others = [_read(part.path) for part in parts[:MAX_PARTS]]
    known = len(parts) <= MAX_PARTS and all(
        one.parameter_count or not one.problem for one in others
    )
    count = first.parameter_count + sum(one.parameter_count for one in others) if known else 0
    problem = first.problem or next((one.problem for one in others if one.problem), "")
    return replace(first, parameter_count=min(count, gguf.MAX_INT64), problem=problem)


def _read(path: str) -> gguf.Header:
    try:
        # What was a file a moment ago may be a pipe now, whose opening waits for a writer.
        descriptor = os.open(path, FLAGS)
        with open(descriptor, "rb", buffering=gguf.BLOCK_BYTES) as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return gguf.Header(problem="no regular file")
            return gguf.read(file, status.st_size)
    except OSError as error:
        return gguf.Header(problem=_why(error))


def _file(weights: _Weights, header: gguf.Header) -> ModelFile:
    return ModelFile(
        shown(weights.path),
        weights.size,
        header.name,
        header.architecture,
        header.quantization,
        header.context_tokens,
        header.parameter_count,
    )


def _bounded(files: list[ModelFile], count: int, problems: list[str], whole: bool) -> Found:
    # The end tells more than the beginning, of a path and why.
    lines = sorted(
        {line if len(line) <= MAX_LINE else f"…{line[1 - MAX_LINE :]}" for line in problems}
    )
    if len(lines) > MAX_PROBLEMS:
        lines[MAX_PROBLEMS - 1 :] = ["there is more that is wrong"]
    room = MAX_TOLD_BYTES - sum(len(line.encode()) for line in lines)
    told = []
    for one in files:
        room -= len(one.path.encode()) + len(one.name.encode()) + len(one.architecture.encode())
        if room < 0:
            break
        told.append(one)
    return Found(tuple(told), count, tuple(lines), whole)


def shown(path: str) -> str:
    """Return a path as messages can carry it; what is no character of a text is replaced."""
    return "".join(one if one.isprintable() else "\ufffd" for one in path)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
