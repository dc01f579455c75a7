"""Who a client is, by the key it presents."""

import hmac

import pytest
from geniehive.v1 import routing_service_pb2 as pb

from control.api.errors import AuthUnavailable, ConflictingCredentials, InvalidApiKey
from control.api.priorities import Priority, Standing
from gateway.keys import (
    ANONYMOUS,
    Credential,
    Key,
    KeyRing,
    Settings,
    presented,
    read_resource,
    shown,
)
from gateway.table import Unusable

SECRET = b"s" * 32


def ring(*keys, required=True):
    found = KeyRing()
    resources = {
        key.decode(): Key(f"static:{key.decode()}", hmac.digest(SECRET, key, "sha256"))
        for key in keys
    }
    found.replace({**resources, "settings": Settings(required, SECRET)})
    return found


def test_a_known_key_names_its_principal_every_time():
    keys = ring(b"one", b"two")

    assert [keys.principal(Credential(b"two")) for _ in range(2)] == ["static:two"] * 2


@pytest.mark.parametrize("key", [b"three", b"on", b"one ", b"\xff" * 10_000])
def test_any_other_key_is_refused(key):
    with pytest.raises(InvalidApiKey):
        ring(b"one").principal(Credential(key))


def test_no_key_is_refused():
    with pytest.raises(InvalidApiKey, match="required"):
        ring(b"one").principal(None)


def test_a_revoked_key_is_refused_at_once():
    keys = ring(b"one")
    keys.principal(Credential(b"one"))
    keys.replace({"settings": Settings(True, SECRET)})

    with pytest.raises(InvalidApiKey):
        keys.principal(Credential(b"one"))


def test_keys_that_share_a_long_start_do_not_meet():
    keys = ring(b"k" * 40 + b"1", b"k" * 40 + b"2")

    first, second = (Credential(b"k" * 40 + end) for end in (b"1", b"2"))
    assert keys.principal(first) != keys.principal(second)


def test_without_checks_everybody_may_enter():
    assert ring(required=False).principal(Credential(b"whatever")) == ANONYMOUS


def test_without_checks_nobody_enters_from_the_network():
    """Whoever listens beyond this machine without keys must have said so."""
    keys = ring(required=False)
    keys.may_be_open = False

    with pytest.raises(AuthUnavailable, match="--insecure"):
        keys.principal(Credential(b"whatever"))


def test_nobody_is_judged_before_control_told_how():
    """Our own fault is never reported as the caller's."""
    with pytest.raises(AuthUnavailable):
        KeyRing().principal(Credential(b"one"))


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([], None),
        ([(b"x-api-key", b"a")], b"a"),
        ([(b"authorization", b"Bearer a")], b"a"),
        ([(b"authorization", b"bearer  a ")], b"a"),
        ([(b"authorization", b"Basic a")], None),
        ([(b"authorization", b"Bearer a"), (b"x-api-key", b"a")], b"a"),
        ([(b"authorization", b"Basic z"), (b"x-api-key", b"a")], b"a"),
        ([(b"x-api-key", b"")], None),
        ([(b"x-api-key", b""), (b"authorization", b"Bearer a")], b"a"),
    ],
)
def test_the_key_is_found(headers, key):
    found = presented(headers)

    assert (found.key if found is not None else None) == key


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-api-key", b"a"), (b"authorization", b"Bearer b")],
        [(b"authorization", b"Bearer b"), (b"x-api-key", b"a")],
        [(b"x-api-key", b"a"), (b"x-api-key", b"b")],
    ],
)
def test_two_different_keys_are_a_conflict(headers):
    with pytest.raises(ConflictingCredentials):
        presented(headers)


def test_a_key_is_never_shown_whole():
    assert shown(b"gh_7Qk" + b"x" * 40) == "gh_7Qkx..."
    assert shown(b"short") == "given"
    assert shown(b"\x1b[2J\xff" + b"x" * 40) == "?[2J?xx..."


@pytest.mark.parametrize(
    "resource",
    [
        pb.Resource(key=pb.ClientKey(principal_id="a", key_hash=b"short")),
        pb.Resource(key=pb.ClientKey(key_hash=b"x" * 32)),
        pb.Resource(settings=pb.KeySettings(required=True, hash_secret=b"short")),
        pb.Resource(service=pb.RouteService(service_id="a")),
        pb.Resource(),
    ],
)
def test_what_cannot_judge_is_unusable(resource):
    with pytest.raises(Unusable):
        read_resource(resource)


def test_a_key_may_have_a_standing_of_its_own():
    def key(**priorities):
        return pb.Resource(key=pb.ClientKey(principal_id="a", key_hash=b"x" * 32, **priorities))

    found = KeyRing()
    found.replace(
        {"a": read_resource(key(priority=pb.PRIORITY_LOW, highest_priority=pb.PRIORITY_NORMAL))}
    )

    assert found.standing("a") == Standing(Priority.LOW, Priority.NORMAL)
    assert found.standing("b") == Standing()
    # Of a later control: whoever it is for is let in.
    assert read_resource(key(priority=9)).standing == Standing()


def test_a_standing_goes_with_its_key():
    found = KeyRing()
    found.replace({"a": Key("a", b"x" * 32, Standing(Priority.LOW))})
    found.replace({"settings": Settings(True, SECRET)})

    assert found.standing("a") == Standing()
