"""What is offered under one name, always in order: a change costs a search, never a sort.

A name may mean ten thousand services. So what is needed to tell of it, their order, the
hash of their contents and what changed since it was told last, follows each change
instead of being made again.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from enum import Enum, auto

from control.inventory import Operation
from control.ranking.candidates import Candidate, order
from control.table.resources import Contents, TargetPatch


class Presence(Enum):
    """What may be said of a service."""

    ROUTABLE = auto()
    HELD_BACK = auto()  # it comes and goes: for names that nobody else serves
    UNROUTABLE = auto()
    UNDECIDED = auto()  # its host is returning, and watchers may still reach it


_SERVING = (Presence.ROUTABLE, Presence.HELD_BACK)  # the first that has anybody serves


class Ranked:
    """Candidates, best first."""

    __slots__ = ("before", "candidates", "contents", "loaded")

    def __init__(self) -> None:
        self.candidates: list[Candidate] = []
        self.loaded = 0  # of them, those that have the asset in memory
        self.contents = Contents()
        # Of services that changed since somebody began to look: what they were then,
        # None for nothing. None while nobody looks.
        self.before: dict[str, Candidate | None] | None = None

    def add(self, candidate: Candidate) -> None:
        """Take over a candidate that is not there."""
        insort(self.candidates, candidate, key=order)
        self.loaded += candidate.loaded
        self.contents.add(candidate)
        self._note(candidate.service_id, None)

    def remove(self, candidate: Candidate) -> None:
        """Drop a candidate that is there."""
        del self.candidates[bisect_left(self.candidates, order(candidate), key=order)]
        self.loaded -= candidate.loaded
        self.contents.remove(candidate)
        self._note(candidate.service_id, candidate)

    def _note(self, service_id: str, was: Candidate | None) -> None:
        if self.before is None:
            return
        self.before.setdefault(service_id, was)
        if len(self.before) > len(self.candidates):
            self.before = None  # no shorter than all of them


class Offered:
    """Everything that is offered for a name of one operation, routable or not, once a service."""

    __slots__ = ("_held", "_meant", "_ranked", "_told", "key", "told_hash")

    def __init__(self, operation: Operation, name: str) -> None:
        self.key = operation, name
        # By whether the name is more than just the service's own, and by presence; mostly
        # all are of one kind.
        self._ranked: dict[tuple[bool, Presence], Ranked] = {}
        self._held: dict[str, tuple[Candidate, Ranked]] = {}
        self._meant: Ranked | None = None  # None: to be found out
        self._told: Ranked | None = None
        self.told_hash = 0  # of the resource that was told last

    def __len__(self) -> int:
        return len(self._held)

    @property
    def meant(self) -> Ranked:
        """Who serves the name now: those whose role or asset it is, or else the service itself.

        Those that are held back are meant where there is nobody else: better now and
        then an error than always.
        """
        if self._meant is None:
            self._meant = self._find_meant()
        return self._meant

    @property
    def undecided(self) -> bool:
        """Whether some of it may be routable, and is not known to be."""
        undecided = Presence.UNDECIDED
        return any(one.candidates for (_, of), one in self._ranked.items() if of is undecided)

    def candidate(self, service_id: str) -> Candidate | None:
        """Return what a service offers, if anything."""
        held = self._held.get(service_id)
        return held[0] if held else None

    def serving(self, service_id: str) -> Candidate | None:
        """Return how a service would serve the name now, None when it would not."""
        candidate, ranked = self._held.get(service_id, (None, None))
        return candidate if ranked is self.meant else None

    def first_serving(self, service_ids: Iterable[str]) -> str | None:
        """Return the first of these services that would serve the name now, if any."""
        meant = self.meant
        for service_id in service_ids if meant.candidates else ():
            held = self._held.get(service_id)
            if held and held[1] is meant:
                return service_id
        return None

    def put(self, candidate: Candidate, presence: Presence, *, named: bool) -> bool:
        """Take over what a service offers now; return whether that is new.

        named: whether the name is that of a role or of the asset, not just the service's own.
        """
        held = candidate, self._of(named, presence)
        if self._held.get(candidate.service_id) == held:
            return False
        self.drop(candidate.service_id)
        self._meant = None
        self._held[candidate.service_id] = held
        held[1].add(candidate)
        return True

    def drop(self, service_id: str) -> None:
        """Forget what a service offered, if anything."""
        if held := self._held.pop(service_id, None):
            self._meant = None
            candidate, ranked = held
            ranked.remove(candidate)

    def tell(self, told_hash: int) -> None:
        """Take it that who is meant now was told, in a resource with that hash."""
        if self._told is not None:
            self._told.before = None
        self._told, self.told_hash = self.meant, told_hash
        self._told.before = {}

    def patch(self) -> TargetPatch | None:
        """Return what changed since that was told last; None when nothing short tells it."""
        meant = self.meant
        if meant is not self._told or meant.before is None:
            return None
        upserts, removed = [], []
        for service_id, was in meant.before.items():
            candidate, ranked = self._held.get(service_id, (None, None))
            if candidate is not None and ranked is meant:
                if candidate != was:
                    upserts.append(candidate)
            elif was is not None:
                removed.append(service_id)
        return TargetPatch(self.told_hash, tuple(upserts), tuple(removed))

    def _find_meant(self) -> Ranked:
        named = any(of_kind and one.candidates for (of_kind, _), one in self._ranked.items())
        for presence in _SERVING:
            if (ranked := self._of(named, presence)).candidates:
                return ranked
        return self._of(named, Presence.ROUTABLE)

    def _of(self, named: bool, presence: Presence) -> Ranked:
        if (ranked := self._ranked.get((named, presence))) is None:
            ranked = self._ranked[named, presence] = Ranked()
        return ranked
