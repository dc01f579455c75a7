"""The life of a registration, against a scripted control and a clock that only counts."""

import asyncio
import contextlib
import logging
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.api.errors import (
    BadRequest,
    ControlUnavailable,
    GenieHiveError,
    HostIdInUse,
    InvalidApiKey,
    LeaseLost,
    StorageUnavailable,
)
from node.session import DRAIN_ANSWER_SECONDS, Answer, Grant, Pace, Session, StreamEnded
from node.state import Gpu, Host, Machine, Metrics, Observation, Report, Service, Watched

PACE = Pace(interval=5.0, lease=15.0, reconnect_window=3.0)
LARGE = Pace(interval=22.0, lease=66.0, reconnect_window=37.0)  # of a fleet of 10,000
OK = Answer(PACE)


class Done(Exception):
    """The script is over."""


class Script:
    """Control, played from a list; each call takes the next line and is remembered.

    A line is what a call returns or raises, or a function run before that.
    """

    def __init__(self, *lines):
        self.lines = list(lines)
        self.calls = []
        self.beats = []
        self.registered = []
        self.streams = self.hang_ups = 0

    async def _next(self, call):
        self.calls.append(call)
        if not self.lines:
            raise Done
        line = self.lines.pop(0)
        if callable(line) and not isinstance(line, type):
            line = line()
        if isinstance(line, Exception):
            raise line
        return line

    async def register(self, report):
        self.registered.append(report)
        return await self._next("register")

    async def deregister(self, host_id, generation):
        self.calls.append(("deregister", host_id, generation))

    async def hang_up(self):
        self.hang_ups += 1

    @contextlib.asynccontextmanager
    async def stream(self):
        self.streams += 1
        yield self

    async def beat(self, beat, patience):
        assert patience in (PACE.lease, LARGE.lease, DRAIN_ANSWER_SECONDS)
        self.beats.append(beat)
        return await self._next("beat")


class Node:
    """A session whose sleeps take no time, and what it had to tell and to wait for."""

    def __init__(self, *lines, jitter=1.0):
        self.revisions = {"h/x": 1}
        self.changed = asyncio.Event()
        self.host = Host("h")
        self.machine = None
        self.waits = []
        self.now = 0.0
        self.endless = set()  # sleeps that only a change ends
        self.script = Script(*lines)
        self.session = Session(
            self.script,
            self.report,
            self.changed,
            sleep=self.sleep,
            jitter=lambda: jitter,
            now=lambda: self.now,
        )

    def report(self):
        services = tuple(
            Watched(Service(name, "http://a:1", "chat", revision=revision), Observation("healthy"))
            for name, revision in self.revisions.items()
        )
        return Report(self.host, Metrics(0.0, 1), services, self.machine)

    async def sleep(self, seconds):
        self.waits.append(seconds)
        if seconds in self.endless:
            await asyncio.Event().wait()
        self.now += seconds

    async def live(self):
        with pytest.raises(Done):
            await self.session.run()
        return self


@pytest.mark.anyio
async def test_registers_then_beats_at_the_pace_of_control():
    slower = Answer(Pace(interval=9.0, lease=15.0, reconnect_window=3.0))
    node = await Node(Grant(7, PACE), OK, slower, OK).live()

    assert node.script.calls == ["register", "beat", "beat", "beat", "beat"]
    assert node.script.streams == 1
    assert node.waits == [5.0, 9.0, 5.0]
    assert [(beat.generation, beat.sequence) for beat in node.script.beats] == [
        (7, 1),
        (7, 2),
        (7, 3),
        (7, 4),
    ]


@pytest.mark.anyio
async def test_lost_lease_means_register_again_within_the_told_window():
    node = await Node(Grant(1, PACE), LeaseLost("gone"), Grant(2, PACE), OK, jitter=0.5).live()

    assert node.script.calls[:4] == ["register", "beat", "register", "beat"]
    assert node.waits[0] == 1.5
    assert (node.script.beats[1].generation, node.script.beats[1].sequence) == (2, 1)


@pytest.mark.anyio
async def test_a_stream_that_ended_is_opened_again_silently(caplog):
    caplog.set_level(logging.INFO)
    node = await Node(Grant(1, PACE), OK, StreamEnded("age"), OK).live()

    assert node.script.calls == ["register", "beat", "beat", "beat", "beat"]
    assert node.script.streams == 2
    assert node.waits == [5.0, 5.0]
    assert [record.message for record in caplog.records] == ["registered as h (1 services)"]


@pytest.mark.anyio
async def test_silent_control_is_asked_again_with_growing_waits_and_one_line(caplog):
    silence = [ControlUnavailable("refused")] * 5
    node = await Node(*silence, Grant(1, PACE)).live()

    assert node.waits == [0.5, 1.0, 2.0, 2.0, 2.0]
    assert node.script.hang_ups == 5
    assert [r.message for r in caplog.records if r.levelno == logging.WARNING] == [
        "control is silent: refused"
    ]


