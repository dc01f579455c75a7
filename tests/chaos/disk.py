"""Disks that are full or broken: a small tmpfs, and system calls that fail."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.promise import NotMeasurable
from tests.processes import wait_until

ATTACH_S = 10.0


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a file system in memory of `size` bytes.

    Raises:
        NotMeasurable: this user or this machine may not mount.
    """
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() != 0:
        raise NotMeasurable("needs root on Linux, to mount a small disk")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotMeasurable(f"cannot mount a small disk here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        # Lazily: what a failed run left open must not keep the mount.
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Leave no byte free on the disk of `folder`."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 512):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                pass  # full for pieces of this size
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def failing_calls(pid: int, calls: str, error: str, log: Path) -> Iterator[None]:
    """Let system calls of a process fail, for instance `fsync,fdatasync` with `EIO`.

    Raises:
        NotMeasurable: strace is missing, or may not look at other processes.
    """
    if shutil.which("strace") is None:
        raise NotMeasurable("needs strace, to let a disk fail")
    command = ["strace", "-f", "-p", str(pid), "-e", f"trace={calls}"]
    command += ["-e", f"inject={calls}:error={error}", "-o", "/dev/null"]
    with log.open("wb") as stderr:
        strace = subprocess.Popen(command, stderr=stderr, stdin=subprocess.DEVNULL)
    try:
        wait_until(
            lambda: b"attached" in log.read_bytes() or strace.poll() is not None,
            ATTACH_S,
            "strace is attached",
        )
        if strace.poll() is not None:
            raise NotMeasurable(f"strace cannot attach here: {log.read_text().strip()}")
        yield
    finally:
        if strace.poll() is None:
            strace.send_signal(signal.SIGINT)  # lets the process go on unhurt
        strace.wait(ATTACH_S)
