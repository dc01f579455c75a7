"""Hosts without a node behind them: registered and kept alive by one thread."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from geniehive.v1 import registry_service_pb2 as registry

from control.api.errors import GenieHiveError, LeaseLost
from tests.chaos.calls import Calls, calling, service


@dataclass(slots=True)
class Hosts:
    """Hosts that reach control by one way; each offers one service with one model.

    port: where control is, or a proxy before it; models: by host id; interval: seconds.
    """

    port: int
    engine: str
    models: dict[str, str]
    interval: float
    registrations: int = 0
    _leases: dict[str, registry.Lease] = field(default_factory=dict)
    _sequence: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Register all, then beat until the block ends."""
        with calling(self.port) as calls:
            for host_id in self.models:
                self._register(calls, host_id)
        thread = threading.Thread(target=self._beat)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _beat(self) -> None:
        with calling(self.port, deadline=self.interval) as calls:
            while not self._over.wait(self.interval):
                self._sequence += 1
                for host_id in self.models:
                    try:
                        self._beat_once(calls, host_id)
                    except GenieHiveError:
                        break  # control is not to be reached; all wait alike

    def _beat_once(self, calls: Calls, host_id: str) -> None:
        try:
            calls.beat(self._leases[host_id], self._sequence, self._services(host_id))
        except LeaseLost:
            self._register(calls, host_id)

    def _register(self, calls: Calls, host_id: str) -> None:
        offered = [
            service(one, self.engine, [self.models[host_id]]) for one in self._services(host_id)
        ]
        self._leases[host_id] = calls.register(host_id, offered)
        self.registrations += 1

    def _services(self, host_id: str) -> Sequence[str]:
        return [f"{host_id}/s"]
