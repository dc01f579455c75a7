"""Results of benchmarks over HTTP: what is told is kept whole, or refused by name."""

import re

import msgspec
import pytest

from control.api.errors import BodyTooLarge, InvalidValue, StorageUnavailable
from gateway.benchmarks import MAX_BODY, MAX_SAMPLES, read
from tests.unit.gateway.stub_control import StubControl
from tests.unit.gateway.test_views import client_of

pytestmark = pytest.mark.anyio

URL = "/v1/cluster/benchmarks"
SAMPLE = {
    "benchmark_id": "bench-1",
    "service_id": "h/llama",
    "asset_id": "m",
    "workload": "chat.short_reasoning",
    "observed_at": 1_775_582_000.25,
    "results": {"ttft_ms": 900, "tokens_per_sec": 30.5, "pass_rate": None},
}
JSON = {"content-type": "application/json"}


async def post(control, content):
    async with client_of(control) as client:
        if isinstance(content, bytes):
            return await client.post(URL, content=content, headers=JSON)
        return await client.post(URL, json=content)


def changed(**fields):
    return {key: value for key, value in {**SAMPLE, **fields}.items() if value != "gone"}


async def test_what_was_sent_comes_back_as_it_is_kept():
    control = StubControl()
    answer = await post(control, {"samples": [SAMPLE, changed(benchmark_id="gone")], "source": "x"})

    told = answer.json()
    assert answer.status_code == 200, answer.text
    assert (told["status"], told["count"], told["created_count"]) == ("ok", 2, 2)
    assert told["data"] == [SAMPLE, changed(benchmark_id="made-1")]
    assert told["unknown_service_ids"] == ["h/new"]


async def test_what_is_kept_can_be_looked_at():
    control = StubControl()
    await post(control, {"samples": [SAMPLE]})
    async with client_of(control) as client:
        (told,) = (await client.get(URL)).json()

    assert {**told, **SAMPLE} == told


@pytest.mark.parametrize(
    ("content", "code", "param"),
    [
        (b"", "invalid_body", None),
        (b"[]", "invalid_body", None),
        (b'{"samples":[{"a":NaN}]}', "invalid_body", None),
        (b'{"samples":[{"a":"\\ud800"}]}', "invalid_body", None),
        (b'{"samples":' + b"[" * 100_000, "invalid_body", None),
        (b"\xff\xfe{}", "invalid_body", None),
        ({}, "invalid_value", "samples"),
        ({"samples": []}, "invalid_value", "samples"),
        ({"samples": {}}, "invalid_value", "samples"),
        ({"samples": [SAMPLE] * 17 + [7]}, "invalid_value", "samples[17]"),
        ({"samples": [changed(service_id=3)]}, "invalid_value", "samples[0].service_id"),
        ({"samples": [SAMPLE, changed(workload="gone")]}, "invalid_value", "samples[1].workload"),
        ({"samples": [changed(results=[])]}, "invalid_value", "samples[0].results"),
        ({"samples": [changed(observed_at="now")]}, "invalid_value", "samples[0].observed_at"),
        ({"samples": [changed(observed_at=-1)]}, "invalid_value", "samples[0].observed_at"),
        ({"samples": [changed(observed_at=1e300)]}, "invalid_value", "samples[0].observed_at"),
        (
            msgspec.json.encode({"samples": [SAMPLE]}).replace(b"900", b"9e999"),
            "invalid_value",
            "samples[0].results.ttft_ms",
        ),
        (
            msgspec.json.encode({"samples": [SAMPLE]}).replace(b"900", b"9" * 400),
            "invalid_value",
            "samples[0].results.ttft_ms",
        ),
        (
            msgspec.json.encode({"samples": [SAMPLE]}).replace(b"900", b"[" * 50 + b"]" * 50),
            "invalid_value",
            "samples[0].results.ttft_ms",
        ),
        (
            {"samples": [changed(results={"x" * 100_000: [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]})]},
            "invalid_value",
            f"samples[0].results.{'x' * 60}...",
        ),
        ({"samples": [0] * (MAX_SAMPLES + 1)}, "invalid_value", "samples"),
        ({"samples": [changed(workload="w" * 1_000_000)]}, "invalid_value", "samples[0].workload"),
        (
            {"samples": [changed(results={"a": [0] * 99_999})]},
            "invalid_value",
            "samples[0].results",
        ),
    ],
)
async def test_what_cannot_be_read_is_refused_by_name(content, code, param):
    control = StubControl()
    answer = await post(control, content)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)
    assert len(error["message"]) < 300
    assert not control.asked


async def test_what_control_refuses_is_named_as_well():
    control = StubControl()
    control.refusal = InvalidValue("samples[0].results.pass_rate: -1 is not 0 to 1")
    answer = await post(control, {"samples": [changed(results={"pass_rate": -1})]})

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "samples[0].results.pass_rate"


async def test_a_disk_that_takes_nothing_is_no_fault_of_the_client():
    control = StubControl()
    control.refusal = StorageUnavailable("the disk is full")
    answer = await post(control, {"samples": [SAMPLE]})

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_unavailable")


async def test_ten_thousand_samples_are_taken_at_once():
    control = StubControl()
    answer = await post(control, {"samples": [changed(benchmark_id="gone")] * MAX_SAMPLES})

    assert answer.status_code == 200, answer.text
    assert answer.json()["count"] == len(answer.json()["data"]) == MAX_SAMPLES


async def test_samples_that_control_could_not_read_at_once_are_refused():
    long = changed(results={"text": "x" * 100_000})
    answer = await post(StubControl(), {"samples": [long] * 80})

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
    (most,) = map(int, re.findall(r"send (\d+) at once", answer.json()["error"]["message"]))
    assert (await post(StubControl(), {"samples": [long] * most})).status_code == 200


async def test_many_small_values_are_not_made_larger_than_control_reads():
    """A zero is two bytes of JSON, and fifty of memory once it is a value of a message."""
    zeros = changed(results={"n_count": [0] * 60_000})
    with pytest.raises(BodyTooLarge, match=r"send [1-9] at once"):
        read(msgspec.json.encode({"samples": [zeros] * 12}))


async def test_a_body_without_end_is_not_waited_for():
    answer = await post(StubControl(), b'{"samples":[' + b" " * MAX_BODY)

    assert answer.status_code == 413


async def test_only_json_is_read():
    async with client_of(StubControl()) as client:
        answer = await client.post(URL, content=b"{}", headers={"content-type": "text/csv"})

    assert answer.status_code == 415
