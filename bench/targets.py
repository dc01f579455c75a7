"""What is compared: how each program is started in front of the same engine."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from bench.cases import CASES, JSON_64, Case
from bench.peers import Missing, installed, locked_version

KEY = "sk-bench"
MODEL = "bench-0000"
NAMES = 1_005  # that the engine lists, and so our gateway knows

DIRECT, NGINX, OURS, OURS_2 = "direct", "nginx", "GenieHive", "GenieHive, 2 workers"
VLLM, SGLANG, LITELLM, PLAIN = "vllm-router", "sglang-router", "LiteLLM", "FastAPI + httpx"

_NGINX = """daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  upstream engine {{
    server 127.0.0.1:{engine};
    keepalive 1024;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Helper:
    """What a target needs beside it. port: where it listens, if others wait for that."""

    command: tuple[str, ...]
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a target. helpers: started before it, in order, and not measured."""

    port: int
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    helpers: tuple[Helper, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """One program to compare.

    launch: takes a folder for files and the port of the engine, and raises `Missing` where the
    program cannot be had.
    """

    name: str
    launch: Callable[[Path, int], Launch]
    version: Callable[[], str]
    cases: tuple[Case, ...] = CASES
    workers: int = 1  # cores that it may use


def free_port() -> int:
    """Return a port that nobody listens on now; programs of others cannot be told to choose."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _direct(folder: Path, engine: int) -> Launch:
    port = free_port()
    return Launch(port, upstream_command(port))


def upstream_command(port: int) -> tuple[str, ...]:
    """Return the command of the engine that all targets have behind them."""
    options = ("--port", str(port), "--models", str(NAMES))
    return (sys.executable, "-P", "-m", "bench", "upstream", *options)


def _nginx(folder: Path, engine: int) -> Launch:
    program = _nginx_program()
    port = free_port()
    settings = folder / "nginx.conf"
    settings.write_text(_NGINX.format(folder=folder, engine=engine, port=port))
    return Launch(port, (program, "-e", "stderr", "-c", str(settings)))


def _nginx_program() -> str:
    # Debian puts it where only the administrator's PATH leads.
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Missing("nginx is not installed; Debian and Ubuntu: apt install nginx-light")
    return found


def _nginx_version() -> str:
    said = subprocess.run([_nginx_program(), "-v"], capture_output=True, text=True, check=True)
    return said.stderr.strip().rpartition("/")[2]


def _ours(workers: int) -> Callable[[Path, int], Launch]:
    def launch(folder: Path, engine: int) -> Launch:
        port, control = free_port(), free_port()

        def service(name: str, settings: Mapping[str, object]) -> tuple[str, ...]:
            path = folder / f"{name}.yaml"
            path.write_text(yaml.safe_dump(dict(settings)))
            return (sys.executable, "-P", "-m", name, "--config", str(path))

        control_settings = {
            "listen": f"127.0.0.1:{control}",
            "auth": {"client_api_keys": [KEY]},
            "storage": {"sqlite_path": str(folder / "control.sqlite3")},
            # No lease ends while its node is frozen.
            "registry": {"heartbeat_interval_s": 300, "lease_intervals": 20},
        }
        node_settings = {
            "control": f"127.0.0.1:{control}",
            "node": {"host_id": "bench"},
            "services": [{"service_id": "engine", "endpoint": f"http://127.0.0.1:{engine}"}],
        }
        helpers = (
            Helper(service("control", control_settings), control),
            Helper(service("node", node_settings)),
        )
        gateway = service(
            "gateway",
            {
                "listen": f"127.0.0.1:{port}",
                "control": f"127.0.0.1:{control}",
                "workers": workers,
                # The file of a gateway that serves here must not be written over.
                "state_dir": str(folder),
            },
        )
        return Launch(port, gateway, helpers=helpers)

    return launch


def _our_version() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    said = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    return said.stdout.strip() or "installed"


def _router(name: str, *start: str) -> Callable[[Path, int], Launch]:
    def launch(folder: Path, engine: int) -> Launch:
        python = installed(name)
        port = free_port()
        command = (
            *(str(python.parent / word) if word == name else word for word in start),
            *("--host", "127.0.0.1", "--port", str(port), "--policy", "round_robin"),
            *("--worker-urls", f"http://127.0.0.1:{engine}", "--log-level", "error"),
            *("--prometheus-port", str(free_port())),
        )
        return Launch(port, command if start[0] == name else (str(python), *command))

    return launch


def _litellm(folder: Path, engine: int) -> Launch:
    python = installed("litellm")
    port = free_port()
    settings = folder / "litellm.yaml"
    parameters = {
        "model": f"openai/{MODEL}",
        "api_base": f"http://127.0.0.1:{engine}/v1",
        "api_key": "none",
    }
    settings.write_text(
        yaml.safe_dump(
            {
                "model_list": [{"model_name": MODEL, "litellm_params": parameters}],
                "litellm_settings": {"telemetry": False, "num_retries": 0},
                "general_settings": {"master_key": KEY},
            }
        )
    )
    options = ("--config", str(settings), "--host", "127.0.0.1", "--port", str(port))
    environment = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks the network at its start
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
    }
    return Launch(port, (str(python.parent / "litellm"), *options), environment)


def _plain(folder: Path, engine: int) -> Launch:
    port = free_port()
    command = (sys.executable, "-P", "-m", "bench.plain", str(port), f"http://127.0.0.1:{engine}")
    return Launch(port, command)


def _plain_version() -> str:
    from importlib.metadata import version

    return f"{version('fastapi')}, {version('httpx')}"


TARGETS = (
    Target(DIRECT, _direct, lambda: "the engine itself"),
    Target(NGINX, _nginx, _nginx_version),
    Target(OURS, _ours(1), _our_version),
    Target(OURS_2, _ours(2), _our_version, (JSON_64,), 2),
    Target(VLLM, _router("vllm-router", "vllm-router"), lambda: locked_version("vllm-router")),
    Target(
        SGLANG,
        _router("sglang-router", "-m", "sglang_router.launch_router"),
        lambda: locked_version("sglang-router"),
    ),
    Target(LITELLM, _litellm, lambda: locked_version("litellm")),
    Target(PLAIN, _plain, _plain_version),
)
QUICK = (DIRECT, NGINX, OURS)
