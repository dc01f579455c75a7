"""What a node would register, looked at once, without control."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace

import httpx
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2

from node import wire
from node.config import Config
from node.engines import detect, http
from node.finding import FIND_SECONDS, Finder
from node.machine.observer import SCAN_PATIENCE_SECONDS, Observer
from node.state import Report, Watched
from node.watch import Watch

ENGINE_SECONDS = FIND_SECONDS + 5.0  # to find some and to look at each
OPEN = frozenset({"available", "busy"})


def watching(
    settings: Config,
    client: httpx.AsyncClient,
    keys: Mapping[str, str],
    observer: Observer | None = None,
) -> Watch:
    """Return what looks at the model servers of `settings`, or at whatever is found.

    keys: what servers ask for, by service, where they do.
    """
    finder = Finder(client)
    return Watch(
        settings,
        look=lambda url, engine, key: detect.look(client, url, engine, key),
        detect=lambda ports: finder.find() if settings.finds else detect.detect(client, ports),
        keys=keys,
        observer=observer,
    )


async def look_once(settings: Config, keys: Mapping[str, str]) -> pb.GetHostInventoryResponse:
    """Return what would be registered, as control would tell it; bounded in time."""
    observer = Observer(settings)
    async with http.new_client() as client:
        watch = watching(settings, client, keys, observer)
        looking = asyncio.ensure_future(watch.run())
        try:
            await watch.first_look(ENGINE_SECONDS)
            await observer.first_look(SCAN_PATIENCE_SECONDS, with_files=True)
            return inventory(watch.report())
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking


def inventory(report: Report) -> pb.GetHostInventoryResponse:
    """Return `report` as if it had just reached control; without the keys of servers."""
    told = pb.GetHostInventoryResponse(
        host=wire.host_message(report.host, report.metrics),
        services=map(_status, report.services),
        machine=wire.machine_message(report.machine) if report.machine else None,
    )
    told.host.state = inventory_pb2.HOST_STATE_ONLINE
    told.host.heartbeat_time.GetCurrentTime()
    told.report_time.CopyFrom(told.host.heartbeat_time)
    told.report_age.FromSeconds(0)
    return told


def _status(watched: Watched) -> pb.ServiceStatus:
    keyless = replace(watched, service=replace(watched.service, api_key=""))
    seen = watched.observation
    status = pb.ServiceStatus(
        service=wire.service_message(keyless),
        health=wire.HEALTHS[seen.health],
        routable=seen.health == "healthy" and seen.availability in OPEN,
    )
    status.service.host_id = watched.service.service_id.partition("/")[0]
    status.service.has_api_key = bool(watched.service.api_key)
    return status
