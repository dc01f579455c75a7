from control.pace import Rhythm, return_time
from control.settling import LATEST_S, MOMENT_S, SMALL_FLEET, Settling

GRACE_S = 30.0
RHYTHM = Rhythm()


def started(expected, rhythm=RHYTHM):
    return Settling(
        expected=expected > 0,
        return_time=return_time(rhythm, expected),
        grace=GRACE_S,
        now=0.0,
    )


def test_an_empty_control_waits_for_the_grace_period():
    settling = started(0)

    assert not settling.settled(returning=0, online=3, now=GRACE_S - 0.1)
    assert settling.settled(returning=0, online=3, now=GRACE_S)


def test_all_that_were_expected_are_enough_once_others_had_a_moment():
    settling = started(2)
    moment = MOMENT_S + return_time(RHYTHM, 2)

    assert not settling.settled(returning=0, online=2, now=moment - 0.1)
    assert not settling.settled(returning=1, online=1, now=moment)
    assert settling.settled(returning=0, online=2, now=moment)


def test_a_large_fleet_has_as_long_as_it_was_told_to_take():
    settling = started(10_000)

    assert not settling.settled(returning=1, online=9_999, now=GRACE_S + 30)
    assert not settling.grace_is_over(now=GRACE_S + 30)
    assert settling.settled(
        returning=1, online=9_999, now=1.25 * return_time(RHYTHM, 10_000) + MOMENT_S
    )


def test_hosts_that_beat_seldom_have_until_their_next_beat_and_longer():
    settling = started(2, Rhythm(interval=300.0))

    assert not settling.grace_is_over(now=300.0 + MOMENT_S)
    assert settling.grace_is_over(now=400.0)


def test_a_large_fleet_that_control_forgot_is_waited_for_as_long_as_it_comes():
    settling = started(0)
    for second in range(51):
        settling.met(now=float(second))
        assert not settling.settled(returning=0, online=200 * (second + 1), now=float(second))

    assert settling.settled(returning=0, online=10_000, now=50 + MOMENT_S)


def test_a_fleet_that_never_stops_to_grow_is_not_waited_for_without_end():
    settling = started(0)
    settling.met(now=LATEST_S)

    assert settling.settled(returning=0, online=SMALL_FLEET + 1, now=LATEST_S)


def test_what_is_settled_stays_so():
    settling = started(0)
    settling.settled(returning=0, online=SMALL_FLEET + 1, now=GRACE_S)
    settling.met(now=GRACE_S)

    assert settling.settled(returning=5, online=SMALL_FLEET + 1, now=GRACE_S)
