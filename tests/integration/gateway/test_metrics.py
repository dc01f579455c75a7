"""What scrapers see of a gateway, and of all its workers."""

import asyncio
import os
import signal

import httpx
import pytest

from gateway.record import RUNNING
from tests.fakes import answers
from tests.fakes.engine import Engine
from tests.integration.gateway.front import Front
from tests.integration.gateway.front import front as serve
from tests.integration.gateway.test_workers import CHAT, client, engines, hive, pids, settle
from tests.processes import Service, Spawn, wait_until
from tests.series import series

BODY = {"model": "small", "messages": []}
NOBODY = "127.0.0.1:9"  # where nothing listens
ANSWERED = "upstream_requests_total,{service},answered"


async def scrape(front: Front, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(f"{front.url}/metrics", headers=headers)


@pytest.mark.anyio
async def test_requests_are_counted_before_and_after_control_is_told(front: Front, engine: Engine):
    usage = {"prompt_tokens": 12, "completion_tokens": 3}
    engine.script = lambda _: answers.document({"usage": usage})
    await front.post(BODY)
    first = await scrape(front)
    front.gateway.meter.take(10)  # as the link to control does
    await front.post(BODY)
    second = series((await scrape(front)).text)

    assert first.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert first.headers["x-request-id"].startswith("req_")
    assert series(first.text)[ANSWERED.format(service="h/0")] == 1
    assert second[ANSWERED.format(service="h/0")] == 2
    assert second["tokens_total,h/0,prompt"] == 24
    assert second["request_duration_seconds_count,h/0"] == 2
    assert second["in_flight_requests,h/0"] == 0
    assert second["routed_services"] == 1
    assert second["workers"] == 1


@pytest.mark.anyio
async def test_a_refused_request_is_counted_by_its_code_and_by_no_name_of_its_own(front: Front):
    junk = {"model": 'nobody"\n{}', "messages": []}
    assert (await front.post(junk)).status_code == 404
    text = (await scrape(front)).text

    assert series(text)["refused_requests_total,model_not_found"] == 1
    assert "nobody" not in text


@pytest.mark.anyio
async def test_what_is_kept_out_and_tried_elsewhere_is_counted(door: str, engine: Engine):
    engine.script = lambda _: answers.document({})
    async with serve(door, ejection={"failures": 1}) as front:
        front.offer(NOBODY, engine.address)
        for _ in range(4):
            assert (await front.post(BODY)).status_code == 200
        found = series((await scrape(front)).text)

    assert (found["ejected,h/0"], found["ejected,h/1"]) == (1, 0)
    assert (found["ejections_total,h/0"], found["ejections_total,h/1"]) == (1, 0)
    assert (found["retries_total"], found["retries_denied_total"]) == (1, 0)
    assert (found["active_requests"], found["held_bytes"]) == (0, 0)
    assert found["active_requests_limit"] == 4_096


@pytest.mark.anyio
async def test_where_clients_need_a_key_scrapers_do(front: Front):
    front.allow("k1")

    assert (await scrape(front)).status_code == 401
    assert (await scrape(front, authorization="Bearer k2")).status_code == 401
    assert (await scrape(front, authorization="Bearer k1")).status_code == 200


@pytest.mark.anyio
async def test_scrapers_that_come_together_all_get_their_text(front: Front):
    several = [asyncio.ensure_future(scrape(front)) for _ in range(8)]
    several[0].cancel()
    found = await asyncio.gather(*several[1:])

    assert all("geniehive_gateway_workers 1.0" in one.text for one in found)


def scraped(gateway: Service) -> dict[str, float]:
    with client(gateway) as http:
        return series(http.get("/metrics").text)


def counted(gateway: Service) -> tuple[float, float]:
    """Return how many requests were answered and refused, by all workers."""
    found = scraped(gateway)
    refused = [name for name in found if name.startswith("refused_requests_")]
    return found.get(ANSWERED.format(service="h/s0"), 0), sum(found[name] for name in refused)


def ask(gateway: Service, **settings: object) -> int:
    with client(gateway) as http:
        return http.post(CHAT, json={**BODY, **settings}).status_code


def remembered(gateway: Service) -> set[str]:
    """Return the ids of the requests that the worker we meet knows to have ended."""
    with client(gateway) as http:
        listed = http.get("/v1/requests?limit=1000").json()["data"]
        for one in listed[:1]:
            found = http.get(f"/v1/requests/{one['id']}").json()
            assert (found["outcome"], found["attempts"]) == (one["outcome"], one["attempts"])
    return {one["id"] for one in listed if one["outcome"] != RUNNING}


def test_what_all_workers_counted_and_remember_goes_on_when_both_were_killed(
    tmp_path, spawn: Spawn
):
    with engines(tmp_path, 1, pace=0.001) as urls:
        gateway = hive(spawn, tmp_path, urls)
        settle(gateway, 1)
        for _ in range(12):
            assert (ask(gateway), ask(gateway, api_base="x")) == (200, 400)
        # Each worker lets the others know within a second.
        wait_until(lambda: counted(gateway) == (12, 12), 30, "all are counted")
        assert scraped(gateway)["workers"] == 2
        # Eight connections meet both workers, so each has told the other of all it did.
        wait_until(lambda: all(len(remembered(gateway)) == 24 for _ in range(8)), 30, "all is told")
        before = remembered(gateway)
        assert len({request_id[:20] for request_id in before}) == 2  # workers that served some

        for number in (1, 2):
            killed = pids(gateway)[number]
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: pids(gateway)[number] != killed, 60, "a successor")  # noqa: B023
        settle(gateway, 1)
        assert counted(gateway) == (12, 12)
        wait_until(lambda: remembered(gateway) == before, 30, "and of those of the dead")
        assert ask(gateway) == 200
        wait_until(lambda: counted(gateway) == (13, 12), 30, "and so is the next one")
