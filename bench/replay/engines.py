"""Simulated engines: slots, a queue, one prompt read at a time, and a cache of prefixes.

An engine serves as many requests as it has slots; who comes later waits in its queue. It
reads one prompt after the other, and leaves out what its cache has of it. The answers that it
writes at the same time share its speed, of which reading a prompt takes half. It may have to
load a model first, for which one that nobody uses leaves.
"""

from bisect import insort
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.replay.trace import BLOCK_TOKENS

OVERHEAD_S = 0.02  # before an engine begins with a prompt
READING_SHARE = 0.5  # of the speed of answers that reading a prompt takes
NEW_TOKENS = 16  # of a prompt that are read anew, whatever is cached
NEVER = 1e18
# Two floats that are meant to be the same moment, or the same token.
MOMENT, CRUMB = 1e-9, 1e-6


@dataclass(slots=True)
class Request:
    """A request, and what became of it. Times are seconds of the simulation.

    at: when it came. prompt, answer: tokens. model: its number. gateway: where it came.
    engine: where it was sent, at `sent`; -1 before. first: when its first token came. done:
    when its last. cached: tokens of the prompt that were not read again. cold: a load came
    before it. reading_s: what its gateway expects its prompt to take. refused: it was never
    sent.
    """

    number: int
    at: float
    prompt: int
    answer: int
    blocks: tuple[object, ...]
    session: int
    gateway: int = 0
    model: int = 0
    engine: int = -1
    sent: float = 0.0
    first: float = 0.0
    done: float = 0.0
    cached: int = 0
    cold: bool = False
    reading_s: float = 0.0
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """What an engine can do.

    prefill: prompt tokens a second. decode: tokens a second of a lone answer. drag: by how much
    of that each further one slows all. cache: blocks of prefixes a model. models: that are in
    memory at a time, None for all there are. load_s: seconds that loading one takes.
    """

    name: str
    slots: int
    prefill: float
    decode: float
    drag: float
    cache: int
    models: int | None = None
    load_s: float = 0.0

    def rate(self, answers: int) -> float:
        """Return the tokens a second of each of so many answers."""
        return self.decode / (1 + self.drag * (max(answers, 1) - 1))

    @property
    def full_rate(self) -> float:
        """Tokens a second of all answers together when every slot is taken."""
        return self.slots * self.rate(self.slots)


_FAST = Spec("fast", 8, 8_000, 80, 0.12, 512)
_SLOW = Spec("slow", 4, 2_500, 35, 0.25, 160)
_CPU = Spec("cpu", 2, 300, 10, 0.6, 128)
FLEETS: dict[str, Sequence[Spec]] = {
    "A": (_FAST, _SLOW, _CPU),  # unlike each other
    "B": tuple(Spec(f"e{number}", 8, 4_000, 50, 0.15, 256) for number in range(4)),  # equal
    "C": (  # several models, of which few are in memory
        Spec("fast", 8, 8_000, 80, 0.12, 512, 2, 8),
        Spec("slow", 4, 2_500, 35, 0.25, 160, 1, 20),
        Spec("slow2", 4, 2_500, 35, 0.25, 160, 1, 20),
        Spec("cpu", 2, 300, 10, 0.6, 128, 1, 45),
    ),
}
# What of the requests is for each model, where engines do not hold all of them.
MODEL_SHARES = (0.55, 0.25, 0.12, 0.08)


def models(fleet: Sequence[Spec]) -> int:
    """Return how many models are asked of a fleet."""
    return 1 if fleet[0].models is None else len(MODEL_SHARES)


def capacity(fleet: Iterable[Spec], prompt: float, answer: float) -> float:
    """Return the requests a second that a fleet completes when always busy, without any cache.

    prompt, answer: their mean tokens.
    """
    total = 0.0
    for one in fleet:
        reading = prompt / one.prefill + OVERHEAD_S
        written = one.full_rate / (answer + READING_SHARE * one.full_rate * reading)
        total += min(written, 1 / reading)
    return total


