"""Control: the service that knows what is where, and tells the gateways."""

import argparse
import asyncio
import contextlib
import logging
import os
import random
import secrets
import signal
import sqlite3
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from control import collector
from control import config as configuration
from control.admin import AdminServicer
from control.api import logs, tracing
from control.api.ports import join_address, parse_address
from control.api.process import (
    EXIT_CANNOT_START,
    allow_open_files,
    complain,
    favour_loop,
    loop_factory,
)
from control.api.secret_files import open_to_all
from control.api.settings import SettingsError, read
from control.benchmarks.keeping import SampleKeeping
from control.benchmarks.records import TrackRecords
from control.benchmarks.service import BenchmarkServicer
from control.client_keys import ClientKeys
from control.cluster import Cluster
from control.condition import Condition
from control.config import Config
from control.discovery import DiscoveryServicer
from control.draining import Draining
from control.evidence import Evidence
from control.interceptors import Edge
from control.keeper import Keeper
from control.listening import CannotListen, binder
from control.live import Loads
from control.lookout import Lookout
from control.measurements import Measurements
from control.membership import Membership
from control.metrics import Metrics
from control.metrics_page import MetricsPage
from control.overview import Overview
from control.principals import Doorkeeper
from control.probing.prober import Prober
from control.publisher import Publisher
from control.ranking.offering import Rules
from control.registry import RegistryServicer
from control.routing import RoutingServicer
from control.rules.reloading import Reloader
from control.server import build
from control.store.database import sqlite_warning
from control.store.opening import Store, StoreError, open_store
from control.table.compile import Compiler
from control.table.watch import Hub
from control.usage import UsageServicer
from control.vitals import vitals

log = logging.getLogger("control")

OPEN_FILES = 65_536  # each host and each gateway has a connection
LAST_SPANS_S = 1.0
LAST_WRITE_S = 2.0  # a disk that does not answer must not keep control from stopping


def main(arguments: Sequence[str] | None = None) -> int:
    """Run control until SIGINT or SIGTERM; return the exit code, 2 when it cannot start."""
    options = _options(arguments)
    allow_open_files(OPEN_FILES)
    favour_loop()
    try:
        reloader = Reloader(options.config, os.environ, time.time)
        config = _config(options.config, insecure=options.insecure)
        reloader.begin(config)
        open_kinds = configuration.open_kinds(config, insecure=options.insecure)
        store = open_store(config.storage.sqlite_path)
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(serve(config, store, open_kinds, reloader))
        finally:
            store.close()
    except (SettingsError, StoreError, CannotListen) as error:
        complain(str(error).splitlines())
        return EXIT_CANNOT_START
    return 0


