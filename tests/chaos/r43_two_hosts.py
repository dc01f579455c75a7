"""R43: an engine on loopback of another host is reached, and a cut link costs no more than it must.

Host A has control, the gateway, and an engine with a node; host B an engine on its loopback
and a node; a client asks from a third one. The model `far` is on B alone, `both` on both.
"""

import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.chaos import visitor
from tests.chaos.lan import Lan, Machine, lan
from tests.chaos.load import CLIENT_KEY, PATIENCE_S, Sample
from tests.chaos.promise import Figure, Promise, quantile, seconds, told
from tests.processes import Service, stop_all

NODE_KEY, GATEWAY_KEY = "a-nodes-key", "a-gateways-key"
CONTROL, GATEWAY = 8801, 8800
RATE = 10.0  # of each model
WARM_S = 1.0
REFUSED_S = 0.25  # who is answered so fast did not wait for B
MODELS = ("both", "far")

Cut = Callable[[Lan, Machine], AbstractContextManager[None]]
CUTS: Mapping[str, Cut] = {
    "unplugged": Lan.unplugged,
    "silent": Lan.silent,
    "deaf": Lan.deaf,
}


@dataclass(slots=True)
class Hosts:
    """What runs where."""

    folder: Path
    net: Lan
    running: list[Service] = field(default_factory=list)

    @property
    def samples(self) -> Path:
        """Where the client leaves what it saw."""
        return self.folder / "samples.json"

    def start_all(self, interval: float, pause: float) -> None:
        """Start everything, and return when the client begins to ask."""
        first, second, third = self.net.machines
        engines = (self.engine(first, "both"), self.engine(second, "both", "far"))
        auth = {
            "client_api_keys": [CLIENT_KEY],
            "node_api_keys": [NODE_KEY],
            "gateway_api_keys": [GATEWAY_KEY],
        }
        settings = {
            "listen": f"0.0.0.0:{CONTROL}",
            "storage": {"sqlite_path": str(self.folder / "store.sqlite3")},
            "auth": auth,
            "registry": {"heartbeat_interval_s": interval, "grace_s": 0},
            # Otherwise the nearer one, which is faster, would serve nearly all.
            "routing": {"default_strategy": "round_robin"},
        }
        self.configured(first, "control", settings).port()
        # To A's own node control is here, to B's it is elsewhere: only that one has a relay.
        ways = ("127.0.0.1", first.address)
        for machine, control, engine in zip((first, second), ways, engines, strict=True):
            settings = {
                "control": f"{control}:{CONTROL}",
                "node": {"host_id": f"host-{machine.number}"},
                "services": [{"service_id": "engine", "endpoint": engine}],
            }
            self.configured(machine, "node", settings, GENIEHIVE_NODE_KEY=NODE_KEY)
        settings = {
            "listen": f"0.0.0.0:{GATEWAY}",
            "control": f"127.0.0.1:{CONTROL}",
            "ejection": {"pause": pause},
        }
        self.configured(first, "gateway", settings, GENIEHIVE_GATEWAY_KEY=GATEWAY_KEY).port()
        words = (f"http://{first.address}:{GATEWAY}", str(self.samples), str(RATE), *MODELS)
        asking = self.start(third, "visitor", "tests.chaos.visitor", *words)
        asking.wait_for_log(re.compile(visitor.ASKING))

    def start(self, machine: Machine, name: str, *words: str, **keys: str) -> Service:
        state = {"GENIEHIVE_STATE_DIR": str(self.folder / name)}
        service = machine.start(words, self.folder / f"{name}.log", {**state, **keys})
        self.running.append(service)
        return service

    def configured(
        self, machine: Machine, module: str, settings: Mapping[str, Any], **keys: str
    ) -> Service:
        name = f"{module}-{machine.number}"
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(dict(settings)))
        return self.start(machine, name, module, "--config", str(path), **keys)

    def engine(self, machine: Machine, *models: str) -> str:
        """Start an engine on the loopback of a machine; return its URL there."""
        named = [word for model in models for word in ("--model", model)]
        name = f"engine-{machine.number}"
        service = self.start(machine, name, "tests.fakes.engine", *named, "--pace", "0.02")
        return f"http://127.0.0.1:{service.port()}"