class PrefixCache:
    """Blocks of prompts; the one that was not used for the longest time leaves first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._blocks: OrderedDict[object, None] = OrderedDict()

    def known(self, blocks: Iterable[object]) -> int:
        """Return how many of `blocks` are there, from the first on."""
        count = 0
        for block in blocks:
            if block not in self._blocks:
                break
            count += 1
        return count

    def add(self, blocks: Sequence[object]) -> None:
        """Take in what a prompt consists of; its beginning stays the longest."""
        for block in reversed(blocks):
            self._blocks[block] = None
            self._blocks.move_to_end(block)
        while len(self._blocks) > self._size:
            self._blocks.popitem(last=False)


class Engine:
    """One engine at work.

    Answers are written at the same speed, so that one figure says how far all are: the tokens
    that an answer would have which was there from the beginning. A request ends at a place of it.
    """

    def __init__(self, number: int, spec: Spec) -> None:
        self.number, self.spec = number, spec
        self.queue: deque[Request] = deque()
        self.caches: OrderedDict[int, PrefixCache] = OrderedDict()  # by model, oldest use first
        if spec.models is None:
            self.caches[0] = PrefixCache(spec.cache)
        self.loading: int | None = None
        self.busy_s = 0.0  # of all slots, over their number
        self.version = 0  # of what `next_event` said; events of older ones are void
        self._reading: deque[Request] = deque()  # the first one now, the others next
        self._read_at = 0.0  # when that is read; counts while `_current` is one
        self._current: Request | None = None
        self._writing: list[tuple[float, int, Request]] = []  # by where they end
        self._written = 0.0
        self._loaded_at = 0.0
        self._now = 0.0

    @property
    def active(self) -> int:
        """How many requests have a slot."""
        return len(self._reading) + len(self._writing)

    @property
    def held_tokens(self) -> int:
        """How many tokens its requests hold in its memory, about."""
        return sum(one.prompt + one.answer // 2 for one in self._served())

    @property
    def resident(self) -> tuple[int, ...]:
        """The models in memory, and the one that is loaded now."""
        coming = () if self.loading is None else (self.loading,)
        return (*self.caches, *coming)

    def take(self, request: Request, now: float) -> None:
        """Let a request in."""
        self._advance(now)
        self.queue.append(request)
        self._admit(now)

    def step(self, now: float) -> tuple[list[Request], list[Request]]:
        """Work until `now`; return who got a first token, and who is done."""
        self._advance(now)
        firsts, done = [], []
        current = self._current
        if current is not None and self._read_at <= now + MOMENT:
            self._reading.popleft()
            self._current = None
            current.first = now
            self.caches[current.model].add(current.blocks)
            firsts.append(current)
            end = self._written + current.answer - 1
            insort(self._writing, (end, current.number, current))
        while self._writing and self._writing[0][0] <= self._written + CRUMB:
            request = self._writing.pop(0)[2]
            request.done = now
            done.append(request)
        if self.loading is not None and self._loaded_at <= now + MOMENT:
            self.caches[self.loading] = PrefixCache(self.spec.cache)
            self.loading = None
        self._admit(now)
        return firsts, done

    def next_event(self, now: float) -> float:
        """Return when something will be over, if nothing else comes; `NEVER` when idle."""
        soonest = self._read_at if self._current is not None else NEVER
        if self._writing:
            soonest = min(soonest, now + (self._writing[0][0] - self._written) / self._rate())
        if self.loading is not None:
            soonest = min(soonest, self._loaded_at)
        return max(soonest, now)

    def _rate(self) -> float:
        rate = self.spec.rate(len(self._writing))
        return rate if self._current is None else rate * (1 - READING_SHARE)

    def _advance(self, now: float) -> None:
        passed = now - self._now
        if passed <= 0:
            return
        if self._writing:
            self._written += passed * self._rate()
        self.busy_s += passed * self.active / self.spec.slots
        self._now = now

    def _admit(self, now: float) -> None:
        while self.queue and self.active < self.spec.slots:
            model = self.queue[0].model
            if model not in self.caches:
                if self.loading is None and self._make_room():
                    self.queue[0].cold = True
                    self.loading, self._loaded_at = model, now + self.spec.load_s
                break  # who comes behind waits as well
            self.caches.move_to_end(model)
            self._reading.append(self.queue.popleft())
        if self._current is None and self._reading:
            self._current = request = self._reading[0]
            known = self.caches[request.model].known(request.blocks) * BLOCK_TOKENS
            request.cached = min(known, request.prompt - NEW_TOKENS)
            new = request.prompt - request.cached
            self._read_at = now + OVERHEAD_S + new / self.spec.prefill

    def _make_room(self) -> bool:
        """Return whether a further model fits, once one that nobody uses has left."""
        if self.spec.models is None or len(self.caches) < self.spec.models:
            return True
        used = {one.model for one in self._served()}
        idle = next((model for model in self.caches if model not in used), None)
        if idle is None:
            return False
        del self.caches[idle]
        return True

    def _served(self) -> list[Request]:
        return [*self._reading, *(one for _, _, one in self._writing)]
