"""Which models engines hold that load what they are asked for, and when one makes way.

What the route table tells is some seconds old. Since a request went to an engine that has to
load a model for it, that engine is taken to hold this model and no other, until the table
knows of it.
"""

from control.api.strategies import Strategy
from gateway.load import Load, Switch
from gateway.route import Choice, Route

# After so long the table knows what came of a load, or never will.
DOUBT_S = 15.0
# How long those are served whose model is there, while others wait for theirs: so many times
# what loading takes, and at least so many seconds.
LOADS, LEAST_S = 4.0, 5.0


def is_absent(choice: Choice) -> bool:
    """Return whether a request would make the service load its model first."""
    switch = choice.upstream.switch
    if switch is None or switch.known:
        return choice.absent
    return not (switch.started and switch.asset == choice.asset)


def is_free_to_load(load: Load) -> bool:
    """Return whether a model takes the place of no other one there."""
    return not load.loaded_assets and load.switch is None


def is_overdue(choice: Choice, since: float, now: float) -> bool:
    """Return whether who waits since then goes before those whose model is there.

    These have their time from when it was loaded, however long the others wait. Where all wait
    for long, a model would else be dropped after as many requests as there are slots.
    """
    patience = max(LEAST_S, LOADS * choice.rates.load_s)
    return now - max(since, choice.upstream.switched) > patience


class Residency:
    """The switches under way of one process. loads: of the services that have one."""

    def __init__(self) -> None:
        self._loads: dict[str, Load] = {}

    @property
    def switching(self) -> bool:
        """Whether an engine may hold something else than the table tells."""
        return bool(self._loads)

    def begin(self, choice: Choice, now: float) -> None:
        """Take note that the model of `choice` is asked for where it is absent."""
        load = choice.upstream
        load.switch = Switch(choice.asset, now)
        load.switched = now
        self._loads[load.service_id] = load

    def started(self, choice: Choice, now: float) -> None:
        """Take note that a service answers with the model of `choice`."""
        switch = choice.upstream.switch
        if switch is not None and switch.asset == choice.asset and not switch.started:
            switch.started, switch.began = True, now

    def failed(self, choice: Choice) -> None:
        """Take note that it did not come to that."""
        switch = choice.upstream.switch
        if switch is not None and switch.asset == choice.asset and not switch.started:
            self._end(choice.upstream)

    def pass_time(self, now: float) -> None:
        """End what the table knows by now, or never will."""
        for load in list(self._loads.values()):
            switch = load.switch
            if switch is None or switch.known or self._is_doubtful(load, switch, now):
                self._end(load)

    def _is_doubtful(self, load: Load, switch: Switch, now: float) -> bool:
        still_loading = load.in_flight and not switch.started
        return now - switch.began > DOUBT_S and not still_loading

    def left_of(self, route: Route) -> Route:
        """Return `route` without those who would load what others have in memory.

        Where it is reckoned what that takes, one whose memory is empty is as good as another.
        """
        if not (route.absent or self.switching) or not any(map(is_absent, route.choices)):
            return route
        held = {one.asset for one in route.choices if not is_absent(one)}
        reckoned = route.strategy is Strategy.EXPECTED_COMPLETION
        left = [
            one
            for one in route.choices
            if one.asset not in held
            or not is_absent(one)
            or (reckoned and is_free_to_load(one.upstream))
        ]
        if not reckoned:
            left = self._ready(left)
        return route.only(left) if len(left) < len(route.choices) else route

    def may_load(self, choice: Choice) -> bool:
        """Return whether the service of `choice` may be made to load its model now."""
        load = choice.upstream
        if self.is_coming(choice.asset):
            return False
        return is_free_to_load(load) or not load.ahead  # who is served there is so to the end

    def is_coming(self, asset: bytes) -> bool:
        """Return whether some service was made to load a model, which the table does not know."""
        switches = (one.switch for one in self._loads.values())
        return any(one is not None and one.asset == asset for one in switches)

    def _ready(self, choices: list[Choice]) -> list[Choice]:
        """Return `choices` without those of the best tier that serve others, and may not load yet.

        If all do, who comes waits for one of them.
        """
        best = [one for one in choices if one.tier == choices[0].tier]
        ready = [one for one in best if not is_absent(one) or self.may_load(one)]
        return [*ready, *choices[len(best) :]] if ready else choices

    def _end(self, load: Load) -> None:
        load.switch = None
        self._loads.pop(load.service_id, None)
