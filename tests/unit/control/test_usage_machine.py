"""Whatever is lost on the way, each request counts exactly once.

The gateway's outbox and control's store are the real ones; what lies between them
loses messages and acknowledgements; control is restarted, or its database locked.
"""

import asyncio
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from control.api.errors import StorageUnavailable
from control.measured import DAY_S, MAX_SHOWN, SHOWN_DAYS
from control.measurements import Measurements
from control.store import usage
from control.store.opening import open_store
from gateway.meter import Meter
from gateway.reasoning import Usage
from gateway.usage_link import Outbox

SERVICES = st.sampled_from(["h/a", "h/b"])
ASSETS = st.sampled_from(["m", "n"])
FATES = ["arrives", "is lost", "ack is lost", "ack is lost"]
FIRST_DAY = 20_000
NUMBERS = st.sampled_from([0, 0, 1])  # of gateways


class Gateway:
    """A gateway process; what it has counted itself is what the totals must become."""

    def __init__(self, name):
        self.reporter = f"reporter{name}"
        self.meter = Meter()
        self.outbox = Outbox(self.meter)


class ExactlyOnce(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.today = FIRST_DAY
        self.set_back = False
        self.lock = None
        self.done = Counter()
        self.gateways = [Gateway(0), Gateway(1)]
        self.started = len(self.gateways)
        self.start_control()

    @property
    def path(self):
        return Path(self.folder.name) / "g.sqlite3"

    def wall_time(self):
        return self.today * DAY_S

    def start_control(self):
        self.store = open_store(self.path, busy_timeout_ms=1, wall_time=self.wall_time)
        self.measurements = Measurements(self.store.writer, self.wall_time, self.store.usage)

    @rule(number=NUMBERS, service=SERVICES, asset=ASSETS, times=st.integers(1, 3))
    def requests_end(self, number, service, asset, times):
        tally = self.gateways[number].meter.tally(service, asset)
        for _ in range(times):
            tally.answered(0.1, 0.3, Usage(2, 3), streamed=True)
            tally.failed("upstream_error")
        self.done[service] += times

    @rule(number=NUMBERS, fate=st.sampled_from(FATES))
    def a_batch_is_sent(self, number, fate):
        gateway = self.gateways[number]
        batch = gateway.outbox.due()
        if batch is None or fate == "is lost":
            return
        increments = [
            (
                (one.service_id, one.asset_id),
                Counter(
                    answered=one.answered,
                    failed=one.errors["upstream_error"],
                    tokens=one.completion_tokens,
                ),
            )
            for one in batch.increments
        ]
        try:
            self.runner.run(self.measurements.add(gateway.reporter, batch.sequence, increments))
        except StorageUnavailable:
            assert self.lock is not None
            return
        if fate == "arrives":
            gateway.outbox.acknowledge(batch.sequence)

    @rule(number=NUMBERS)
    def an_old_acknowledgement_comes_late(self, number):
        batch = self.gateways[number].outbox.due()
        if batch is not None:
            self.gateways[number].outbox.acknowledge(batch.sequence - 1)

    @precondition(lambda self: self.lock is None)
    @rule()
    def control_restarts_with_its_store(self):
        self.store.close()
        self.start_control()

    @precondition(lambda self: self.lock is None)
    @rule()
    def the_database_is_locked(self):
        self.lock = sqlite3.connect(self.path)
        self.lock.execute("BEGIN IMMEDIATE")

    @precondition(lambda self: self.lock is not None)
    @rule()
    def the_database_is_free_again(self):
        self.lock.close()
        self.lock = None

    @rule()
    def a_day_goes_by(self):
        self.today += 1

    @rule(days=st.integers(1, 3))
    def the_clock_is_set_back(self, days):
        self.today -= days
        self.set_back = True

    @precondition(lambda self: all(one.outbox.empty for one in self.gateways))
    @rule(number=NUMBERS)
    def a_gateway_is_replaced_after_it_told_all(self, number):
        self.gateways[number] = Gateway(self.started)
        self.started += 1

    @invariant()
    def memory_is_bounded(self):
        for gateway in self.gateways:
            assert gateway.meter.waiting <= 4  # pairs of a service and an asset

    def teardown(self):
        if self.lock is not None:
            self.the_database_is_free_again()
        for number, gateway in enumerate(self.gateways):
            while not gateway.outbox.empty:
                self.a_batch_is_sent(number, "arrives")
        stored, recent = Counter(), Counter()
        if self.set_back:
            # What was shown of a day that came again is in the store only.
            self.control_restarts_with_its_store()
        days = range(FIRST_DAY - 99, FIRST_DAY + 99)
        totals = self.runner.run(self.store.writer.run(usage.totals, days, MAX_SHOWN))
        for day, services in totals.items():
            for service_id, counts in services.items():
                for measure, count in counts.items():
                    stored[service_id, measure] += count
                    if 0 <= self.today - day < SHOWN_DAYS:
                        recent[service_id, measure] += count
        self.store.close()
        self.runner.close()
        self.folder.cleanup()
        for service in ("h/a", "h/b"):
            for measure, each in (("answered", 1), ("failed", 1), ("tokens", 3)):
                assert stored[service, measure] == each * self.done[service]
                assert recent[service, measure] == self.measurements.of(service)[measure]


TestExactlyOnce = ExactlyOnce.TestCase
TestExactlyOnce.settings = settings(max_examples=80, stateful_step_count=30)
