"""How fast services are with their assets: learned from answers, told by others until then."""

from collections.abc import Iterable
from weakref import WeakValueDictionary

from control.api.completion import LEAST_PROMPT, OVERHEAD_S, prefill
from gateway.assets import Asset
from gateway.decoding import Decoding, slower
from gateway.estimate import Estimate
from gateway.reasoning import Usage
from gateway.timings import Timings
from gateway.told import Told, is_news

# Believed where nothing is known.
PREFILL, DECODE = 1_000.0, 40.0  # tokens a second; the latter of an answer that is alone
LOAD_S = 10.0
ANSWER = 200.0  # tokens
BYTES_PER_TOKEN = 4.0

_SHORTEST_LOAD_S, _LONGEST_LOAD_S, _LOAD_WEIGHT = 0.1, 3_600.0, 0.2
_ODD = 10.0  # what is off by more counts as if it was off by this

_WHOLE_PROMPT = 100.0  # tokens; shorter ones tell less of speed
_WHOLE_ANSWER = 8  # tokens; shorter ones tell nothing of it
# Of a busy service: a sample in half of this time on the average, and at once those of a burst.
_LONGEST_PAUSE_S, _BURST_S = 0.04, 1.0
_GOLDEN = 0.618  # of a pause, more of the next: what always follows something else has its turn
_MOST_STARTS = 10_000


