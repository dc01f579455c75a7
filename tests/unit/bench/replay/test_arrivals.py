import pytest

from bench.replay.arrivals import Arrival, Pace, arrivals, body, prompt
from tests.unit.bench.replay.made import conversation, singles


def test_all_come_as_they_came():
    due = arrivals(singles(), Pace())

    assert len(due) == 300
    assert [one.due for one in due[:3]] == pytest.approx([0, 1.3, 2.6])


def test_a_speed_makes_the_time_shorter():
    assert arrivals(singles(), Pace(speed=2))[2].due == pytest.approx(1.3)


def test_a_rate_is_the_mean():
    due = arrivals(singles(), Pace(rate=10, speed=0))

    assert due[-1].due == pytest.approx(300 / 10)


def test_a_rate_for_some_time_takes_as_many_as_come_in_it():
    due = arrivals(singles(), Pace(rate=10, speed=0, duration=5))

    assert len(due) == 50
    assert due[-1].due == pytest.approx(5)


def test_sessions_are_taken_whole():
    due = arrivals(conversation(), Pace(count=100))

    assert len(due) == 100
    assert len({one.blocks[1] % 100 for one in due}) == 10


def test_lengths_are_scaled_and_never_nothing():
    (first, *_) = arrivals(singles(), Pace(scale=1e-6))

    assert (first.prompt, first.answer) == (1, 1)


def test_a_prompt_has_as_many_words_as_tokens():
    assert len(prompt(Arrival(0, 0, 700, 5, (1,)), 1).split()) == 700
    assert len(prompt(Arrival(0, 0, 70, 5, (1, 2, 3)), 1).split()) == 70


def test_prompts_that_share_blocks_begin_alike_and_others_do_not():
    one, again, other = (
        prompt(Arrival(number, 0, 80, 5, blocks), 0.1).split()
        for number, blocks in ((0, (1,)), (1, (1,)), (2, (7,)))
    )

    assert one[:51] == again[:51]
    assert one[51:] != again[51:]
    assert one[:51] != other[:51]


def test_a_request_says_how_long_its_answer_may_be():
    arrival = Arrival(0, 0, 3, 9, ())

    assert (
        body(arrival, "m", 1, whole=False).items()
        >= {
            "model": "m",
            "max_tokens": 9,
            "stream": True,
        }.items()
    )
    assert "ignore_eos" not in body(arrival, "m", 1, whole=False)
    assert body(arrival, "m", 1, whole=True)["ignore_eos"] is True
