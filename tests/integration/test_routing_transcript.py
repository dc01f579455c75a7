"""Two real llama.cpp servers of different speed behind one role: who answers, and the page."""

from collections.abc import Iterator

import pytest

from control.api.strategies import Strategy
from tests.transcript.__main__ import STRATEGIES
from tests.transcript.pair import COMPARED, FAST, HOSTS, SLOW, Pair, running_pair
from tests.transcript.results import PAGE, filled, read
from tests.transcript.runs import Answer, at_once, learn, load, one_by_one

pytestmark = pytest.mark.anyio

REQUESTS, TOKENS = 6, 4


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running_pair(tmp_path_factory.mktemp("pair")) as running:
        yield running


def services(answers: tuple[Answer, ...]) -> list[str]:
    return [one.service for one in answers]


async def test_what_was_measured_moves_the_score(pair: Pair):
    """The first test of this file: nothing is measured yet."""
    scores = pair.scores()
    assert scores[FAST] == scores[SLOW]
    assert services(await at_once(pair, Strategy.SCORED, 1, TOKENS)) == [SLOW]

    await learn(pair, TOKENS)
    scores = pair.scores()
    assert scores[FAST] > scores[SLOW]


@pytest.mark.parametrize(
    "strategy", [Strategy.SCORED, Strategy.LEAST_LOADED, Strategy.POWER_OF_TWO]
)
async def test_of_two_that_idle_the_better_one_is_asked(pair: Pair, strategy: Strategy):
    """Before any of the tests that make requests wait: nodes tell of those a while after."""
    assert services(await one_by_one(pair, strategy, REQUESTS, TOKENS)) == [FAST] * REQUESTS


async def test_in_turn_is_in_turn_however_fast(pair: Pair):
    first, second, *more = services(await one_by_one(pair, Strategy.ROUND_ROBIN, REQUESTS, TOKENS))

    assert {first, second} == set(HOSTS.values())
    assert more == [first, second] * (REQUESTS // 2 - 1)


async def test_by_score_the_better_one_gets_more_until_requests_wait_there(pair: Pair):
    await learn(pair, TOKENS)
    together = services(await at_once(pair, Strategy.SCORED, REQUESTS, TOKENS))

    assert together.count(FAST) > together.count(SLOW)


async def test_in_turn_each_gets_as_much(pair: Pair):
    together = services(await at_once(pair, Strategy.ROUND_ROBIN, REQUESTS, TOKENS))

    assert together.count(FAST) == together.count(SLOW)


@pytest.mark.parametrize("strategy", [Strategy.LEAST_LOADED, Strategy.POWER_OF_TWO])
async def test_by_load_both_are_asked_when_there_is_much(pair: Pair, strategy: Strategy):
    assert set(services(await at_once(pair, strategy, REQUESTS, TOKENS))) == {FAST, SLOW}


async def test_a_load_is_measured_as_the_page_tells_it(pair: Pair):
    found = await load(pair, Strategy.LEAST_LOADED, REQUESTS, 3, TOKENS)

    assert 0 < found.first_p50_s <= found.first_p95_s <= found.total_s
    assert 0 <= found.by_fast <= REQUESTS


def test_the_page_is_what_the_kept_results_amount_to():
    text = PAGE.read_text()
    assert filled(text, read()) == text, "run `make routing`"


def test_the_kept_results_are_of_these_strategies_and_services():
    found = read()

    assert found.before == SLOW
    assert found.scores[FAST] > found.scores[SLOW]
    for answers in (found.one_by_one, found.at_once):
        assert list(answers) == list(COMPARED)
        assert {one.service for given in answers.values() for one in given} == {FAST, SLOW}
    for loads in (found.unequal, found.equal):
        assert {one.strategy for one in loads} == set(STRATEGIES)