async def serve(
    config: Config, store: Store, open_kinds: frozenset[str], reloader: Reloader
) -> None:
    """Serve until SIGINT or SIGTERM, then drain.

    open_kinds: kinds of callers that need no key. reloader: has read the catalog.

    Raises:
        CannotListen: the address or the TLS files cannot be used.
    """
    now = time.monotonic

    def wall_time(moment: float) -> float:
        return time.time() - now() + moment

    # 1. What is known.
    membership = Membership(config.registry.rhythm, jitter=random.random)
    for stored in store.hosts:
        heard = now() - max(0.0, time.time() - stored.heartbeat_time)
        membership.restore(stored.host, stored.generation, stored.services, heard)
    for drain in store.drains:
        membership.drain(drain)
    # 2. What is pushed.
    incarnation = secrets.token_hex(8)
    compiler = Compiler()
    routes = Hub(store.store_id, incarnation, settled=False)
    keys = Hub(store.store_id, incarnation, settled=True)
    client_keys = ClientKeys(keys, config.auth.client_api_keys, store.key_hash_secret)
    # 3. What keeps these in step.
    records = TrackRecords(time.time, store.runs)
    evidence = Evidence(config.routing.evidence_half_life_s, records)
    publisher = Publisher(membership, compiler, routes, now, evidence.subject)
    keeper = Keeper(membership, store.writer, wall_time)
    loads = Loads(now)
    routing = config.routing
    prober = Prober(
        membership,
        routing.probe_interval_s,
        routing.probe_timeout_s,
        in_flight=loads.total,
        jitter=random.random,
    )
    cluster = Cluster(
        membership,
        keeper,
        publisher,
        now,
        config.registry.grace_s,
        loads.silence,
        evidence,
        prober.follow,
        loads.left,
    )

    def follow(rules: Rules) -> None:
        client_keys.rule(rules)
        cluster.rule(rules)

    follow(reloader.rules)
    cluster.begin()
    # 4. What callers see of it.
    measurements = Measurements(store.writer, time.time, store.usage, cluster.measured)
    lookout = Lookout(membership, compiler, routes, loads, evidence.subject)
    version = metadata.version("geniehive")
    overview = Overview(membership, compiler, loads, measurements, evidence.signals, now)
    condition = Condition(
        cluster,
        publisher,
        routes,
        loads,
        rules=lambda: reloader.status,
        sample_count=lambda: len(records),
        now=now,
        version=version,
    )
    tracer = tracing.start(config.tracing, "geniehive-control", version, incarnation)
    doorkeeper = Doorkeeper(config.auth.keys, open_kinds, store.key_hash_secret)
    edge = Edge(doorkeeper, tracer=tracer)
    metrics = Metrics(cluster, routes, loads, store.writer, edge.counts, lambda: len(records))
    page = MetricsPage(metrics.text, config.auth.scraper_keys)
    draining = Draining(cluster, store.writer, overview.called, time.time)
    keeping = SampleKeeping(store.writer, records, membership.service)
    server, port = build(
        edge,
        RegistryServicer(cluster, configuration.engine_key_refusal(config)),
        DiscoveryServicer(overview, condition, now, wall_time),
        RoutingServicer(membership, lookout, routes, keys, loads),
        BenchmarkServicer(keeping, records, membership.service, time.time),
        UsageServicer(measurements),
        AdminServicer(draining, loads.total_of),
        binder(config.listen, config.tls),
    )

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reloader.ask)
    loop.add_signal_handler(
        signal.SIGUSR1,
        lambda: log.info("%s", vitals(cluster, store.writer, routes, reloader.status)),
    )
    await page.listen(config.metrics.listen)
    async with asyncio.TaskGroup() as group:
        background = [
            group.create_task(life)
            for life in (
                keeper.run(),
                cluster.keep_time(),
                reloader.run(follow),
                prober.run(cluster),
                metrics.lag.run(),
            )
        ]
        await server.start()
        collector.calm()
        host, _ = parse_address(config.listen)
        log.info("store %s, SQLite %s", store.store_id, sqlite3.sqlite_version)
        log.info("%d hosts expected back", membership.returning)
        log.info("listening on %s", join_address(host, port))
        await stop.wait()
        log.info("stopping")
        await server.stop()
        page.close()
        for task in background:
            task.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_WRITE_S):
            await keeper.save_changes()
            await keeper.save_liveness()
    if tracer is not None:
        tracer.stop(LAST_SPANS_S)
    log.info("stopped")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="geniehive control", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings, YAML; optional")
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="listen beyond this machine although everybody there may call",
    )
    return parser.parse_args(arguments)


def _config(path: Path | None, *, insecure: bool) -> Config:
    config, warnings = read(path, Config)
    logs.configure(config.log)
    if path is not None and config.auth.holds_keys and open_to_all(path):
        problem = f"{path}: holds keys, and everybody can read it; chmod 600"
        if config.deployment_profile == "foundation":
            raise SettingsError([problem])
        warnings.append(problem)
    if (outdated := sqlite_warning()) is not None:
        warnings.append(outdated)
    for warning in warnings:
        log.warning("%s", warning)
    if (exposed := configuration.exposure(config)) is not None:
        if not insecure:
            raise SettingsError([exposed])
        log.warning("INSECURE: everybody who reaches %s controls this cluster", config.listen)
    if (exposed := configuration.metrics_exposure(config)) is not None:
        if not insecure:
            raise SettingsError([exposed])
        log.warning("INSECURE: everybody who reaches %s sees metrics", config.metrics.listen)
    return config


if __name__ == "__main__":
    sys.exit(main())
