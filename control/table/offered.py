"""What is offered under one name, always in order: a change costs a search, never a sort.

A name may mean ten thousand services. So what is needed to tell of it, their order
and the hash of their contents, follows each change instead of being made again.
"""

from bisect import bisect_left, insort
from enum import Enum, auto

from control.ranking.candidates import Candidate, order
from control.table.resources import Choice, Contents


class Presence(Enum):
    """What may be said of a service."""

    ROUTABLE = auto()
    HELD_BACK = auto()  # it comes and goes: for names that nobody else serves
    UNROUTABLE = auto()
    UNDECIDED = auto()  # its host is returning, and watchers may still reach it


_SERVING = (Presence.ROUTABLE, Presence.HELD_BACK)  # the first that has anybody serves
_NOTHING = Contents()


class Ranked:
    """Candidates, best first, and the choices made of them."""

    __slots__ = ("candidates", "choices", "contents")

    def __init__(self) -> None:
        self.candidates: list[Candidate] = []
        self.choices: list[Choice] = []
        self.contents = _NOTHING

    def add(self, candidate: Candidate) -> None:
        """Take over a candidate that is not there."""
        insort(self.candidates, candidate, key=order)
        choice = Choice(candidate.service_id, candidate.asset_id, candidate.score)
        self.choices.insert(self._place(candidate), choice)
        self.contents = self.contents.with_choice(choice)

    def remove(self, candidate: Candidate) -> None:
        """Drop a candidate that is there."""
        place = self._place(candidate)
        del self.candidates[place]
        self.contents = self.contents.without_choice(self.choices.pop(place))

    def _place(self, candidate: Candidate) -> int:
        return bisect_left(self.candidates, order(candidate), key=order)


_NOBODY = Ranked()  # never changed


class Offered:
    """Everything that is offered for a name of one operation, routable or not, once a service."""

    __slots__ = ("_held", "_name", "_named_count", "_ranked", "_undecided_count")

    def __init__(self, name: str) -> None:
        self._name = name
        self._held: dict[str, tuple[Candidate, Presence]] = {}
        # Who can serve it, by whether the asset has the name, or else the service; and by
        # presence. Mostly all are of one kind.
        self._ranked: dict[tuple[bool, Presence], Ranked] = {}
        self._named_count = self._undecided_count = 0  # routable or not

    def __len__(self) -> int:
        return len(self._held)

    @property
    def meant(self) -> Ranked:
        """Who serves the name now: assets that are called so, or else the service itself.

        Those that are held back are meant where there is nobody else: better now and
        then an error than always.
        """
        named = self._named_count > 0
        for presence in _SERVING:
            if (ranked := self._ranked.get((named, presence))) and ranked.candidates:
                return ranked
        return _NOBODY

    @property
    def undecided(self) -> bool:
        """Whether some of it may be routable, and is not known to be."""
        return self._undecided_count > 0

    def put(self, candidate: Candidate, presence: Presence) -> bool:
        """Take over what a service offers now; return whether that is new."""
        if self._held.get(candidate.service_id) == (candidate, presence):
            return False
        self.drop(candidate.service_id)
        self._held[candidate.service_id] = candidate, presence
        self._count(candidate, presence, 1)
        if presence in _SERVING:
            self._of(candidate, presence).add(candidate)
        return True

    def drop(self, service_id: str) -> None:
        """Forget what a service offered, if anything."""
        if (held := self._held.pop(service_id, None)) is None:
            return
        candidate, presence = held
        self._count(candidate, presence, -1)
        if presence in _SERVING:
            self._of(candidate, presence).remove(candidate)

    def _of(self, candidate: Candidate, presence: Presence) -> Ranked:
        kind = candidate.asset_id == self._name, presence
        if (ranked := self._ranked.get(kind)) is None:
            ranked = self._ranked[kind] = Ranked()
        return ranked

    def _count(self, candidate: Candidate, presence: Presence, step: int) -> None:
        self._named_count += step * (candidate.asset_id == self._name)
        self._undecided_count += step * (presence is Presence.UNDECIDED)
