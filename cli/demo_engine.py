"""A real llama.cpp server with a small real model, as a process of its own.

Started by `geniehive up` with the fetched packages on PYTHONPATH:
`python -P -m cli.demo_engine MODEL_FILE PORT ALIAS`.
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

SLOTS = 2
CONTEXT_TOKENS_PER_SLOT = 4096
MAX_ANSWER_TOKENS = 512  # so small a model now and then finds no end by itself
HTTP_THREADS = 8
MAX_THREADS = 4  # so small a model gains nothing from more


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="cli.demo_engine", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("alias")
    arguments = parser.parse_args()

    import xllamacpp  # type: ignore[import-not-found]  # fetched at the first start by cli/demo.py

    # The constructor below blocks while it loads, and only then Python runs handlers:
    # until it is done, a signal simply ends the process.
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(arguments.model)
    parameters.model_alias = {arguments.alias}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = arguments.port
    parameters.n_parallel = SLOTS
    parameters.n_ctx = SLOTS * CONTEXT_TOKENS_PER_SLOT
    parameters.n_predict = MAX_ANSWER_TOKENS
    # Threads of llama.cpp spin; half of the processors stay free for everything else.
    parameters.cpuparams.n_threads = max(1, min((os.cpu_count() or 1) // 2, MAX_THREADS))
    parameters.n_threads_http = HTTP_THREADS
    parameters.endpoint_metrics = parameters.endpoint_props = True
    stop = threading.Event()
    server = xllamacpp.Server(parameters)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    print(f"listening on {server.listening_address}", file=sys.stderr, flush=True)
    stop.wait()


if __name__ == "__main__":
    main()
