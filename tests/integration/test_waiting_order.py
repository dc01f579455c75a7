"""What operators write of waiting and priorities, through real processes to the engine."""

import contextlib
import re
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import yaml
from anyio.from_thread import BlockingPortal, start_blocking_portal

from tests.fakes import answers
from tests.fakes.answers import Answer, Hang
from tests.fakes.engine import Engine, Request
from tests.integration.cluster import Cluster, running_cluster
from tests.processes import wait_until

SECONDS = 30.0
KEYS = ["sk-desk", "sk-batch"]
ROLES = {
    "roles": [
        {"role_id": "batch", "operation": "chat", "routing_policy": {"priority": "low"}},
        {"role_id": "desk", "operation": "chat"},
    ]
}


def play(request: Request) -> Answer:
    """Answer at once, but never who says hold."""
    if request.method == "GET":
        return answers.document({"data": [{"id": "small"}]})
    said = request.json()["messages"][0]["content"]
    return [Hang()] if said == "hold" else answers.document(answers.completion(said, "small"))


def ask(cluster: Cluster, said: str, model: str = "desk", key: str = "sk-desk", **headers: str):
    body = {"model": model, "messages": [{"role": "user", "content": said}]}
    return httpx.post(
        f"{cluster.url}/v1/chat/completions",
        json=body,
        headers={"X-Api-Key": key, **headers},
        timeout=SECONDS,
        trust_env=False,
    )


def wait_for(count: int, cluster: Cluster) -> None:
    """Wait until so many requests wait in the gateway."""
    line = f"geniehive_gateway_waiting_requests {count}.0"
    how = {"headers": {"X-Api-Key": KEYS[0]}, "trust_env": False, "timeout": SECONDS}

    def fact() -> bool:
        return line in httpx.get(f"{cluster.url}/metrics", **how).text.splitlines()

    wait_until(fact, SECONDS, line)


@contextlib.contextmanager
def held(cluster: Cluster, portal: BlockingPortal, engine: Engine) -> Iterator[None]:
    """Keep the only slot of the engine until the block ends."""
    before = len(chats(engine))
    body = b'{"model":"small","messages":[{"role":"user","content":"hold"}]}'
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: t\r\nX-Api-Key: {KEYS[0]}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", cluster.gateway.port())) as client:
        client.sendall(head.encode() + body)
        portal.call(engine.until, lambda: len(chats(engine)) > before, SECONDS)
        yield


def chats(engine: Engine) -> list[str]:
    """Return what was said to the engine, in its order."""
    posts = [one for one in engine.requests if one.method == "POST"]
    return [one.json()["messages"][0]["content"] for one in posts]


def test_settings_decide_who_waits_where_and_who_goes_first(tmp_path: Path):
    catalog = tmp_path / "roles.yaml"
    catalog.write_text(yaml.safe_dump(ROLES))
    service = {"service_id": "one", "concurrency": 1}
    settings = {"roles_path": str(catalog), "auth": {"client_api_keys": KEYS}}
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Engine(play)) as engine,
        running_cluster(
            tmp_path, [{**service, "endpoint": engine.url}], control=settings
        ) as cluster,
        ThreadPoolExecutor(8) as threads,
    ):
        cluster.wait_for_model("small", KEYS[0])

        # 1. The slot is taken: who waits is served by priority, whoever came first.
        with held(cluster, portal, engine):
            asked = []
            for said, model, headers in (
                ("of a low role", "batch", {}),
                ("of a usual role", "desk", {}),
                ("of a low role, urgent", "batch", {"X-GenieHive-Priority": "high"}),
            ):
                asked.append(threads.submit(ask, cluster, said, model, **headers))
                wait_for(len(asked), cluster)
        found = [one.result() for one in asked]
        assert [one.status_code for one in found] == [200] * 3
        assert all("x-geniehive-queue-position" in one.headers for one in found)
        assert chats(engine)[1:] == ["of a low role, urgent", "of a usual role", "of a low role"]

        # 2. A key is bounded while control runs, by the id that control told.
        told = re.compile(r"client keys, in their order: .*, (.*)")
        batch = cluster.control.wait_for_log(told, SECONDS)[1]
        bounds = {batch: {"default": "low", "highest": "normal"}}
        rewrite(cluster, tmp_path, {"priority": {"keys": bounds}}, "routing.priority: changed")
        high = {"X-GenieHive-Priority": "high"}
        wait_until(
            lambda: ask(cluster, "x", key=KEYS[1], **high).status_code == 403, SECONDS, "refused"
        )
        error = ask(cluster, "x", key=KEYS[1], **high).json()["error"]
        assert error["code"] == "operation_not_allowed"
        assert error["message"].startswith(f"X-GenieHive-Priority high is more than {batch} may")
        assert ask(cluster, "x", key=KEYS[0], **high).status_code == 200

        # 3. Without the room nobody waits in the gateway.
        rewrite(cluster, tmp_path, {"waiting_room": False}, "routing.waiting_room: off")
        with held(cluster, portal, engine):
            wait_until(
                lambda: "x-geniehive-queue-position" not in ask(cluster, "x").headers,
                SECONDS,
                "it is sent at once",
            )


def rewrite(cluster: Cluster, folder: Path, routing: dict[str, object], news: str) -> None:
    """Change `routing` in the settings that control follows, and wait for what it says of it."""
    path = folder / "control-0.yaml"
    written = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**written, "routing": routing}))
    cluster.control.process.send_signal(signal.SIGHUP)
    cluster.control.wait_for_log(re.compile(news), SECONDS)
