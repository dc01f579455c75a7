"""Workloads through a real gateway, with control and a node as processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click.testing
import pytest

from bench.__main__ import bench as command
from tests.fakes.answers import Answer, Hang, Reset
from tests.fakes.engine import Engine, Request, Script, openai
from tests.integration.cluster import running_cluster

SECONDS = 60.0
WORDS = """\
workload: my.words
operation: chat
cases:
  - {case: one, prompt: Say a word, expect: {contains_all: [word]}}
  - {case: two, prompt: Say a number, expect: {matches: '[0-9]'}}
"""
VECTORS = """\
workload: my.vectors
operation: embeddings
cases:
  - {case: one, input: [one, two], expect: {dimensions_at_least: 4}}
"""


class Engines:
    """Engines on a loop in a thread of its own, since commands block this one."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._started: list[Engine] = []

    def __enter__(self) -> "Engines":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._started:
            self._do(one.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self, script: Script) -> str:
        """Start an engine; return its address."""
        engine = Engine(script)
        self._do(engine.start())
        self._started.append(engine)
        return engine.url

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(SECONDS)


class Frail:
    """The script of an engine that turns bad after so many chats, as it was told."""

    def __init__(self) -> None:
        self.turned = threading.Event()
        self._good = openai(["frail"])
        self._bad: Answer = []
        self._left = sys.maxsize

    def turn(self, chats: int, bad: Answer) -> None:
        self.turned.clear()
        self._left, self._bad = chats, bad

    def __call__(self, request: Request) -> Answer:
        if request.method == "POST":
            self._left -= 1
            if self._left < 0:
                self.turned.set()
                return self._bad
        return self._good(request)


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the command finds the cluster, and the folder that it runs in."""

    environment: dict[str, str]
    folder: Path
    frail: Frail
    engine: str  # the address of `one`

    def say(self, *arguments: str) -> click.testing.Result:
        return click.testing.CliRunner(env=self.environment).invoke(command, arguments)

    def run(self, *arguments: str) -> click.testing.Result:
        return self.say("run", *arguments)

    def report(self, *arguments: str) -> dict[str, Any]:
        ended = self.run(*arguments, "--json")
        assert ended.exit_code == 0, ended.output
        found: dict[str, Any] = json.loads(ended.stdout)
        assert found["schema"] == "geniehive.bench_report/1"
        return found

    def written(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / name).read_text())
        return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder, frail = tmp_path_factory.mktemp("runs"), Frail()
    (folder / "words.yaml").write_text(WORDS)
    (folder / "vectors.yaml").write_text(VECTORS)
    scripts = {
        "one": openai(["small"], pace=0.005),
        "two": openai(["small"], pace=0.005),
        "frail": frail,
        "embed": openai(["vectors"]),
    }
    with Engines() as engines:
        services: list[dict[str, object]] = [
            {"service_id": name, "endpoint": engines.start(script)}
            for name, script in scripts.items()
        ]
        services[-1]["kind"] = "embeddings"
        with running_cluster(folder, services) as running:
            for model in ("small", "frail", "vectors"):
                running.wait_for_model(model)
            environment = {
                "GENIEHIVE_GATEWAY": running.url,
                "GENIEHIVE_CONTROL": running.control_address,
            }
            yield Bench(environment, folder, frail, str(services[0]["endpoint"]))


@pytest.fixture
def bench(cluster: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(cluster.folder)
    cluster.frail.turn(sys.maxsize, [])
    return cluster


def test_what_a_model_was_asked_counts_for_the_services_that_answered(bench):
    found = bench.report(
        *("words.yaml", "--target", "small", "--concurrency", "4", "--repeats", "10"),
        *("--no-ingest", "--html", "page.html"),
    )
    samples = {(one["service_id"], one["asset_id"]): one["results"] for one in found["samples"]}

    assert samples.keys() == {("h1/one", "small"), ("h1/two", "small")}
    assert sum(one["request_count"] for one in samples.values()) == 20
    assert found["complete"]
    assert found["unattributed"] == 0
    passed = {one["case"]: one["passed"] for one in found["requests"]}
    assert passed == {"one": True, "two": False}
    assert all(one["ttft_ms"] > 0 and one["inter_token_ms"] > 0 for one in samples.values())
    assert bench.written(found["path"])["samples"] == found["samples"]
    assert "<svg" in (bench.folder / "page.html").read_text()


def test_embeddings_have_no_tokens_and_may_pass_all_the_same(bench):
    found = bench.report("vectors.yaml", "--target", "vectors", "--no-ingest")
    (sample,) = found["samples"]

    assert (sample["service_id"], sample["asset_id"]) == ("h1/embed", "vectors")
    assert sample["results"]["pass_rate"] == 1.0
    assert sample["results"]["ttft_ms"] is None


def test_an_engine_that_is_asked_directly_signs_nothing(bench):
    arguments = ("words.yaml", "--target", "small", "--gateway", bench.engine, "--no-ingest")
    ended = bench.run(*arguments, "-o", "unsigned.json")
    named = bench.report(*arguments, "--service-id", "h1/one")

    assert "6 answers without a service, counted for none" in ended.stderr
    assert bench.written("unsigned.json")["samples"] == []
    assert [one["service_id"] for one in named["samples"]] == ["h1/one"]


def test_everybody_is_asked_by_their_own_names(bench):
    found = bench.report("words.yaml", "vectors.yaml", "--all", "--repeats", "1", "--no-ingest")
    asked = {(one["service_id"], one["workload"]) for one in found["samples"]}

    assert asked == {
        ("h1/one", "my.words"),
        ("h1/two", "my.words"),
        ("h1/frail", "my.words"),
        ("h1/embed", "my.vectors"),
    }
    assert {one["target"] for one in found["requests"]} == {service for service, _ in asked}


def test_results_are_kept_once_and_count_at_once(bench):
    ended = bench.run("words.yaml", "--target", "small", "-o", "kept.json")
    services = sorted({one["service_id"] for one in bench.written("kept.json")["samples"]})
    again = bench.say("ingest", "kept.json", "--json")
    listed = json.loads(bench.say("list", "--workload", "my.words", "--json").stdout)["samples"]

    assert f"ingested, re-scored: {', '.join(services)}" in ended.stderr
    (file,) = json.loads(again.stdout)["files"]
    assert (file["created_count"], file["replaced_count"]) == (0, len(services))
    assert sorted(one["service_id"] for one in listed) == services
    assert all(one["weight"] == 1.0 and one["service_known"] for one in listed)
    assert {one["results"]["source"] for one in listed} == {"geniehive-benchmark-runner"}
    assert bench.say("list", "--service", services[0], "-q").stdout.startswith("bench_")


def test_a_service_that_nobody_knows_is_told(bench):
    old = {"service_id": "gone/s", "workload": "old", "results": {"ttft_ms": 900}}
    (bench.folder / "old.json").write_text(
        json.dumps({"report_id": "r", "observed_at": 1775583000.0, "samples": [old]})
    )
    ended = bench.say("ingest", "old.json")

    assert ended.stdout == "old.json: 1 new, 0 known before\n"
    assert "samples are kept for 1 service not registered now: gone/s" in ended.stderr
    assert "not registered" in bench.say("list", "--workload", "old").stdout


def test_what_control_refuses_is_told_with_the_field(bench):
    bad = {"service_id": "h1/one", "workload": "w", "results": {"ttft_ms": -1}}
    (bench.folder / "bad.json").write_text(
        json.dumps({"observed_at": 1775583000.0, "samples": [bad]})
    )
    failure = bench.say("ingest", "bad.json").exception

    assert str(failure).startswith("bad.json: samples[0].results.ttft_ms")
    assert failure.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--target", "nobody"], 5, "no model, role or service 'nobody'"),
        (["--target", "vectors"], 2, "'vectors' does not do what the workload asks for"),
        (["--target", "small", "--gateway", "http://127.0.0.1:1"], 3, "gateway http://127.0.0.1:1"),
    ],
)
def test_a_run_that_nobody_answers_leaves_no_report(bench, arguments, code, said):
    failure = bench.run("words.yaml", *arguments, "-o", "none.json").exception

    assert failure.exit_code == code
    assert str(failure).startswith(said)
    assert not (bench.folder / "none.json").exists()


def test_a_target_that_dies_half_way_leaves_a_partial_report(bench):
    bench.frail.turn(5, [Reset()])
    ended = bench.run("words.yaml", "--target", "frail", "--repeats", "9", "-o", "part.json")

    assert ended.exit_code == 1
    assert "stopped: the last 5 requests failed" in ended.stderr
    assert "not ingested: geniehive bench ingest part.json" in ended.stderr
    found = bench.written("part.json")
    assert not found["complete"]
    assert sum(one["failure"] is None for one in found["requests"]) == 4


def test_ctrl_c_writes_what_there_is(bench):
    bench.frail.turn(5, [Hang()])
    arguments = ["words.yaml", "--target", "h1/frail", "--repeats", "9", "-o", "cut.json"]
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "bench", "run", *arguments],
        env={**os.environ, **bench.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert bench.frail.turned.wait(SECONDS)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=SECONDS)

    assert process.returncode == 130
    assert "stopped: interrupted; 4 done: 4 by h1/frail" in said
    assert not bench.written("cut.json")["complete"]
