"""Traces: when requests came, and how long their prompts and answers were.

CSV with a head line, or JSONL; plain, or packed as `.gz`. Each may name its fields as the
traces of Azure or of Mooncake do, or `time`, `input_tokens`, `output_tokens` and, if it has
them, `prefix_block_ids`: one number for each block of 512 tokens that other prompts begin
with as well.
"""

import csv
import gzip
import json
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

BLOCK_TOKENS = 512
MAX_ENTRIES = 2_000_000
MAX_LINE = 1 << 20  # characters
MAX_TIME = 1e15
MAX_TOKENS = 100_000_000
MAX_BLOCKS = 100_000  # of one prompt

Blocks = tuple[int, ...]


class TraceError(Exception):
    """A trace that cannot be replayed: `file:line: field: what is wrong`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request. at: seconds after the first one.

    prompt, answer: tokens. blocks: what it shares with others, from its beginning on.
    session: of requests that continue each other; below 0 for one without blocks.
    """

    at: float
    prompt: int
    answer: int
    session: int
    blocks: Blocks = ()


@dataclass(frozen=True, slots=True)
class _Field:
    """What a value is called. per_second: units of a time that make a second."""

    names: Mapping[str, float]

    def of(self, record: Mapping[str, Any]) -> tuple[str, float] | None:
        return next(((name, unit) for name, unit in self.names.items() if name in record), None)


_TIME = _Field({"TIMESTAMP": 1, "timestamp": 1_000, "time": 1})
_PROMPT = _Field({"ContextTokens": 1, "input_length": 1, "input_tokens": 1})
_ANSWER = _Field({"GeneratedTokens": 1, "output_length": 1, "output_tokens": 1})
_BLOCKS = _Field({"hash_ids": 1, "prefix_block_ids": 1})


def read(path: Path) -> list[Entry]:
    """Return the requests of a trace in the order in which they came.

    Raises:
        TraceError: it cannot be read, or a line is not what it has to be.
    """
    rows: list[tuple[float, int, int, Blocks]] = []
    for place, record in _records(path):
        if len(rows) == MAX_ENTRIES:
            raise TraceError(f"{place}: more than {MAX_ENTRIES:,} requests")
        rows.append(_row(record, place))
    if not rows:
        raise TraceError(f"{path}: it has no requests")
    rows.sort(key=lambda row: row[0])
    began = rows[0][0]
    sessions = _Sessions()
    return [
        Entry(at - began, prompt, answer, sessions.of(number, blocks), blocks)
        for number, (at, prompt, answer, blocks) in enumerate(rows)
    ]


def read_all(paths: Iterable[Path]) -> dict[str, list[Entry]]:
    """Return the requests of several traces, by their names.

    Raises:
        TraceError: as `read`, or two have one name.
    """
    traces: dict[str, list[Entry]] = {}
    for path in paths:
        name = path.name.partition(".")[0]
        if name in traces:
            raise TraceError(f"{path}: another trace is called {name}, too")
        traces[name] = read(path)
    return traces


class _Sessions:
    """Who continues whom: a prompt that has a block of an earlier one, the first one apart.

    The first block is what all prompts of an application begin with.
    """

    def __init__(self) -> None:
        self._owners: dict[int, int] = {}
        self._count = 0

    def of(self, number: int, blocks: Blocks) -> int:
        """Return the session of the request of a number."""
        if not blocks:
            return -1 - number
        own = blocks[1:]
        known = (self._owners[block] for block in reversed(own) if block in self._owners)
        session = next(known, None)
        if session is None:
            self._count += 1
            session = self._count
        self._owners.update(dict.fromkeys(own, session))
        return session


def _records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the place of each record, for people, and the record."""
    names = path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]
    kind = names[0] if names else ""
    parse: dict[str, Callable[[Path, IO[str]], Iterator[tuple[str, Mapping[str, Any]]]]]
    parse = {".csv": _csv, ".jsonl": _jsonl}
    if kind not in parse:
        raise TraceError(f"{path}: a trace is .csv or .jsonl, maybe with .gz")
    try:
        with _opened(path) as file:
            yield from parse[kind](path, file)
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: it is not UTF-8") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise TraceError(f"{path}: it is not packed as .gz, or not whole") from error
    except OSError as error:
        raise TraceError(f"{path}: {(error.strerror or str(error)).lower()}") from error


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _lines(path: Path, file: IO[str]) -> Iterator[tuple[str, str]]:
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise TraceError(f"{path}:{number}: the line is longer than {MAX_LINE:,} characters")
        if line.strip():
            yield f"{path}:{number}", line


def _csv(path: Path, file: IO[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    names: list[str] = []
    for place, line in _lines(path, file):
        try:
            values = next(csv.reader([line]))
        except csv.Error as error:
            raise TraceError(f"{place}: it is not CSV: {error}") from error
        if not names:
            names = [name.strip().removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}") for name in values]
        elif len(values) != len(names):
            raise TraceError(f"{place}: {len(values)} values, the head has {len(names)}")
        else:
            yield place, dict(zip(names, values, strict=True))


def _jsonl(path: Path, file: IO[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for place, line in _lines(path, file):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TraceError(f"{place}: it is not JSON") from error
        if not isinstance(record, dict):
            raise TraceError(f"{place}: it is not a JSON object")
        yield place, record


def _row(record: Mapping[str, Any], place: str) -> tuple[float, int, int, Blocks]:
    return (
        _time(record, place),
        _tokens(record, _PROMPT, place),
        _tokens(record, _ANSWER, place),
        _blocks(record, place),
    )


def _required(record: Mapping[str, Any], field: _Field, place: str) -> tuple[str, float, Any]:
    if (found := field.of(record)) is None:
        *others, last = field.names
        raise TraceError(f"{place}: none of {', '.join(others)} or {last} is there")
    name, unit = found
    return name, unit, record[name]


def _time(record: Mapping[str, Any], place: str) -> float:
    name, unit, value = _required(record, _TIME, place)
    number = _number(value)  # first: some of them could be dates, too, such as 10000101
    if number is not None and abs(number) <= MAX_TIME:
        return number / unit
    if number is None and isinstance(value, str):
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(value)
            # Without a zone: where clocks are set to summer, an hour would come twice.
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    raise TraceError(f"{place}: {name}: {_shown(value)} is no time")


def _tokens(record: Mapping[str, Any], field: _Field, place: str) -> int:
    name, _, value = _required(record, field, place)
    number = _number(value)
    if number is None or number != int(number) or not 0 <= number <= MAX_TOKENS:
        raise TraceError(f"{place}: {name}: {_shown(value)} is no count of tokens")
    return int(number)


def _blocks(record: Mapping[str, Any], place: str) -> Blocks:
    if (found := _BLOCKS.of(record)) is None:
        return ()
    name, _ = found
    value = record[name]
    ids = value.split() if isinstance(value, str) else value
    if not isinstance(ids, list) or len(ids) > MAX_BLOCKS:
        raise TraceError(f"{place}: {name}: {_shown(value)} is no list of numbers")
    numbers = [_number(one) for one in ids]
    if None in numbers:
        raise TraceError(f"{place}: {name}: {_shown(value)} is no list of numbers")
    return tuple(int(number) for number in numbers if number is not None)


def _number(value: object) -> float | None:
    """Return a number that is one, as CSV or JSON writes it."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
