"""R39: what is said, and the keys of everybody, are recorded nowhere."""

import json
import random
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import start_blocking_portal
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2_grpc as pb_grpc

from control.api.channel import control_errors, sync_channel
from control.api.errors import GenieHiveError
from tests.chaos.canaries import found, planted
from tests.chaos.promise import Figure, Promise, all_of, none, told
from tests.chaos.telltale import CHAT, CONTENT, EMBEDDINGS, MODELS, VECTORS, Telltale
from tests.fakes.collector import collecting
from tests.fakes.engine import Engine
from tests.processes import START_SECONDS, Service, spawning, wait_until

METRICS = re.compile(r"metrics at (http://[\d.:]+/metrics)")
JSON_LOG = {"format": "json", "level": "debug"}

KEYS = ("client", "node", "gateway", "operator", "admin", "engine", "stranger")
EVERYTHING = (*KEYS, *CONTENT)
HIDDEN = (*KEYS, "reasoning")  # from clients as well
LEAST_WAYS = 40


def run(folder: Path, *, rounds: int, seed: int = 39) -> list[Figure]:
    """Plant canaries, serve and fail, and look for them in all that is left behind."""
    canaries = planted(EVERYTHING, random.Random(seed))
    with collecting() as (collector, endpoint):
        with cluster(folder, canaries, endpoint) as here:
            for _ in range(rounds):
                here.use()
            here.look()
            enough = here.sent  # most have more spans than one
            wait_until(lambda: len(collector.spans()) >= enough, START_SECONDS, "spans have come")
        left = here.left | _files(folder, "at the end")
        left["spans"] = collector.raw
    figures = [
        told("requests", here.sent),
        Figure("ways to fail", len(here.ways), at_least=LEAST_WAYS),
        none("requests that should have failed and did not", here.unexpected),
        all_of("answers with what the engine was to say", here.answered, 3 * rounds),
        Figure(
            "lines of logs about single requests",
            left["logs at the end"].count(b'"gateway.requests"'),
            at_least=LEAST_WAYS * rounds,
        ),
    ]
    for place, content in left.items():
        sought = HIDDEN if place == "good answers" else EVERYTHING
        figures.append(Figure(f"{place}: looked at", len(content), "bytes", at_least=1))
        figures.append(none(f"{place}: canaries", len(found(content, canaries, sought))))
    return figures


