"""What others do, as far as it is known of them: who gets a request, as soon as it comes.

Each is told here by its rule alone, with the same knowledge as ours.
"""

import hashlib
import math
import statistics
from bisect import bisect_left
from collections.abc import Callable, Iterable

from bench.replay.engines import PrefixCache, Request
from bench.replay.trace import BLOCK_TOKENS
from bench.replay.world import Made, World

MEMORY = 0.1  # share of the newest of a mean that forgets


class Published:
    """A gateway that sends at once. `picked` says where; it remembers what it sent where."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number = world, number
        self.engines = range(len(world.fleet))
        self._sent = [PrefixCache(one.cache) for one in world.fleet]

    @property
    def waiting(self) -> int:
        """Nobody waits."""
        return 0

    def arrive(self, request: Request) -> None:
        """Send it."""
        engine = self.picked(request)
        self._sent[engine].add(request.blocks)
        self.world.send(request, engine)

    def first(self, request: Request) -> None:
        """Learn nothing, unless a policy does."""

    def done(self, request: Request) -> None:
        """Learn nothing, unless a policy does."""

    def heard(self) -> None:
        """Look when a request comes."""

    def look(self) -> None:
        """Nobody waits."""

    def picked(self, request: Request) -> int:
        """Return the engine for a request."""
        raise NotImplementedError

    def counts(self) -> list[float]:
        """Return the requests at each engine, as known here."""
        return self.world.counts(self.number)

    def known(self, request: Request) -> list[int]:
        """Return how many blocks of a prompt each engine got from here before."""
        return [one.known(request.blocks) for one in self._sent]

    def least(self, cost: Callable[[int], object], among: Iterable[int] | None = None) -> int:
        """Return the engine of the least cost; any of those that are equal."""
        found = self.engines if among is None else among
        return min(found, key=lambda one: (cost(one), self.world.random.random()))


class RandomPick(Published):
    """Any."""

    def picked(self, request: Request) -> int:
        return self.world.random.choice(self.engines)


class RoundRobin(Published):
    """One after the other."""

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self._turn = number

    def picked(self, request: Request) -> int:
        self._turn += 1
        return self._turn % len(self.engines)


class LeastLoaded(Published):
    """The one with the fewest requests."""

    def picked(self, request: Request) -> int:
        return self.least(self.counts().__getitem__)


class PowerOfTwo(Published):
    """The one with fewer requests of two random ones."""

    def picked(self, request: Request) -> int:
        counts = self.counts()
        one, other = self.world.random.sample(list(self.engines), 2)
        return one if counts[one] <= counts[other] else other


class WeightedLeast(Published):
    """The fewest requests for what it can do when full, as declared."""

    def picked(self, request: Request) -> int:
        counts, seen, fleet = self.counts(), self.world.news.engines, self.world.fleet
        return self.least(
            lambda one: (
                request.model not in seen[one].resident,
                (counts[one] + 1) / fleet[one].full_rate,
            )
        )


class Bands:
    """What the first GenieHive thinks of engines: bands of latency and speed."""

    def __init__(self, engines: int) -> None:
        self._latency: list[float | None] = [None] * engines
        self._speed: list[float | None] = [None] * engines

    def learn(self, request: Request) -> None:
        """Take note of a request that is over."""
        one = request.engine
        writing_s = max(1e-3, request.done - request.first)
        self._latency[one] = _smoothed(self._latency[one], request.done - request.sent)
        self._speed[one] = _smoothed(self._speed[one], request.answer / writing_s)

    def score(self, one: int, *, resident: bool) -> float:
        """Return the score of an engine, whoever waits there."""
        score = 0.35 if resident else 0.0
        if (latency := self._latency[one]) is not None:
            bands = [(0.5, 0.3), (1.5, 0.2), (3.0, 0.1), (math.inf, 0.05)]
            score += next(worth for limit, worth in bands if latency < limit)
        if (speed := self._speed[one]) is not None:
            score += 0.2 if speed >= 40 else 0.1 if speed >= 20 else 0.0
        return score


# What requests that wait cost a score, by how many they are, growing.
STEPS = ((2, 0.1), (5, 0.2))


class ScoredSeed(Published):
    """The scores of the first GenieHive, less what it costs that requests wait."""

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self._bands = Bands(len(self.engines))

    def done(self, request: Request) -> None:
        self._bands.learn(request)

    def picked(self, request: Request) -> int:
        counts = self.counts()
        return max(self.engines, key=lambda one: (self._score(one, request, counts[one]), -one))

    def _score(self, one: int, request: Request, count: float) -> float:
        seen = self.world.news.engines[one]
        waits = max(seen.queue, count - self.world.fleet[one].slots)
        cost = max((cost for least, cost in STEPS if waits >= least), default=0.0)
        score = self._bands.score(one, resident=request.model in seen.resident) - cost
        return min(1.0, max(0.0, score))


class Smg(Published):
    """SMG, cache aware: the longest known prefix, unless the loads differ too much.

    It counts what it sent itself.
    """

    apart, ratio, threshold = 64, 1.5, 0.3

    def picked(self, request: Request) -> int:
        counts = self.world.in_flight[self.number]
        most, least = max(counts), min(counts)
        if most - least > self.apart and most > self.ratio * least:
            return self.least(counts.__getitem__)
        known = self.known(request)
        best = max(known)
        if best / max(1, len(request.blocks)) > self.threshold:
            among = [one for one in self.engines if known[one] == best]
            return self.least(counts.__getitem__, among)
        return self.least(counts.__getitem__)


class LocalAiPrefix(Published):
    """LocalAI: the longest known prefix among those that are not much busier than the idlest."""

    apart, ratio, threshold = 2, 1.5, 0.3

    def picked(self, request: Request) -> int:
        counts, known = self.counts(), self.known(request)
        best, least = max(known), min(counts)
        good = best / max(1, len(request.blocks)) >= self.threshold
        most = max(least + self.apart, self.ratio * least)
        among = [one for one in self.engines if good and known[one] == best and counts[one] <= most]
        return self.least(counts.__getitem__, among or None)


class LlmD(Published):
    """llm-d: a short queue 2, free memory 2, a known prefix 3, of what engines tell."""

    def picked(self, request: Request) -> int:
        seen, known = self.world.news.engines, self.known(request)
        queues = [one.queue for one in seen]
        longest, span = max(queues), max(queues) - min(queues)
        blocks = max(1, len(request.blocks))

        def score(one: int) -> float:
            full = min(1, seen[one].held / (self.world.fleet[one].cache * BLOCK_TOKENS))
            short = (longest - queues[one]) / span if span else 1
            return 2 * short + 2 * (1 - full) + 3 * known[one] / blocks

        return self.least(lambda one: -score(one))


class AiBrix(Published):
    """AIBrix: a known prefix among those of at most mean load and one deviation, if loads are even.

    Else the fewest requests.
    """

    uneven = 8

    def picked(self, request: Request) -> int:
        counts, known = self.counts(), self.known(request)
        among: list[int] = []
        if max(counts) - min(counts) <= self.uneven and max(known):
            most = sum(counts) / len(counts) + statistics.pstdev(counts)
            among = [one for one in self.engines if known[one] and counts[one] <= most]
        if among:
            return self.least(lambda one: (-known[one], counts[one]), among)
        return self.least(counts.__getitem__)


class Herd(Published):
    """Herd: points for a model in memory, a short queue, a short wait and a fast machine."""

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self._latency: list[float | None] = [None for _ in self.engines]
        self._median = sorted(one.decode for one in world.fleet)[len(world.fleet) // 2]

    def done(self, request: Request) -> None:
        one = request.engine
        self._latency[one] = _smoothed(self._latency[one], request.done - request.sent)

    def picked(self, request: Request) -> int:
        counts = self.counts()
        return self.least(lambda one: -self._points(one, request, counts[one]))

    def _points(self, one: int, request: Request, count: float) -> float:
        speed, latency = self.world.fleet[one].decode, self._latency[one]
        relative = min(4, max(0.25, speed / self._median))
        wait_s = count * (200 / max(10, speed) if latency is None else latency)
        hot = 50 if request.model in self.world.news.engines[one].resident else 10
        busy = min(30, 6 * count / relative) + min(25, wait_s / 10)
        return hot + 20 - busy + min(25, 5 + speed / 4)


class SessionBounded(Published):
    """Consistent hashing of sessions; nobody gets more than 1.25 times its share by slots."""

    points, bound = 16, 1.25  # on the ring for each slot

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self._ring = sorted(
            (_hash(f"{one}:{point}"), one)
            for one in self.engines
            for point in range(self.points * world.fleet[one].slots)
        )

    def picked(self, request: Request) -> int:
        counts, slots = self.counts(), [one.slots for one in self.world.fleet]
        fair = self.bound * (sum(counts) + 1) / sum(slots)
        start = bisect_left(self._ring, (_hash(str(request.session)), 0))
        for _, one in [*self._ring[start:], *self._ring[:start]]:
            if counts[one] + 1 <= max(1, fair * slots[one]):
                return one
        return self.least(counts.__getitem__)


def _hash(text: str) -> int:
    return int(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:8], 16)


def _smoothed(before: float | None, now: float) -> float:
    return now if before is None else before + MEMORY * (now - before)


POLICIES: dict[str, Made] = {
    "random": RandomPick,
    "round_robin": RoundRobin,
    "least_loaded": LeastLoaded,
    "power_of_two": PowerOfTwo,
    "weighted_least": WeightedLeast,
    "scored_seed": ScoredSeed,
    "smg_cache_aware": Smg,
    "llm_d": LlmD,
    "localai_prefix": LocalAiPrefix,
    "aibrix": AiBrix,
    "herd": Herd,
    "session_bounded": SessionBounded,
}
