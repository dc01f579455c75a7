"""Reports of usage over real calls, kept in a real store, shown by discovery."""

import sqlite3

import pytest
from geniehive.v1 import discovery_service_pb2 as discovery_pb
from geniehive.v1 import usage_service_pb2 as pb

from control.api.channel import control_errors
from control.api.errors import InvalidValue, StorageUnavailable
from control.evidence import HALF_LIFE_S
from control.inventory import Observation
from control.measured import DAY_S, MAX_TOLD
from control.store import usage
from control.usage import MAX_CODES, MAX_INCREMENTS
from tests.unit.control.requests import registration, service
from tests.unit.control.serving import serving

pytestmark = pytest.mark.anyio

REPORTER = "a" * 32


def increment(asset_id="m", service_id="h1/a", **counts):
    return pb.UsageIncrement(service_id=service_id, asset_id=asset_id, **counts)


def report(sequence, *increments, reporter=REPORTER):
    return pb.ReportUsageRequest(reporter_id=reporter, sequence=sequence, increments=increments)


async def tell(control, *reports):
    """Send reports on one stream, each after the last was acknowledged; return the answers."""
    answers = []
    with control_errors():
        stream = control.usage.ReportUsage()
        for one in reports:
            await stream.write(one)
            answers.append(await stream.read())
        await stream.done_writing()
    return answers


async def shown(control, service_id="h1/a"):
    request = discovery_pb.GetServiceRequest(service_id=service_id)
    return (await control.discovery.GetService(request)).service


@pytest.fixture
async def control(one_loop, store):
    async with serving(writer=store.writer) as control:
        await control.registry.RegisterHost(registration("h1", service("h1/a")))
        yield control


async def test_a_report_is_acknowledged_and_shown(control):
    one = increment(
        answered_count=3,
        abandoned_count=1,
        error_counts={"upstream_error": 2},
        prompt_tokens=30,
        completion_tokens=60,
        decoded_tokens=57,
        first_byte_counts={36: 2, 44: 1},
    )
    one.decode_duration.FromMilliseconds(1_500)
    other = increment("n", answered_count=1)
    (answer,) = await tell(control, report(1, one, other))
    told = (await shown(control)).measured

    assert (answer.sequence, answer.interval.ToSeconds()) == (1, 1)
    assert (told.request_count, told.abandoned_count) == (7, 1)
    assert dict(told.error_counts) == {"upstream_error": 2}
    assert (told.prompt_tokens, told.completion_tokens) == (30, 60)
    assert told.first_byte_p50.ToMilliseconds() == pytest.approx(512, rel=0.1)
    assert told.first_byte_p95.ToMilliseconds() == pytest.approx(2_048, rel=0.1)
    assert told.tokens_per_second == 38.0
    assert told.start_time.ToSeconds() == (1_700_001_000 // DAY_S - 1) * DAY_S


async def test_a_service_that_was_never_asked_has_no_measurements(control):
    assert not (await shown(control)).HasField("measured")


async def test_what_is_sent_again_counts_once_on_whatever_stream(control):
    await tell(control, report(1, increment(answered_count=1)))
    answers = await tell(
        control,
        report(1, increment(answered_count=1)),
        report(2, increment(answered_count=1)),
    )

    assert [answer.sequence for answer in answers] == [1, 2]
    assert (await shown(control)).measured.request_count == 2


async def test_a_list_shows_the_same(control):
    await tell(control, report(1, increment(answered_count=1)))
    listed = await control.discovery.ListServices(discovery_pb.ListServicesRequest())

    assert listed.services[0] == await shown(control)


async def test_an_engine_that_counts_beyond_all_reason_breaks_no_list(control):
    await tell(control, report(1, increment(answered_count=1, error_counts={"odd": 1})))
    for services in control.measurements._days.values():
        services["h1/a"].update(answered=2**63, prompt_tokens=2**70, abandoned=2**63)
        services["h1/a"]["error/odd"] = 2**64

    told = (await shown(control)).measured
    assert told.request_count == told.prompt_tokens == told.abandoned_count == MAX_TOLD
    assert dict(told.error_counts) == {"odd": MAX_TOLD}


@pytest.mark.parametrize(
    "bad",
    [
        increment(answered_count=-1),
        increment(prompt_tokens=2**53 + 1),
        increment(service_id=""),
        increment(service_id="h1/\x1b[2J"),
        increment("m" * 201, answered_count=1),
        increment(error_counts={"no code": 1}),
        increment(error_counts={f"code_{n}": 1 for n in range(MAX_CODES + 1)}),
        increment(first_byte_counts={81: 1}),
        increment(first_byte_counts={-1: 1}),
    ],
    ids=lambda one: str(one).replace("\n", " ")[:40],
)
async def test_an_increment_that_makes_no_sense_is_left_out_and_acknowledged(control, bad):
    (answer,) = await tell(control, report(1, bad, increment(answered_count=1)))

    assert answer.sequence == 1
    assert (await shown(control)).measured.request_count == 1


async def test_of_a_report_that_is_too_long_the_first_part_counts(control):
    many = [increment(f"m{n}", answered_count=1) for n in range(MAX_INCREMENTS + 5)]
    await tell(control, report(1, *many))

    assert (await shown(control)).measured.request_count == MAX_INCREMENTS


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (report(1, reporter=""), "reporter_id is not"),
        (report(1, reporter="r/1" * 4), "reporter_id is not"),
        (report(0), "sequence 0 is below 1"),
        (report(-5), "sequence -5 is below 1"),
    ],
)
async def test_a_report_of_nobody_or_without_a_place_is_refused(control, one, said):
    with pytest.raises(InvalidValue, match=said):
        await tell(control, one)


async def test_a_disk_that_takes_nothing_acknowledges_nothing(control, store, monkeypatch):
    def fail(*_):
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(usage, "add", fail)
        with pytest.raises(StorageUnavailable):
            await tell(control, report(1, increment(answered_count=1)))
        assert not (await shown(control)).HasField("measured")
    await tell(control, report(1, increment(answered_count=1)))

    assert (await shown(control)).measured.request_count == 1


async def test_what_is_reported_is_evidence_of_how_a_service_does_once(control):
    evidence = control.cluster.evidence
    one = increment(answered_count=2, decoded_tokens=80, first_byte_counts={40: 2})
    one.decode_duration.FromSeconds(2)
    await tell(control, report(1, one), report(1, one), report(2, increment("n", "h9/gone")))
    evidence.look(control.clock())

    known = evidence.signals("h1/a", Observation())
    assert known.latency_p50 == pytest.approx(1.0, rel=0.1)
    assert known.tokens_per_second == 40.0
    later = control.clock() + 2.1 * HALF_LIFE_S  # two answers weigh half of one after two
    evidence.look(later)
    assert evidence.signals("h1/a", Observation()) == evidence.signals("h9/gone", Observation())
