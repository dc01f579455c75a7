"""The section `routing` of control's settings: how one of several services is chosen."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from control.api.priorities import WORDS
from control.api.settings import Section
from control.api.strategies import Strategy
from control.ranking.waiting import Waiting
from control.rules.choices import one_of
from control.rules.scoring_config import Scoring
from control.rules.waiting_config import PrioritySection, Switch


def _interval(seconds: float) -> float:
    if seconds and not 0.5 <= seconds <= 3_600:
        raise ValueError("must be 0, for never, or 0.5 to 3600 seconds")
    return seconds


StrategyName = Annotated[Strategy, BeforeValidator(one_of("strategy", Strategy))]


class Routing(Section):
    """What holds where a role says nothing else."""

    default_strategy: StrategyName = Strategy.LEAST_LOADED
    waiting_room: Switch = True
    priority: PrioritySection = PrioritySection()
    scoring: Scoring = Scoring()
    evidence_half_life_s: float = Field(default=600.0, ge=10, le=604_800)
    probe_interval_s: Annotated[float, AfterValidator(_interval)] = 0.0
    probe_timeout_s: float = Field(default=5.0, ge=0.1, le=60)

    @property
    def waiting(self) -> Waiting:
        """How requests wait, for the pure code."""
        said = self.priority
        return Waiting(self.waiting_room, WORDS[said.default], WORDS[said.highest], said.standings)
