"""Keeps the key table at what the settings say of client keys: who there is, and who goes first."""

import difflib
import logging
from collections.abc import Iterator, Sequence

from control.ranking.offering import Rules
from control.table.diff import changes
from control.table.keys import static_keys
from control.table.resources import ClientKey
from control.table.watch import Hub

log = logging.getLogger(__name__)

MAX_TOLD = 20  # ids that no key has


class ClientKeys:
    """The static client keys, which stay as long as control runs. hub: of the key table."""

    def __init__(self, hub: Hub, keys: Sequence[str], hash_secret: bytes) -> None:
        self._hub = hub
        self._keys = keys
        self._hash_secret = hash_secret

    def rule(self, rules: Rules) -> None:
        """Tell what rules say of keys, and warn of what they say of keys that are not there."""
        standings = rules.waiting.standings
        keys = static_keys(self._keys, self._hash_secret, standings).upserts
        named = {one.name: one for one in keys}
        self._hub.publish(changes(self._hub.table, named), settled=True)
        there = [one.body.principal_id for one in keys if isinstance(one.body, ClientKey)]
        missing = [principal for principal in standings if principal not in there]
        for line in _told(missing, there):
            log.warning("routing.priority.keys: %s", line)


def _told(missing: Sequence[str], there: Sequence[str]) -> Iterator[str]:
    for principal in missing[:MAX_TOLD]:
        nearest = difflib.get_close_matches(principal, there, n=1)
        hint = f"; nearest: {nearest[0]}" if nearest else ""
        yield f"no client key is {principal}{hint}"
    if len(missing) > MAX_TOLD:
        yield f"and {len(missing) - MAX_TOLD} more"