@dataclass(slots=True)
class Cluster:
    """A cluster whose keys are canaries, and what is asked of it."""

    folder: Path
    canaries: Mapping[str, str]
    control: Service
    gateway: Service
    left: dict[str, bytes] = field(default_factory=dict)  # that may be read, by place
    sent: int = 0
    answered: int = 0  # with what the engine was to say
    unexpected: int = 0
    ways: set[str] = field(default_factory=set)  # in which requests failed

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port()}"

    def client(self) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.canaries['client']}"}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=30)

    def use(self) -> None:
        """Ask for everything once, and fail in every way."""
        with self.client() as http:
            self._serve(http)
            for way, request in self._failing():
                self._fail(http, way, request)
            with http.stream("POST", CHAT, json=self._chat(stream=True)):
                pass  # a client that leaves
        self._fail_with_control()

    def look(self) -> None:
        """Read what can be read while everything runs."""
        self.control.process.send_signal(signal.SIGUSR1)  # tells its counts
        with self.client() as http:
            self.left["metrics of the gateway"] = http.get("/metrics").raise_for_status().content
        key = {"authorization": f"Bearer {self.canaries['operator']}"}
        metrics = httpx.get(self.control.wait_for_log(METRICS)[1], headers=key, trust_env=False)
        self.left["metrics of control"] = metrics.raise_for_status().content
        wait_until(
            lambda: any(self.folder.rglob("gateway.last-good")), START_SECONDS, "the file is there"
        )
        self.left |= _files(self.folder, "while it runs")

    def _serve(self, http: httpx.Client) -> None:
        prompt = self.canaries["prompt"]
        found = [
            http.post(CHAT, json=self._chat()),
            http.post(CHAT, json=self._chat(stream=True)),
        ]
        self.answered += sum(self.canaries["completion"] in one.text for one in found)
        vectors = http.post(EMBEDDINGS, json={"model": VECTORS, "input": [prompt]})
        self.answered += vectors.is_success
        found.append(vectors)
        views = ("hosts", "services", "roles", "benchmarks", "health", "hosts/h/inventory")
        paths = [f"/v1/cluster/{view}" for view in views]
        paths += ["/v1/models", "/v1/models/small", "/openapi.json", "/health", "/ready"]
        paths += ["/v1/cluster/routes/resolve?model=small&explain=1"]
        found += [http.get(path).raise_for_status() for path in paths]
        matched = http.post("/v1/cluster/routes/match", json={"task": prompt, "limit": 1})
        found.append(matched.raise_for_status())
        self.sent += len(found)
        self._keep("good answers", found)

    def _chat(self, model: str = "small", **more: object) -> dict[str, Any]:
        prompt = self.canaries["prompt"]
        messages = [{"role": "system", "content": prompt}, {"role": "user", "content": prompt}]
        return {"model": model, "messages": messages, **more}

    def _failing(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield ways to fail, each with the arguments of a request."""
        prompt, stranger = self.canaries["prompt"], self.canaries["stranger"]
        for model in MODELS[1:]:
            for stream in (False, True):
                yield f"{model} {stream}", {"json": self._chat(model, stream=stream)}
        yield "an engine that is sick", {"json": self._chat("sick")}
        for name, value in {
            **{name: [prompt] for name in ("stream", "temperature", "n", "max_tokens", "model")},
            **dict.fromkeys(("api_base", "api_key", "base_url", "proxy"), prompt),
            "headers": {"authorization": prompt},
            "seed": 10**4_000,
        }.items():
            yield name, {"json": {**self._chat(), name: value}}
        good = json.dumps(self._chat())
        for way, content in {
            "cut off": good[:-3],
            "twice": f'{{"model": "{prompt}", {good[1:]}',
            "not a number": good.replace(f'"{prompt}"', "NaN", 1),
            "something after it": good + prompt,
            "deep": "[" * 100 + prompt,
            "not UTF-8": good.encode().replace(prompt.encode(), prompt.encode() + b"\xff"),
        }.items():
            yield way, {"content": content, "headers": {"content-type": "application/json"}}
        yield "an unknown model", {"json": self._chat("nobody")}
        yield "another operation", {"json": self._chat(VECTORS)}
        yield "form", {"content": good, "headers": {"content-type": "text/plain"}}
        yield "a key in the address", {"url": f"/v1/nothing?key={stranger}", "json": self._chat()}
        yield "a long head", {"json": self._chat(), "headers": {"x-long": prompt * 2_000}}
        for scheme in ("Bearer", "Basic"):
            authorization = {"authorization": f"{scheme} {stranger}"}
            yield f"a stranger, {scheme}", {"json": self._chat(), "headers": authorization}
        yield "two keys", {"json": self._chat(), "headers": {"x-api-key": stranger}}

    def _fail(self, http: httpx.Client, way: str, request: Mapping[str, Any]) -> None:
        self.sent += 1
        self.ways.add(way)
        try:
            answer = http.post(**{"url": CHAT, **request})
        except httpx.TransportError:
            return  # refused before all was sent, so that the answer may be lost on its way
        if answer.is_success and '"error"' not in answer.text:
            self.unexpected += 1
        if not answer.is_success:
            self._keep("errors", [answer])

    def _fail_with_control(self) -> None:
        """Ask control with the keys of others."""
        with sync_channel(f"127.0.0.1:{self.control.port()}") as channel:
            stub = pb_grpc.DiscoveryServiceStub(channel)
            for kind in ("stranger", "node", "client"):
                key = (("authorization", f"Bearer {self.canaries[kind]}"),)
                self.ways.add(f"control, {kind}")
                try:
                    with control_errors():
                        stub.ListHosts(pb.ListHostsRequest(), metadata=key, timeout=START_SECONDS)
                    self.unexpected += 1
                except GenieHiveError as error:
                    self.left["errors"] += str(error).encode()

    def _keep(self, place: str, found: Sequence[httpx.Response]) -> None:
        more = "".join(f"{one.headers}{one.text}" for one in found).encode()
        self.left[place] = self.left.get(place, b"") + more


@contextmanager
def cluster(folder: Path, canaries: Mapping[str, str], collector: str) -> Iterator[Cluster]:
    """Run a cluster that logs, traces and remembers all it can. collector: where spans go."""
    engines = Telltale(canaries)
    tracing = {"otlp_endpoint": collector}
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        well, sick = (
            stack.enter_context(portal.wrap_async_context_manager(Engine(script))).url
            for script in (engines.well, engines.sick)
        )
        spawn = stack.enter_context(spawning(folder))
        control = spawn(
            "control",
            {
                "listen": "127.0.0.1:0",
                "storage": {"sqlite_path": str(folder / "geniehive.sqlite3")},
                "registry": {"grace_s": 0, "heartbeat_interval_s": 0.5},
                "auth": {f"{kind}_api_keys": [canaries[kind]] for kind in KEYS[:5]},
                "routing": {"probe_interval_s": 0.5},
                "metrics": {"listen": "127.0.0.1:0"},
                "tracing": tracing,
                "log": JSON_LOG,
            },
        )
        address = f"127.0.0.1:{control.port()}"
        keyed = {"endpoint": well, "api_key_env": "ENGINE_KEY"}
        node = {
            "control": address,
            "node": {"host_id": "h"},
            "log": JSON_LOG,
            "services": [
                {"service_id": "well", **keyed},
                {
                    "service_id": "vectors",
                    "kind": "embeddings",
                    "assets": [{"asset_id": VECTORS}],
                    **keyed,
                },
                {"service_id": "sick", "endpoint": sick, "assets": [{"asset_id": "sick"}]},
            ],
        }
        secrets = {"GENIEHIVE_NODE_KEY": canaries["node"], "ENGINE_KEY": canaries["engine"]}
        spawn("node", node, **secrets)
        gateway = spawn(
            "gateway",
            {
                "listen": "127.0.0.1:0",
                "control": address,
                "tracing": tracing,
                "log": {**JSON_LOG, "requests": True},
            },
            GENIEHIVE_GATEWAY_KEY=canaries["gateway"],
        )
        here = Cluster(folder, canaries, control, gateway)
        with here.client() as http:
            wait_until(lambda: _is_whole(http), START_SECONDS, "all are there, and known")
        yield here


def _is_whole(http: httpx.Client) -> bool:
    answer = http.get("/v1/cluster/services")
    found = (
        {one["service_id"]: one["state"]["probe"] for one in answer.json()}
        if answer.is_success
        else {}
    )
    models = http.get("/v1/models/small").is_success and http.get("/v1/models/vectors").is_success
    return len(found) == 3 and all(found.values()) and models


def _files(folder: Path, when: str) -> dict[str, bytes]:
    """Return what stands in files, but for settings, which hold the keys that they should."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".yaml":
            kind = {"log": "logs", "last-good": "what the gateway remembers"}
            place = f"{kind.get(path.suffix[1:], 'database')} {when}"
            found[place] = found.get(place, b"") + path.read_bytes()
    return found


PROMISE = Promise(run, short={"rounds": 1}, full={"rounds": 30})
