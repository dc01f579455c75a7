"""Three real llama.cpp servers; they are killed, stopped and started while clients ask."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import openai
import pytest

from tests.chaos.engines import Mortal, mortals, services
from tests.chaos.world import serving
from tests.integration.conftest import start_llamacpp
from tests.processes import START_SECONDS, wait_until

MODEL = "smollm2-135m"
HELLO = [{"role": "user", "content": "Say hello in one short sentence."}]
LONG = [{"role": "user", "content": "Count from one to five hundred, in words."}]
# Long enough for a model on a busy machine, short enough for a test.
SETTINGS = {
    "timeouts": {"connect": 1.0, "first_byte": 3.0, "first_event": 3.0, "idle": 3.0},
    "ejection": {"failures": 2, "pause": 0.5, "slow_start": 0.5},
}
REQUESTS = 12
AT_ONCE = 3


class World:
    """The engines `h/e0` to `h/e2`, and a client of a gateway before them."""

    def __init__(self, engines: list[Mortal], client: openai.OpenAI) -> None:
        self.engines = engines
        self.client = client

    def ask(self, number: int) -> str:
        """Ask once, every second time for a stream; return which service answered."""
        sent = partial(
            self.client.chat.completions.with_raw_response.create,
            model=MODEL,
            messages=HELLO,
            max_tokens=4,
        )
        if number % 2:
            answer = sent(stream=True)
            chunks = list(answer.parse())
            assert chunks[-1].choices[0].finish_reason
        else:
            answer = sent()
            assert answer.parse().choices[0].message.content
        return str(answer.headers["x-geniehive-service"])

    def ask_often(self) -> set[str]:
        """Return which services answered many requests; each of these has to be answered."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return set(pool.map(self.ask, range(REQUESTS)))


@contextmanager
def running(folder: Path) -> Iterator[World]:
    starts = [partial(start_llamacpp, folder / f"llamacpp-{number}.log") for number in range(3)]
    with (
        mortals(*starts) as engines,
        serving(folder, services([one.address for one in engines], MODEL), **SETTINGS) as here,
        openai.OpenAI(
            base_url=f"http://127.0.0.1:{here.port}/v1", api_key="none", max_retries=0
        ) as client,
    ):
        yield World(engines, client)


def test_clients_are_served_while_engines_die_hang_and_return(tmp_path):
    with running(tmp_path) as world:
        dies, hangs, _ = world.engines
        stream = iter(
            world.client.chat.completions.create(
                model="h/e0", messages=LONG, max_tokens=400, stream=True
            )
        )
        next(stream)

        with hangs.life.frozen():
            dies.kill()
            # What has begun ends with an error: nobody could go on where it was.
            with pytest.raises(openai.APIError) as caught:
                list(stream)
            assert caught.value.code == "upstream_error"
            assert world.ask_often() == {"h/e2"}

        dies.revive()
        wait_until(
            lambda: world.ask_often() == {"h/e0", "h/e1", "h/e2"},
            START_SECONDS,
            "all of them serve again",
        )
