"""Request policies in the route table: each once, for as long as any candidate refers to it."""

from collections import Counter

from control.inventory import RequestPolicy
from control.policy.effective import policy_id
from control.table.resources import Resource, RoutePolicy, policy_name


class Policies:
    """Counts who refers to each policy.

    A candidate must never be told of a policy that is not there. So what is new goes into
    the table before its candidates, and what nobody needs any more when all of them are told.
    """

    def __init__(self) -> None:
        self._uses: Counter[RequestPolicy] = Counter()
        self._new: dict[RequestPolicy, None] = {}  # sets that keep their order
        self._unneeded: dict[RequestPolicy, None] = {}

    def swap(self, before: RequestPolicy | None, after: RequestPolicy | None) -> None:
        """Note that a candidate refers to `after`, and no more to `before`; None for nothing."""
        if before is after:
            return
        if after is not None:
            if not self._uses[after]:
                self._new[after] = None
            self._uses[after] += 1
        if before is not None:
            self._uses[before] -= 1
            if not self._uses[before]:
                self._unneeded[before] = None

    def new(self) -> dict[str, Resource | None]:
        """Return the resources of policies that were not needed before, by name, once."""
        policies, self._new = self._new, {}
        resources = [
            Resource.of(policy_name(policy), RoutePolicy(policy_id(policy), policy))
            for policy in policies
            if self._uses[policy]
        ]
        return {resource.name: resource for resource in resources}

    def unneeded(self) -> dict[str, Resource | None]:
        """Return the names of policies that nobody refers to any more, with None, once."""
        policies, self._unneeded = self._unneeded, {}
        gone = [policy for policy in policies if not self._uses[policy]]
        for policy in gone:
            del self._uses[policy]
        return {policy_name(policy): None for policy in gone}