class Rates:
    """How fast a service is with an asset. Made by `Learned.rates`, kept as long as it is of use.

    Sizes are bytes of a request's body, times seconds.
    """

    __slots__ = (
        "__weakref__",
        "_asset",
        "_decoding",
        "_due_at",
        "_key",
        "_load_s",
        "_loads",
        "_of_service",
        "_phase",
        "_prefill",
        "_samples",
        "_timed",
        "_told",
        "_waiting",
    )

    def __init__(
        self,
        key: tuple[str, str],
        asset: Asset,
        of_service: "WeakValueDictionary[str, Rates]",
        waiting: "dict[Rates, None]",
    ) -> None:
        self._key = key
        self._asset = asset
        self._of_service = of_service  # which lives as long as one of them
        self._waiting = waiting  # where who has news puts itself
        self._prefill = Estimate(0.1, 1e7, 0.2)
        self._decoding = Decoding()
        self._load_s = 0.0
        self._loads = 0  # that it was learned from
        self._timed = False  # whether the engine itself tells how long it worked
        self._samples = 0
        self._told: Told | None = None  # by us, last
        self._due_at = float("-inf")
        self._phase = 0.0

    # What is expected.

    @property
    def prefill(self) -> float:
        """Tokens of prompts that it reads a second."""
        return self._prefill.value or self._asset.reads or PREFILL

    @property
    def load_s(self) -> float:
        """How long the model takes to be loaded."""
        return self._load_s or LOAD_S

    @property
    def answer(self) -> float:
        """How many tokens an answer has on the average."""
        answer = self._asset.answer
        return ANSWER if answer is None else answer

    @property
    def bytes_per_token(self) -> float:
        """How many bytes of a request make a token of its prompt."""
        return self._asset.bytes_per_token.value or BYTES_PER_TOKEN

    def prompt(self, size: int) -> float:
        """Return how many tokens the prompt of such a request has."""
        return size / self.bytes_per_token

    def prefill_s(self, size: int) -> float:
        """Return how long its prompt takes to be read."""
        return prefill(self.prompt(size), self.prefill)

    def token_s(self, concurrency: int) -> float:
        """Return how long a token of an answer takes while so many are written, 1 or more."""
        found = self._decoding.token_s(concurrency)
        return slower(concurrency) / (self._asset.writes or DECODE) if found is None else found

    def decode_s(self, need_most: int, concurrency: int) -> float:
        """Return how long a whole answer takes. need_most: its tokens at most, 0: not told."""
        answer = self.answer
        if 0 < need_most < answer:
            answer = need_most
        return answer * self.token_s(concurrency)

    # What is learned.

    def due(self, now: float) -> bool:
        """Return whether another sample is worth its time: of a busy service 50 a second are."""
        return now >= self._due_at

    def first_token(self, size: int, ahead_s: float, took_s: float, now: float) -> None:
        """Take note that an answer has begun to come, `took_s` after it was asked for.

        ahead_s: that the prompts before it were expected to take then. Only of requests that
        waited neither for a slot nor for the model.
        """
        self._sampled(now)
        if not self._timed:
            own = max(LEAST_PROMPT, self.prompt(size))
            self._read(own, max(ahead_s, 0.0) * self.prefill, took_s - OVERHEAD_S)

    def answered(
        self,
        size: int,
        depth: int,
        first_s: float,
        whole_s: float,
        usage: Usage | None,
        timings: Timings | None,
        events: int,
        *,
        streamed: bool,
        now: float,
    ) -> None:
        """Take note of a whole answer.

        depth: others that were written beside it. first_s, whole_s: until its first token and
        its last one. events: of a stream, about one for each token; 0 when not counted.
        """
        self._sampled(now)
        self._samples += 1
        self._timed = timings is not None
        beside = max(depth, 0) + 1
        prompt, tokens = self._counts(size, usage, timings)
        if tokens is None and streamed and events > 0:
            tokens = events
        if tokens is not None:
            self._asset.written(tokens)
        if timings is not None:
            self._read(timings.prompt_tokens, 0.0, timings.prompt_s)
            self._wrote(timings.answer_tokens - 1, timings.answer_s, beside)
        elif not streamed:
            self._came_whole(prompt, tokens, whole_s, beside)
        elif tokens is not None:
            self._wrote(tokens - 1, whole_s - first_s, beside)

    def loaded(self, took_s: float) -> None:
        """Take note of what a request took more than expected because the model was loaded."""
        if not took_s > 0.0:  # NaN neither
            return
        if believed := self._load_s:
            took_s = min(max(took_s, believed / _ODD), believed * _ODD)
            if took_s > believed and self._loads:  # a shorter one counts at once
                took_s = believed + _LOAD_WEIGHT * (took_s - believed)
        self._load_s = min(max(took_s, _SHORTEST_LOAD_S), _LONGEST_LOAD_S)
        self._loads += 1
        self._waiting[self] = None

    def _counts(
        self, size: int, usage: Usage | None, timings: Timings | None
    ) -> tuple[float, int | None]:
        """Return the tokens of a request's prompt, and of its answer where they are told."""
        if usage is not None:
            prompt, tokens = usage.prompt_tokens, usage.completion_tokens
        elif timings is not None:
            prompt = timings.prompt_tokens + timings.cached_tokens
            tokens = timings.answer_tokens
        else:
            return self.prompt(size), None
        if not prompt:
            return self.prompt(size), tokens
        self._asset.bytes_per_token.learn(size / prompt, min(prompt / _WHOLE_PROMPT, 1.0))
        return prompt, tokens

    def _came_whole(self, prompt: float, tokens: int | None, whole_s: float, beside: int) -> None:
        """Learn from an answer of which only the end is known: one of unknown length is a mean one.

        What reading takes is believed, unless there would be little left for writing: then each
        of both has the part that is expected of it.
        """
        length = self.answer if tokens is None else tokens
        reading = prefill(prompt, self.prefill)
        if length < _WHOLE_ANSWER or reading > whole_s / 2:
            reading *= whole_s / (reading + length * self.token_s(beside))
            self._read(prompt, 0.0, reading - OVERHEAD_S)
        self._wrote(length, whole_s - reading, beside)

    def _read(self, tokens: float, ahead: float, seconds: float) -> None:
        """Learn from a prompt that was read after others. ahead: tokens of these."""
        if tokens > 0:
            worth = tokens / (tokens + ahead) * min(tokens / _WHOLE_PROMPT, 1.0)
            self._prefill.learn((tokens + ahead) / max(seconds, 1e-3), worth)
            self._asset.changed(self)

    def _wrote(self, tokens: float, seconds: float, beside: int) -> None:
        """Learn from an answer that was written, so many at the same time."""
        if tokens >= _WHOLE_ANSWER and seconds > 0.0:
            self._decoding.learn(tokens / max(seconds, 1e-3), beside)
            self._asset.changed(self)

    def _sampled(self, now: float) -> None:
        self._phase = (self._phase + _GOLDEN) % 1.0
        self._due_at = max(self._due_at, now - _BURST_S) + _LONGEST_PAUSE_S * self._phase
        self._waiting[self] = None

    # What is told.

    def tell(self, told: Told) -> None:
        """Start from what others measured, where nothing was measured here."""
        self._prefill.tell(told.prefill)
        self._decoding.tell(told.decode)
        load_s = told.load_s
        if load_s is not None and not self._loads and 0.0 < load_s < float("inf"):
            self._load_s = min(max(load_s, _SHORTEST_LOAD_S), _LONGEST_LOAD_S)
        self._asset.tell(told.answer, told.bytes_per_token)
        self._asset.changed(self)

    def told(self, *, own: bool) -> Told:
        """Return what is known. own: only what was measured here."""
        asset = self._asset

        def of(one: Estimate) -> float | None:
            return one.value if one.value and (one.mass or not own) else None

        return Told(
            *self._key,
            of(self._prefill),
            tuple(self._decoding.known(own=own)),
            self._load_s if self._load_s and (self._loads or not own) else None,
            asset.answer if asset.answers or not own else None,
            of(asset.bytes_per_token),
            samples=self._samples,
        )

    def news(self) -> Told | None:
        """Return what was measured here, unless that is nearly what was told last."""
        told = self.told(own=True)
        if self._told is not None and not is_news(self._told, told):
            return None
        self._told = told
        return told

    def unheard(self) -> None:
        """Take note that what was told last, if anything, may not be known any more."""
        if self._told is not None:
            self._told = None
            self._waiting[self] = None

    @property
    def reads(self) -> float:
        """Tokens of prompts a second, 0.0 when nothing is known of this service itself."""
        return self._prefill.value

    @property
    def writes(self) -> float:
        """Tokens a second of an answer that is alone, likewise."""
        return self._decoding.alone


