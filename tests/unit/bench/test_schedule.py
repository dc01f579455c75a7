from bench.schedule import NANOSECONDS, ClosedLoop, OpenLoop

SECOND = NANOSECONDS
START = 5 * SECOND


def taken(schedule: OpenLoop, now: int) -> list[int]:
    found = []
    while (due := schedule.take(now)) is not None:
        found.append(due)
    return found


def test_requests_go_at_the_rate_from_the_start_on():
    schedule = OpenLoop(START, 4.0)

    assert taken(schedule, START - 1) == []
    assert taken(schedule, START) == [START]
    assert taken(schedule, START + SECOND) == [START + SECOND * n // 4 for n in (1, 2, 3, 4)]


def test_a_late_request_counts_from_when_it_was_meant_to_go():
    schedule = OpenLoop(START, 1.0)

    assert taken(schedule, START + 3 * SECOND + 1) == [START + n * SECOND for n in range(4)]


def test_what_did_not_go_is_known():
    schedule = OpenLoop(START, 10.0)
    schedule.take(START)

    assert schedule.behind(START) == 0
    assert schedule.behind(START + SECOND) == 10
    assert OpenLoop(START, 10.0).behind(START - 1) == 0


def test_the_wait_is_until_the_next_one():
    schedule = OpenLoop(START, 2.0, taken=1)

    assert schedule.wait(START) == 0.5
    assert schedule.wait(START + SECOND) == -0.5


def test_rounding_does_not_add_up():
    schedule = OpenLoop(0, 3.0)

    assert len(taken(schedule, 1_000 * SECOND)) == 3_001


def test_a_closed_loop_sends_at_once():
    schedule = ClosedLoop()

    assert schedule.take(7) == 7
    assert schedule.behind(7) == 0
