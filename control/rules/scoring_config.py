"""The section `routing.scoring` of control's settings: what counts how much in a score."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from math import fsum
from typing import Annotated, Any, Literal, Protocol, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator

from control.api.settings import Section
from control.ranking import presets
from control.ranking.presets import PRESETS, Bands, Runs, below

SUM_TOLERANCE = 1e-9
MAX_BANDS = 20

Share = Annotated[float, Field(ge=0, le=1)]
# An hour is longer than anybody waits for a first answer.
Milliseconds = Annotated[float, Field(gt=0, le=3_600_000)]
TokensPerSecond = Annotated[float, Field(gt=0, le=1_000_000)]


class RoleWeights(Section):
    """The shares of the score for a role; together, with those of the preset, they are 1."""

    text: Share | None = None
    runtime: Share | None = None
    benchmark: Share | None = None
    family: Share | None = None
    guardrail: Share | None = None


class ServiceWeights(Section):
    """The same for a service or an asset that is asked for by its own name."""

    text: Share | None = None
    runtime: Share | None = None
    benchmark: Share | None = None


class Within(Section):
    """What a time is worth that is `below` an edge, or `up_to` it and with it."""

    below: Milliseconds | None = None
    up_to: Milliseconds | None = None
    value: Share

    @model_validator(mode="after")
    def _one_edge(self) -> Self:
        if (self.below is None) == (self.up_to is None):
            raise ValueError("one of below and up_to is expected")
        return self

    @property
    def edge(self) -> float:
        """The last time of the band."""
        return self.up_to if self.up_to is not None else below(self.below or 0)


class AtLeast(Section):
    """What a speed is worth, until the next band begins."""

    at_least: TokensPerSecond
    value: Share

    @property
    def edge(self) -> float:
        """The first speed of the band."""
        return self.at_least


class Waiting(Section):
    """What it costs when so many requests wait, until the next step begins."""

    at_least: int = Field(ge=1, le=1_000_000)
    value: Share

    @property
    def edge(self) -> float:
        """The first number of the step."""
        return self.at_least


class _Edged(Protocol):
    @property
    def edge(self) -> float: ...

    @property
    def value(self) -> float: ...


B = TypeVar("B", bound=_Edged)


def _growing(bands: tuple[B, ...]) -> tuple[B, ...]:
    _check_edges(bands)
    if any(next_.value < one.value for one, next_ in pairwise(bands)):
        raise ValueError("more is never worth less: values must not fall")
    return bands


def _falling(bands: tuple[B, ...]) -> tuple[B, ...]:
    _check_edges(bands)
    if any(next_.value > one.value for one, next_ in pairwise(bands)):
        raise ValueError("slower is never worth more: values must not rise")
    return bands


def _check_edges(bands: Sequence[_Edged]) -> None:
    if any(next_.edge <= one.edge for one, next_ in pairwise(bands)):
        raise ValueError("bands are out of order: the lowest edge comes first, each once")


Some = Field(max_length=MAX_BANDS)
Times = Annotated[tuple[Within, ...], Some, AfterValidator(_falling)]
Speeds = Annotated[tuple[AtLeast, ...], Some, AfterValidator(_growing)]
Steps = Annotated[tuple[Waiting, ...], Some, AfterValidator(_growing)]


class Runtime(Section):
    """What a service is worth as it runs now."""

    loaded: Share | None = None
    latency_ms: Times | None = None
    slower: Share | None = None
    tokens_per_second: Speeds | None = None
    queue: Steps | None = None
    busy: Share | None = None


class Benchmark(Section):
    """What benchmark samples are worth."""

    overlap: Share | None = None
    quality: Share | None = None
    correctness: Share | None = None
    speed: Share | None = None
    prior: Share | None = None
    speed_alone: bool | None = None
    full_speed: TokensPerSecond | None = None
    first_token_ms: Times | None = None
    slower: Share | None = None
    half_life_s: float | None = Field(default=None, ge=60, le=315_360_000)
    runs: Runs | None = None


class Scoring(Section):
    """A preset, and what is otherwise: what is not set is as the preset has it."""

    preset: Literal["seed", "legacy"] = "seed"
    role: RoleWeights = RoleWeights()
    service: ServiceWeights = ServiceWeights()
    runtime: Runtime = Runtime()
    benchmark: Benchmark = Benchmark()
    ascii_words: bool | None = None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        made = self.made
        _check_sum("role", asdict(made.role))
        _check_sum("service", asdict(made.service))
        shares = asdict(made.benchmark)
        _check_sum("benchmark", {name: shares[name] for name in ("overlap", "quality")})
        _check_sum("benchmark", {name: shares[name] for name in ("correctness", "speed")})
        _check_slower("runtime", made.runtime.latency)
        _check_slower("benchmark", made.benchmark.first_token)
        return self

    @property
    def made(self) -> presets.Scoring:
        """The same, for the pure code."""
        preset = PRESETS[self.preset]
        return replace(
            preset,
            role=replace(preset.role, **_set(self.role)),
            service=replace(preset.service, **_set(self.service)),
            runtime=self._runtime(preset.runtime),
            benchmark=self._benchmark(preset.benchmark),
            ascii_words=preset.ascii_words if self.ascii_words is None else self.ascii_words,
        )

    def _runtime(self, preset: presets.Runtime) -> presets.Runtime:
        mine = self.runtime
        return replace(
            preset,
            **_set(mine, "loaded", "busy"),
            latency=_times(mine.latency_ms, mine.slower, preset.latency),
            throughput=_speeds(mine.tokens_per_second, preset.throughput),
            queue=_steps(mine.queue, preset.queue),
        )

    def _benchmark(self, preset: presets.Benchmark) -> presets.Benchmark:
        mine = self.benchmark
        shares = _set(mine, "overlap", "quality", "correctness", "speed", "prior", "full_speed")
        return replace(
            preset,
            **shares,
            speed_alone=preset.speed_alone if mine.speed_alone is None else mine.speed_alone,
            first_token=_times(mine.first_token_ms, mine.slower, preset.first_token),
            half_life=preset.half_life if mine.half_life_s is None else mine.half_life_s,
            runs=mine.runs or preset.runs,
        )


def _set(section: Section, *names: str) -> dict[str, Any]:
    """Return what is set of a section, or of `names` in it."""
    set_ = section.model_dump(exclude_none=True)
    return {name: value for name, value in set_.items() if not names or name in names}


def _times(bands: Times | None, slower: float | None, preset: Bands) -> Bands:
    if slower is None:
        slower = preset.values[-1]
    if bands is None:
        return Bands(preset.edges, (*preset.values[:-1], slower))
    return Bands(tuple(one.edge for one in bands), (*(one.value for one in bands), slower))


def _speeds(bands: Speeds | None, preset: Bands) -> Bands:
    if bands is None:
        return preset
    values = (0.0, *(one.value for one in bands))
    return Bands(tuple(below(one.at_least) for one in bands), values)


def _steps(steps: Steps | None, preset: presets.Queue) -> presets.Queue:
    if steps is None:
        return preset
    return tuple((one.at_least, one.value) for one in steps)


def _check_sum(name: str, shares: dict[str, float]) -> None:
    total = fsum(shares.values())
    if abs(total - 1) > SUM_TOLERANCE:
        told = " + ".join(f"{part} {share:g}" for part, share in shares.items() if share)
        raise ValueError(f"{name}: {told or 'nothing'} is {total:g} and must be 1")


def _check_slower(name: str, bands: Bands) -> None:
    """Refuse what beyond the last band is worth more than in it."""
    if len(bands.values) > 1 and bands.values[-1] > bands.values[-2]:
        raise ValueError(
            f"{name}.slower: slower is never worth more:"
            f" {bands.values[-1]:g} is more than the {bands.values[-2]:g} of the last band"
        )
