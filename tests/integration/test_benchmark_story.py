"""The run of docs/benchmarks.md that changes a route, with scripted engines instead of models."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest
import yaml
from anyio.from_thread import start_blocking_portal

from bench import marks
from tests.fakes.answers import Answer, completion_events, events
from tests.fakes.engine import Engine, Request, openai
from tests.processes import Service, stop_all
from tests.transcript.benchmarks import (
    CUT,
    FADED_S,
    MARK,
    MODEL,
    PAGE,
    POLICIES,
    WHOLE,
    Moment,
    Scene,
    scene,
    story,
    told,
)

HELPFUL = "You can reset it, or delete what you no longer need and then try that again"
PACE_S = 0.005  # a token
NUMBER = re.compile(r"\d[\d.-]*( ?m?s\b)?")
# What a model takes to answer, which a control that was just started does not know.
MEASURED = re.compile(r"(?<=loaded)( 0)?( 0t/s)?")


def help_desk(request: Request) -> Answer:
    """Answer what a help desk should, up to as many tokens as the request allows."""
    if request.method == "GET":
        return openai([MODEL])(request)
    asked = request.json()
    words = [f"{word} " for word in HELPFUL.split()[: asked["max_tokens"]]]
    if not asked.get("stream"):
        return openai([MODEL], words=len(words))(request)
    return events(completion_events(words, MODEL, with_usage=True), PACE_S)


@contextmanager
def ten_minutes_later(here: Scene) -> Iterator[None]:
    """Start control again, with a clock by which what was found has faded."""
    here.control.kill()
    settings = here.folder / "later.yaml"
    settings.write_text(yaml.safe_dump(here.settings))
    clock = ["tests.chaos.skewed", "--wall", str(FADED_S)]
    later = Service([*clock, "control", "--config", str(settings)], here.folder / "later.log")
    try:
        later.port()
        yield
    finally:
        stop_all([later])


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Moment]]:
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        engines = {
            service_id: stack.enter_context(
                portal.wrap_async_context_manager(Engine(help_desk))
            ).url
            for service_id in POLICIES
        }
        here = stack.enter_context(scene(tmp_path_factory.mktemp("story"), engines))
        yield story(here, lambda: stack.enter_context(ten_minutes_later(here)))


def masked(text: str) -> list[str]:
    """Return lines without what differs from one run to the next: numbers, and their width."""
    return [" ".join(MEASURED.sub("", NUMBER.sub("0", line)).split()) for line in text.splitlines()]


def test_a_run_against_the_role_changes_who_serves_it_until_it_has_faded(moments):
    assert [one.server for one in moments] == [CUT, WHOLE, CUT]


def test_both_answered_and_what_they_said_is_the_reason(moments):
    (_, run), (_, why) = moments[1].said
    results = {line.split()[0]: line.split() for line in run.splitlines() if MODEL in line}
    first, second, *_ = [line.split() for line in why.splitlines() if MODEL in line][1:]

    assert results[CUT][4] == "0%"
    assert results[WHOLE][4] == "100%"
    assert int(results[CUT][3]) + int(results[WHOLE][3]) == 80
    assert (first[1], second[1]) == (WHOLE, CUT)
    assert float(first[0]) > float(second[0])


def test_nothing_but_the_benchmark_tells_them_apart(moments):
    for one in moments:
        _, why = one.said[-1]
        assert why.count("0.35 loaded") == len(POLICIES)
        assert why.count("no runs") == (0 if one.server == WHOLE else len(POLICIES))


def test_the_page_tells_this_story(moments):
    page = PAGE.read_text()
    written = marks.filled(page, MARK, told(moments).rstrip())

    assert masked(written) == masked(page), "run `make benchmarks`"
