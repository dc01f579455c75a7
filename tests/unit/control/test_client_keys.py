"""The key table follows the settings while control runs."""

import logging

import pytest

from control.api.priorities import Priority, Standing
from control.client_keys import MAX_SHOWN, MAX_TOLD, ClientKeys
from control.key_hashes import key_hash, principal_id
from control.ranking.offering import Rules
from control.ranking.waiting import Waiting
from control.table.watch import Hub

SECRET = b"s" * 32
MINE = principal_id(key_hash("sk-a", SECRET))
LOW = Standing(usual=Priority.LOW)


@pytest.fixture
def hub():
    return Hub("store", "life", settled=True)


def rules(**standings):
    return Rules(waiting=Waiting(standings={f"static:{one}": LOW for one in standings}))


def standings(hub):
    bodies = [one.body for name, one in hub.table.items() if name.startswith("key/")]
    return {body.principal_id: body.standing for body in bodies}


def test_keys_and_what_is_said_of_them_are_in_the_table(hub):
    ClientKeys(hub, ["sk-a", "sk-b"], SECRET).rule(Rules(waiting=Waiting(standings={MINE: LOW})))

    assert len(hub.table) == 3
    assert standings(hub)[MINE] == LOW
    assert sum(one == Standing() for one in standings(hub).values()) == 1


def test_new_rules_change_only_what_they_say_of_keys(hub):
    keys = ClientKeys(hub, ["sk-a", "sk-b"], SECRET)
    keys.rule(Rules())
    held, version = dict(hub.table), hub.identity.version
    keys.rule(Rules(waiting=Waiting(standings={MINE: LOW})))

    assert hub.identity.version == version + 1
    assert [name for name in held if hub.table[name] != held[name]] == [
        f"key/{key_hash('sk-a', SECRET).hex()}"
    ]
    keys.rule(Rules())
    assert hub.table == held


def test_rules_that_say_nothing_new_of_keys_change_nothing(hub):
    keys = ClientKeys(hub, ["sk-a"], SECRET)
    keys.rule(Rules())
    version = hub.identity.version
    keys.rule(Rules(waiting=Waiting(on=False)))

    assert hub.identity.version == version


def test_the_ids_of_keys_are_told_in_their_order_and_the_keys_are_not(hub, caplog):
    caplog.set_level(logging.INFO)
    ClientKeys(hub, ["sk-a", "sk-b"], SECRET)
    (line,) = caplog.messages

    assert line.startswith(f"client keys, in their order: {MINE}, static:")
    assert "sk-" not in line
    caplog.clear()
    ClientKeys(hub, [], SECRET)
    assert caplog.messages == []


def test_of_many_keys_some_are_told(hub, caplog):
    caplog.set_level(logging.INFO)
    ClientKeys(hub, [f"sk-{n}" for n in range(MAX_SHOWN + 1)], SECRET)

    assert caplog.messages[0].endswith(" and 1 more")


def test_an_id_that_no_key_has_is_told_with_the_nearest(hub, caplog):
    caplog.set_level(logging.WARNING)
    wrong = MINE[:-1] + ("0" if MINE[-1] != "0" else "1")
    ClientKeys(hub, ["sk-a"], SECRET).rule(Rules(waiting=Waiting(standings={wrong: LOW})))

    assert caplog.messages == [f"routing.priority.keys: no client key is {wrong}; nearest: {MINE}"]


def test_an_id_that_no_key_has_is_told_once(hub, caplog):
    caplog.set_level(logging.WARNING)
    keys = ClientKeys(hub, ["sk-a"], SECRET)
    keys.rule(rules(**{"00000000": LOW}))
    keys.rule(Rules(waiting=Waiting(False, standings=rules(**{"00000000": LOW}).waiting.standings)))

    assert len(caplog.messages) == 1
    keys.rule(Rules())
    assert len(caplog.messages) == 1


def test_two_keys_with_one_id_have_one_standing(hub, monkeypatch):
    monkeypatch.setattr("control.client_keys.principal_id", lambda _: MINE)
    ClientKeys(hub, ["sk-a", "sk-b"], SECRET).rule(Rules(waiting=Waiting(standings={MINE: LOW})))

    bodies = [one.body for name, one in hub.table.items() if name.startswith("key/")]
    assert [body.standing for body in bodies] == [LOW, LOW]


def test_of_many_ids_that_no_key_has_some_are_told(hub, caplog):
    ClientKeys(hub, [], SECRET).rule(rules(**{f"{n:08x}": LOW for n in range(MAX_TOLD + 5)}))

    assert len(caplog.messages) == MAX_TOLD + 1
    assert caplog.messages[-1] == "routing.priority.keys: and 5 more"