class Learned:
    """The rates of one gateway process.

    Those that nobody holds and that have nothing to tell are gone, so services that come and
    go leave little behind; who comes again begins with what was told last.
    """

    def __init__(self) -> None:
        self._services: WeakValueDictionary[str, WeakValueDictionary[str, Rates]]
        self._services = WeakValueDictionary()
        self._assets: WeakValueDictionary[str, Asset] = WeakValueDictionary()
        self._starts: dict[tuple[str, str], Told] = {}
        self._waiting: dict[Rates, None] = {}

    def rates(self, service_id: str, asset_id: str) -> Rates:
        """Return those of a service and an asset; they may be kept."""
        of_service = self._services.get(service_id)
        if of_service is None:
            of_service = self._services[service_id] = WeakValueDictionary()
        found = of_service.get(asset_id)
        if found is None:
            asset = self._assets.get(asset_id)
            if asset is None:
                asset = self._assets[asset_id] = Asset()
            key = service_id, asset_id
            found = of_service[asset_id] = Rates(key, asset, of_service, self._waiting)
            asset.served.add(found)
            if key in self._starts:
                found.tell(self._starts[key])
        return found

    def news(self, most: int) -> list[Told]:
        """Return what was measured anew since it was last taken, looking at so many at most."""
        taken = [one for one, _ in zip(self._waiting, range(most), strict=False)]
        for one in taken:
            del self._waiting[one]
        found = [told for one in taken if (told := one.news()) is not None]
        for told in found:
            self._start(told)
        return found

    def unheard(self) -> None:
        """Take note that control may have forgotten what it was told: that is news again."""
        for of_service in list(self._services.values()):
            for one in list(of_service.values()):
                one.unheard()

    def tell(self, told: Iterable[Told]) -> None:
        """Take what control says for a start, where nothing was measured here."""
        for one in told:
            self._start(one)
            of_service = self._services.get(one.service_id)
            rates = of_service.get(one.asset_id) if of_service is not None else None
            if rates is not None:
                rates.tell(one)

    def known(self, service_id: str) -> list[Told]:
        """Return what is known of a service, by asset."""
        of_service = self._services.get(service_id)
        rates = [] if of_service is None else sorted(of_service.items())
        return [one.told(own=False) for _, one in rates]

    def _start(self, told: Told) -> None:
        key = told.service_id, told.asset_id
        self._starts.pop(key, None)
        self._starts[key] = told
        if len(self._starts) > _MOST_STARTS:
            del self._starts[next(iter(self._starts))]
