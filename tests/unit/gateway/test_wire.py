"""What goes back to a client, over a transport that only takes note."""

import asyncio

import pytest
from uvicorn.server import ServerState

from gateway import wire
from gateway.wire import Wire

pytestmark = pytest.mark.anyio


class Notes(asyncio.Transport):
    """A transport that leads nowhere. said: what it was asked, bytes or words."""

    def __init__(self, unread: int = 0) -> None:
        super().__init__()
        self.said: list[bytes | str] = []
        self._unread = unread
        self._closing = False

    def write(self, data: bytes) -> None:
        self.said.append(data)

    def write_eof(self) -> None:
        self.said.append("eof")

    def get_write_buffer_size(self) -> int:
        return self._unread

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True
        self.said.append("close")

    def abort(self) -> None:
        self._closing = True
        self.said.append("abort")


@pytest.fixture
def server_state():
    state = ServerState()
    state.default_headers = [(b"date", b"today")]
    return state


async def test_an_answer_has_the_lines_of_the_server(server_state):
    notes = Notes()
    one = Wire(notes, server_state)

    one.write_answer(200, b"a: b\r\n", b"{}", keep_alive=True)
    server_state.default_headers = [(b"date", b"tomorrow")]
    one.write_head(200, b"a: b\r\n", b"transfer-encoding: chunked\r\n", keep_alive=False)

    assert notes.said == [
        b"HTTP/1.1 200 OK\r\na: b\r\ndate: today\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\na: b\r\ndate: tomorrow\r\nconnection: close\r\n"
        b"transfer-encoding: chunked\r\n\r\n",
    ]


async def test_nothing_is_written_behind_the_end(server_state):
    notes = Notes()
    one = Wire(notes, server_state)

    one.close()
    one.write(b"more")
    one.write_answer(200, b"", b"more", keep_alive=True)

    assert notes.said == ["close"]


@pytest.mark.parametrize(
    ("unread", "end", "said"),
    [
        (0, Wire.close, ["close"]),
        (9, Wire.close, ["close", "abort"]),
        (0, Wire.close_sending, ["eof", "abort"]),
        (0, Wire.linger, ["abort"]),
    ],
    ids=["all-read", "not-all-read", "client-may-end-it", "client-still-sends"],
)
async def test_a_client_is_not_waited_for_long(server_state, monkeypatch, unread, end, said):
    monkeypatch.setattr(wire, "LINGER_SECONDS", 0)
    notes = Notes(unread)

    end(Wire(notes, server_state))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert notes.said == said


async def test_a_lost_connection_is_not_cut(server_state, monkeypatch):
    monkeypatch.setattr(wire, "LINGER_SECONDS", 0)
    notes = Notes()
    one = Wire(notes, server_state)

    one.linger()
    one.lost()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert notes.said == []
