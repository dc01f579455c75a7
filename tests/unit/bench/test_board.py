"""Processes see what each other's nodes did."""

from bench.board import Board


def test_what_one_writes_the_other_reads(tmp_path):
    mine = Board.create(tmp_path / "board", nodes=3)
    theirs = Board(tmp_path / "board", nodes=3)

    mine.beats[0] += 2
    theirs.registrations[2] += 1
    theirs.registered_at[2] = 1.5

    assert list(theirs.beats) == [2, 0, 0]
    assert list(mine.registrations) == [0, 0, 1]
    assert list(mine.registered_at) == [0, 0, 1.5]
