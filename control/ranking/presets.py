"""What counts how much in a score, and the two ways of counting that have a name."""

from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from math import inf, nextafter


@dataclass(frozen=True, slots=True)
class Weights:
    """The shares that a score is made of, each 0 to 1; together they are 1."""

    text: float
    runtime: float
    benchmark: float
    family: float = 0.0
    guardrail: float = 0.0


@dataclass(frozen=True, slots=True)
class Bands:
    """What a measurement is worth: `values[i]` up to and with `edges[i]`, the last one beyond.

    edges: growing. values: 0 to 1, one more than there are edges.
    """

    edges: tuple[float, ...]
    values: tuple[float, ...]

    def worth(self, measured: float) -> float:
        """Return the value of the band that `measured` is in."""
        return self.values[bisect_left(self.edges, measured)]


def below(edge: float) -> float:
    """Return the edge of a band that ends just before `edge`."""
    return nextafter(edge, -inf)


# (requests that wait, what they cost), both growing, as `control.api.strategies` reads them.
Queue = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a service is worth as it runs now: the sum of these, between 0 and 1."""

    loaded: float  # the weights are in memory
    latency: Bands  # by milliseconds; nothing when unknown
    throughput: Bands  # by tokens per second; nothing when unknown
    queue: Queue  # subtracted
    busy: float  # subtracted while its owner uses it


class Runs(StrEnum):
    """Which of several runs of a workload count: the newest, or all, and the best decides."""

    NEWEST = "newest"
    BEST = "best"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What benchmark samples are worth: overlap x how well they fit + quality x how good they are.

    The quality of a sample is correctness x how often it is right + speed x how fast it
    is, and speed is one half throughput, one half time to the first token.
    """

    overlap: float
    quality: float
    correctness: float
    speed: float
    prior: float  # what counts for a part, or half of speed, that a sample does not tell
    speed_alone: bool  # without correctness, speed is the whole quality instead
    full_speed: float  # tokens per second, from which throughput is worth 1
    first_token: Bands  # by milliseconds
    half_life: float  # seconds after which a sample counts half; inf: samples do not age
    runs: Runs


@dataclass(frozen=True, slots=True)
class Scoring:
    """Everything that can be set about scores."""

    role: Weights
    service: Weights
    runtime: Runtime
    benchmark: Benchmark
    ascii_words: bool = False  # whether letters beyond a to z part words, as they once did


_FIRST_TOKEN = Bands((500, 1_000, 2_500), (1.0, 0.8, 0.5, 0.2))

SEED = Scoring(
    role=Weights(text=0.30, runtime=0.30, benchmark=0.25, family=0.15),
    service=Weights(text=0.20, runtime=0.45, benchmark=0.35),
    runtime=Runtime(
        loaded=0.35,
        latency=Bands((below(500), below(1_500), below(3_000)), (0.30, 0.20, 0.10, 0.05)),
        throughput=Bands((below(20), below(40)), (0.0, 0.10, 0.20)),
        queue=((2, 0.10), (5, 0.20)),
        busy=0.10,  # later than the seeds: a busy owner goes first
    ),
    benchmark=Benchmark(
        overlap=0.45,
        quality=0.55,
        correctness=0.65,
        speed=0.35,
        prior=0.5,
        speed_alone=False,
        full_speed=40.0,
        first_token=_FIRST_TOKEN,
        half_life=30 * 86_400.0,
        runs=Runs.NEWEST,
    ),
)

# What the first GenieHive computed, whatever its documents said. Its oversights are not
# kept: negative speeds counted, samples of other assets did, and so did the words `none`
# and `auto` of policies that nobody wrote.
LEGACY = Scoring(
    role=Weights(text=0.25, runtime=0.25, benchmark=0.25, family=0.12, guardrail=0.13),
    service=Weights(text=0.20, runtime=0.45, benchmark=0.35),
    runtime=Runtime(
        loaded=0.35,
        latency=Bands((1_500, 4_000), (0.30, 0.18, 0.05)),
        throughput=Bands((below(8), below(20)), (0.0, 0.10, 0.20)),
        queue=((1, 0.03), (2, 0.06), (3, 0.09), (4, 0.12), (5, 0.15)),
        busy=0.10,
    ),
    benchmark=Benchmark(
        overlap=0.55,
        quality=0.45,
        correctness=0.65,
        speed=0.35,
        prior=0.0,
        speed_alone=True,
        full_speed=40.0,
        first_token=_FIRST_TOKEN,
        half_life=inf,
        runs=Runs.BEST,
    ),
    ascii_words=True,
)

PRESETS = {"seed": SEED, "legacy": LEGACY}
