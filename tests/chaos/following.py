"""A watcher of the route table that notes every version it is brought to."""

import queue
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
from geniehive.v1 import routing_service_pb2 as pb
from geniehive.v1 import routing_service_pb2_grpc as pb_grpc

from control.api.channel import sync_channel
from gateway.resources import read_resource
from gateway.table import Replica, SnapshotWanted

RETRY_S = 0.05


@dataclass(slots=True)
class Follower:
    """Holds what a gateway would hold, whatever becomes of its connection.

    backwards: how often an older version came, or a life of control that was over.
    """

    port: int
    table: Replica[Any] = field(default_factory=lambda: Replica(read_resource))
    updates: int = 0
    touched: Counter[str] = field(default_factory=Counter)  # resources that came, by name
    lives: set[tuple[str, str]] = field(default_factory=set)  # of control, seen so far
    backwards: int = 0
    _life: tuple[str, str] | None = None
    _version: int = 0
    _over: threading.Event = field(default_factory=threading.Event)
    _call: Any = None

    @property
    def state(self) -> tuple[str, frozenset[str]]:
        """Which state of the table it holds, and the names in it."""
        return str(self.table.identity), frozenset(self.table.current)

    @contextmanager
    def following(self) -> Iterator[None]:
        thread = threading.Thread(target=self._follow)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            if self._call is not None:
                self._call.cancel()
            thread.join()

    def _follow(self) -> None:
        with sync_channel(f"127.0.0.1:{self.port}") as channel:
            stub = pb_grpc.RoutingServiceStub(channel)
            while not self._over.wait(RETRY_S):
                with suppress(grpc.RpcError, SnapshotWanted):
                    self._live(stub)

    def _live(self, stub: Any) -> None:
        """Follow one stream to its end."""
        answers: queue.SimpleQueue[pb.Watch] = queue.SimpleQueue()
        answers.put(pb.Watch(gateway_id="follower", held=self.table.identity))
        requests = (pb.WatchRoutesRequest(watch=one) for one in iter(answers.get, None))
        self._call = stub.WatchRoutes(requests)
        try:
            for response in self._call:
                try:
                    self.table.apply(response.update)
                except SnapshotWanted:
                    answers.put(pb.Watch(gateway_id="follower", snapshot_wanted=True))
                    continue
                self._note(response.update.identity)
                self.touched.update(one.name for one in response.update.upserts)
                answers.put(pb.Watch(gateway_id="follower", held=self.table.identity))
        finally:
            answers.put(None)  # ends the requests
            self._call.cancel()

    def _note(self, identity: pb.TableIdentity) -> None:
        self.updates += 1
        life = (identity.store_id, identity.incarnation)
        if life == self._life:
            self.backwards += identity.version < self._version
        else:
            self.backwards += life in self.lives
            self.lives.add(life)
        self._life, self._version = life, identity.version
