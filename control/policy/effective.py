"""The one request policy that applies when an asset serves a name. Pure, and remembered."""

import hashlib
import json
from dataclasses import astuple
from functools import reduce
from weakref import WeakKeyDictionary, WeakValueDictionary

from control.inventory import Asset, Operation, RequestPolicy
from control.policy.inferred import inferred
from control.policy.merge import NOTHING, merge

# What is in use is asked for again and again, and nothing else is kept: a node may tell a
# policy of 256 KiB, and another one with each beat.
Parts = tuple[RequestPolicy | None, RequestPolicy | None, RequestPolicy | None, bool]
_combinations: WeakValueDictionary[Parts, RequestPolicy] = WeakValueDictionary()
_ids: WeakKeyDictionary[RequestPolicy, int] = WeakKeyDictionary()


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
    parts = guess, asset.request_policy, role_policy, chat
    policy = _combinations.get(parts)
    if policy is None and (policy := _combined(*parts)) is not None:
        _combinations[parts] = policy
    return policy


def policy_id(policy: RequestPolicy) -> int:
    """Return a number of 64 bits made of the content, the same everywhere, never 0."""
    if (number := _ids.get(policy)) is None:
        content = json.dumps(astuple(policy)).encode()
        number = _ids[policy] = int.from_bytes(hashlib.sha256(content).digest()[:8]) or 1
    return number


def _combined(
    guess: RequestPolicy | None, own: RequestPolicy | None, role: RequestPolicy | None, chat: bool
) -> RequestPolicy | None:
    policy = reduce(merge, filter(None, (guess, own, role)), NOTHING)
    if not chat:
        policy = RequestPolicy(policy.body_defaults, policy.body_overrides)
    return None if policy == NOTHING else policy
