"""The section `routing` of control's settings: how one of several services is chosen."""

import difflib
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from control.api.settings import Section
from control.api.strategies import Strategy
from control.rules.scoring_config import Scoring


def _strategy(value: object) -> object:
    names = list(Strategy)
    if isinstance(value, str) and value not in names:
        nearest = difflib.get_close_matches(value[:100], names, n=1)
        hint = f"; nearest: {nearest[0]}" if nearest else ""
        raise ValueError(f"no strategy {value[:100]!r}{hint}; there are {', '.join(names)}")
    return value


def _interval(seconds: float) -> float:
    if seconds and not 0.5 <= seconds <= 3_600:
        raise ValueError("must be 0, for never, or 0.5 to 3600 seconds")
    return seconds


StrategyName = Annotated[Strategy, BeforeValidator(_strategy)]


class Routing(Section):
    """What holds where a role says nothing else."""

    default_strategy: StrategyName = Strategy.LEAST_LOADED
    scoring: Scoring = Scoring()
    evidence_half_life_s: float = Field(default=600.0, ge=10, le=604_800)
    probe_interval_s: Annotated[float, AfterValidator(_interval)] = 0.0
    probe_timeout_s: float = Field(default=5.0, ge=0.1, le=60)
