"""What draining says, and how long it waits, against a control that is played."""

import json

import pytest
from geniehive.v1 import admin_service_pb2 as pb

from cli import draining
from cli.draining import Draining
from cli.output import BAD, UNKNOWN, USAGE, Failure, Output
from control.api.errors import InvalidValue, NotFound
from tests.unit.cli.clusters import host, status


class Control:
    """Answers from a list, and lists services by a script of what is in flight at each look."""

    def __init__(self, *answers, looks=()):
        self.answers = list(answers)
        self.looks = list(looks)
        self.asked = []
        self.now = 0.0

    def change(self, request, timeout, metadata):
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    DrainServices = UndrainServices = change

    def services(self, host_id=None):
        look = self.looks.pop(0) if self.looks else {"tower/a": 0, "tower/b": 0}
        if isinstance(look, BaseException):
            raise look
        found = []
        for name, in_flight in look.items():
            one = status(name, routable=False, in_flight=max(in_flight, 0))
            one.drained = in_flight >= 0
            found.append(one)
        return found

    def hosts(self):
        return [host("tower")]

    def sleep(self, seconds):
        self.now += seconds

    def draining(self):
        return Draining(self, self, timeout=1.0, sleep=self.sleep, now=lambda: self.now)


def drained(in_flight=0, *, changed=True):
    return pb.DrainServicesResponse(
        service_ids=["tower/a", "tower/b"], in_flight=in_flight, changed=changed
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (drained(2), "tower draining, 2 left; undo: geniehive undrain tower\n"),
        (drained(), "tower drained; undo: geniehive undrain tower\n"),
        (drained(changed=False), "tower drained already; undo: geniehive undrain tower\n"),
        (
            drained(3, changed=False),
            "tower draining already, 3 left; undo: geniehive undrain tower\n",
        ),
    ],
)
def test_a_drain_says_what_changed_and_how_to_undo_it(capsys, answer, said):
    control = Control(answer)
    draining.drain(Output(), control.draining(), "tower", wait=False)
    assert capsys.readouterr().out == said
    assert control.asked == [pb.DrainServicesRequest(name="tower")]


def test_waiting_tells_what_is_left_until_nothing_is_for_a_while(capsys):
    looks = [
        {"tower/a": 1, "tower/b": 1},
        {"tower/a": 1, "tower/b": 1},
        {"tower/a": 0, "tower/b": 1},
        {"tower/a": 0, "tower/b": 0},
        {"tower/a": 1, "tower/b": 0},  # a gateway told of it late
        {"tower/a": 0, "tower/b": 0},
    ]
    control = Control(drained(2), looks=looks)
    draining.drain(Output(), control.draining(), "tower", wait=True)
    told = capsys.readouterr()
    assert told.out == "tower drained; undo: geniehive undrain tower\n"
    assert told.err.splitlines() == [
        "tower draining, 2 left",
        "tower draining, 1 left",
        "tower draining, 0 left",
        "tower draining, 1 left",
        "tower draining, 0 left",
    ]
    # The last look at something was the fifth, a second after the first.
    assert control.now == 1.0 + draining.QUIET_S


def test_waiting_for_a_service_looks_at_no_other(capsys):
    control = Control(drained(0), looks=[{"tower/a": 0, "tower/b": 5}] * 10)
    draining.drain(Output(as_json=True), control.draining(), "tower/a", wait=True)
    assert json.loads(capsys.readouterr().out) == {
        "schema": "geniehive.drain/1",
        "name": "tower/a",
        "state": "drained",
        "in_flight": 0,
        "service_ids": ["tower/a", "tower/b"],
        "changed": True,
    }
    assert control.now == draining.QUIET_S


def test_a_host_that_leaves_meanwhile_is_waited_for_no_longer(capsys):
    control = Control(drained(1), looks=[{"tower/a": 1}, {}, {}, {}])
    draining.drain(Output(quiet=True), control.draining(), "tower", wait=True)
    assert capsys.readouterr().out == "tower\n"


def test_who_waits_hears_that_somebody_undrained_it():
    control = Control(drained(1), looks=[{"tower/a": 1}, {"tower/a": -1}])
    with pytest.raises(Failure, match="tower was undrained meanwhile") as raised:
        draining.drain(Output(), control.draining(), "tower", wait=True)
    assert raised.value.exit_code == BAD


def test_who_stops_waiting_hears_that_it_goes_on(capsys):
    control = Control(drained(1), looks=[{"tower/a": 1}, KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        draining.drain(Output(), control.draining(), "tower", wait=True)
    assert capsys.readouterr().err.endswith(
        "tower goes on draining; undo: geniehive undrain tower\n"
    )


def undrained(*still, services=("tower/a",), changed=True):
    return pb.UndrainServicesResponse(service_ids=services, still_drained=still, changed=changed)


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("tower", undrained(), "tower is drained no longer; undo: geniehive drain tower"),
        ("tower", undrained(changed=False), "tower was not drained"),
        (
            "tower",
            undrained("tower/a"),
            "tower is drained no longer, but tower/a still is; next: geniehive undrain tower/a",
        ),
        (
            "tower",
            undrained("tower/a", "tower/b", "tower/c", changed=False),
            "tower was not drained, but tower/a and 2 more still are;"
            " next: geniehive undrain tower/a",
        ),
        (
            "tower/a",
            undrained("tower/a", services=()),
            "tower/a is drained no longer itself, but its host is; next: geniehive undrain tower",
        ),
    ],
)
def test_an_undrain_says_what_is_drained_all_the_same(capsys, name, answer, said):
    control = Control(answer, answer, answer)
    draining.undrain(Output(), control.draining(), name)
    assert capsys.readouterr().out == f"{said}\n"

    draining.undrain(Output(as_json=True), control.draining(), name)
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "geniehive.undrain/1"
    assert told["still_drained"] == list(answer.still_drained)

    draining.undrain(Output(quiet=True), control.draining(), name)
    assert capsys.readouterr().out == f"{name}\n"


def test_a_name_that_nobody_has_is_answered_with_those_like_it():
    control = Control(NotFound("no host or service 'towr' is registered"))
    with pytest.raises(Failure, match="no host or service 'towr'; similar: tower") as raised:
        control.draining().drain("towr")
    assert (raised.value.exit_code, raised.value.code) == (UNKNOWN, "not_found")


def test_what_is_no_host_and_no_service_is_said_in_the_words_of_control():
    control = Control(InvalidValue("'mentor' is a role; what is drained is a host or a service"))
    with pytest.raises(Failure, match="'mentor' is a role") as raised:
        control.draining().undrain("mentor")
    assert raised.value.exit_code == USAGE