@dataclass(frozen=True, slots=True)
class Outage:
    """How the link was cut, from when to when."""

    cut: str
    begin: float
    end: float


def run(
    folder: Path,
    *,
    cuts: tuple[str, ...],
    away: float,
    after: float,
    interval: float,
    pause: float,
) -> list[Figure]:
    """Cut the link of B for `away` seconds in these ways, one after the other.

    after: seconds to look on when it is whole again. interval: between heartbeats.
    pause: before the gateway tries again who failed, in seconds.
    """
    with lan(3) as net:
        hosts = Hosts(folder, net)
        try:
            hosts.start_all(interval, pause)
            outages = [_outage(net, cut, away, after) for cut in cuts]
        finally:
            stop_all(hosts.running)
    samples = visitor.read(hosts.samples)
    figures = []
    for outage in outages:
        far = _within(samples["far"], outage, after)
        both = _within(samples["both"], outage, after)
        figures += [*_of_far(far, outage, pause, interval), *_of_both(both, outage)]
    return figures


def _outage(net: Lan, cut: str, away: float, after: float) -> Outage:
    time.sleep(WARM_S)
    begin = time.monotonic()
    with CUTS[cut](net, net.machines[1]):
        time.sleep(away)
    end = time.monotonic()
    time.sleep(after)
    return Outage(cut, begin, end)


def _within(samples: list[Sample], outage: Outage, after: float) -> list[Sample]:
    begin, end = outage.begin - WARM_S, outage.end + after
    return sorted((one for one in samples if begin <= one.due < end), key=lambda one: one.due)


def _of_far(samples: list[Sample], outage: Outage, pause: float, interval: float) -> list[Figure]:
    """Return what became of requests that only B can answer."""
    what = f"{outage.cut}, B alone"
    failed = [one for one in samples if one.problem]
    # When the last request came that failed: from then on all is as before.
    last = max((one.due for one in failed), default=outage.begin)
    quick = [one for one in failed if one.seconds < REFUSED_S]
    refusing = min((one.due for one in quick), default=outage.end)
    return [
        told(f"{what}: requests", len(samples)),
        told(f"{what}: failed", len(failed)),
        seconds(f"{what}: until refused at once", refusing - outage.begin),
        seconds(
            f"{what}: longest that a client waited",
            max(one.seconds for one in samples),
            PATIENCE_S + 1,
        ),
        seconds(
            f"{what}: healed until none fails",
            max(0.0, last - outage.end),
            # A trial of the breaker, or the node that comes back, whichever is later.
            2 * pause + 2 * interval + 5.0,
        ),
    ]


def _of_both(samples: list[Sample], outage: Outage) -> list[Figure]:
    """Return what became of requests that A can answer as well."""
    what = f"{outage.cut}, A as well"
    failed = [one for one in samples if one.problem]
    last = max((one.due for one in failed), default=outage.begin)
    cut = [one.seconds for one in samples if outage.begin <= one.due < outage.end]
    before = [one for one in samples if one.due < outage.begin]
    by_b = sum(one.service == "host-2/engine" for one in before)
    return [
        told(f"{what}: requests", len(samples)),
        told(f"{what}: served by B in the second before, of {len(before)}", by_b),
        told(f"{what}: failed", len(failed)),
        seconds(f"{what}: from the cut to the last that failed", max(0.0, last - outage.begin)),
        seconds(f"{what}: median while it is cut", quantile(cut, 0.5), 1.0),
        seconds(f"{what}: longest while it is cut", max(cut), PATIENCE_S + 1),
    ]


PROMISE = Promise(
    run,
    short={"cuts": ("silent",), "away": 2.5, "after": 3.0, "interval": 0.5, "pause": 1.0},
    full={
        "cuts": tuple(CUTS),
        "away": 20.0,
        "after": 45.0,
        "interval": 5.0,
        "pause": 10.0,
    },
)
