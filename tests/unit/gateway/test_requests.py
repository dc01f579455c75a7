"""Who is told how a request went, and what; never its content, and never of another's."""

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from control.api.errors import GenieHiveError
from gateway import app, requests
from gateway.config import Config
from gateway.gateway import Gateway
from gateway.keys import ANONYMOUS, Settings
from gateway.recent import Recent
from gateway.record import RUNNING, Attempt, Queued
from gateway.retold import Retold
from gateway.snapshot import Now, Snapshot
from gateway.steps import finished
from tests.unit.gateway.remembered import BEGAN, Over, record

pytestmark = pytest.mark.anyio

FAILED = Attempt(0.0004, "h/a", "h", "m", "upstream_error", "h/a cannot be reached")


class Asked:
    """A gateway with requests to tell of, and what its siblings tell."""

    def __init__(self):
        self.gateway = Gateway(Config())
        self.gateway.keys.replace({"settings": Settings(required=False, hash_secret=bytes(32))})
        self.told = []
        served = FastAPI()
        served.add_exception_handler(GenieHiveError, app._as_answer)
        served.include_router(requests.router(self.gateway, lambda: self.told))
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(served), base_url="http://gateway"
        )

    def remember(self, *records):
        for one in records:
            self.gateway.recent.add(Over(one))

    def sibling(self, *records):
        recent = Recent()
        for one in records:
            recent.add(Over(one))
        retold = Retold(recent, [Over(record(99, outcome=RUNNING, ended=None))])
        finished(retold.renew())
        self.told.append(Snapshot(Now(at=1.0), requests=retold.lines()).written())

    async def get(self, path=""):
        return await self._http.get(f"/v1/requests{path}")

    async def ids(self, path=""):
        return [one["id"] for one in (await self.get(path)).json()["data"]]


@pytest.fixture
async def asked():
    return Asked()


async def test_one_is_told_with_its_attempts(asked):
    second = Attempt(0.0021, "tower/ollama", "tower", "qwen3:14b")
    asked.remember(record(7, attempts=[FAILED, second], sent=0.0021))
    answer = await asked.get(f"/{record(7).request_id}")

    assert answer.json() == {
        "id": record(7).request_id,
        "object": "request",
        "client_request_id": None,
        "operation": "chat",
        "model": "mentor",
        "outcome": "answered",
        "status": 200,
        "message": None,
        "began_at": BEGAN + 7,
        "overhead_ms": 0.4,
        "queue": None,
        "first_byte_s": 0.8004,
        "duration_s": 3.4,
        "attempts": [
            {
                "began_s": 0.0004,
                "service_id": "h/a",
                "host_id": "h",
                "asset_id": "m",
                "error": {"code": "upstream_error", "message": "h/a cannot be reached"},
            },
            {
                "began_s": 0.0021,
                "service_id": "tower/ollama",
                "host_id": "tower",
                "asset_id": "qwen3:14b",
                "error": None,
            },
        ],
        "usage": {"prompt_tokens": 812, "completion_tokens": 164},
    }


async def test_how_long_it_waited_and_for_what_is_told_and_is_no_overhead_of_ours(asked):
    sent = Attempt(0.3004, "tower/ollama", "tower", "qwen3:14b")
    asked.remember(record(7, attempts=[sent], queued=Queued(0.0002, 0.3, 2, "all are busy")))
    found = (await asked.get(f"/{record(7).request_id}")).json()

    assert found["overhead_ms"] == 0.4
    assert found["queue"] == {
        "entered_s": 0.0002,
        "waited_s": 0.3,
        "position": 2,
        "reason": "all are busy",
    }


async def test_a_wait_after_the_first_attempt_makes_nothing_of_the_overhead(asked):
    asked.remember(record(7, queued=Queued(1.0, 0.3, 2, "all are busy")))

    assert (await asked.get(f"/{record(7).request_id}")).json()["overhead_ms"] == 0.4


