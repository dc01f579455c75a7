"""What a GGUF file says of itself. It may be anybody's, so that all of it is bounded.

A reader of our own: the `gguf` package brings numpy, maps the file into memory, where one
that shrinks meanwhile ends the process, and believes every count that it reads.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAX_READ_BYTES = 32 << 20  # the longest header known, with 260,000 tokens, has 11 MB
MAX_PAIRS = 4_096
MAX_TENSORS = 65_536
MAX_DIMENSIONS = 8
MAX_TEXT_BYTES = 65_535  # of a key, by the specification; of a value that is kept
MAX_SHOWN = 200
BLOCK_BYTES = 64 << 10
MAX_INT64 = 2**63 - 1

MAGIC = b"GGUF"
# By the number of a type: what `struct` calls it.
SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
WIDTHS = {code: struct.calcsize(f"={code}") for code in SCALARS.values()}
LENGTH = struct.Struct("<Q")  # of a text
INTEGERS = frozenset({0, 1, 2, 3, 4, 5, 10, 11})
TEXT, ARRAY = 8, 9

# `llama_ftype` of llama.cpp, how most of the weights are stored.
QUANTIZATIONS = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4_MOE",
}


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says; empty and 0 where it does not. A projector's architecture is `clip`.

    problem: why it could not be read to its end; what stands before that is told.
    """

    name: str = ""
    architecture: str = ""
    quantization: str = ""
    context_tokens: int = 0
    parameter_count: int = 0
    problem: str = ""


class _Unusable(Exception):
    """The file does not hold what it says."""


def read(file: BinaryIO, size: int) -> Header:
    """Return the header of a file of `size` bytes; reads `MAX_READ_BYTES` of it at most.

    Raises:
        OSError: the file cannot be read.
    """
    source = _Source(file, size)
    pairs: dict[str, int | str] = {}
    parameters, problem = 0, ""
    try:
        tensors, count = source.begin()
        for key, value in source.pairs(count):
            pairs[key] = value
        parameters = source.parameters(tensors)
    except _Unusable as error:
        problem = str(error)
    architecture = pairs.get("general.architecture", "")
    context = pairs.get(f"{architecture}.context_length", 0)
    return Header(
        name=_shown(pairs.get("general.name")),
        architecture=_shown(architecture),
        quantization=QUANTIZATIONS.get(_count(pairs.get("general.file_type"), -1), ""),
        context_tokens=_count(context),
        parameter_count=_count(parameters),
        problem=problem,
    )


class _Source:
    """A file, read forwards and within bounds."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._ahead = size  # bytes that the file has from here on
        self._left = MAX_READ_BYTES
        self._order = "<"

    def begin(self) -> tuple[int, int]:
        """Return how many tensors and how many pairs the file says it has."""
        if self._take(4) != MAGIC:
            raise _Unusable("it is no GGUF file")
        version = self._take(4)
        if version[:2] == b"\0\0":
            self._order = ">"  # made on a machine of that order
        if (number := self._unpack("I", version)) not in (2, 3):
            raise _Unusable(f"GGUF of version {number} is not known")
        tensors, pairs = self._scalar("Q"), self._scalar("Q")
        if pairs > MAX_PAIRS:
            raise _Unusable(f"it says that it has {pairs} pairs, more than {MAX_PAIRS}")
        return tensors, pairs

    def pairs(self, count: int) -> Iterator[tuple[str, int | str]]:
        """Yield the texts and whole numbers among `count` pairs that may be of use."""
        for _ in range(count):
            key = self._text().decode("utf-8", "replace")
            kind = self._scalar("I")
            wanted = key.startswith("general.") or key.endswith(".context_length")
            if kind == ARRAY:
                self._skip_array()
            elif kind == TEXT and wanted:
                yield key, self._text().decode("utf-8", "replace")
            elif kind == TEXT:
                self._skip(self._scalar("Q"))
            elif kind in INTEGERS and wanted:
                yield key, self._scalar(SCALARS[kind])
            else:
                self._skip(_width(kind))

    def parameters(self, tensors: int) -> int:
        """Return how many weights `tensors` tensors have together."""
        if tensors > MAX_TENSORS:
            raise _Unusable(f"it says that it has {tensors} tensors, more than {MAX_TENSORS}")
        total = 0
        for _ in range(tensors):
            self._skip(self._scalar("Q"))
            if (dimensions := self._scalar("I")) > MAX_DIMENSIONS:
                raise _Unusable(f"it says that a tensor has {dimensions} dimensions")
            weights = 1
            for _ in range(dimensions):
                weights *= self._scalar("Q")
            total += weights
            self._skip(12)  # how they are stored, and where
        return total

    def _skip_array(self) -> None:
        kind, count = self._scalar("I"), self._scalar("Q")
        if kind == ARRAY:
            raise _Unusable("it has arrays within arrays")
        if kind != TEXT:
            self._skip(_width(kind) * count)
            return
        if count > self._ahead // LENGTH.size:
            raise _Unusable("it ends too early")
        self._skip_texts(count)

    def _skip_texts(self, count: int) -> None:
        """Pass over a vocabulary, of a hundred thousand short texts, in blocks."""
        length = struct.Struct(f"{self._order}Q").unpack_from
        block, at = b"", 0
        for _ in range(count):
            if len(block) - at < LENGTH.size:
                self._skip(max(at - len(block), 0))
                block, at = block[at:] + self._take(min(BLOCK_BYTES, self._ahead)), 0
                if len(block) < LENGTH.size:
                    raise _Unusable("it ends too early")
            at += LENGTH.size + length(block, at)[0]
        if at > len(block):
            self._skip(at - len(block))
        else:
            self._ahead += len(block) - at
            self._file.seek(at - len(block), os.SEEK_CUR)

    def _text(self) -> bytes:
        if (length := self._scalar("Q")) > MAX_TEXT_BYTES:
            raise _Unusable(f"it says that a text has {length} bytes")
        return self._take(length)

    def _scalar(self, code: str) -> int:
        return self._unpack(code, self._take(WIDTHS[code]))

    def _unpack(self, code: str, packed: bytes) -> int:
        (value,) = struct.unpack(self._order + code, packed)
        return int(value)

    def _skip(self, count: int) -> None:
        if count > self._ahead:
            raise _Unusable("it ends too early")
        # What is passed over within a buffer was read as well; small steps are not free.
        self._spend(min(count, 4_096))
        self._ahead -= count
        self._file.seek(count, os.SEEK_CUR)

    def _take(self, count: int) -> bytes:
        self._spend(count)
        taken = self._file.read(count)
        if len(taken) < count:
            raise _Unusable("it ends too early")
        self._ahead -= count
        return taken

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise _Unusable(f"its header is longer than {MAX_READ_BYTES >> 20} MB")


def _width(kind: int) -> int:
    if kind not in SCALARS:
        raise _Unusable(f"it has a value of type {kind}, which is not known")
    return WIDTHS[SCALARS[kind]]


def _count(value: object, otherwise: int = 0) -> int:
    """Return `value` where it is a number that the contract can carry."""
    return value if isinstance(value, int) and 0 <= value <= MAX_INT64 else otherwise


def _shown(value: object) -> str:
    """Return a text as people can be shown it: bounded, and printable."""
    text = value[:MAX_SHOWN] if isinstance(value, str) else ""
    return "".join(one if one.isprintable() else "\ufffd" for one in text).strip()
