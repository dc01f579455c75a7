import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from control.table import watch
from control.table.diff import Delta, changes, combined
from control.table.resources import KeySettings, Resource
from control.table.watch import Hub, Identity
from control.table_messages import update_message
from gateway.table import Replica, SnapshotWanted


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


def test_a_snapshot_starts_the_list_of_unusable_resources_anew(hub):
    watcher = hub.join("g", None)
    hub.due(watcher)
    watcher.acknowledge({"a": "odd", "b": "odd"}, snapshot_wanted=False)
    hub.publish(Delta((), ("a",)), settled=False)
    watcher.acknowledge({}, snapshot_wanted=True)
    hub.due(watcher)
    watcher.acknowledge({"b": "still odd"}, snapshot_wanted=False)

    assert hub.unusable(limit=9) == {"b": "still odd"}


def test_what_any_watcher_cannot_use_is_told_up_to_a_limit(hub):
    for gateway_id, name in [("g", "a"), ("h", "b")]:
        watcher = hub.join(gateway_id, None)
        hub.due(watcher)
        watcher.acknowledge({name: "odd"}, snapshot_wanted=False)

    assert hub.unusable(limit=9) == {"a": "odd", "b": "odd"}
    assert hub.unusable(limit=1) == {"a": "odd"}


def test_history_is_bounded_and_who_was_away_too_long_gets_a_snapshot(hub, monkeypatch):
    monkeypatch.setattr(watch, "MAX_REMEMBERED", 3)
    for n in range(5):
        hub.publish(Delta((resource(f"x{n}"),)), settled=False)
        hub.publish(Delta((), (f"x{n}",)), settled=False)

    assert hub.due(hub.join("g", Identity("store", "life", 1))).base is None
    assert hub.due(hub.join("g", Identity("store", "life", 9))).base == 9


def test_watchers_that_hold_the_same_share_one_update(hub):
    watchers = [hub.join("g", None), hub.join("h", None)]
    first, second = (hub.due(watcher) for watcher in watchers)
    assert first is second
    for watcher in watchers:
        watcher.acknowledge({}, snapshot_wanted=False)
    hub.publish(Delta((resource("c"),)), settled=False)
    first, second = (hub.due(watcher) for watcher in watchers)

    assert first is second
    assert first.delta.upserts == (resource("c"),)


def received(hub, watcher):
    """Return what a watcher gets until it is up to date, and acknowledges."""
    updates = []
    while (update := hub.due(watcher)) is not None:
        updates.append(update)
        watcher.acknowledge({}, snapshot_wanted=False)
    return updates


class TestWhatDoesNotFitIntoOneMessage:
    @pytest.fixture(autouse=True)
    def small_messages(self, monkeypatch):
        monkeypatch.setattr(watch, "MAX_PART", 2 * resource("a").size)

    @pytest.fixture
    def hub(self):
        hub = Hub("store", "life", settled=False)
        hub.publish(Delta(tuple(resource(name) for name in "abcde")), settled=True)
        return hub

    def test_goes_out_in_parts_that_build_on_each_other(self, hub):
        updates = received(hub, hub.join("g", None))

        assert [len(one.delta.upserts) for one in updates] == [2, 2, 1]
        assert [one.base for one in updates] == [
            None,
            *(one.identity.version for one in updates[:-1]),
        ]
        assert [one.settled for one in updates] == [False, False, True]
        assert updates[-1].identity == hub.identity

    def test_is_whole_although_the_table_changes_in_between(self, hub):
        watcher = hub.join("g", None)
        hub.due(watcher)
        hub.publish(Delta((resource("a", 1),), ("e",)), settled=True)
        watcher.acknowledge({}, snapshot_wanted=False)
        updates = received(hub, watcher)

        assert updates[-1].delta == Delta((resource("a", 1),), ("e",))
        assert updates[-1].identity == hub.identity

    def test_is_a_snapshot_that_tells_what_is_gone(self, hub):
        """While nothing is settled, absence from a snapshot removes nothing."""
        watcher = hub.join("g", None)
        received(hub, watcher)
        hub.publish(Delta((resource("a", 1), resource("b", 1)), ("d", "e")), settled=True)
        updates = received(hub, watcher)

        assert [one.base is None for one in updates] == [True, False, False]
        assert set(updates[-1].delta.tombstones) == {"d", "e"}

    def test_begins_with_a_later_version_whatever_the_watcher_holds(self, hub):
        watcher = hub.join("g", None)
        last = received(hub, watcher)[-1]
        hub.publish(Delta((resource("a", 1),)), settled=True)
        hub.due(watcher)
        watcher.acknowledge({}, snapshot_wanted=True)

        assert hub.due(watcher).identity.version > last.identity.version

    def test_leaves_other_watchers_alone(self, hub):
        other = hub.join("h", None)
        received(hub, other)
        received(hub, hub.join("g", None))

        assert not other.wake.is_set()


class Gateway(RuleBasedStateMachine):
    """A gateway that follows a hub through lost acks and reconnects ends with its table.

    Whatever the size of messages, it never loses what was not withdrawn.
    """

    @initialize(entries=st.integers(1, 5))
    def start(self, entries):
        self.max_part, watch.MAX_PART = watch.MAX_PART, entries * resource("a").size
        self.hub = Hub("store", "life", settled=False)
        self.withdrawn = set()
        self.replica = Replica(lambda message: message.settings.hash_secret)
        self.watcher = self.hub.join("g", None)
        self.arrived = None

    @rule(name=st.sampled_from("abcdefgh"), content=st.none() | st.integers(0, 3))
    def change(self, name, content):
        fresh = {name: None if content is None else resource(name, content)}
        self.withdrawn |= {name for name, one in fresh.items() if one is None}
        self.hub.publish(changes(self.hub.table, fresh), settled=self.hub.settled)

    @rule()
    def settle(self):
        self.hub.publish(Delta(), settled=True)

    @rule()
    def receive(self):
        update = self.hub.due(self.watcher)
        if update is not None:
            self.arrived = update

    @precondition(lambda self: self.arrived is not None)
    @rule()
    def apply_and_acknowledge(self):
        update, self.arrived = self.arrived, None
        before = self.held()
        try:
            self.replica.apply(update_message(update))
        except SnapshotWanted:
            assert update.base is not None
            self.watcher.acknowledge({}, snapshot_wanted=True)
        else:
            self.watcher.acknowledge({}, snapshot_wanted=False)
        assert before.keys() - self.withdrawn <= self.held().keys()

    @rule()
    def ask_for_a_snapshot(self):
        self.arrived = None
        self.watcher.acknowledge({}, snapshot_wanted=True)

    @rule()
    def connect_again(self):
        self.hub.leave(self.watcher)
        self.arrived = None
        held = self.replica.identity
        self.watcher = self.hub.join(
            "g", held and Identity(held.store_id, held.incarnation, held.version)
        )

    def held(self):
        return self.replica.carried | self.replica.current

    def teardown(self):
        try:
            self.settle()
            for _ in range(20):
                self.receive()
                if self.arrived is not None:
                    self.apply_and_acknowledge()
        finally:
            watch.MAX_PART = self.max_part

        table = {name: one.body.hash_secret for name, one in self.hub.table.items()}
        assert self.held() == table
        assert self.replica.settled
        assert self.replica.identity.version == self.hub.identity.version


Gateway.TestCase.settings = settings(max_examples=150, stateful_step_count=30)
TestGateway = Gateway.TestCase