async def test_of_one_that_nobody_was_asked_for_little_is_known(asked):
    refused = record(
        1,
        model="",
        outcome="invalid_body",
        status=400,
        message="no JSON",
        attempts=[],
        sent=None,
        first_byte=None,
        prompt_tokens=None,
        completion_tokens=None,
    )
    asked.remember(refused)
    found = (await asked.get(f"/{refused.request_id}")).json()

    assert (found["outcome"], found["message"], found["attempts"]) == (
        "invalid_body",
        "no JSON",
        [],
    )
    assert {found[name] for name in ("model", "overhead_ms", "first_byte_s", "usage")} == {None}


async def test_the_name_that_the_client_gave_finds_the_newest(asked):
    asked.remember(*(record(number, client_id="mine") for number in (1, 3, 2)))
    # A client cannot hide a request behind a name that is another's id.
    asked.remember(record(9, client_id=record(1).request_id))

    assert (await asked.get("/mine")).json()["id"] == record(3).request_id
    assert (await asked.get(f"/{record(1).request_id}")).json()["id"] == record(1).request_id


async def test_nobody_is_told_of_the_requests_of_others(asked):
    asked.remember(record(1, principal="k1", client_id="mine"), record(2, principal=""))
    asked.sibling(record(3, principal="k1"))
    answers = [
        await asked.get(f"/{name}") for name in ("mine", *(record(n).request_id for n in (1, 2, 3)))
    ]
    unknown = await asked.get("/nobody")

    assert await asked.ids() == [record(99).request_id]
    assert {one.status_code for one in answers} == {404}
    assert answers[0].text.replace("mine", "nobody") == unknown.text
    assert unknown.json()["error"]["code"] == "not_found"
    assert "the last 1,000 that were answered at once" in unknown.json()["error"]["message"]


async def test_lists_are_newest_first_with_those_that_run(asked):
    asked.remember(*map(record, range(30)), record(40, outcome="client_left"))
    asked.gateway.active.add(Over(record(50, outcome=RUNNING, ended=None)))
    found = (await asked.get()).json()

    assert found["object"] == "list"
    assert [one["id"] for one in found["data"][:3]] == [record(n).request_id for n in (50, 40, 29)]
    assert len(found["data"]) == 20
    assert (found["data"][0]["outcome"], found["data"][0]["duration_s"]) == ("running", None)
    assert await asked.ids("?limit=1") == [record(50).request_id]
    assert len(await asked.ids("?limit=1000")) == 32
    assert [(await asked.get(f"?limit={limit}")).status_code for limit in (0, 1001, "x")] == [
        422
    ] * 3


async def test_any_worker_tells_of_all_and_what_it_knows_itself_is_newer(asked):
    asked.sibling(record(1), record(3))
    asked.sibling(record(2, outcome=RUNNING, ended=None), record(4, outcome="client_left"))
    asked.remember(record(2))
    found = (await asked.get()).json()["data"]

    assert [one["id"] for one in found] == [record(n).request_id for n in (99, 4, 3, 2, 1)]
    assert [one["outcome"] for one in found[1:]] == ["client_left", *["answered"] * 3]
    assert (await asked.get(f"/{record(4).request_id}")).json()["outcome"] == "client_left"


async def test_what_a_worker_of_another_release_tells_is_read_as_far_as_it_goes(asked):
    asked.told.append(msgspec.msgpack.encode({"now": {"at": 1.0}, "totals": {}, "refused": {}}))

    assert await asked.ids() == []


async def test_without_a_key_where_one_is_needed_nothing_is_told(asked):
    asked.gateway.keys.replace({"settings": Settings(required=True, hash_secret=bytes(32))})
    asked.remember(record(1, principal=ANONYMOUS))

    assert (await asked.get()).status_code == 401
    assert (await asked.get(f"/{record(1).request_id}")).status_code == 401
