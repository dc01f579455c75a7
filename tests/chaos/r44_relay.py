"""R44: a relay ends with its client, leads nowhere else, and costs next to nothing."""

import asyncio
from itertools import product
from pathlib import Path

from tests.chaos.promise import Figure, Promise, all_of, milliseconds, none, quantile
from tests.chaos.r10_client_leaves import GOAL_S, MOMENTS, WAYS, through
from tests.chaos.relay_cost import cost
from tests.fakes.node_door import NodeDoor, node_door

PATIENCE_S = 10.0
OFFERED = "h/0"


def run(folder: Path, *, trials: int, rounds: int, seconds: float) -> list[Figure]:
    """Let clients leave, ask for what is not offered, and compare with the direct way.

    trials: clients at every moment and in every way. rounds, seconds: of each measurement.
    """
    return [
        *asyncio.run(_freed(trials)),
        *asyncio.run(_strangers()),
        *cost(folder, rounds, seconds),
    ]


async def _freed(trials: int) -> list[Figure]:
    async with node_door() as node:
        took, left_over = await through("protocol", trials, node)
        async with asyncio.timeout(PATIENCE_S):
            while node.tunnels:  # noqa: ASYNC110  # it sends no events
                await asyncio.sleep(0.01)
    total = trials * len(MOMENTS) * len(WAYS)
    return [
        all_of("clients left, engines freed", len(took), total),
        milliseconds("until an engine is free, median", quantile(took, 0.5)),
        milliseconds("until an engine is free, slowest", max(took), at_most=GOAL_S * 1000),
        none("requests in flight afterwards", left_over),
    ]


async def _strangers() -> list[Figure]:
    """Ask the door in many ways for a server that is not offered, and for one without a right."""
    reached = 0

    def count(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reached
        reached += 1
        writer.close()

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, node_door() as node:
        # What is offered leads there as well, so that a wrong credential would be seen.
        node.offer(h_0=f"http://127.0.0.1:{port}")
        asked = heads(node, port)
        answers = await asyncio.gather(*(_answer(node, head) for head in asked))
        opened = sum(answer.split(b"\r\n", 1)[0].endswith(b"200 OK") for answer in answers)
        before = reached
        # The count is worth something only if the right question arrives.
        await _answer(node, head(OFFERED, node.token))
        async with asyncio.timeout(PATIENCE_S):
            while reached == before:  # noqa: ASYNC110  # it sends no events
                await asyncio.sleep(0.01)
    return [
        none(f"connections opened by {len(asked)} questions for what is not offered", before),
        none("of them answered with 200", opened),
    ]


def head(target: str, token: str, method: str = "CONNECT") -> bytes:
    """Return a question for `target` as gateways ask it."""
    lines = [
        f"{method} {target} HTTP/1.1",
        f"Host: {target}",
        f"Proxy-Authorization: Bearer {token}",
    ]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def heads(node: NodeDoor, port: int) -> list[bytes]:
    """Return questions that must lead nowhere: other targets, methods, credentials and shapes."""
    at = f"127.0.0.1:{port}"
    targets = [
        *(at, f"localhost:{port}", f"[::1]:{port}", f"0.0.0.0:{port}", f"http://{at}/", "*", ""),
        *("h", "h/", "h/1", "H/0", "h/0/", "/h/0", "h//0", "h/0/../0", "h%2F0", "h/0?x", "h/0#x"),
        *("h/\u0660", "h/0\x00", "h/0 ", " h/0", "h/0\r\nX: y", "h/0," + at, "x" * 100_000),
    ]
    methods = ("GET", "POST", "OPTIONS", "connect", "CONNECTS")
    credentials = (
        "",
        node.token[:-1],
        node.token + "x",
        node.token.swapcase(),
        "\x00",
        "x" * 9_000,
    )
    return [
        *(head(target, node.token) for target in targets),
        *(head(target, node.token, method) for target, method in product((OFFERED, at), methods)),
        *(head(OFFERED, credential) for credential in credentials),
        f"CONNECT {OFFERED} HTTP/1.1\r\n\r\n".encode(),
        head(OFFERED, node.token).replace(b"Bearer", b"Basic"),
        head(OFFERED, node.token).replace(b"HTTP/1.1", b"HTTP/9.9"),
        head(OFFERED, node.token).replace(b"HTTP/1.1", b""),
        b"\x16\x03\x01\x02\x00" + bytes(512),
        b"\r\n" * 10_000,
        b"\x05\x01\x00",
    ]


async def _answer(node: NodeDoor, asked: bytes) -> bytes:
    """Return what the door says until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(node.address.split(":")[1]))
    try:
        writer.write(asked)
        writer.write_eof()
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


PROMISE = Promise(
    run,
    short={"trials": 5, "rounds": 1, "seconds": 0.4},
    full={"trials": 50, "rounds": 10, "seconds": 3.0},
)
