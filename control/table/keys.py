"""The key table: who may use the gateways, as hashes."""

from collections.abc import Sequence

from control.key_hashes import key_hash, principal_id
from control.table.diff import Delta
from control.table.resources import ClientKey, KeySettings, Resource


def static_keys(keys: Sequence[str], hash_secret: bytes) -> Delta:
    """Return what brings an empty key table to the static client keys of the configuration."""
    settings = Resource.of("settings", KeySettings(required=bool(keys), hash_secret=hash_secret))
    hashes = dict.fromkeys(key_hash(key, hash_secret) for key in keys)
    # The whole hash names the resource: two keys with one short id stay two.
    entries = (
        Resource.of(f"key/{hashed.hex()}", ClientKey(principal_id(hashed), hashed))
        for hashed in hashes
    )
    return Delta((settings, *entries))
