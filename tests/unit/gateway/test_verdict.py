"""What the head of an answer means, by status and type."""

import pytest

from control.api.errors import AllBusy, UpstreamAuthFailed, UpstreamBadResponse, UpstreamError
from gateway.verdict import Course, error_in, judge

JSON = {b"content-type": b"application/json"}
EVENTS = {b"content-type": b"text/event-stream; charset=utf-8"}


@pytest.mark.parametrize(
    ("status", "headers", "course", "error"),
    [
        (200, JSON, Course.DOCUMENT, None),
        (200, EVENTS, Course.STREAM, None),
        (200, {b"content-type": b"Text/Event-Stream"}, Course.STREAM, None),
        (200, {}, Course.ELSEWHERE, UpstreamBadResponse),
        (200, {b"content-type": b"text/html"}, Course.ELSEWHERE, UpstreamBadResponse),
        (200, JSON | {b"content-encoding": b"gzip"}, Course.ELSEWHERE, UpstreamBadResponse),
        (200, JSON | {b"content-encoding": b"Identity"}, Course.DOCUMENT, None),
        (201, JSON, Course.ELSEWHERE, UpstreamBadResponse),
        (204, EVENTS, Course.ELSEWHERE, UpstreamBadResponse),
        (206, JSON, Course.ELSEWHERE, UpstreamBadResponse),
        *((status, JSON, Course.DOCUMENT, None) for status in (400, 404, 413, 422)),
        *(
            (status, {}, Course.ELSEWHERE, UpstreamBadResponse)
            for status in (301, 302, 304, 307, 308)
        ),
        (401, JSON, Course.FAILED, UpstreamAuthFailed),
        (403, JSON, Course.FAILED, UpstreamAuthFailed),
        (429, JSON, Course.ELSEWHERE, AllBusy),
        (503, JSON, Course.ELSEWHERE, UpstreamError),
        (500, JSON, Course.ELSEWHERE, UpstreamError),
        (418, JSON, Course.FAILED, UpstreamError),
        (599, {}, Course.ELSEWHERE, UpstreamError),
    ],
)
def test_an_answer_is_judged_by_its_head(status, headers, course, error):
    verdict = judge(status, headers, "h/a")

    assert verdict.course is course
    assert type(verdict.error) is (error or type(None))


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("told", "passed"),
    [
        (b"7", 7),
        (b"3600", 3_600),
        (b"0", 1),
        (b"99999", 3_600),
        # Not a number of seconds: as if nothing were told.
        (b"", 1),
        (b"-1", 1),
        (b"1.5", 1),
        (b"1e9", 1),
        (b"inf", 1),
        (b"soon", 1),
        (b"7, 9", 1),
        (b"0x7", 1),
        (b"\xd9\xa7", 1),
        (b"Wed, 21 Oct 2026 07:28:00 GMT", 1),
        (b"7" * 10_000, 1),
    ],
)
def test_a_busy_engine_may_say_for_how_long(status, told, passed):
    error = judge(status, JSON | {b"retry-after": told}, "h/a").error

    assert isinstance(error, AllBusy)
    assert error.retry_after == passed


def test_a_second_is_the_least_a_busy_engine_can_say():
    assert judge(429, JSON, "h/a").error.retry_after == 1
    assert not isinstance(judge(503, JSON, "h/a").error, AllBusy)


@pytest.mark.parametrize(
    ("document", "failed"),
    [
        (b'{"error":{"message":"out of memory"}}', True),
        (b'{"error":"out of memory","choices":[]}', True),
        (b'{ "error" : 500 }', True),
        (b'{"error":null,"choices":[]}', False),
        (b'{"choices":[{"error":"x"}]}', False),
        (b'{"choices":["error"]}', False),
        (b'{"choices":[]}', False),
        (b'["error"]', False),
        (b'{"error":', False),
    ],
)
def test_a_200_may_tell_a_failure(document, failed):
    assert (error_in(document, "h/a") is not None) == failed


@pytest.mark.parametrize("status", [401, 403])
def test_an_engine_that_wants_a_key_is_told_with_where_it_comes_from(status):
    message = str(judge(status, JSON, "h/a").error)

    assert message.startswith(f"h/a wants a valid API key ({status})")
    assert "api_key_env" in message


def test_a_failure_tells_what_several_of_it_are_called():
    assert judge(503, JSON, "h/a").error.counted == ("answer 503", "answers 503")
