"""Callers that change the store, as many as nodes and operators together would."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from control.api.errors import GenieHiveError
from tests.chaos.calls import calling, service

ENGINE = "127.0.0.1:9"


@dataclass(slots=True)
class Writers:
    """What `count` threads saw that register a host and remove it, again and again.

    pause: seconds between the changes of one thread.
    """

    port: int
    count: int = 8
    pause: float = 0.0
    seconds: list[float] = field(default_factory=list)  # of each change
    problems: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._write, args=(n,)) for n in range(self.count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _write(self, number: int) -> None:
        host_id = f"w{number}"
        offered = [service(f"{host_id}/{n}", ENGINE, ["m"]) for n in range(5)]
        with calling(self.port) as calls:
            while not self._over.wait(self.pause):
                for change in (
                    lambda: calls.register(host_id, offered),
                    lambda: calls.deregister(host_id),
                ):
                    begin = time.monotonic()
                    try:
                        change()
                    except GenieHiveError as error:
                        self.problems.append(str(error))
                    else:
                        self.seconds.append(time.monotonic() - begin)
