"""What the gateway of a small cluster answers over HTTP: `python -m tests.transcript.api`.

Writes the answers in docs/api.md. Requests are those of the page; whatever differs from one
run to the next is told as it might be.
"""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.processes import START_SECONDS, wait_until
from tests.transcript.operations import small_cluster

PAGE = Path(__file__).resolve().parents[2] / "docs/api.md"
EXAMPLE = re.compile(
    r"^```http\n(?P<line>(?P<method>[A-Z]+) (?P<path>\S+)).*\n(?P<body>(?:(?!```).*\n)*)```\n\n"
    r"```json\n(?:(?!```).*\n)*```$",
    re.M,
)
WIDTH = 96

LOCAL_PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+")
MOMENT = 1_775_583_000.0  # on the page, for now
REQUEST_ID = "req_93c1f0d2a1b4e5f60000000000000007"  # on the page, for the last POST
# What a run cannot know of another one, by its name in JSON, and what the page says of it.
CHANGING: dict[str, object] = {
    "last_seen": MOMENT,
    "updated_at": MOMENT,
    "observed_at": MOMENT,
    "report_at": MOMENT,
    "report_age_s": 0.8,
    "route_age_s": 2.5,
    "route_version": 12,
    "uptime_s": 97.1,
    "control_version": "1.0.0",
    "node_key_id": "static:1f3a9c02",
    "cpu_threads": 16,
    "ram_gb": 67.1,
    "cpu_utilization": 0.07,
    "memory_available_bytes": 42_949_672_960,
    "gpus": [],
    "on_ac_power": None,
    "temperature_c": None,
    "problems": [],
    "sample_id": "gpu-1/llama@1775583000000",
    "latency_ms": 3.2,
    "benchmark_age_s": 0.1,
    "weight": 1.0,
    "incarnation": "c9f0f895",
    "store_id": "45c48cce",
    "version": 12,
    "began_at": MOMENT,
    "began_s": 0.0004,
    "overhead_ms": 0.4,
    "first_byte_s": 1.25,
    "duration_s": 1.25,
}


@contextmanager
def running() -> Iterator[httpx.Client]:
    """Run a small cluster whose services are probed; yield a client of its gateway."""
    with (
        small_cluster(probe_interval_s=0.5) as (_, url),
        httpx.Client(base_url=url, trust_env=False, timeout=START_SECONDS) as client,
    ):
        wait_until(lambda: _is_whole(client), START_SECONDS, "services are probed, and listed")
        yield client


def _is_whole(client: httpx.Client) -> bool:
    services, models = client.get("/v1/cluster/services"), client.get("/v1/models")
    if not (services.is_success and models.is_success):
        return False
    probes = [one["state"]["probe"] for one in services.json()]
    listed = [one["geniehive"] for one in models.json()["data"]]
    return (
        len(probes) == 2
        and all(one and one["health"] == "healthy" for one in probes)
        and len(listed) == 3
        and all("offload_hint" in one for one in listed)
    )


def made(page: str, client: httpx.Client) -> str:
    """Return `page` with the answers that its requests get."""
    last_post = ""

    def example(found: re.Match[str]) -> str:
        nonlocal last_post
        path = found["path"].replace(REQUEST_ID, last_post)
        body = found["body"].strip().replace(str(MOMENT), str(time.time())) or None
        kind = {"content-type": "application/json"} if body else None
        answer = client.request(found["method"], path, content=body, headers=kind)
        if found["method"] == "POST":
            last_post = answer.headers["x-request-id"]
        told = f"  # {answer.status_code}" if answer.status_code != httpx.codes.OK else ""
        shown = _pretty(_masked(answer.json()))
        return (
            f"```http\n{found['line']}{told}\n{found['body']}```\n\n"
            f"```json\n{LOCAL_PORT.sub('8080', shown)}\n```"
        )

    return EXAMPLE.sub(example, page)


def _masked(value: Any, name: str = "") -> Any:
    """Return `value`, which stands under `name`, as it might be in another run."""
    if isinstance(value, dict):
        known = {key: _masked(one, key) for key, one in value.items()}
        if str(value.get("id")).startswith("chatcmpl"):
            known |= {"id": "chatcmpl-1", "created": int(MOMENT)}
        if value.get("object") == "request":
            known |= {"id": REQUEST_ID}
        return known
    if isinstance(value, list):
        return CHANGING.get(name, [_masked(one) for one in value])
    return value if value is None else CHANGING.get(name, value)


def _pretty(value: Any, indent: int = 0) -> str:
    """Return JSON in which whatever fits stands on one line."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= WIDTH or not isinstance(value, dict | list):
        return line
    inner = "\n" + " " * (indent + 2)
    if isinstance(value, list):
        items = (_pretty(one, indent + 2) for one in value)
        return f"[{inner}" + f",{inner}".join(items) + "\n" + " " * indent + "]"
    pairs = (f"{json.dumps(key)}: {_pretty(one, indent + 2)}" for key, one in value.items())
    return f"{{{inner}" + f",{inner}".join(pairs) + "\n" + " " * indent + "}"


def main() -> None:
    """Ask, and write the page."""
    with running() as client:
        PAGE.write_text(made(PAGE.read_text(), client))


if __name__ == "__main__":
    main()
