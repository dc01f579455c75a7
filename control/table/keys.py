"""The key table: who may use the gateways, as hashes."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from control.api.priorities import AS_OTHERS, Standing
from control.key_hashes import key_hash, principal_id
from control.table.diff import Delta
from control.table.resources import ClientKey, KeySettings, Resource

NOTHING_SAID: Mapping[str, Standing] = MappingProxyType({})


def static_keys(
    keys: Sequence[str], hash_secret: bytes, standings: Mapping[str, Standing] = NOTHING_SAID
) -> Delta:
    """Return what brings an empty key table to the static client keys of the configuration.

    standings: what is said of their requests, by the id of their principal.
    """
    settings = Resource.of("settings", KeySettings(required=bool(keys), hash_secret=hash_secret))
    hashes = dict.fromkeys(key_hash(key, hash_secret) for key in keys)
    # The whole hash names the resource: two keys with one short id stay two.
    entries = (
        Resource.of(f"key/{hashed.hex()}", _client_key(hashed, standings)) for hashed in hashes
    )
    return Delta((settings, *entries))


def _client_key(hashed: bytes, standings: Mapping[str, Standing]) -> ClientKey:
    principal = principal_id(hashed)
    return ClientKey(principal, hashed, standings.get(principal, AS_OTHERS))
