import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from control.table import watch
from control.table.diff import Delta, apply, changes, combined
from control.table.resources import KeySettings, Resource
from control.table.watch import Hub, Identity


def resource(name, content=0):
    return Resource.of(name, KeySettings(required=False, hash_secret=bytes([content])))


@pytest.fixture
def hub():
    hub = Hub("store", "life", settled=False)
    hub.publish(Delta((resource("a"), resource("b"))), settled=False)
    return hub


def test_a_new_watcher_gets_a_snapshot(hub):
    update = hub.due(hub.join("g", None))

    assert update.base is None
    assert update.identity == Identity("store", "life", 1)
    assert {one.name for one in update.delta.upserts} == {"a", "b"}
    assert update.table_hash == combined([resource("a"), resource("b")])
    assert not update.settled


def test_an_empty_table_is_told_too():
    update = Hub("store", "life", settled=True).join("g", None)

    assert Hub("store", "life", settled=True).due(update).delta == Delta()


def test_a_watcher_that_is_up_to_date_hears_so_once(hub):
    watcher = hub.join("g", Identity("store", "life", 1))
    update = hub.due(watcher)

    assert (update.base, update.delta) == (1, Delta())
    watcher.acknowledge({}, snapshot_wanted=False)
    assert hub.due(watcher) is None


def test_a_watcher_that_was_away_gets_what_changed_since(hub):
    hub.publish(Delta((resource("c"),)), settled=False)
    hub.publish(Delta((), ("a",)), settled=False)
    update = hub.due(hub.join("g", Identity("store", "life", 1)))

    assert update.base == 1
    assert update.delta.upserts == (resource("c"),)
    assert update.delta.tombstones == ("a",)
    assert update.table_hash == combined([resource("b"), resource("c")])


@pytest.mark.parametrize(
    "held",
    [
        Identity("other", "life", 1),
        Identity("store", "other", 1),
        Identity("store", "life", 2),
        Identity("store", "life", -1),
        Identity("", "", 0),
    ],
    ids=["other-store", "other-life", "future", "negative", "empty"],
)
def test_a_watcher_that_holds_something_else_gets_a_snapshot(hub, held):
    assert hub.due(hub.join("g", held)).base is None


def test_a_watcher_has_one_update_on_its_way_and_then_gets_only_the_latest(hub):
    watcher = hub.join("g", None)
    hub.due(watcher)
    for content in range(1, 50):
        hub.publish(Delta((resource("a", content),)), settled=False)
        assert hub.due(watcher) is None
    watcher.acknowledge({}, snapshot_wanted=False)
    update = hub.due(watcher)

    assert update.base == 1
    assert update.delta.upserts == (resource("a", 49),)


def test_a_change_wakes_every_watcher(hub):
    watchers = [hub.join("g", None), hub.join("h", None)]
    for watcher in watchers:
        hub.due(watcher)
        assert not watcher.wake.is_set()
    hub.publish(Delta((resource("c"),)), settled=False)

    assert all(watcher.wake.is_set() for watcher in watchers)


def test_no_change_is_no_version(hub):
    assert not hub.publish(Delta(), settled=False)
    assert hub.identity.version == 1


def test_becoming_settled_is_an_update_of_its_own(hub):
    watcher = hub.join("g", None)
    hub.due(watcher)
    watcher.acknowledge({}, snapshot_wanted=False)

    assert hub.publish(Delta(), settled=True)
    update = hub.due(watcher)
    assert (update.base, update.delta, update.settled) == (1, Delta(), True)


def test_a_watcher_that_asks_for_a_snapshot_gets_one_even_when_nothing_changed(hub):
    watcher = hub.join("g", None)
    hub.due(watcher)
    watcher.acknowledge({}, snapshot_wanted=True)

    assert hub.due(watcher).base is None


def test_unusable_resources_are_logged_and_remembered_and_others_go_on(hub, caplog):
    watcher = hub.join("g", None)
    hub.due(watcher)
    watcher.acknowledge({"a": "no such scheme\x1b[2J", "never sent": "x"}, snapshot_wanted=False)

    assert watcher.unusable == {"a": "no such scheme [2J"}
    assert "gateway g cannot use 'a': no such scheme [2J" in caplog.text
    hub.publish(Delta((resource("a", 1),)), settled=False)
    assert hub.due(watcher).delta.upserts == (resource("a", 1),)
    watcher.acknowledge({}, snapshot_wanted=False)
    assert watcher.unusable == {}


def test_history_is_bounded_and_who_was_away_too_long_gets_a_snapshot(hub, monkeypatch):
    monkeypatch.setattr(watch, "MAX_REMEMBERED", 3)
    for n in range(5):
        hub.publish(Delta((resource(f"x{n}"),)), settled=False)
        hub.publish(Delta((), (f"x{n}",)), settled=False)

    assert hub.due(hub.join("g", Identity("store", "life", 1))).base is None
    assert hub.due(hub.join("g", Identity("store", "life", 9))).base == 9


class Gateway(RuleBasedStateMachine):
    """A gateway that follows a hub through lost acks and reconnects ends with its table."""

    @initialize()
    def start(self):
        self.hub = Hub("store", "life", settled=False)
        self.table, self.hash, self.held = {}, 0, None
        self.watcher = self.hub.join("g", None)
        self.arrived = None

    @rule(name=st.sampled_from("abcd"), content=st.none() | st.integers(0, 3))
    def change(self, name, content):
        fresh = {name: None if content is None else resource(name, content)}
        self.hub.publish(changes(self.hub.table, fresh), settled=False)

    @rule()
    def receive(self):
        update = self.hub.due(self.watcher)
        if update is not None:
            self.arrived = update

    @precondition(lambda self: self.arrived is not None)
    @rule()
    def apply_and_acknowledge(self):
        update, self.arrived = self.arrived, None
        if update.base is None:
            self.table, self.hash = {}, 0
        else:
            assert update.base == self.held.version
        self.hash = apply(self.table, self.hash, update.delta)
        assert self.hash == update.table_hash
        self.held = update.identity
        self.watcher.acknowledge({}, snapshot_wanted=False)

    @rule()
    def connect_again(self):
        self.hub.leave(self.watcher)
        self.arrived = None
        self.watcher = self.hub.join("g", self.held)

    def teardown(self):
        for _ in range(3):
            self.receive()
            if self.arrived is not None:
                self.apply_and_acknowledge()

        assert self.table == self.hub.table
        assert self.held == self.hub.identity


Gateway.TestCase.settings = settings(max_examples=150, stateful_step_count=30)
TestGateway = Gateway.TestCase
