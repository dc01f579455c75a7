"""Asks a gateway for its health every few milliseconds; a held-up event loop answers late.

`python -m tests.chaos.pulse PORT` asks until its standard input ends, then prints when it
asked and how long each answer took, as JSON. A process of its own, so that nobody's work
but the gateway's is in the figure.
"""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PERIOD_S = 0.005
REQUEST = b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n"
PATIENCE_S = 30.0


@contextmanager
def pulse(port: int) -> Iterator[list[tuple[float, float]]]:
    """Sample a gateway while the block runs; yields a list that is filled at its end.

    Each sample is the monotonic time of the question and the seconds until the answer.
    """
    command = [sys.executable, "-m", "tests.chaos.pulse", str(port)]
    taken: list[tuple[float, float]] = []
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield taken
        out, _ = process.communicate(timeout=PATIENCE_S)
        taken += [(at, seconds) for at, seconds in json.loads(out)]
    finally:
        process.kill()
        process.communicate()


def main(port: int) -> None:
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    taken = []
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as peer:
        # Once at least: a busy machine may start us when the block is over already.
        while not (over.wait(PERIOD_S) and taken):
            begin = time.monotonic()
            peer.sendall(REQUEST)
            answer = b""
            while not answer.endswith(b"}"):
                if not (some := peer.recv(4096)):
                    raise SystemExit("the gateway closed the connection")
                answer += some
            taken.append((begin, time.monotonic() - begin))
    print(json.dumps(taken))


if __name__ == "__main__":
    main(int(sys.argv[1]))