@pytest.mark.anyio
@pytest.mark.parametrize(("jitter", "wait"), [(0.0, 0.1), (0.5, 0.25), (1.0, 0.5)])
async def test_waits_are_anything_up_to_the_window(jitter, wait):
    node = await Node(ControlUnavailable("x"), Grant(1, PACE), jitter=jitter).live()

    assert node.waits == [wait]


@pytest.mark.anyio
async def test_a_large_fleet_is_told_to_spread_wider_from_the_first_failure_on():
    node = await Node(Grant(1, LARGE), *[StorageUnavailable("x")] * 3).live()

    assert node.waits == [37.0, 37.0, 37.0]


@pytest.mark.anyio
async def test_the_window_of_the_last_answer_is_the_one_that_counts():
    node = await Node(Grant(1, LARGE), OK, ControlUnavailable("x"), ControlUnavailable("x")).live()

    assert node.waits == [5.0, 3.0, 3.0]


@pytest.mark.anyio
async def test_a_node_spreads_once_between_two_answers():
    """Its share of the window over, it comes alone: no second wait when its lease is unknown."""
    ended, refused = StreamEnded("control died"), ControlUnavailable("refused")
    gone = LeaseLost("a new control")
    node = await Node(Grant(1, PACE), OK, ended, refused, gone, Grant(2, PACE), gone).live()

    assert node.script.calls[:6] == ["register", "beat", "beat", "beat", "beat", "register"]
    assert node.waits == [5.0, 3.0, 3.0]  # the interval, control's silence, the second lease


@pytest.mark.anyio
async def test_what_toggles_is_told_ten_times_a_second_at_most():
    node = Node(Grant(1, PACE))
    node.endless = {PACE.interval}

    def toggle():
        node.changed.set()
        return OK

    node.script.lines += [toggle] * 3
    await node.live()

    assert node.waits == [5.0, pytest.approx(0.1)] * 3


@pytest.mark.anyio
async def test_silence_in_mid_life_keeps_the_lease():
    """A control that comes back with its store knows us still; else it says NOT_FOUND."""
    node = await Node(Grant(4, PACE), OK, ControlUnavailable("down"), OK).live()

    assert node.script.calls == ["register", "beat", "beat", "beat", "beat"]
    assert [beat.generation for beat in node.script.beats] == [4, 4, 4, 4]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "refusal", [HostIdInUse("h lives"), InvalidApiKey("who"), GenieHiveError("x")]
)
async def test_refusals_are_logged_once_and_retried_slowly(refusal, caplog):
    node = await Node(refusal, refusal, refusal, Grant(1, PACE), jitter=0.0).live()

    assert node.script.calls[:4] == ["register"] * 4
    assert node.waits[:3] == [3.75, 3.75, 3.75]
    assert len([r for r in caplog.records if r.levelno == logging.ERROR]) == 1


@pytest.mark.anyio
async def test_refused_definition_waits_for_a_change():
    node = Node()

    def refuse():
        asyncio.get_running_loop().call_soon(node.changed.set)
        return BadRequest("bad asset")

    node.script.lines = [refuse, Grant(1, PACE)]
    node.endless = {75.0}
    await node.live()

    assert node.script.calls == ["register", "register", "beat"]


@pytest.mark.anyio
async def test_refused_definition_is_tried_again_much_later_without_a_change():
    node = await Node(BadRequest("bad asset"), Grant(1, PACE), jitter=0.5).live()

    assert node.waits == [60.0]


@pytest.mark.anyio
async def test_a_change_is_beaten_at_once_and_the_latest_wins():
    node = Node(Grant(1, PACE))
    node.endless = {PACE.interval}

    def change_twice():
        for revision in (2, 3):
            node.revisions["h/x"] = revision
            node.changed.set()
        return OK

    node.script.lines += [change_twice, change_twice]
    await node.live()

    assert len(node.script.beats) == 3
    told = [beat.report.services[0].service.revision for beat in node.script.beats]
    assert told == [1, 3, 3]
    assert [sorted(beat.defined) for beat in node.script.beats] == [[], ["h/x"], []]


@pytest.mark.anyio
async def test_definitions_go_only_when_they_grew_are_new_or_wanted():
    node = Node(Grant(1, PACE))

    def line(**revisions):
        def change():
            node.revisions |= {f"h/{name}": value for name, value in revisions.items()}
            return OK

        return change

    wanted = Answer(PACE, wanted=frozenset({"h/x", "h/unknown"}))
    node.script.lines += [line(x=2), line(y=1), wanted, OK]
    await node.live()

    assert [sorted(beat.defined) for beat in node.script.beats] == [
        [],
        ["h/x"],
        ["h/y"],
        ["h/x"],
        [],
    ]
    assert node.waits == [5.0, 5.0, 5.0]  # what is wanted goes with the next beat, now


