"""A cluster whose gateway reaches engines only through their node."""

import asyncio
import json
import re
import ssl
from dataclasses import replace
from pathlib import Path

import httpx
import openai
import pytest
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2_grpc as rpc

from control.api.channel import sync_channel
from gateway.relay import Relay, Trust, tunnel
from node import relay
from tests.fakes.engine import Engine
from tests.fakes.node_door import node_door
from tests.integration.cluster import Cluster, running_cluster
from tests.processes import START_SECONDS, Service, wait_until

RELAY = {"mode": "always", "listen": "127.0.0.1:0"}
RELAYING = re.compile(r"relaying for gateways at (\S+)$", re.MULTILINE)
HELLO = [{"role": "user", "content": "Say hello in one short sentence."}]


@pytest.fixture
def cluster(tmp_path: Path, fake_engine: str):
    services = [{"service_id": "e", "endpoint": fake_engine}]
    with running_cluster(tmp_path, services, node={"relay": RELAY}) as started:
        started.wait_for_model("small")
        yield started


def chat(cluster: Cluster, **body: object) -> httpx.Response:
    ask = {"model": "small", "messages": HELLO, **body}
    return httpx.post(f"{cluster.url}/v1/chat/completions", json=ask, trust_env=False, timeout=30)


def listed(cluster: Cluster):
    with sync_channel(cluster.control_address) as channel:
        stub = rpc.DiscoveryServiceStub(channel)
        return stub.ListServices(pb.ListServicesRequest(), timeout=5).services


def test_answers_and_streams_come_through_the_node(cluster: Cluster):
    door = cluster.node.wait_for_log(RELAYING)[1]

    assert chat(cluster).json()["choices"][0]["message"]["content"]
    client = openai.OpenAI(base_url=f"{cluster.url}/v1", api_key="local", max_retries=0)
    stream = client.chat.completions.create(model="small", messages=HELLO, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)

    endpoint = listed(cluster)[0].service.endpoint
    assert (endpoint.relay.address, endpoint.relay.token) == (door, "")
    # Nobody but a gateway of this control gets through.
    host, port = door.rsplit(":", 1)
    ask = httpx.Request("GET", f"http://{host}:{port}/")
    with httpx.Client(trust_env=False) as stranger:
        assert stranger.send(ask).status_code == httpx.codes.METHOD_NOT_ALLOWED


def test_a_node_that_starts_again_is_reached_by_its_new_token(
    cluster: Cluster, tmp_path: Path, fake_engine: str
):
    cluster.node.kill()
    settings = {
        "control": cluster.control_address,
        "node": {"host_id": "h1"},
        "services": [{"service_id": "e", "endpoint": fake_engine}],
        "relay": RELAY,
    }
    path = tmp_path / "again.yaml"
    path.write_text(json.dumps(settings))
    again = Service(["node", "--config", str(path)], tmp_path / "again.log")
    try:
        again.wait_for_log(RELAYING)
        wait_until(lambda: chat(cluster).is_success, START_SECONDS, "an answer by the new way")
    finally:
        again.stop()


def test_no_token_is_written_to_a_disk_or_a_log(cluster: Cluster, tmp_path: Path):
    """The random part is not known here; what would stand before it is."""
    assert chat(cluster).is_success
    store = (tmp_path / "geniehive.sqlite3").read_bytes()
    wal = (tmp_path / "geniehive.sqlite3-wal").read_bytes()

    assert b'"relay":{"address"' in store + wal
    assert b'"token":""' in store + wal
    for log in (cluster.control, cluster.node, cluster.gateway):
        assert "Bearer" not in log.logged()


def test_a_relay_that_cannot_listen_is_one_line(tmp_path: Path, cluster: Cluster):
    taken = cluster.node.wait_for_log(RELAYING)[1]
    path = tmp_path / "second.yaml"
    path.write_text(
        json.dumps({"control": "127.0.0.1:1", "relay": {"mode": "always", "listen": taken}})
    )
    second = Service(["node", "--config", str(path)], tmp_path / "second.log")

    assert second.process.wait(START_SECONDS) == 2
    assert f"error: relay: cannot listen on {taken}: " in second.logged()
    assert "set another relay.listen" in second.logged()


@pytest.mark.anyio
async def test_a_door_with_a_certificate_speaks_tls(engine: Engine, tls_files: tuple[Path, Path]):
    certificate, key = tls_files
    tls = {"certificate": str(certificate), "key": str(key)}
    async with node_door(tls=tls) as door:
        door.offer(h_e=engine.url)
        host, port = door.address.split(":")
        trusted = Relay(host, int(port), door.token, tls=True)
        _, writer = await streams(trusted, Trust(certificate))
        writer.write(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
        await engine.request()
        writer.transport.abort()
        await engine.until(lambda: not engine.open, 10)

        with pytest.raises(ssl.SSLCertVerificationError):
            await streams(trusted, Trust(None))
        with pytest.raises(ssl.SSLCertVerificationError):
            await streams(replace(trusted, tls_name="other"), Trust(certificate))
        # In plaintext no token is heard, and nothing is said.
        with pytest.raises(OSError, match=r"closed|reset|HTTP"):
            await streams(replace(trusted, tls=False), Trust(None))


@pytest.mark.anyio
async def test_who_does_not_speak_tls_is_not_waited_for(
    tls_files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(relay, "HEAD_SECONDS", 0.05)
    certificate, key = tls_files
    async with node_door(tls={"certificate": str(certificate), "key": str(key)}) as door:
        host, port = door.address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()


@pytest.mark.anyio
async def test_a_certificate_that_is_none_is_told_as_such(
    tls_files: tuple[Path, Path], tmp_path: Path
):
    certificate, key = tls_files
    other, read_by_all = tmp_path / "other.pem", tmp_path / "open.pem"
    for path, content, mode in (other, certificate, 0o600), (read_by_all, key, 0o644):
        path.write_bytes(content.read_bytes())
        path.chmod(mode)
    odd = {
        tmp_path / "none": "no such file",
        other: "not a certificate and",
        read_by_all: "everybody can read it; chmod 600",
    }
    for key, words in odd.items():
        with pytest.raises(relay.CannotOpen, match=words) as caught:
            async with node_door(tls={"certificate": str(certificate), "key": str(key)}):
                pass
        assert str(caught.value).startswith(f"tls: {certificate} ")
        assert str(key) in str(caught.value)


async def streams(relay: Relay, trust: Trust) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = await tunnel(relay, "h/e", lambda: asyncio.StreamReaderProtocol(reader), trust)
    transport = protocol._transport  # type: ignore[attr-defined]
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
