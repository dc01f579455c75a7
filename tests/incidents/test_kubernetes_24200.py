"""kubernetes/kubernetes#24200: when the master came back, it evicted what it had not heard of."""

from tests.unit.control.builders import beat


def test_when_the_network_is_back_nobody_is_lost_for_the_time_it_was_away(members):
    assert members.expire(60.0)[0] == []
    for second in (60.5, 61.5):  # one after the other is heard again
        for member in list(members.members.values())[: int(second - 60) * 5 + 5]:
            members.beat(beat(member.lease, int(second)), second)
        assert members.expire(second)[0] == []
    assert members.expire(62.0) == ([], 0)
