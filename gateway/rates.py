"""How fast services are with their assets: learned from answers, told until then. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from weakref import WeakSet, WeakValueDictionary

from control.api.completion import LEAST_PROMPT, OVERHEAD_S, prefill
from gateway.estimate import Estimate
from gateway.reasoning import Usage
from gateway.timings import Timings

# Believed where nothing is known.
PREFILL, DECODE = 1_000.0, 40.0  # tokens a second; the latter of an answer that is alone
LOAD_S = 10.0
ANSWER = 200.0  # tokens
BYTES_PER_TOKEN = 4.0

# Of answers written at the same time: how many are told apart.
LEVELS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
_MOST = LEVELS[-1]
_NEAREST = tuple(min(LEVELS, key=lambda level: abs(level - one)) for one in range(_MOST + 1))
_DRAG = 0.15  # that much slower an answer is for each other one, where that was not measured

_SHORTEST_LOAD_S, _LONGEST_LOAD_S, _LOAD_WEIGHT = 0.1, 3_600.0, 0.2
_LONG_ANSWER = 4_096.0  # tokens, which are not odd whatever the mean is
_ODD = 10.0
_ANSWER_WEIGHT = 0.02

_WHOLE_PROMPT = 100.0  # tokens; shorter ones tell less of speed
_WHOLE_ANSWER = 9  # tokens; shorter ones tell nothing of it
_LONGEST_PAUSE_S = 0.04  # between two samples of what is busy
_GOLDEN = 0.618  # the next pause's part of it, so that what follows something else gets its turn
_MOST_STARTS = 10_000
_NEWS = 1.05  # a value that moved by less is none


@dataclass(frozen=True, slots=True)
class Told:
    """How fast a service is with an asset, as gateways tell each other; what is unknown is None.

    prefill: tokens a second. decode: how many answers were written at the same time, and the
    tokens of one of them a second. answer: tokens. samples: answers that it was measured on.
    """

    service_id: str
    asset_id: str
    prefill: float | None = None
    decode: tuple[tuple[int, float], ...] = ()
    load_s: float | None = None
    answer: float | None = None
    bytes_per_token: float | None = None
    slots: int | None = None
    samples: int = 0


class _Asset:
    """What of an asset is the same wherever it is served, and how fast it is at best."""

    __slots__ = (
        "__weakref__",
        "_unreviewed",
        "answer",
        "answers",
        "bytes_per_token",
        "decode",
        "prefill",
        "rates",
    )

    def __init__(self) -> None:
        self.rates: WeakSet[Rates] = WeakSet()
        self.prefill = PREFILL
        self.decode = DECODE
        self.answer = ANSWER
        self.answers = 0  # that its length was learned from
        self.bytes_per_token = Estimate(0.1, 1e5, 0.1)
        self._unreviewed = 0

    def written(self, tokens: float) -> None:
        """Take note of the length of an answer."""
        tokens = min(tokens, max(_LONG_ANSWER, self.answer * _ODD))
        self.answers += 1
        self.answer += max(_ANSWER_WEIGHT, 1 / self.answers) * (tokens - self.answer)

    def review(self) -> None:
        """See who is the fastest now: once for as many changes as there are services."""
        self._unreviewed -= 1
        if self._unreviewed <= 0:
            rates = list(self.rates)
            self._unreviewed = len(rates)
            self.prefill = max((one.reads for one in rates), default=0.0) or PREFILL
            self.decode = max((one.writes for one in rates), default=0.0) or DECODE


class Rates:
    """How fast a service is with an asset. Made by `Learned.rates`, kept as long as it is of use.

    Sizes are bytes of a request's body, times seconds.
    """

    __slots__ = (
        "__weakref__",
        "_asset",
        "_decode",
        "_due_at",
        "_key",
        "_load_s",
        "_loads",
        "_of_service",
        "_phase",
        "_prefill",
        "_samples",
        "_timed",
        "_token_s",
        "_told",
        "_waiting",
    )

    def __init__(
        self,
        key: tuple[str, str],
        asset: _Asset,
        of_service: "WeakValueDictionary[str, Rates]",
        waiting: "dict[Rates, None]",
    ) -> None:
        self._key = key
        self._asset = asset
        self._of_service = of_service  # which lives as long as one of them
        self._waiting = waiting
        self._prefill = Estimate(0.1, 1e7, 0.2)
        self._decode: dict[int, Estimate] = {}  # by level
        self._token_s: dict[int, float] = {}  # by concurrency, as far as it was asked for
        self._load_s = 0.0
        self._loads = 0  # that were seen
        self._timed = False  # whether the engine itself tells how long it worked
        self._samples = 0
        self._told: Told | None = None  # last, by us
        self._due_at = 0.0
        self._phase = 0.0

    # What is expected.

    @property
    def prefill(self) -> float:
        """Tokens of prompts that it reads a second."""
        return self._prefill.value or self._asset.prefill

    @property
    def load_s(self) -> float:
        """How long the model takes to be loaded."""
        return self._load_s or LOAD_S

    @property
    def answer(self) -> float:
        """How many tokens an answer has, on the average."""
        return self._asset.answer

    @property
    def bytes_per_token(self) -> float:
        """How many bytes of a request make a token of its prompt."""
        return self._asset.bytes_per_token.value or BYTES_PER_TOKEN

    def prompt(self, size: int) -> float:
        """Return how many tokens the prompt of such a request has."""
        return size / self.bytes_per_token

    def prefill_s(self, size: int) -> float:
        """Return how long its prompt takes to be read."""
        return prefill(size / self.bytes_per_token, self.prefill)

    def token_s(self, concurrency: int) -> float:
        """Return how long a token of one answer takes while so many, 1 or more, are written."""
        found = self._token_s.get(concurrency)
        if found is not None:
            return found
        beside = min(max(concurrency, 1), _MOST)
        if not self._decode:  # then it may change at any time
            return _slower(beside) / self._asset.decode
        near = min(self._decode, key=lambda level: abs(level - beside))
        seconds = _slower(beside) / (_slower(near) * self._decode[near].value)
        if concurrency == beside:
            self._token_s[concurrency] = seconds
        return seconds

    def decode_s(self, most: int, concurrency: int) -> float:
        """Return how long a whole answer takes. most: tokens it may have, 0 when not told."""
        answer = self._asset.answer
        return (min(answer, most) if most > 0 else answer) * self.token_s(concurrency)

    # What is learned.

    def due(self, now: float) -> bool:
        """Return whether another sample is worth its time: of a busy service 50 a second are."""
        return now >= self._due_at

    def first_token(self, size: int, ahead_s: float, took_s: float, now: float) -> None:
        """Take note that an answer has begun to come, `took_s` after it was asked for.

        ahead_s: that the prompts before it were expected to take when it was sent.
        """
        self._sampled(now)
        if not self._timed:
            own = max(LEAST_PROMPT, self.prompt(size))
            ahead = max(ahead_s, 0.0) * self.prefill
            self._read(own, ahead, took_s - OVERHEAD_S)

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
        its last one. events: of a stream, each about a token; 0 when not counted.
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
            self._wrote(timings.answer_tokens, timings.answer_s, beside)
        elif streamed:
            if tokens is not None:
                self._wrote(tokens - 1, whole_s - first_s, beside)
        else:
            self._came_whole(prompt, tokens, whole_s, beside)

    def loaded(self, took_s: float) -> None:
        """Take note of what a request took more than expected because the model was loaded."""
        if not took_s > 0.0:  # NaN neither
            return
        believed = self.load_s
        self._loads += 1
        took_s = min(max(took_s, believed / _ODD), believed * _ODD)
        if self._loads > 1 and took_s > believed:  # a shorter one counts at once
            took_s = believed + _LOAD_WEIGHT * (took_s - believed)
        self._load_s = min(max(took_s, _SHORTEST_LOAD_S), _LONGEST_LOAD_S)
        self._waiting[self] = None

    def _counts(
        self, size: int, usage: Usage | None, timings: Timings | None
    ) -> tuple[float, int | None]:
        """Return the tokens of a request's prompt, and of its answer where they are told."""
        told, tokens = 0, None
        if usage is not None:
            told, tokens = usage.prompt_tokens, usage.completion_tokens
        elif timings is not None:
            told, tokens = timings.prompt_tokens + timings.cached_tokens, timings.answer_tokens
        if not told:
            return self.prompt(size), tokens
        if size:
            self._asset.bytes_per_token.learn(size / told, min(told / _WHOLE_PROMPT, 1.0))
        return told, tokens

    def _came_whole(self, prompt: float, tokens: int | None, whole_s: float, beside: int) -> None:
        """Learn from an answer of which only the end is known.

        What is longer is what it tells of. One of unknown length is taken for a mean one.
        """
        length = self._asset.answer if tokens is None else tokens
        reading = prefill(prompt, self.prefill)
        if length < _WHOLE_ANSWER or reading > whole_s:
            writing = length * self.token_s(beside)
            self._read(prompt, 0.0, max(whole_s - writing, whole_s / 2) - OVERHEAD_S)
        else:
            self._wrote(length, max(whole_s - reading, whole_s / 2), beside)

    def _read(self, tokens: float, ahead: float, seconds: float) -> None:
        """Learn from a prompt that was read after others. ahead: tokens of these."""
        if tokens > 0:
            worth = tokens / (tokens + ahead) * min(tokens / _WHOLE_PROMPT, 1.0)
            self._prefill.learn((tokens + ahead) / max(seconds, 1e-3), worth)
            self._asset.review()

    def _wrote(self, tokens: float, seconds: float, beside: int) -> None:
        """Learn from an answer that was written beside others, itself included."""
        if tokens >= _WHOLE_ANSWER - 1 and seconds > 0.0:
            beside = min(beside, _MOST)
            level = _NEAREST[beside]
            rate = tokens / seconds * _slower(beside) / _slower(level)
            self._at(level).learn(rate)
            self._token_s.clear()
            self._asset.review()

    def _at(self, level: int) -> Estimate:
        found = self._decode.get(level)
        if found is None:
            found = self._decode[level] = Estimate(0.01, 1e5, 0.1)
        return found

    def _sampled(self, now: float) -> None:
        self._phase = (self._phase + _GOLDEN) % 1.0
        self._due_at = now + _LONGEST_PAUSE_S * self._phase
        self._waiting[self] = None

    # What is told.

    def tell(self, told: Told) -> None:
        """Start from what others measured, where nothing was measured here."""
        self._prefill.tell(told.prefill)
        for concurrency, rate in told.decode:
            if 0 < concurrency <= _MOST:
                self._at(_NEAREST[concurrency]).tell(rate)
        self._decode = {level: one for level, one in self._decode.items() if one.value}
        self._token_s.clear()
        if told.load_s is not None and not self._loads and told.load_s > 0.0:
            self._load_s = min(max(told.load_s, _SHORTEST_LOAD_S), _LONGEST_LOAD_S)
        asset = self._asset
        asset.bytes_per_token.tell(told.bytes_per_token)
        if told.answer is not None and not asset.answers and told.answer >= 0.0:
            asset.answer = min(told.answer, 1e6)
        asset.review()

    def told(self, *, own: bool) -> Told:
        """Return what is known. own: only what was measured here."""
        asset = self._asset

        def of(one: Estimate) -> float | None:
            return one.value if one.value and (one.mass or not own) else None

        levels = ((level, of(one)) for level, one in sorted(self._decode.items()))
        return Told(
            *self._key,
            of(self._prefill),
            tuple((level, rate) for level, rate in levels if rate is not None),
            self._load_s if self._load_s and (self._loads or not own) else None,
            asset.answer if asset.answers or (not own and asset.answer != ANSWER) else None,
            of(asset.bytes_per_token),
            None,
            self._samples,
        )

    def news(self) -> Told | None:
        """Return what was measured here, if that has changed since it was last told."""
        told = self.told(own=True)
        if self._told is not None and not _differ(self._told, told):
            return None
        self._told = told
        return told

    @property
    def reads(self) -> float:
        """Tokens of prompts a second, 0 when unknown."""
        return self._prefill.value

    @property
    def writes(self) -> float:
        """Tokens a second of an answer that is alone, 0 when unknown."""
        return 1 / self.token_s(1) if self._decode else 0.0