@pytest.mark.anyio
async def test_a_definition_wanted_again_right_away_waits_for_the_next_beat():
    """Else a control that cannot take it would make us send it without end."""
    wanted = Answer(PACE, wanted=frozenset({"h/x"}))
    node = await Node(Grant(1, PACE), wanted, wanted, wanted).live()

    assert node.waits == [5.0]
    assert [sorted(beat.defined) for beat in node.script.beats] == [[], ["h/x"], [], ["h/x"]]


@pytest.mark.anyio
async def test_a_withdrawn_service_is_simply_missing():
    node = Node(Grant(1, PACE))

    def withdraw():
        node.revisions.clear()
        return OK

    node.script.lines += [withdraw, OK]
    await node.live()

    assert [len(beat.report.services) for beat in node.script.beats] == [1, 0, 0]


@pytest.mark.anyio
async def test_a_refused_definition_is_sent_and_logged_once_a_revision(caplog):
    node = Node(Grant(1, PACE))
    refused = Answer(PACE, refused={"h/x": "address not allowed"})
    wanted = Answer(PACE, wanted=frozenset({"h/x"}))

    def grow():
        node.revisions["h/x"] += 1
        return OK

    node.script.lines += [grow, refused, wanted, wanted, wanted, grow, refused, wanted, wanted]
    await node.live()

    sent = [beat.sequence for beat in node.script.beats if beat.defined]
    assert sent == [2, 7]
    assert node.waits == [5.0] * 9  # no beat comes early for what is not sent
    assert [r.message for r in caplog.records if r.levelno == logging.ERROR] == [
        "control refuses h/x: address not allowed",
        "control refuses h/x: address not allowed",
    ]


OUTCOMES = st.sampled_from(
    [
        "answer",
        "wanted",
        StreamEnded("age"),
        LeaseLost("gone"),
        ControlUnavailable("down"),
        HostIdInUse("h lives"),
        BadRequest("bad"),
        GenieHiveError("bug"),
    ]
)


@given(st.lists(st.tuples(OUTCOMES, st.booleans()), max_size=40))
def test_whatever_control_does_leases_and_sequences_hold(outcomes):
    """Every beat carries the last lease granted, counts from 1, and tells what control lacks."""
    node = Node()
    granted = []
    held = {}  # revisions as control has them

    def play(outcome, grows):
        def line():
            registering = node.script.calls[-1] == "register"
            if isinstance(outcome, Exception):
                never = registering and isinstance(outcome, StreamEnded)
                return ControlUnavailable("down") if never else outcome
            node.revisions["h/x"] += grows
            if registering:
                held.update({"h/x": node.script.registered[-1].services[0].service.revision})
                granted.append(len(granted) + 1)
                return Grant(granted[-1], PACE)
            beat = node.script.beats[-1]
            told = beat.report.services[0].service.revision
            assert beat.generation == granted[-1]
            assert told == held["h/x"] or "h/x" in beat.defined
            held["h/x"] = told
            return Answer(PACE, wanted=frozenset({"h/x"} if outcome == "wanted" else ()))

        return line

    node.script.lines = [play(*one) for one in outcomes]
    asyncio.run(node.live())

    sequences = [(beat.generation, beat.sequence) for beat in node.script.beats]
    assert all(
        after == (before[0], before[1] + 1) or (after[0] > before[0] and after[1] == 1)
        for before, after in pairwise(sequences)
    )
    assert all(0 <= wait <= 75 for wait in node.waits)


@pytest.mark.anyio
async def test_only_a_lease_that_is_held_is_given_back():
    node = Node(Grant(9, PACE), OK)
    await node.session.leave()
    assert node.script.calls == []

    await node.live()
    await node.session.leave()

    assert node.script.calls[-1] == ("deregister", "h", 9)


def left(count):
    return Answer(PACE, in_flight=count)


async def registered(*lines):
    """Return a node that is registered as generation 9 and no longer runs, to play `lines`."""
    node = await Node(Grant(9, PACE), OK).live()
    node.waits.clear()
    node.script.calls.clear()
    node.script.beats.clear()
    node.script.lines += lines
    return node


def availabilities(beat):
    return [one.observation.availability for one in beat.report.services]


@pytest.mark.anyio
async def test_an_idle_host_says_that_it_drains_and_may_leave_at_once():
    node = await registered(left(0))
    await node.session.drain(30.0)
    assert node.script.calls == ["beat"]
    assert node.waits == []
    assert [availabilities(beat) for beat in node.script.beats] == [["draining"]]


