"""Measures promises, one after the other: `python -m tests.chaos [--short] [R1 …]`.

Each runs in a process of its own and is ended after fifteen minutes. What has a result of
this form under `build/chaos` is not run again, unless it is named. The page is written
after every run.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.chaos import results
from tests.chaos.catalogue import BY_NAME, PROMISES, Entry
from tests.chaos.promise import Form, NotMeasurable
from tests.chaos.results import Result

BOUND_S = {"short": 180.0, "full": 900.0}
TERMINATED = 128 + signal.SIGTERM
END_S = 30.0  # for a run that was told to stop, and stops its services


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when every promise that was measured is kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="R1", help="default: all without a result")
    parser.add_argument("--short", action="store_true", help="the form that the tests run")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if unknown := sorted(set(given.names) - BY_NAME.keys()):
        parser.error(f"{', '.join(unknown)}: not one of R1 to R{len(PROMISES)}")
    # A run that goes on when this ends would disturb the next one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    form: Form = "short" if given.short else "full"
    if given.here:
        return measure(BY_NAME[given.names[0]], form)
    chosen = [BY_NAME[name] for name in given.names] or list(PROMISES)
    missed = [one.name for one in chosen if not _result(one, form, again=bool(given.names))]
    if missed:
        print(f"missed: {', '.join(missed)}; see {results.PAGE}")
    return bool(missed)


def _result(entry: Entry, form: Form, *, again: bool) -> bool:
    """Run one promise, or take the result that is there; return whether nothing was missed."""
    path = results.RUNS / f"{entry.name}.{form}.json"
    if not entry.module:
        print(f"{entry.name:4} not measured: {entry.later}")
        return True
    found = None if again else results.read(path)
    if found is None:
        print(f"{entry.name:4} {entry.title} ({form}) …", flush=True)
        begin = time.monotonic()
        found = _run_apart(entry, form, path)
        print(f"     {_outcome(found)} in {time.monotonic() - begin:.0f} s", flush=True)
    else:
        print(f"{entry.name:4} {_outcome(found)}, as {path} says")
    results.keep([found])
    return found.kept or found.unmeasured


def _run_apart(entry: Entry, form: Form, path: Path) -> Result:
    """Run one promise in a process of its own, with everything that it starts in one group."""
    path.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.chaos", "--here", entry.name]
    command += ["--short"] if form == "short" else []
    results.RUNS.mkdir(parents=True, exist_ok=True)
    log = results.RUNS / f"{entry.name}.{form}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    problem = f"ended without a result; {log} says why"
    try:
        process.wait(BOUND_S[form])
    except subprocess.TimeoutExpired:
        problem = f"not over after {BOUND_S[form]:g} s; {log} says more"
    finally:
        _end(process)
    found = results.read(path)
    if found is None:
        found = Result(entry.name, form, problem=problem.replace(f"{results.ROOT}/", ""))
        results.write(path, found.as_json())
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a run, in order if it can, and whatever it left behind."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
    with suppress(ProcessLookupError):  # nothing is left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _outcome(result: Result) -> str:
    if result.unmeasured:
        return f"not measured: {result.problem}"
    if result.problem:
        return f"missed: {result.problem}"
    missed = [figure for figure in result.figures if not figure.holds()]
    told = "; ".join(f"{one.what}: {one.measured:g} {one.unit}".strip() for one in missed)
    return f"missed: {told}" if missed else "kept"


def measure(entry: Entry, form: Form) -> int:
    """Run one promise in this process and write its result."""
    folder = Path(tempfile.mkdtemp(prefix=f"geniehive-{entry.name.lower()}-"))
    try:
        result = Result(entry.name, form, tuple(entry.promise().measure(form, folder)))
    except NotMeasurable as error:
        result = Result(entry.name, form, problem=str(error), unmeasured=True)
    results.write(results.RUNS / f"{entry.name}.{form}.json", result.as_json())
    if result.kept or result.unmeasured:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"the logs are in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
