import hashlib
import hmac

from control.api.priorities import Priority, Standing
from control.table.keys import client_key, static_keys
from control.table.resources import ClientKey, KeySettings

SECRET = b"s" * 32


def test_static_keys_are_told_as_hashes_with_a_short_name():
    delta = static_keys(["sk-a"], SECRET)
    digest = hmac.new(SECRET, b"sk-a", hashlib.sha256).digest()

    assert [one.body for one in delta.upserts] == [
        KeySettings(required=True, hash_secret=SECRET),
        ClientKey(f"static:{digest.hex()[:8]}", digest),
    ]
    assert "sk-a" not in repr(delta)


def test_no_keys_mean_that_none_is_required():
    assert static_keys([], SECRET).upserts[0].body == KeySettings(False, SECRET)


def test_a_repeated_key_is_one_key():
    assert len(static_keys(["a", "b", "a"], SECRET).upserts) == 3


def test_what_is_said_of_a_key_is_told_with_it():
    plain = static_keys(["sk-a"], SECRET).upserts[1]
    bounded = client_key(plain.body.key_hash, Standing(highest=Priority.LOW))

    assert client_key(plain.body.key_hash) == plain
    assert bounded.body.standing == Standing(highest=Priority.LOW)
    assert (bounded.name, bounded.hash != plain.hash) == (plain.name, True)
