"""Words that must not be found again, and the search for them."""

import base64
import random
from collections.abc import Iterable, Mapping

# Of which no part of this length may be found at its beginning or end: who is told so much
# of a key needs to guess less.
FRAGMENT = 12


def planted(kinds: Iterable[str], chance: random.Random) -> Mapping[str, str]:
    """Return a canary for each kind: 32 digits of which no two have a beginning in common."""
    return {kind: chance.randbytes(16).hex() for kind in kinds}


def found(content: bytes, canaries: Mapping[str, str], kinds: Iterable[str]) -> list[str]:
    """Return the kinds of which anything is in `content`, as it is or in base64."""
    looked_at = content.lower()
    return [
        kind for kind in kinds if any(form in looked_at for form in _forms(canaries[kind].encode()))
    ]


def _forms(canary: bytes) -> tuple[bytes, ...]:
    encoded = base64.b64encode(canary).lower()
    return canary[:FRAGMENT], canary[-FRAGMENT:], encoded[:FRAGMENT], canary.hex().encode()
