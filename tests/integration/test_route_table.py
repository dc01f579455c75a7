"""The route table between a control and a gateway, over a network that loses and repeats.

R34: versions never go backwards, and once it is quiet both hold the same table, whatever
was lost, repeated or came late, and whichever life of control was the last one.
"""

from dataclasses import dataclass, field
from functools import reduce
from operator import xor

from geniehive.v1 import routing_service_pb2 as pb
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from control.inventory import Endpoint, Operation
from control.ranking.candidates import Candidate
from control.table.diff import Delta
from control.table.resources import (
    Resource,
    RouteService,
    Target,
    service_name,
    target_name,
)
from control.table.watch import Hub, Identity, Watcher
from control.table_messages import update_message
from gateway.resources import read_resource
from gateway.routes import Routes
from gateway.steps import finished
from gateway.table import Replica, SnapshotWanted
from tests.unit.gateway.pushed import StubUpstream

HOSTS = ["a", "b", "c"]
QUIET_UPDATES = 20  # more than any table here takes


def resource(host: str, kind: str, score: int) -> Resource:
    if kind == "service":
        body = RouteService(f"{host}/s", host, Endpoint("http", f"{host}:80"), score)
        return Resource.of(service_name(f"{host}/s"), body)
    candidates = (Candidate(f"{host}/s", "m", True, float(score)),)
    return Resource.of(target_name(Operation.CHAT, host), Target(host, Operation.CHAT, candidates))


RESOURCES = st.builds(
    resource, st.sampled_from(HOSTS), st.sampled_from(["service", "target"]), st.integers(0, 2)
)


@dataclass
class Gateway:
    """The gateway's end: what it holds, and what it answers to an update."""

    replica: Replica = field(default_factory=lambda: Replica(read_resource))
    routes: Routes = field(default_factory=lambda: Routes(StubUpstream))

    def take(self, update: pb.TableUpdate) -> bool:
        """Return whether the update was applied; if not, a snapshot is wanted."""
        try:
            applied = self.replica.apply(update)
        except SnapshotWanted:
            return False
        assert applied.unusable == {}
        finished(self.routes.follow(self.replica, applied.names))
        return True

    @property
    def held(self) -> Identity | None:
        held = self.replica.identity
        return Identity(held.store_id, held.incarnation, held.version) if held else None


class Network(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.lives = 0
        self.hub = Hub("store", "life-0", settled=True)
        self.backup = dict(self.hub.table)
        self.gateway = Gateway()
        self.late: list[pb.TableUpdate] = []
        self.highest: dict[tuple[str, str], int] = {}
        self.lives_seen: list[tuple[str, str]] = []
        self.watcher = self.join()

    def join(self) -> Watcher:
        return self.hub.join("g", self.gateway.held)

    @rule(
        fresh=st.lists(RESOURCES, max_size=3),
        gone=st.sets(st.sampled_from(HOSTS), max_size=1),
        fate=st.sampled_from(["arrives", "arrives", "is lost", "comes late", "comes twice"]),
    )
    def change(self, fresh: list[Resource], gone: set[str], fate: str) -> None:
        upserts = {one.name: one for one in fresh}
        names = [service_name(f"{host}/s") for host in gone]
        tombstones = tuple(one for one in names if one in self.hub.table and one not in upserts)
        delta = Delta(tuple(upserts.values()), tombstones)
        self.hub.publish(delta, settled=self.hub.settled)
        self.exchange(fate)

    @rule()
    def settle(self) -> None:
        self.hub.publish(Delta(), settled=True)
        self.exchange("arrives")

    def exchange(self, fate: str) -> None:
        """Send what is due, if nothing is under way, and let the network do its worst."""
        if (due := self.hub.due(self.watcher)) is None:
            return
        update = update_message(due)
        if fate in ("comes late", "comes twice"):
            self.late.append(update)
        if fate in ("arrives", "comes twice"):
            applied = self.gateway.take(update)
            self.watcher.acknowledge({}, snapshot_wanted=not applied)

    @rule(which=st.integers(0, 3))
    def come_late(self, which: int) -> None:
        """Something that was sent before arrives, over a stream that may be gone."""
        if self.late and not self.gateway.take(self.late.pop(which % len(self.late))):
            self.watcher.acknowledge({}, snapshot_wanted=True)

    @rule()
    def reconnect(self) -> None:
        self.hub.leave(self.watcher)
        self.watcher = self.join()
        self.exchange("arrives")

    @rule()
    def back_up(self) -> None:
        self.backup = dict(self.hub.table)

    @rule(how=st.sampled_from(["as it was", "empty", "from the backup"]))
    def restart(self, how: str) -> None:
        """Control begins a new life; a backup is a database of its own."""
        self.lives += 1
        table = {"as it was": self.hub.table, "empty": {}, "from the backup": self.backup}[how]
        store = "store" if how == "as it was" else f"store-{self.lives}"
        self.hub = Hub(store, f"life-{self.lives}", settled=False)
        self.hub.publish(Delta(tuple(table.values())), settled=False)
        self.late.clear()  # went with its connections
        self.watcher = self.join()
        self.exchange("arrives")

    @rule()
    def be_quiet(self) -> None:
        """Nothing changes any more, and nothing is lost: soon both hold the same."""
        self.settle()
        self.reconnect()
        for _ in range(QUIET_UPDATES):
            self.exchange("arrives")
            self.versions_never_go_backwards()
        assert self.hub.due(self.watcher) is None
        replica, table = self.gateway.replica, self.hub.table
        assert replica.carried == {}
        assert replica.current.keys() == table.keys()
        assert replica._table_hash == reduce(xor, (one.hash for one in table.values()), 0)
        known = {
            one.body.service_id for one in table.values() if isinstance(one.body, RouteService)
        }
        assert self.gateway.routes.upstreams.keys() == known

    @invariant()
    def versions_never_go_backwards(self) -> None:
        held = self.gateway.held
        if held is None:
            return
        life = (held.store_id, held.incarnation)
        if life not in self.lives_seen:
            self.lives_seen.append(life)
        assert life == self.lives_seen[-1]
        assert held.version >= self.highest.get(life, 0)
        self.highest[life] = held.version


Network.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestNetwork = Network.TestCase
