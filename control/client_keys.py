"""Keeps the key table at what the settings say of client keys: who there is, and who goes first."""

import logging
from collections.abc import Iterable, Iterator, Sequence

from control.key_hashes import key_hash, principal_id
from control.ranking.offering import Rules
from control.ranking.resolution import near
from control.table.diff import changes
from control.table.keys import static_keys
from control.table.watch import Hub

log = logging.getLogger(__name__)

MAX_TOLD = 20  # ids


class ClientKeys:
    """The static client keys, which stay as long as control runs. hub: of the key table."""

    def __init__(self, hub: Hub, keys: Sequence[str], hash_secret: bytes) -> None:
        self._hub = hub
        self._keys = keys
        self._hash_secret = hash_secret
        self._ids = [principal_id(key_hash(key, hash_secret)) for key in keys]
        if keys:
            # Nobody can see by a key what its id is, and settings speak of keys by their ids.
            shown = ", ".join(self._ids[:MAX_TOLD])
            log.info("client keys, in their order: %s%s", shown, _more(self._ids))

    def rule(self, rules: Rules) -> None:
        """Tell what rules say of keys, and warn of what they say of keys that are not there."""
        standings = rules.waiting.standings
        keys = static_keys(self._keys, self._hash_secret, standings).upserts
        named = {one.name: one for one in keys}
        self._hub.publish(changes(self._hub.table, named), settled=True)
        for line in _strangers(standings, self._ids):
            log.warning("routing.priority.keys: %s", line)


def _strangers(named: Iterable[str], there: Sequence[str]) -> Iterator[str]:
    """Yield what is said of keys that are not there."""
    known = frozenset(there)
    missing = [principal for principal in named if principal not in known]
    for principal in missing[:MAX_TOLD]:
        nearest = near(principal, there)
        hint = f"; nearest: {nearest[0]}" if nearest else ""
        yield f"no client key is {principal}{hint}"
    if more := _more(missing):
        yield more.strip()


def _more(ids: Sequence[str]) -> str:
    return f" and {len(ids) - MAX_TOLD} more" if len(ids) > MAX_TOLD else ""
