"""The one request policy that applies when an asset serves a name. Pure, and remembered."""

import hashlib
import json
from dataclasses import astuple
from functools import lru_cache, reduce

from control.inventory import Asset, Operation, RequestPolicy
from control.policy.inferred import inferred
from control.policy.merge import NOTHING, merge

# Pairs of an asset's policy and a role's; a fleet has few, asked for again and again.
MAX_REMEMBERED = 10_000


def effective(
    asset: Asset, role_policy: RequestPolicy | None, operation: Operation, *, provider: bool
) -> RequestPolicy | None:
    """Return the policy for `operation` by `asset`, in place of a role or not; None for none.

    What is inferred comes first, then what the asset says, then what the role says. Nothing is
    inferred for the asset of an external provider. Only chats have messages, tools and
    reasoning.
    """
    chat = operation is Operation.CHAT
    guess = inferred(asset) if chat and not provider else None
    if guess is None and asset.request_policy is None and role_policy is None:
        return None
    return _combined(guess, asset.request_policy, role_policy, chat)


@lru_cache(MAX_REMEMBERED)
def policy_id(policy: RequestPolicy) -> int:
    """Return a number of 64 bits made of the content, the same everywhere, never 0."""
    content = json.dumps(astuple(policy)).encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:8]) or 1


@lru_cache(MAX_REMEMBERED)
def _combined(
    guess: RequestPolicy | None, own: RequestPolicy | None, role: RequestPolicy | None, chat: bool
) -> RequestPolicy | None:
    policy = reduce(merge, filter(None, (guess, own, role)), NOTHING)
    if not chat:
        policy = RequestPolicy(policy.body_defaults, policy.body_overrides)
    return None if policy == NOTHING else policy
