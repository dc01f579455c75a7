"""The last changes of large targets, patch by patch: they lead from what a watcher holds to now."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from control.ranking.candidates import Candidate
from control.table.resources import Resource, TargetPatch


@dataclass(frozen=True, slots=True)
class _Step:
    """A change of a target. since: the version of the table from which it fits."""

    since: int
    patch: TargetPatch
    size: int  # bytes


@dataclass(slots=True)
class _Chain:
    """Steps that follow each other, the last one leads to now."""

    steps: deque[_Step] = field(default_factory=deque)
    size: int = 0  # bytes of all steps


class Patches:
    """Remembers how targets came to be what they are, as far as that is shorter than they are."""

    def __init__(self) -> None:
        self._chains: dict[str, _Chain] = {}

    def note(self, resource: Resource, held: Resource | None, since: int) -> None:
        """Note that `resource` takes the place of `held`, that was there since a version."""
        patched = resource.patch
        patch = patched.body if patched else None
        if (
            held is None
            or patched is None
            or not isinstance(patch, TargetPatch)
            or patch.base_hash != held.hash
        ):
            self.forget(resource.name)
            return
        if (chain := self._chains.get(resource.name)) is None:
            chain = self._chains[resource.name] = _Chain()
        chain.steps.append(_Step(since, patch, patched.size))
        chain.size += patched.size
        while 2 * chain.size > resource.size:
            chain.size -= chain.steps.popleft().size

    def forget(self, name: str) -> None:
        """Note that nothing leads to what is called so now."""
        self._chains.pop(name, None)

    def told(self, resource: Resource, version: int) -> Resource:
        """Return what tells a resource to who holds `version` of the table: a patch, or itself."""
        chain = self._chains.get(resource.name)
        needed: list[_Step] = []
        for step in reversed(chain.steps if chain else ()):
            needed.append(step)
            if step.since <= version:
                break
        else:
            return resource
        if len(needed) == 1 and resource.patch:
            return resource.patch
        patch = merged(step.patch for step in reversed(needed))
        return Resource(resource.name, patch, resource.hash, sum(step.size for step in needed))


def merged(patches: Iterable[TargetPatch]) -> TargetPatch:
    """Return one patch for several that follow each other, at least one."""
    first, *_ = patches = list(patches)
    now: dict[str, Candidate | None] = {}
    for patch in patches:
        now.update(dict.fromkeys(patch.removed))
        now.update((candidate.service_id, candidate) for candidate in patch.upserts)
    upserts = tuple(candidate for candidate in now.values() if candidate)
    removed = tuple(service_id for service_id, candidate in now.items() if candidate is None)
    return TargetPatch(first.base_hash, upserts, removed)
