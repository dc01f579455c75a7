from control.pace import MAX_WINDOW_S, reconnect_window
from control.settling import NOTICED_S, RETURN_WINDOWS, SMALL_FLEET, Settling

GRACE_S = 30.0


def test_an_empty_control_waits_for_the_grace_period():
    settling = Settling(0, GRACE_S, now=0.0)

    assert not settling.settled(returning=0, online=3, now=GRACE_S - 0.1)
    assert settling.settled(returning=0, online=3, now=GRACE_S)


def test_all_that_were_expected_are_enough_once_others_had_a_moment():
    settling = Settling(2, GRACE_S, now=0.0)
    moment = NOTICED_S + reconnect_window(2)

    assert not settling.settled(returning=0, online=2, now=moment - 0.1)
    assert not settling.settled(returning=1, online=1, now=moment)
    assert settling.settled(returning=0, online=2, now=moment)


def test_a_large_fleet_has_as_long_as_it_was_told_to_take():
    settling = Settling(10_000, GRACE_S, now=0.0)

    assert not settling.settled(returning=1, online=9_999, now=GRACE_S + 30)
    assert not settling.grace_is_over(now=GRACE_S + 30)
    assert settling.settled(returning=1, online=9_999, now=RETURN_WINDOWS * MAX_WINDOW_S)


def test_a_large_fleet_that_control_forgot_is_waited_for_as_long_as_it_comes():
    settling = Settling(0, GRACE_S, now=0.0)
    for second in range(51):
        settling.met(now=float(second))
        assert not settling.settled(returning=0, online=200 * (second + 1), now=float(second))

    assert settling.settled(returning=0, online=10_000, now=50 + NOTICED_S)


def test_a_fleet_that_never_stops_to_grow_is_not_waited_for_without_end():
    settling = Settling(0, GRACE_S, now=0.0)
    latest = RETURN_WINDOWS * MAX_WINDOW_S
    settling.met(now=latest)

    assert settling.settled(returning=0, online=SMALL_FLEET + 1, now=latest)


def test_what_is_settled_stays_so():
    settling = Settling(0, GRACE_S, now=0.0)
    settling.settled(returning=0, online=SMALL_FLEET + 1, now=GRACE_S)
    settling.met(now=GRACE_S)

    assert settling.settled(returning=5, online=SMALL_FLEET + 1, now=GRACE_S)