class Learned:
    """The rates of one gateway process.

    Those that nobody holds and that have nothing to tell are gone, so services that come and
    go leave little behind; who comes again begins with what was told last.
    """

    def __init__(self) -> None:
        self._services: WeakValueDictionary[str, WeakValueDictionary[str, Rates]]
        self._services = WeakValueDictionary()
        self._assets: WeakValueDictionary[str, _Asset] = WeakValueDictionary()
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
                asset = self._assets[asset_id] = _Asset()
            key = service_id, asset_id
            found = of_service[asset_id] = Rates(key, asset, of_service, self._waiting)
            asset.rates.add(found)
            if key in self._starts:
                found.tell(self._starts[key])
        return found

    def news(self, most: int) -> list[Told]:
        """Return what at most so many measured anew since it was last taken."""
        taken = [one for one, _ in zip(self._waiting, range(most), strict=False)]
        for one in taken:
            del self._waiting[one]
        found = [told for one in taken if (told := one.news()) is not None]
        for told in found:
            self._start(told)
        return found

    def tell(self, told: Iterable[Told]) -> None:
        """Take note of what control says: start values where nothing was measured here."""
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


def _slower(beside: int) -> float:
    """Return how often slower one of so many answers is than one alone, as far as is known."""
    return 1.0 + _DRAG * (beside - 1)


def _differ(one: Told, other: Told) -> bool:
    """Return whether one of them is news to who knows the other."""
    if other.samples >= 2 * one.samples and other.samples != one.samples:
        return True
    values = zip(_values(one), _values(other), strict=False)
    return [level for level, _ in one.decode] != [level for level, _ in other.decode] or any(
        (a is None) != (b is None) or (a and b and not 1 / _NEWS < a / b < _NEWS) for a, b in values
    )


def _values(told: Told) -> tuple[float | None, ...]:
    rates = (rate for _, rate in told.decode)
    return told.prefill, told.load_s, told.answer, told.bytes_per_token, *rates
