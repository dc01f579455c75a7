"""Keeps the key table at what the settings say of client keys: who there is, and who goes first."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from control.api.priorities import AS_OTHERS, Standing
from control.key_hashes import key_hash, principal_id
from control.ranking.offering import Rules
from control.ranking.resolution import near
from control.table.diff import changes
from control.table.keys import client_key, static_keys
from control.table.watch import Hub

log = logging.getLogger(__name__)

MAX_SHOWN = 100  # ids of keys
# Ids that no key has; and keys that one of them is compared with, 20 us each.
MAX_TOLD, MAX_COMPARED = 5, 100


class ClientKeys:
    """The static client keys, which stay as long as control runs. hub: of the key table."""

    def __init__(self, hub: Hub, keys: Sequence[str], hash_secret: bytes) -> None:
        self._hub = hub
        self._standings: Mapping[str, Standing] = {}
        self._hashes: dict[str, list[bytes]] = {}  # by the id of the principal, mostly one each
        for key in keys:
            hashed = key_hash(key, hash_secret)
            self._hashes.setdefault(principal_id(hashed), []).append(hashed)
        hub.publish(static_keys(keys, hash_secret), settled=True)
        if keys:
            # Nobody can see by a key what its id is, and settings speak of keys by their ids.
            ids = list(self._hashes)
            shown = ", ".join(ids[:MAX_SHOWN])
            log.info("client keys, in their order: %s%s", shown, _more(ids, MAX_SHOWN))

    def rule(self, rules: Rules) -> None:
        """Tell what new rules say of keys, and warn of what they say of keys that are not there."""
        before, now = self._standings, rules.waiting.standings
        others = [one for one in {**before, **now} if before.get(one) != now.get(one)]
        resources = [
            client_key(hashed, now.get(principal, AS_OTHERS))
            for principal in others
            for hashed in self._hashes.get(principal, ())
        ]
        fresh = {resource.name: resource for resource in resources}
        self._standings = now
        self._hub.publish(changes(self._hub.table, fresh), settled=True)
        for line in self._strangers([one for one in others if one in now]):
            log.warning("routing.priority.keys: %s", line)

    def _strangers(self, named: Sequence[str]) -> Iterator[str]:
        missing = [principal for principal in named if principal not in self._hashes]
        compared = list(islice(self._hashes, MAX_COMPARED))
        for principal in missing[:MAX_TOLD]:
            nearest = near(principal, compared)
            hint = f"; nearest: {nearest[0]}" if nearest else ""
            yield f"no client key is {principal}{hint}"
        if more := _more(missing, MAX_TOLD):
            yield more.strip()


def _more(ids: Sequence[str], told: int) -> str:
    return f" and {len(ids) - told} more" if len(ids) > told else ""
