"""Watching: what is another view, what is said of an old one, and when a block is written."""

from datetime import timedelta

import grpc
import pytest
from geniehive.v1 import routing_service_pb2 as pb

from cli import screens
from cli.cluster import Cluster
from cli.output import Output
from cli.watch import View, Watch, fingerprint
from tests.unit.cli.clusters import NOW, THREE_HOSTS, health, host, status


class Away(grpc.RpcError):
    def __init__(self, code=grpc.StatusCode.UNAVAILABLE, reason=None):
        super().__init__()
        self._code, self._reason = code, reason

    def code(self):
        return self._code

    def details(self):
        return "connection refused"

    def trailing_metadata(self):
        return (("geniehive-reason", self._reason),) if self._reason else ()


def played(*answers):
    """Return what reads one answer after another, and a clock that goes 2 s a look."""
    left = list(answers)
    seconds = iter(range(0, 1_000, 2))

    def read():
        answer = left.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return read, lambda: NOW + timedelta(seconds=next(seconds))


def cluster(**service):
    return Cluster(health(), (host("h"),), (status("h/x", "+m", **service),))


def test_times_that_pass_and_gauges_that_move_are_no_change():
    before, after = cluster(), cluster()
    after.health.route_age.FromSeconds(99)
    after.health.uptime.FromSeconds(99)
    after.hosts[0].heartbeat_time.FromSeconds(5)
    after.hosts[0].metrics.memory_available_bytes = 7
    after.services[0].measured.request_count = 9
    after.services[0].update_time.FromSeconds(5)
    after.services[0].service.observation.tokens_per_second = 3.5

    assert fingerprint(after) == fingerprint(before)


def test_that_a_service_is_kept_out_is_a_change_and_how_long_still_is_none():
    before, after = cluster(), cluster()
    after.services[0].ejection.MergeFrom(pb.Ejection(reason="5 timeouts", gateway_count=1))
    assert fingerprint(after) != fingerprint(before)
    before.services[0].ejection.CopyFrom(after.services[0].ejection)
    after.services[0].ejection.remaining.FromSeconds(9)

    assert fingerprint(after) == fingerprint(before)


@pytest.mark.parametrize("change", [{"in_flight": 1}, {"queue": 2}, {"routable": False}])
def test_what_a_service_does_is_a_change(change):
    assert fingerprint(cluster(**change)) != fingerprint(cluster())


def test_comparing_changes_nothing():
    view = cluster()
    before = view.services[0].SerializeToString(deterministic=True)
    fingerprint(view)

    assert view.services[0].SerializeToString(deterministic=True) == before


def test_the_last_view_stays_while_control_is_away():
    read, clock = played(THREE_HOSTS, Away(), Away(), THREE_HOSTS)
    watching = Watch(read, clock)
    assert watching.view.caption(NOW) == f"updated {NOW:%H:%M:%S}"

    watching.look()
    watching.look()
    assert watching.view.cluster is THREE_HOSTS
    later = NOW + timedelta(seconds=4)
    assert watching.view.caption(later) == "STALE 4s: control unreachable, last view"

    watching.look()
    assert watching.view.problem == ""


def test_a_refusal_is_told_in_its_own_words():
    refused = Away(grpc.StatusCode.UNAUTHENTICATED, "invalid_api_key")
    read, clock = played(THREE_HOSTS, refused)
    watching = Watch(read, clock)
    watching.look()

    assert "connection refused, last view" in watching.view.caption(NOW)


def test_the_first_look_fails_as_without_watching():
    read, clock = played(Away())
    with pytest.raises(grpc.RpcError):
        Watch(read, clock)


def test_a_block_is_written_for_each_change_and_for_what_control_does():
    busy = cluster(in_flight=1)
    read, clock = played(cluster(), cluster(), busy, Away(), Away(), busy, KeyboardInterrupt())
    written, pauses = [], []
    with pytest.raises(KeyboardInterrupt):
        Watch(read, clock).as_blocks(written.append, pauses.append)

    told = [(view.cluster.services[0].in_flight, bool(view.problem)) for view in written]
    assert pauses == [1.0] * 6
    assert told == [(0, False), (1, False), (1, True), (1, False)]


def test_blocks_of_people_and_of_programs(monkeypatch, capsys):
    monkeypatch.setattr(screens, "now", lambda: NOW + timedelta(seconds=4))
    fresh, stale = View(THREE_HOSTS, NOW), View(THREE_HOSTS, NOW, "control unreachable")

    screens._write(fresh, Output())
    screens._write(stale, Output())
    text = capsys.readouterr().out
    assert text.splitlines()[0].startswith("2 of 3 hosts up")
    assert text.splitlines()[-2:] == [
        f"updated {NOW:%H:%M:%S}",
        "STALE 4s: control unreachable, last view",
    ]

    screens._write(stale, Output(as_json=True))
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert '"schema": "geniehive.status/1"' in line
    assert '"stale_s": 4.0' in line
