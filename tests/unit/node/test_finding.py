"""Model servers are found by themselves, each once, and never a gateway of ours."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from node.engines import detect, http
from node.engines.http import OURS
from node.finding import Finder
from node.listeners import Listener

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def serving(host="127.0.0.1", headers=""):
    """Answer anything with a list of one model; yield the port, and whether somebody asked."""
    asked = []
    body = json.dumps({"object": "list", "data": [{"id": "small", "object": "model"}]})

    async def answer(reader, writer):
        try:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            head = f"HTTP/1.1 200 OK\r\nConnection: close\r\n{headers}"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # only looked whether somebody is there
        finally:
            writer.close()

    async with await asyncio.start_server(answer, host, 0) as server:
        yield server.sockets[0].getsockname()[1], asked


async def found(*places, known=(), times=1):
    async with http.new_client() as client:
        finder = Finder(client, known, lambda: places)
        return [[one.url for one in await finder.find()] for _ in range(times)]


async def test_a_server_is_told_of_once():
    async with serving() as (port, _):
        urls = await found(Listener(port), times=2)

        assert urls == [[f"http://127.0.0.1:{port}"], []]


async def test_a_server_that_is_only_at_another_address_is_found_there():
    async with serving("127.0.0.9") as (port, _):
        (urls,) = await found(Listener(port), Listener(port, host="127.0.0.9"))

        assert urls == [f"http://127.0.0.9:{port}"]


async def test_a_server_at_all_addresses_is_one_server():
    async with serving() as (port, _):
        (urls,) = await found(Listener(port), Listener(port, host="localhost"))

        assert urls == [f"http://127.0.0.1:{port}"]


async def test_what_is_served_already_is_left_alone():
    async with serving() as (port, asked):
        assert await found(Listener(port), known=[f"http://localhost:{port}"]) == [[]]
        assert asked == []


async def test_a_gateway_of_ours_is_no_engine():
    async with serving(headers=f"{OURS}: 1\r\n") as (port, asked):
        assert await found(Listener(port)) == [[]]
        assert asked


@pytest.mark.parametrize("engine", sorted(detect.LOOKS))
async def test_a_gateway_of_ours_that_comes_where_an_engine_was_is_none(engine):
    """Requests would go round in circles, and be more each time."""
    async with http.new_client() as client, serving(headers=f"{OURS}: 1\r\n") as (port, _):
        url = f"http://127.0.0.1:{port}"

        assert (await detect.look(client, url, engine)).health == "unhealthy"
        assert await detect.detect(client, [port]) == []


async def test_what_comes_later_is_found_later():
    async with http.new_client() as client, serving() as (port, _):
        places = []
        finder = Finder(client, listening=lambda: tuple(places))
        assert await finder.find() == []
        places.append(Listener(port))

        assert [one.port for one in await finder.find()] == [port]
