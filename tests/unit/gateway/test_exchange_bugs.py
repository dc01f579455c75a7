"""Mistakes of ours: who is told nothing does not wait, and one bad request harms no other."""

import pytest

from control.api.errors import NotReady
from gateway.exchange import Exchange
from gateway.request_head import RequestHead
from gateway.route import Choice
from tests.unit.gateway.pushed import CHAT
from tests.unit.gateway.test_exchange_life import DONE, EVENT, Client, World

pytestmark = pytest.mark.anyio

WAYS = {
    "whole": [("head", 200, "json"), ("whole", b'{"a":1}')],
    "stream": [("head", 200, "events"), ("whole", EVENT + DONE)],
    "refused": [("head", 401, "json")],
    "late": [("wait", 3_601.0)],
    "stopped": [("stop",)],
}


class Deaf(Client):
    """One to whom nothing can be written."""

    def respond(self, *_):
        raise RuntimeError("a bug")

    start = write = end = break_off = respond


def asked(world, client):
    head = RequestHead(CHAT, b"/v1/chat/completions", [(b"content-type", b"application/json")])
    exchange = Exchange(world.gateway, client, head)
    exchange.admit(None)
    exchange.run(b'{"model":"m"}')
    return exchange


@pytest.mark.parametrize("way", WAYS)
async def test_a_client_that_cannot_be_answered_loses_its_connection(way):
    world, deaf = World(), Deaf()
    world.exchange = asked(world, deaf)

    for step in WAYS[way]:
        world.do(*step)

    assert deaf.ends == 1
    assert not world.gateway.active
    assert not world.gateway.in_flight()
    assert not world.gateway.admission.held


@pytest.mark.parametrize("fault", ["answer", "witness"])
async def test_one_that_cannot_end_well_does_not_keep_others_from_their_end(fault, monkeypatch):
    world = World()
    clients = [Client(), Deaf() if fault == "answer" else Client(), Client()]
    exchanges = [asked(world, client) for client in clients]
    if fault == "witness":

        class Broken:
            def over(self, *_):
                raise RuntimeError("a bug")

        exchanges[1]._witnesses = [Broken()]

    world.do("wait", 3_601.0)

    assert [client.ends for client in clients] == [1, 1, 1]
    assert not world.gateway.active
    # The one of `World` itself, which was never run, is the only one that is left.
    assert world.gateway.admission.under_way == 1


async def test_a_request_that_cannot_be_made_is_answered_and_blames_nobody(monkeypatch):
    world, client = World(), Told()
    monkeypatch.setattr(Choice, "shaped", broken)

    asked(world, client)

    assert (client.status, client.ends) == (500, 1)
    assert not world.gateway.in_flight()
    assert not world.gateway.admission.held


class Told(Client):
    def respond(self, status, head, content):
        super().respond(status, head, content)
        self.status = status


def broken(*_):
    raise RuntimeError("a bug")


@pytest.mark.parametrize("fault", ["left", "over"])
async def test_who_leaves_leaves_nothing_behind_even_then(fault):
    world = World()
    exchange = asked(world, Client())

    class Broken:
        def left(self, *_):
            raise RuntimeError("a bug")

        over = left

    exchange._witnesses = [Broken()]
    if fault == "left":
        exchange.cancel()
    else:
        exchange.refuse(NotReady("the gateway is stopping"))

    assert not world.gateway.active
    assert not world.gateway.in_flight()
    assert not world.gateway.admission.held


@pytest.mark.parametrize("steps", [*WAYS.values(), [("head", 200, "json"), ("whole", b"oops")]])
async def test_what_is_remembered_of_a_request_leads_to_no_frame(steps):
    world = World()
    world.exchange.run(b'{"model":"m","stream":true}')
    world.do("head", 200, "events")
    world.do("whole", b'data: {"x"')
    for step in steps:
        world.do(*step)
    world.do_leave()

    (ended,) = (*world.gateway.recent.plain, *world.gateway.recent.noteworthy)
    kept = [failure.error for failure in ended._failures]
    assert kept
    for error in (*kept, ended._error):
        if error is not None:
            assert error.__traceback__ is error.__context__ is error.__cause__ is None


def test_what_speaks_against_a_head_does_not_keep_the_head():
    head = RequestHead(CHAT, b"/v1/chat/completions", [(b"x-api-key", b"c4n4ry")])

    assert head.objection is not None
    assert head.objection.__traceback__ is None
