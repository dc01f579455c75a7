"""kubernetes/kubernetes#24597: most of the nodes were cut off, and their work was deleted."""

from tests.unit.control.builders import beat


def test_when_six_of_ten_are_silent_none_of_them_is_lost(members):
    for number in range(6, 10):
        member = members.members[f"h{number}"]
        for second in range(1, 31):
            members.beat(beat(member.lease, second), float(second))

    assert members.expire(30.5) == ([], 6)
