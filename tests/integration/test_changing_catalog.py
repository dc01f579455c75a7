"""The catalog changes while clients ask for its roles."""

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.integration.cluster import Cluster, running_cluster
from tests.processes import wait_until

SECONDS = 20.0


def ask(cluster: Cluster, role: str) -> int:
    body = {"model": role, "messages": [{"role": "user", "content": "hi"}]}
    url = f"{cluster.url}/v1/chat/completions"
    return httpx.post(url, json=body, timeout=20, trust_env=False).status_code


@contextmanager
def traffic(cluster: Cluster, role: str) -> Iterator[list[int]]:
    """Ask for a role again and again; yields the status of each answer as it comes."""
    answers: list[int] = []
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            answers.append(ask(cluster, role))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


def test_an_invalid_catalog_costs_no_request_and_a_removed_role_is_gone(
    tmp_path: Path, fake_engine: str
):
    catalog = tmp_path / "roles.yaml"
    roles = [f"{{role_id: {name}, operation: chat}}" for name in ("helper", "mentor")]
    catalog.write_text(f"roles: [{', '.join(roles)}]")
    services: list[dict[str, object]] = [
        {"service_id": "s", "kind": "chat", "protocol": "openai", "endpoint": fake_engine}
    ]
    with running_cluster(tmp_path, services, control={"roles_path": str(catalog)}) as cluster:
        cluster.wait_for_model("helper")
        with traffic(cluster, "mentor") as answers:
            catalog.write_text("roles: [{role_id: mentor, operation: chat, strategy: best}]")
            cluster.control.process.send_signal(signal.SIGHUP)
            refusal = re.compile("unknown key strategy.*; routing stays as it was")
            cluster.control.wait_for_log(refusal, SECONDS)
            seen = len(answers)
            wait_until(lambda: len(answers) > seen + 3, SECONDS, "answers after the refusal")
            assert ask(cluster, "helper") == httpx.codes.OK

            catalog.write_text(f"roles: [{roles[1]}]")
            cluster.control.process.send_signal(signal.SIGHUP)
            gone = httpx.codes.NOT_FOUND
            wait_until(lambda: ask(cluster, "helper") == gone, SECONDS, "helper is gone")
            seen = len(answers)
            wait_until(lambda: len(answers) > seen + 3, SECONDS, "answers after the change")

    assert set(answers) == {httpx.codes.OK}
