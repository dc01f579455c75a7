"""Runs a module for as long as whoever started it lives.

`python -P -m cli.tethered MODULE [ARGUMENT ...]`: the parent keeps the other end of
our standard input open and never writes. However the parent ends, SIGKILL included,
the system closes that end and we stop, so that nothing is left behind.
"""

import os
import runpy
import signal
import sys
import threading
import time

DRAIN_SECONDS = 12.0  # above the 10 s that every service allows itself


def _stop_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(DRAIN_SECONDS)
    os._exit(1)


def main() -> None:
    """Run the module named first, with the arguments that follow it."""
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
