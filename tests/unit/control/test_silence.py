"""Single judgements; what follows of them in the life of hosts is in `test_membership`."""

import pytest

from control.inventory import HostState
from control.members import Member
from control.silence import Silence
from tests.unit.control.builders import host

LEASE_S = 15.0


def fleet(online=0, silent=0, over=0, lost=0):
    """Hosts at 100 s: heard just now, silent, silent until their lease was over, lost just now."""
    states = {
        "online": (online, HostState.ONLINE, 110.0, 115.0),
        "silent": (silent, HostState.ONLINE, 99.0, 104.0),
        "over": (over, HostState.ONLINE, 90.0, 100.0),
        "lost": (lost, HostState.LOST, 80.0, 90.0),
    }
    return [
        Member(host(f"{name}-{n}"), 1, 0.0, state, silent_at=silent_at, deadline=deadline)
        for name, (count, state, silent_at, deadline) in states.items()
        for n in range(count)
    ]


def judged(members, now=100.0, deaf=False, silence=None):
    lost, spared = (silence or Silence()).judge(members, LEASE_S, now, deaf=deaf)
    return [member.host.host_id for member in lost], spared


def test_who_is_silent_for_a_lease_is_lost():
    assert judged(fleet(online=3, silent=1, over=1)) == (["over-0"], 0)


@pytest.mark.parametrize(
    ("counts", "spared"),
    [
        ({"online": 4, "over": 6}, 6),
        ({"online": 4, "over": 1, "silent": 5}, 6),
        ({"online": 4, "over": 1, "lost": 5}, 1),
        ({"online": 9, "over": 11}, 0),
        ({"over": 4}, 0),
    ],
    ids=["most", "most are silent", "most were lost just now", "half", "few"],
)
def test_when_most_go_silent_together_nobody_is_lost(counts, spared):
    lost, found = judged(fleet(**counts))

    assert found == spared
    assert lost == ([] if spared else [f"over-{n}" for n in range(counts["over"])])


def test_who_hears_no_gateway_either_loses_nobody():
    assert judged(fleet(online=9, over=1), deaf=True) == ([], 1)
    assert judged(fleet(online=9), deaf=True) == ([], 0)


def test_after_that_the_silent_have_a_lease_to_be_heard():
    silence = Silence()
    assert judged(fleet(online=9, over=1), deaf=True, silence=silence) == ([], 1)
    later = fleet(online=9, over=1)

    assert judged(later, now=104.9, silence=silence) == ([], 1)
    assert judged(fleet(online=9), now=109.9, silence=silence) == ([], 0)
    assert judged(fleet(over=1), now=115.0, silence=silence) == (["over-0"], 0)