@pytest.mark.anyio
async def test_what_is_in_flight_is_waited_for(caplog):
    caplog.set_level(logging.INFO)
    node = await registered(left(2), left(2), left(1), left(0))
    await node.session.drain(30.0)
    assert node.waits == [0.25] * 3
    assert node.script.streams == 2  # that of its life, and another one
    sequences = [beat.sequence for beat in node.script.beats]
    assert sequences == list(range(sequences[0], sequences[0] + 4))
    lines = [record.message for record in caplog.records if "draining" in record.message]
    assert lines == ["draining, 2 in flight", "draining, 1 in flight"]


@pytest.mark.anyio
@pytest.mark.parametrize(("seconds", "beats"), [(1.0, 5), (0.3, 2), (0.1, 1), (0.0, 0)])
async def test_what_does_not_end_is_waited_for_no_longer_than_told(seconds, beats, caplog):
    node = await registered(*[left(3)] * 10)
    node.now = 0.0
    await node.session.drain(seconds)
    assert len(node.script.beats) == beats
    assert node.now <= seconds
    assert ("leaving with 3 in flight" in caplog.text) == (beats > 0)


@pytest.mark.anyio
async def test_requests_that_pass_through_the_node_are_waited_for_whatever_control_says():
    node = await registered(*[left(0)] * 5)
    passing = iter([2, 1, 0])
    await node.session.drain(30.0, lambda: next(passing))
    assert node.waits == [0.25] * 2


@pytest.mark.anyio
@pytest.mark.parametrize("error", [ControlUnavailable("gone"), InvalidApiKey("no")])
async def test_a_control_that_is_silent_is_not_waited_for(error, caplog):
    node = await registered(error)
    await node.session.drain(30.0)
    assert node.script.calls == ["beat"]
    assert node.waits == []
    assert "cannot be told that this host leaves" in caplog.text
    await node.session.leave()
    assert node.script.calls[-1] == ("deregister", "h", 9)


@pytest.mark.anyio
async def test_without_control_what_passes_through_the_node_still_ends():
    node = await registered(ControlUnavailable("gone"))
    passing = iter([2, 1, 0])
    await node.session.drain(30.0, lambda: next(passing))
    assert node.waits == [0.25] * 2

    node = await registered(ControlUnavailable("gone"))
    node.now = 0.0
    await node.session.drain(1.0, lambda: 1)
    assert node.waits == [0.25] * 4


@pytest.mark.anyio
async def test_a_lease_that_is_lost_meanwhile_is_not_given_back():
    node = await registered(left(1), LeaseLost("gone"))
    await node.session.drain(30.0)
    await node.session.leave()
    assert node.script.calls == ["beat", "beat"]


@pytest.mark.anyio
async def test_a_stream_that_ends_meanwhile_is_opened_again():
    node = await registered(left(1), StreamEnded("old"), left(1), left(0))
    await node.session.drain(30.0)
    assert node.script.calls == ["beat"] * 4
    assert node.script.streams == 3


@pytest.mark.anyio
async def test_a_host_that_is_not_registered_leaves_at_once():
    node = Node()
    await node.session.drain(30.0)
    assert node.script.calls == node.waits == []


@pytest.mark.anyio
async def test_a_definition_that_control_asks_for_still_goes():
    node = await registered(Answer(PACE, wanted=frozenset({"h/x"}), in_flight=1), left(0))
    await node.session.drain(30.0)
    assert [beat.defined for beat in node.script.beats] == [frozenset(), frozenset({"h/x"})]


@pytest.mark.anyio
async def test_what_is_on_the_machine_is_told_only_when_it_changed():
    first, second = Machine(revision=1), Machine(model_file_count=1, revision=2)
    node = Node()

    def answering(machine=None):
        def answer():
            node.machine = machine or node.machine
            return OK

        return answer

    node.script.lines = [
        Grant(1, PACE),
        answering(first),
        StreamEnded("for its age"),
        OK,
        answering(second),
        OK,
        OK,
        LeaseLost("gone"),
        Grant(2, PACE),
        OK,
    ]
    await node.live()

    told = [beat.machine for beat in node.script.beats]
    assert told == [None, first, first, None, second, None, None, None, None]
    assert [report.machine for report in node.script.registered] == [None, second]


@pytest.mark.anyio
async def test_a_machine_that_turns_out_to_have_more_is_registered_again_at_once():
    node = Node()

    def grow():
        node.host = Host("h", gpus=(Gpu("G"),))
        return OK

    node.script.lines = [Grant(1, PACE), OK, grow, Grant(2, PACE), OK]
    await node.live()

    assert node.script.calls == ["register", "beat", "beat", "register", "beat", "beat"]
    assert node.script.registered[1].host == node.host
    assert node.script.streams == 2
