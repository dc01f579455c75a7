"""The children of one `geniehive up`: their start, their settings, their end."""

import asyncio
import contextlib
import os
import re
import socket
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import httpx
import psutil

from cli import cluster, comings, demo, engines, running
from cli.children import LISTENING, Child, Command
from cli.files import write_private
from cli.keys import NAME as KEYS
from cli.network import reached_at
from cli.output import NOT_ALLOWED, Failure, Output, runnable
from cli.plan import LOOPBACK, Plan, reachable, service_name
from cli.screen import SOME_KEY, Invitation, Screen, chat_models, invitation, next_steps
from cli.text import gigabytes, gpus, plural
from control.api.channel import control_errors, sync_channel
from control.api.errors import Forbidden, GenieHiveError, Unauthenticated
from node.engines import http, llamacpp
from node.engines.sight import document, field
from node.listeners import USUAL_PORTS

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 5.0  # without a model for that long, say what is missing
ASK_SECONDS = 1.0
HOSTS_SECONDS = 1.0  # between two looks at who is there
HOSTS_SHARE = 20  # and so many times as long as a look takes, where there are many
REGISTERED = re.compile(r"\bregistered as (\S+) \(")


class Hive:
    """Control, node, gateway and perhaps the demo model, as children of this process."""

    def __init__(self, plan: Plan, output: Output, *, show_keys: bool = False) -> None:
        self._plan = plan
        self._output = output
        self._show_keys = show_keys
        self._screen = Screen(output)
        self._children: dict[str, Child] = {}
        self._control = ""  # as we reach it
        self._listening = ""  # as it says

    async def live(self) -> None:
        """Start everything, say when it can be used, and keep it running.

        Raises:
            ExceptionGroup: of a `Failure`, when a child cannot run.
        """
        async with http.new_client() as client, asyncio.TaskGroup() as group:
            looking = group.create_task(self._find_engines(client))
            self._control = await self._start_control(group)
            found = await looking
            for text in found:
                self._screen.step("engines", text)
            servers = {service_name(url): url for url in self._plan.engines}
            # Where machines join, one without a model server is no reason to fetch a model.
            has_demo = not found and self._plan.keys is None
            if not found:
                ports = " ".join(map(str, USUAL_PORTS))
                instead = "starting the demo model" if has_demo else "other machines may join"
                self._screen.step("engines", f"none on {ports}: {instead}")
            if has_demo:
                # The node must know the address before the server can tell it.
                port = _free_port()
                servers = {"demo": f"http://{LOOPBACK}:{port}"}
            node = group.create_task(self._start_node(group, servers))
            starting = group.create_task(self._start_gateway(group))
            if has_demo:
                await self._start_demo(group, client, port)
            await node
            listening = await starting
            base_url = f"http://{reachable(listening)}"
            keyed = self._plan.keys is not None
            note = running.ourselves(self._control, base_url, keyed=keyed)
            running.write(self._plan.state, note)
            models = await self._first_models(client, base_url)
            self._announce(listening, models, is_demo=has_demo)
            await self._tell_of_hosts()

    async def say_goodbye(self) -> None:
        """Say what a stop interrupts."""
        in_flight = 0
        if self._control:
            with contextlib.suppress(GenieHiveError):
                in_flight = (await asyncio.to_thread(self._cluster)).health.in_flight
        busy = f", {plural(in_flight, 'request')} in flight" if in_flight else ""
        self._screen.say(f"stopping{busy} (again to cut)")

    async def stop(self) -> None:
        """Stop all children: first who serves and who reports, then what they need."""
        for names in (("gateway", "node"), ("model", "control")):
            stopping = [self._children[name].stop() for name in names if name in self._children]
            await asyncio.gather(*stopping)

    def cut(self) -> None:
        """End all children at once."""
        for child in self._children.values():
            child.kill()

    async def _find_engines(self, client: httpx.AsyncClient) -> list[str]:
        """Return one line about each model server given, or else found."""
        if self._plan.engines:
            return await engines.given(client, self._plan.engines, self._plan.engine_key)
        return await engines.here(client)

    async def _start_control(self, group: asyncio.TaskGroup) -> str:
        began = time.monotonic()
        plan = self._plan
        path = self._write("control", plan.control_file(plan.control))
        child = await self._start("control", "control", ("--config", str(path)))
        address = (await child.said(LISTENING))[1]
        # A restart must come back to the same port, also when the kernel chose it.
        self._write("control", plan.control_file(address))
        group.create_task(child.keep(LISTENING))
        self._listening = address
        self._screen.step("control", f"ready    {address}", time.monotonic() - began)
        return reachable(address)

    async def _start_node(self, group: asyncio.TaskGroup, servers: Mapping[str, str]) -> None:
        began = time.monotonic()
        path = self._write("node", self._plan.node_file(self._control, servers))
        keys = {"GENIEHIVE_NODE_KEY": self._plan.node_key}
        child = await self._start("node", "node", ("--config", str(path)), keys)
        host_id = (await child.said(REGISTERED))[1]
        group.create_task(child.keep(REGISTERED))
        text = f"ready    {host_id}: {await self._machine(host_id)}"
        self._screen.step("node", text, time.monotonic() - began)

    async def _start_gateway(self, group: asyncio.TaskGroup) -> str:
        began = time.monotonic()
        plan = self._plan
        path = self._write("gateway", plan.gateway_file(self._control, plan.gateway))
        keys = {"GENIEHIVE_GATEWAY_KEY": plan.gateway_key}
        child = await self._start("gateway", "gateway", ("--config", str(path)), keys)
        address = (await child.said(LISTENING))[1]
        self._write("gateway", plan.gateway_file(self._control, address))
        group.create_task(child.keep(LISTENING))
        self._screen.step("gateway", f"ready    {address}", time.monotonic() - began)
        return address

    async def _start_demo(
        self, group: asyncio.TaskGroup, client: httpx.AsyncClient, port: int
    ) -> None:
        state = self._plan.state
        if not demo.is_fetched(state):
            with self._screen.downloads() as report:
                await demo.fetch(state, report)
        began = time.monotonic()
        folder = demo.folder(state)
        arguments = (str(folder / demo.MODEL_FILE), str(port), demo.ALIAS)
        places = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        paths = {"PYTHONPATH": os.pathsep.join(places)}
        child = await self._start("model", "cli.demo_engine", arguments, paths, demo.INSTEAD)
        self._screen.step("model", f"loading  {demo.ALIAS}")
        await child.said(LISTENING)
        group.create_task(child.keep(LISTENING))
        url = f"http://{LOOPBACK}:{port}"
        while (await llamacpp.look(client, url)).health != "healthy":  # noqa: ASYNC110  # another process, no events
            await asyncio.sleep(POLL_SECONDS)
        text = f"ready    {demo.ALIAS}  {LOOPBACK}:{port}"
        self._screen.step("model", text, time.monotonic() - began)

    async def _start(
        self,
        name: str,
        module: str,
        arguments: tuple[str, ...],
        environment: Mapping[str, str | None] | None = None,
        instead: str = "",
    ) -> Child:
        given = {key: value for key, value in (environment or {}).items() if value is not None}
        log = self._plan.logs / f"{name}.log"
        child = Child(Command(name, module, arguments, log, given, instead), self._screen.say)
        self._children[name] = child
        await child.start()
        return child

    def _write(self, name: str, settings: Mapping[str, object]) -> Path:
        path = self._plan.run / f"{name}.yaml"
        write_private(path, settings)
        return path

    async def _first_models(self, client: httpx.AsyncClient, base_url: str) -> list[str]:
        """Return the models that answer a chat now, once there is one.

        Where machines join it is none after `PATIENCE_SECONDS`: how they do is told then.

        Raises:
            Failure: control does not show us the cluster, so waiting is in vain.
        """
        patience = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answering = chat_models(await asyncio.to_thread(self._cluster))
                listed = await self._listed(client, base_url) if answering else frozenset()
                if models := [model for model in answering if model in listed]:
                    return models
            except (Unauthenticated, Forbidden) as error:
                raise Failure(
                    f"control does not show the cluster to geniehive up: {error}",
                    NOT_ALLOWED,
                    error.code,
                    fix="name a key in auth.operator_api_keys of the file of --config",
                ) from error
            except GenieHiveError:
                pass  # it is starting, or being started again
            if time.monotonic() > patience:
                if self._plan.keys is not None:
                    return []
                self._screen.step("model", "none answers yet; geniehive status says why")
                patience = float("inf")
            await asyncio.sleep(POLL_SECONDS)

    async def _listed(self, client: httpx.AsyncClient, base_url: str) -> frozenset[str]:
        """Return the models that the gateway lists, none while it does not answer."""
        key = self._plan.client_key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            reply = await client.get(f"{base_url}/v1/models", headers=headers)
        except httpx.HTTPError:
            return frozenset()
        data = field(document(reply.content), "data")
        entries = data if isinstance(data, list) else []
        return frozenset(str(field(entry, "id")) for entry in entries)

    def _cluster(self) -> cluster.Cluster:
        with closing(sync_channel(self._control)) as channel, control_errors():
            return cluster.read(channel, ASK_SECONDS, self._plan.reader)

    async def _machine(self, host_id: str) -> str:
        """Return what this machine has, in a few words."""
        text = f"{psutil.cpu_count()} cores, {gigabytes(psutil.virtual_memory().total)}"
        with contextlib.suppress(GenieHiveError):
            hosts = (await asyncio.to_thread(self._cluster)).hosts
            own = [one.resources for one in hosts if one.host_id == host_id]
            return f"{text}, {gpus(own[0].gpus)}" if own else text
        return text

    def _announce(self, listening: str, models: list[str], *, is_demo: bool) -> None:
        """Say where it is. listening: the gateway."""
        keys, control = self._plan.keys, self._control
        base_url = f"http://{reachable(listening)}"
        if keys is not None:  # where others reach it, we do
            base_url = f"http://{reached_at(listening) or reachable(listening)}"
            control = reached_at(self._listening) or control
        if self._output.as_json:
            content = {"base_url": base_url, "control": control, "models": models}
            self._output.document("up", content)
            return
        self._output.answer(f"geniehive ready: {base_url}")
        shown = keys if self._show_keys else None
        key = shown.client if shown else SOME_KEY if self._plan.client_key else ""
        self._output.say(runnable(next_steps(base_url, models, key=key, demo=is_demo)))
        if keys is not None:
            here_only = reached_at(self._listening) is None
            place = self._plan.state / KEYS
            self._output.say(invitation(Invitation(control, place, shown, here_only)))

    async def _tell_of_hosts(self) -> None:
        """Say which hosts come and go, until cancelled."""
        before: comings.Seen | None = None
        while True:
            began = time.monotonic()
            with contextlib.suppress(GenieHiveError):  # it is starting again
                found = await asyncio.to_thread(self._cluster)
                # Just after its start control may not have heard of all yet.
                for text in comings.changes(before, found) if before is not None else ():
                    self._screen.say(text)
                before = comings.seen(found)
            took = time.monotonic() - began
            await asyncio.sleep(max(HOSTS_SECONDS, took * HOSTS_SHARE))


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as server:
        port: int = server.getsockname()[1]
        return port
