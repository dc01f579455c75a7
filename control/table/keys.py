"""The key table: who may use the gateways, as hashes."""

from collections.abc import Sequence

from control.api.priorities import AS_OTHERS, Standing
from control.key_hashes import key_hash, principal_id
from control.table.diff import Delta
from control.table.resources import ClientKey, KeySettings, Resource


def static_keys(keys: Sequence[str], hash_secret: bytes) -> Delta:
    """Return what brings an empty key table to the static client keys of the configuration."""
    settings = Resource.of("settings", KeySettings(required=bool(keys), hash_secret=hash_secret))
    hashes = dict.fromkeys(key_hash(key, hash_secret) for key in keys)
    return Delta((settings, *map(client_key, hashes)))


def client_key(hashed: bytes, standing: Standing = AS_OTHERS) -> Resource:
    """Return what is told of the key with a hash."""
    # The whole hash names the resource: two keys with one short id stay two.
    return Resource.of(f"key/{hashed.hex()}", ClientKey(principal_id(hashed), hashed, standing))
