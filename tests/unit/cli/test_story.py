"""How requests went, as people read it."""

import msgspec
import pytest

from cli import story
from cli.story import Request
from gateway import examples, requests
from gateway.record import Queued
from tests.unit.gateway.remembered import BEGAN, record

NOW = BEGAN + 12


def told(made=None, **fields):
    """Return a request as the gateway tells of it."""
    document = requests.document(made or record(**fields))
    return msgspec.convert(msgspec.to_builtins(document), Request)


def lines(one, **options):
    return story.render(one, NOW, **options).splitlines()


def test_one_that_was_tried_elsewhere():
    assert lines(told(examples.REQUEST)) == [
        'chat "mentor" -> gpu-1/llama Qwen3-8B-Q4_K_M  200 in 1.9 s  9 in, 2 out'
        "  (no content kept)",
        " +0.0s waited 300 ms, position 1: all 2 slots of qwen3:8b busy",
        " +0.3s laptop/ollama  upstream_error: cannot be reached: connection refused, next",
        " +0.3s gpu-1/llama    200, first byte +0.7s, 1 tok/s   our overhead 0.4 ms",
    ]


def test_one_that_waits_still():
    waits = told(
        outcome="waiting",
        status=0,
        attempts=[],
        sent=None,
        first_byte=None,
        ended=None,
        prompt_tokens=None,
        queued=Queued(0.0, 11.5, 3, "all 4 slots of mentor busy"),
    )

    assert lines(waits) == [
        'chat "mentor"  waiting for 12.0 s  (no content kept)',
        " +0.0s waited 11.5 s, position 3: all 4 slots of mentor busy",
    ]
    assert "waiting" in story.table_of([waits], NOW, None)


def test_one_that_waits_for_another_service_after_the_first_had_failed():
    failed = msgspec.structs.replace(record().attempts[0], code="upstream_error", message="refused")
    waits = told(
        outcome="waiting",
        attempts=[failed],
        ended=None,
        prompt_tokens=None,
        queued=Queued(1.2, 2.0, 1, "1 slot of mentor busy"),
    )

    assert lines(waits)[1:] == [
        " +0.0s tower/ollama  upstream_error: refused   our overhead 0.4 ms",
        " +1.2s waited 2.0 s, position 1: 1 slot of mentor busy",
    ]


def test_an_older_gateway_lets_nobody_wait():
    document = requests.document(examples.REQUEST)
    del document["queue"]

    assert "waited" not in story.render(msgspec.convert(document, Request), NOW)


def test_one_whose_answer_came_whole_has_no_first_byte_of_its_own():
    assert lines(told(first_byte=3.4))[1] == " +0.0s tower/ollama  200   our overhead 0.4 ms"


def test_one_that_timed_out():
    attempt = msgspec.structs.replace(
        record().attempts[0],
        code="upstream_timeout",
        message="tower/ollama sent nothing for 60 s (first_byte)",
    )
    failed = told(
        outcome="upstream_timeout",
        status=504,
        message="tried 2 services; the last: tower/ollama sent nothing for 60 s (first_byte)",
        attempts=[attempt],
        first_byte=None,
        ended=60.0,
        prompt_tokens=None,
    )

    assert lines(failed) == [
        'chat "mentor" -> tower/ollama qwen3:14b  504 upstream_timeout in 1m  (no content kept)',
        " +0.0s tower/ollama  upstream_timeout: sent nothing for 60 s (first_byte)"
        "   our overhead 0.4 ms",
    ]


def test_one_whose_client_was_told_more_than_of_the_last_attempt():
    attempt = msgspec.structs.replace(
        record().attempts[0], code="upstream_error", message="tower/ollama cannot be reached"
    )
    told_busy = told(
        outcome="all_busy", status=429, message="all are busy", attempts=[attempt], ended=1.26
    )

    assert lines(told_busy)[2:] == [" +1.3s all are busy"]


def test_one_that_nobody_was_asked_for():
    refused = told(
        model="",
        outcome="invalid_body",
        status=400,
        message="the body is not a JSON object",
        attempts=[],
        first_byte=None,
        ended=0.001,
        prompt_tokens=None,
    )

    assert lines(refused) == [
        "chat  400 invalid_body in 1 ms  (no content kept)",
        " +0.0s the body is not a JSON object",
    ]


@pytest.mark.parametrize(
    ("fields", "first", "second"),
    [
        ({"outcome": "running", "status": 0, "first_byte": None, "ended": None},
         "running for 12.0 s", "nothing yet"),
        ({"outcome": "running", "ended": None}, "running for 12.0 s", "200, first byte +0.8s"),
        ({"outcome": "client_left"}, "client left after 3.4 s", "200, first byte +0.8s"),
        ({"outcome": "client_left", "status": 0, "first_byte": None},
         "client left after 3.4 s", "no answer"),
    ],
    ids=["waits", "streams", "left-a-stream", "left-before-it"],
)  # fmt: skip
def test_one_that_has_no_end_of_its_own(fields, first, second):
    headline, step = lines(told(prompt_tokens=None, **fields))

    assert f"  {first}  " in headline
    assert f"  {second}   our" in step


def test_a_clock_that_is_behind_ours_shows_no_time_below_zero():
    assert "running for 0 ms" in story.render(told(outcome="running", ended=None), BEGAN - 5)


def test_closely_it_has_its_names():
    _, names, _ = lines(told(client_id="ticket-4711"), closely=True)

    assert names.startswith(f"{record().request_id}, ticket-4711 to its client, began 2026-04-07 ")


def test_nothing_of_a_name_reaches_the_terminal():
    assert "\x1b" not in story.render(told(model="\x1b[2J", message="\x1b[0m"), NOW, closely=True)


def test_many_are_a_table_in_the_order_they_come():
    many = [
        told(examples.REQUEST),
        told(model="", outcome="invalid_body", status=400, attempts=[], ended=0.001),
        told(outcome="running", ended=None, status=0),
    ]
    head, *rows = story.table_of(many, NOW, None).splitlines()

    assert head.split() == ["TIME", "REQUEST", "MODEL", "SERVICE", "TRIES", "OUTCOME", "TOOK"]
    assert [row.split()[1:] for row in rows] == [
        [examples.REQUEST.request_id, "mentor", "gpu-1/llama", "2", "200", "1.9", "s"],
        [record().request_id, "?", "-", "0", "400", "invalid_body", "1", "ms"],
        [record().request_id, "mentor", "tower/ollama", "1", "running", "12.0", "s"],
    ]
    assert story.table_of([], NOW, None) == "no requests yet"
