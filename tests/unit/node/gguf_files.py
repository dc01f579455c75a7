"""Makes GGUF headers, right and wrong."""

import struct

CODES = {"u8": (0, "B"), "u32": (4, "I"), "f32": (6, "f"), "u64": (10, "Q")}


def text(value):
    encoded = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def scalar(kind, value):
    number, code = CODES[kind]
    return struct.pack("<I", number) + struct.pack(f"<{code}", value)


def string(value):
    return struct.pack("<I", 8) + text(value)


def texts(values):
    return struct.pack("<IIQ", 9, 8, len(values)) + b"".join(map(text, values))


def numbers(count):
    return struct.pack("<IIQ", 9, 4, count) + bytes(4 * count)


def tensor(name, *dimensions):
    shape = struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
    return text(name) + shape + struct.pack("<IQ", 0, 0)


def header(pairs, tensors=(), version=3, said_pairs=None, said_tensors=None):
    """Return a header. pairs: by key, as the functions above make them."""
    counts = struct.pack(
        "<IQQ",
        version,
        len(tensors) if said_tensors is None else said_tensors,
        len(pairs) if said_pairs is None else said_pairs,
    )
    told = b"".join(text(key) + value for key, value in pairs.items())
    return b"GGUF" + counts + told + b"".join(tensors)


QWEN = {
    "general.architecture": string("qwen3"),
    "general.name": string("Qwen3 8B"),
    "qwen3.context_length": scalar("u32", 40_960),
    "tokenizer.ggml.tokens": texts(["a", "bc", ""] * 50_000),
    "tokenizer.ggml.token_type": numbers(150_000),
    "general.file_type": scalar("u32", 15),
}
TENSORS = (tensor("a", 4096, 1000), tensor("b", 4096))
