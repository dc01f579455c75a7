"""Workers see each other's requests exactly, whatever services and workers come and go."""

import contextlib
import subprocess
import sys
import tempfile

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway import cells as module
from gateway.cells import COUNT, HELD, Busy, Cells

WORKERS = 3
SERVICES = [f"h/{number}" for number in range(6)]


@pytest.fixture
def table():
    with contextlib.closing(Cells.create(2)) as parent:
        yield parent


def worker(parent, number):
    return Cells(parent.fd, 2, number)


def total(cell):
    return sum(cell.row) & COUNT


def test_two_workers_share_a_row(table):
    one, two = worker(table, 0).cell("h/a"), worker(table, 1).cell("h/a")
    one.row[one.mine] = HELD + 3
    two.row[two.mine] = HELD + 4

    assert (total(one), total(two)) == (7, 7)


def test_one_worker_asks_twice_for_the_same_cell(table):
    cells = worker(table, 0)

    assert cells.cell("h/a") is cells.cell("h/a")


def test_services_that_come_and_go_for_weeks_leave_no_rows_taken(table, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 8)
    monkeypatch.setattr(module, "WINDOW", 8)
    cells = worker(table, 0)

    for number in range(1_000):
        kept = [cells.cell(f"h/{number}/{one}") for one in range(8)]
        assert all(len(cell.row) == 2 for cell in kept)
        kept.clear()


def test_a_full_table_costs_the_view_of_others_and_nothing_else(table, monkeypatch, caplog):
    monkeypatch.setattr(module, "ROWS", 2)
    monkeypatch.setattr(module, "WINDOW", 2)
    one, two = worker(table, 0), worker(table, 1)
    kept = [one.cell(f"h/{number}") for number in range(2)]
    mine, other = one.cell("h/more"), two.cell("h/more")
    mine.row[mine.mine] = HELD + 5

    assert (total(mine), total(other)) == (5, 0)
    assert caplog.text.count("too many services") == 2
    assert [total(cell) for cell in kept] == [0, 0]


LOCKS = """
import fcntl, sys
fcntl.lockf(int(sys.argv[1]), fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_sibling_frozen_with_the_lock_delays_nobody_for_long(table, caplog):
    with subprocess.Popen(
        [sys.executable, "-c", LOCKS, str(table.fd)],
        pass_fds=[table.fd],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as sibling:
        assert sibling.stdout.readline() == b"locked\n"
        cell = worker(table, 0).cell("h/a")
        sibling.stdin.close()

    assert len(cell.row) == 1
    assert "another worker holds the table" in caplog.text


def test_what_siblings_told_control_is_known(table):
    one, two = worker(table, 0), worker(table, 1)
    cell, other = one.cell("h/a"), two.cell("h/a")
    two.tell({"h/a": Busy(4, 0.5), "h/unknown": Busy(1)})

    def told(cell):
        return cell.told_by_siblings, cell.pending_told_by_siblings

    assert (told(cell), told(other)) == ((4, 500_000), (0, 0))
    two.tell({"h/a": Busy(1, 0.75)})
    assert told(cell) == (4, 750_000)  # what control tells may be from before
    two.tell({})
    assert told(cell) == (1, 750_000)
    two.unheard()
    assert told(cell) == (0, 0)


class Table(RuleBasedStateMachine):
    """The model: what each worker has in flight, by service it uses."""

    def __init__(self):
        super().__init__()
        # Few rows, so that names meet in one window.
        self.rows, self.window = module.ROWS, module.WINDOW
        module.ROWS, module.WINDOW = 8, 8
        self.parent = Cells.create(WORKERS)
        self.workers = [Cells(self.parent.fd, WORKERS, n) for n in range(WORKERS)]
        self.held = [{} for _ in range(WORKERS)]
        self.model = [{} for _ in range(WORKERS)]

    @rule(number=st.integers(0, WORKERS - 1), service=st.sampled_from(SERVICES))
    def use(self, number, service):
        self.held[number][service] = self.workers[number].cell(service)
        self.model[number].setdefault(service, 0)

    @rule(
        number=st.integers(0, WORKERS - 1),
        service=st.sampled_from(SERVICES),
        count=st.integers(0, 2**20),
    )
    def count(self, number, service, count):
        cell = self.held[number].get(service)
        if cell is not None:
            cell.row[cell.mine] = HELD + count
            self.model[number][service] = count

    @rule(number=st.integers(0, WORKERS - 1), service=st.sampled_from(SERVICES))
    def leave(self, number, service):
        self.held[number].pop(service, None)
        self.model[number].pop(service, None)

    @rule(number=st.integers(0, WORKERS - 1))
    def die(self, number):
        # The dead write no more: what their cells would do last happens before the parent acts.
        self.held[number].clear()
        self.model[number].clear()
        self.parent.clear(number)
        self.workers[number] = Cells(self.parent.fd, WORKERS, number)

    @invariant()
    def sums_are_right(self):
        for held, model in zip(self.held, self.model, strict=True):
            assert held.keys() == model.keys()
            for service, cell in held.items():
                assert total(cell) == sum(one.get(service, 0) for one in self.model)

    def teardown(self):
        self.held.clear()
        self.workers.clear()
        self.parent.close()
        module.ROWS, module.WINDOW = self.rows, self.window


TestTable = Table.TestCase
TestTable.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)


def test_a_dead_workers_column_is_cleared(table):
    one, two = worker(table, 0).cell("h/a"), worker(table, 1).cell("h/a")
    two.row[two.mine], two.pending[two.mine] = HELD + 9, 1_000
    table.clear(1)

    assert (total(one), sum(one.pending)) == (0, 0)


def test_a_frozen_worker_counts_for_nothing_until_it_tells_what_it_has(table):
    one, two = worker(table, 0), worker(table, 1)
    cell, frozen = one.cell("h/a"), two.cell("h/a")
    frozen.row[frozen.mine], frozen.pending[frozen.mine] = HELD + 9, 1_000
    two.tell({"h/a": Busy(9, 0.001)})
    table.suspend(1)
    assert (total(cell), sum(cell.pending), cell.told_by_siblings) == (0, 0, 0)

    del cell  # which leaves the row to the other alone
    two.tell({"h/a": Busy(8, 0.002)})
    again = one.cell("h/a")
    assert (total(again), sum(again.pending), again.told_by_siblings) == (8, 2_000, 9)


def test_whoever_gets_a_row_anew_has_nothing_pending_there(table):
    cells = worker(table, 0)
    cell = cells.cell("h/a")
    cell.pending[cell.mine] = 1_000
    del cell

    assert sum(cells.cell("h/a").pending) == 0


def test_a_row_of_the_dead_is_anothers_only_when_nobody_uses_it(table):
    one, two = worker(table, 0), worker(table, 1)
    kept, other = one.cell("h/a"), two.cell("h/a")
    table.clear(1)
    again = Cells(table.fd, 2, 1).cell("h/a")
    kept.row[kept.mine] = HELD + 2

    assert total(again) == 2
    del other


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have files only")
def test_a_full_disk_takes_nothing_away_from_the_table(monkeypatch):
    """A page of a file that has no room on its disk is a SIGBUS for who touches it."""
    monkeypatch.setattr(tempfile, "mkstemp", None)

    with contextlib.closing(Cells.create(2)) as parent:
        assert total(worker(parent, 0).cell("h/a")) == 0
