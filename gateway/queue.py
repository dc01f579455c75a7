"""In which order requests go that wait: priority, then fairness, then short work. Pure.

1. A higher priority goes before all lower ones.
2. Within one, principals take turns by start-time fair queueing: each has a tag, the least tag
   is next, and a tag grows by the expected seconds of what was sent. Who comes new starts at the
   tag of what is being served: it owes nothing, and is owed nothing.
   Source: Goyal, Vin, Cheng, Start-time fair queuing, 1996.
3. Of one principal short work goes first, and a second of waiting is worth `AGEING` of work: who
   has `w` seconds of work is overtaken by nobody who came more than `w / AGEING` seconds later.
   The order of two never changes, so nothing is sorted again while they wait.

Principals share one tag across models, or who asks for twenty would get twenty shares.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from heapq import heapify, heappop, heappush, heapreplace

from control.api.priorities import Priority

AGEING = 0.1
# What is not worth counting still takes turns; what nobody believes shuts nobody out.
LEAST_WORK_S, MOST_WORK_S = 0.001, 3_600.0
# Principals of a priority who wait for nothing, and got more than others who still wait.
MOST_REMEMBERED = 1_000


class Place:
    """The place of one who waits.

    lane: what is asked for, such as (operation, model); whoever it could be sent to, so could
    others of the lane. since: seconds of the clock. work: seconds that it is expected to take
    at the best engine. waiter: whose place it is.
    """

    __slots__ = ("lane", "principal", "priority", "since", "waiter", "work")

    def __init__(
        self,
        lane: Hashable,
        principal: str,
        priority: Priority,
        since: float,
        work: float,
        waiter: object,
    ) -> None:
        self.lane = lane
        self.principal = principal
        self.priority = priority
        self.since = since
        self.work = min(MOST_WORK_S, max(LEAST_WORK_S, work))  # of NaN this makes the least
        self.waiter = waiter


# Of two in a line the smaller key goes first, then who came first; their places are not compared.
_Entry = tuple[float, int, Place]


class _Line:
    """Those of one principal and priority who wait, in order, and its tag.

    ending: it was empty, and is looked at again when time has come to its tag.
    """

    __slots__ = ("ending", "entries", "principal", "tag")

    def __init__(self, principal: str, tag: float) -> None:
        self.principal = principal
        self.tag = tag
        self.entries: list[_Entry] = []
        self.ending = False


class _Class:
    """The lines of one priority. time: the tag of what was sent last."""

    __slots__ = ("_ending", "lines", "time", "waiting")

    def __init__(self) -> None:
        self.lines: dict[str, _Line] = {}
        self.time = 0.0
        self.waiting = 0
        self._ending: list[tuple[float, str]] = []  # a heap, by tag; each line once

    def add(self, entry: _Entry) -> None:
        principal = entry[2].principal
        line = self.lines.get(principal)
        if line is None:
            line = self.lines[principal] = _Line(principal, self.time)
        insort(line.entries, entry)
        self.waiting += 1

    def remove(self, entry: _Entry, charge: float) -> None:
        """Take somebody out of its line, for whom so many seconds of work were sent."""
        line = self.lines[entry[2].principal]
        del line.entries[bisect_left(line.entries, entry)]
        self.waiting -= 1
        if charge:
            self.time = max(self.time, line.tag)
            line.tag += charge
        if not self.waiting:  # nobody competes: all start anew
            self.lines.clear()
            self._ending.clear()
            self.time = 0.0
            return
        if not line.entries and not line.ending:
            line.ending = True
            heappush(self._ending, (line.tag, line.principal))
        self._forget()

    def _forget(self) -> None:
        """Drop the lines that are empty and would start where a new one does.

        Of too many that are empty the one that owes least is dropped, too, and time comes to it.
        """
        while self._ending and (
            self._ending[0][0] <= self.time or len(self._ending) > MOST_REMEMBERED
        ):
            tag, principal = self._ending[0]
            line = self.lines[principal]
            if not line.entries and line.tag > tag:  # it came back, and got something
                heapreplace(self._ending, (line.tag, principal))
                continue
            heappop(self._ending)
            if line.entries:
                line.ending = False
            else:
                del self.lines[principal]
                self.time = max(self.time, tag)

    def in_order(self) -> list[Place]:
        found = []
        for line in self.lines.values():
            tag = line.tag
            for entry in line.entries:
                found.append((tag, entry))
                tag += entry[2].work
        found.sort()
        return [entry[2] for _, entry in found]


class Pass(Iterator[Place]):
    """One look at all who wait, in the order in which they would be sent if all could be.

    Each that is looked at counts as sent for those after it. Places that were looked at may be
    served or removed on the way.
    """

    def __init__(self, classes: list[_Class], lanes: Mapping[Hashable, int]) -> None:
        """classes: highest priority first."""
        self._classes = iter(classes)
        self._open = set(lanes)
        self._heads: list[tuple[float, _Entry, _Line]] = []  # a heap; whom each line has next

    def close_lane(self, lane: Hashable) -> None:
        """Look at no more of a lane; nobody is charged for them."""
        self._open.discard(lane)

    def __next__(self) -> Place:
        while self._open:
            while self._heads:
                tag, entry, line = self._heads[0]
                place = entry[2]
                found = place.lane in self._open
                self._step(tag + place.work if found else tag, entry, line)
                if found:
                    return place
            following = next(self._classes, None)
            if following is None:
                break
            lines = following.lines.values()
            self._heads = [(line.tag, line.entries[0], line) for line in lines if line.entries]
            heapify(self._heads)
        raise StopIteration

    def _step(self, tag: float, after: _Entry, line: _Line) -> None:
        """Go on in the line that is first; `after` may have left it."""
        entries = line.entries
        for index in range(bisect_right(entries, after), len(entries)):
            if entries[index][2].lane in self._open:
                heapreplace(self._heads, (tag, entries[index], line))
                return
        heappop(self._heads)


class Queue:
    """All who wait. What is not in it can be removed and served: nothing happens."""

    def __init__(self) -> None:
        self._classes = {one: _Class() for one in sorted(Priority, reverse=True)}
        self._entries: dict[Place, _Entry] = {}
        self._lanes: Counter[Hashable] = Counter()
        # By place: which it is in its lane, and the seconds of work of those before it there.
        self._standings: dict[Place, tuple[int, float]] = {}
        self._added = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def principals(self) -> int:
        """How many principals are remembered, once for each priority."""
        return sum(len(one.lines) for one in self._classes.values())

    def lanes(self) -> Mapping[Hashable, int]:
        """Return how many wait for each lane that somebody waits for."""
        return self._lanes

    def add(self, place: Place) -> None:
        """Let somebody wait. It must not be waiting."""
        self._added += 1
        entry = (place.work + AGEING * place.since, self._added, place)
        self._entries[place] = entry
        self._classes[place.priority].add(entry)
        self._lanes[place.lane] += 1
        self._standings.clear()

    def remove(self, place: Place) -> None:
        """Let somebody go who gets nothing."""
        self._leave(place, charge=0.0)

    def served(self, place: Place) -> None:
        """Let somebody go who was sent, and charge its principal."""
        self._leave(place, charge=place.work)

    def in_order(self) -> Pass:
        """Look at all, as they would be sent one after the other."""
        return Pass(list(self._classes.values()), self._lanes)

    def position(self, place: Place) -> int:
        """Return the place among those who wait for the same lane, from 1 on; 0: it does not."""
        return self.standing(place)[0]

    def standing(self, place: Place) -> tuple[int, float]:
        """Return the place as `position` does, and the seconds of work of those before it."""
        if not self._standings and self._entries:
            self._number()
        return self._standings.get(place, (0, 0.0))

    def _number(self) -> None:
        """Number all at once, until something changes: many ask in the same moment."""
        lanes: dict[Hashable, tuple[int, float]] = {}
        for one in self._classes.values():
            for place in one.in_order():
                count, work = lanes.get(place.lane, (0, 0.0))
                self._standings[place] = count + 1, work
                lanes[place.lane] = count + 1, work + place.work

    def _leave(self, place: Place, charge: float) -> None:
        entry = self._entries.pop(place, None)
        if entry is None:
            return
        self._classes[place.priority].remove(entry, charge)
        self._lanes[place.lane] -= 1
        if not self._lanes[place.lane]:
            del self._lanes[place.lane]
        self._standings.clear()
