"""Two gateways of one control: each sees what the other has under way."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.processes import START_SECONDS, Service, spawning, stop_all, wait_until

MESSAGES = [{"role": "user", "content": "Say hello"}]
STREAMS = 4
BOTH = ["h1/one", "h1/two"]  # ties go to the first
# However fast a busy machine lets either of them seem, they stay alike.
ALIKE = {"runtime": {"latency_ms": [], "slower": 0, "tokens_per_second": []}}


class Pair:
    """Two gateways before the same two engines, `h1/one` and `h1/two`, alike in all."""

    def __init__(self, gateways: list[Service]) -> None:
        self.gateways = gateways
        self.urls = [f"http://127.0.0.1:{gateway.port()}" for gateway in gateways]

    def choice(self, number: int) -> str:
        """Return the service that a gateway asks for `small` now."""
        answer = httpx.post(
            f"{self.urls[number]}/v1/chat/completions",
            json={"model": "small", "messages": MESSAGES},
            trust_env=False,
            timeout=START_SECONDS,
        )
        return answer.headers.get("x-geniehive-service", "none")

    def wait_for_choice(self, number: int, service: str) -> None:
        wait_until(lambda: self.choice(number) == service, START_SECONDS, f"choice of {service}")

    def knows_both(self, number: int) -> bool:
        """Return whether both serve `small`, and can be asked by their own names."""

        def services(name: str) -> list[str]:
            model = httpx.get(f"{self.urls[number]}/v1/models/{name}", trust_env=False)
            return model.json()["geniehive"]["services"] if model.is_success else []

        return services("small") == BOTH and all(services(one) == [one] for one in BOTH)

    @contextmanager
    def streaming(self, number: int, service: str) -> Iterator[None]:
        """Keep long answers of one service under way through a gateway."""
        body = {"model": service, "messages": MESSAGES, "stream": True}
        with httpx.Client(trust_env=False, timeout=START_SECONDS) as client, ExitStack() as streams:
            for _ in range(STREAMS):
                answer = streams.enter_context(
                    client.stream("POST", f"{self.urls[number]}/v1/chat/completions", json=body)
                )
                assert answer.status_code == httpx.codes.OK
                next(answer.iter_raw())
            yield


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Two engines whose streams take minutes."""
    folder: Path = tmp_path_factory.mktemp("engines")
    slow = ["tests.fakes.engine", "--model", "small", "--pace", "0.2", "--words", "1000"]
    running = [Service(slow, folder / f"{name}.log") for name in ("one", "two")]
    try:
        yield [f"http://127.0.0.1:{engine.port()}" for engine in running]
    finally:
        stop_all(running)


@pytest.fixture
def pair(engines: list[str], tmp_path: Path) -> Iterator[Pair]:
    with spawning(tmp_path) as spawn:
        storage = {"sqlite_path": str(tmp_path / "geniehive.sqlite3")}
        routing = {"default_strategy": "least_loaded", "scoring": ALIKE}
        settings = {"listen": "127.0.0.1:0", "storage": storage, "routing": routing}
        control = spawn("control", settings)
        address = f"127.0.0.1:{control.port()}"
        services = [
            {"service_id": name, "endpoint": url}
            for name, url in zip(("one", "two"), engines, strict=True)
        ]
        spawn("node", {"control": address, "node": {"host_id": "h1"}, "services": services})
        found = Pair(
            [
                spawn("gateway", {"listen": "127.0.0.1:0", "control": address, "drain": 0.1})
                for _ in range(2)
            ]
        )
        wait_until(
            lambda: found.knows_both(0) and found.knows_both(1), START_SECONDS, "both engines"
        )
        yield found


def test_requests_through_one_gateway_make_the_other_choose_elsewhere(pair: Pair):
    assert pair.choice(1) == "h1/one"
    with pair.streaming(0, "h1/one"):
        pair.wait_for_choice(1, "h1/two")
    pair.wait_for_choice(1, "h1/one")


def test_what_a_dead_gateway_had_under_way_counts_no_more(pair: Pair):
    with pair.streaming(0, "h1/one"):
        pair.wait_for_choice(1, "h1/two")
        pair.gateways[0].kill()
        pair.wait_for_choice(1, "h1/one")
