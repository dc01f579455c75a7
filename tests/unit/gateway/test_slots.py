"""What workers tell each other over shared memory, whole or not at all."""

import contextlib

import pytest

from gateway import slots
from gateway.slots import HALF, Slots


@pytest.fixture
def both():
    with contextlib.closing(Slots.create(2)) as parent:
        yield Slots(parent.fd, 2, 0), Slots(parent.fd, 2, 1)


def test_what_was_written_last_is_read_by_siblings(both):
    first, second = both
    first.write(b"a" * 1_000)
    first.write(b"b")
    second.write(b"c")

    assert second.read_all() == first.read_all() == [b"b", b"c"]


def test_nothing_was_written_at_first(both):
    assert both[0].read_all() == [b"", b""]


def test_a_writer_that_died_while_it_wrote_left_what_was_there(both, monkeypatch):
    first, second = both
    first.write(b"old")
    monkeypatch.setattr(slots.zlib, "crc32", lambda content: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        first.write(b"new")
    monkeypatch.undo()

    assert second.read(0) == b"old"
    Slots(first.fd, 2, 0).write(b"newer")
    assert second.read(0) == b"newer"


def test_what_does_not_fit_is_refused_and_the_rest_stays(both):
    first, second = both
    first.write(b"old")
    with pytest.raises(ValueError, match="too much for a slot"):
        first.write(b"x" * HALF)

    assert second.read_all() == [b"old", b""]


def test_damage_is_not_read(both):
    first, second = both
    first.write(b"old")
    at = first._memory.find(b"old")
    second._memory[at : at + 1] = b"O"

    assert second.read(0) == b""
