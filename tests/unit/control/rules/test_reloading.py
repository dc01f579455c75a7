"""What changes while control runs is followed; what cannot be used changes nothing."""

import asyncio
import itertools
import logging
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from control.api.settings import SettingsError, read
from control.api.strategies import Strategy
from control.config import Config
from control.rules import reloading
from control.rules.reloading import Reloader, Status
from control.rules.rulebook import read_rules
from tests.unit.control.serving import until

pytestmark = pytest.mark.anyio

POLL_S = 0.005


def roles(*names):
    return "roles: [" + ", ".join(f"{{role_id: {name}, operation: chat}}" for name in names) + "]"


class Files:
    """Settings, a catalog, and what came of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "control.yaml"
        self.catalog = folder / "roles.yaml"
        self.config.write_text(f"roles_path: {self.catalog}\n")
        self.catalog.write_text(roles("a", "b"))
        self.followed = []

    def reloader(self, environment=(), config: Path | None = None) -> Reloader:
        reloader = Reloader(
            config or self.config, dict(environment), lambda: 1_700_000_000.0, POLL_S
        )
        reloader.begin(read(config or self.config, Config)[0])
        return reloader

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[Reloader]:
        """Follow the files for a while."""
        reloader = self.reloader()
        task = asyncio.create_task(reloader.run(self.followed.append))
        try:
            yield reloader
        finally:
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()

    def names(self):
        """Return the roles that were followed last."""
        return set(self.followed[-1].roles) if self.followed else None


@pytest.fixture
def files(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    return Files(tmp_path)


def logged(caplog, level):
    return [record.message for record in caplog.records if record.levelno == level]


async def some_polls():
    """Let the files be looked at a few times."""
    await asyncio.sleep(10 * POLL_S)


async def test_the_catalog_is_read_before_anything_is_followed(files):
    reloader = files.reloader()

    assert set(reloader.rules.roles) == {"a", "b"}
    assert reloader.status == Status(str(files.catalog), 1_700_000_000.0, 2)


async def test_a_catalog_that_cannot_be_used_keeps_control_from_starting(files):
    files.catalog.write_text("roles: [x]")

    with pytest.raises(SettingsError, match=r"roles\.yaml:1: a mapping"):
        files.reloader()


async def test_nothing_changes_and_nothing_happens(files, caplog):
    async with files.follow():
        caplog.clear()
        await some_polls()

    assert files.followed == []
    assert caplog.records == []


async def test_a_changed_catalog_is_followed_and_told(files, caplog):
    async with files.follow() as reloader:
        files.catalog.write_text(roles("b", "c"))
        await until(lambda: files.followed)

    assert files.names() == {"b", "c"}
    assert reloader.rules == files.followed[-1]
    assert reloader.status.roles == 2
    assert "roles: added c; removed a" in logged(caplog, logging.INFO)


async def test_a_catalog_that_is_replaced_is_followed(files):
    """As editors and configuration management do it."""
    async with files.follow():
        new = files.folder / "new"
        new.write_text(roles("c"))
        os.replace(new, files.catalog)
        await until(lambda: files.names() == {"c"})


async def test_a_catalog_that_looks_the_same_is_read_when_asked(files):
    async with files.follow() as reloader:
        found = files.catalog.stat()
        files.catalog.write_text(roles("a", "c"))
        os.utime(files.catalog, ns=(found.st_atime_ns, found.st_mtime_ns))
        reloader.ask()
        await until(lambda: files.names() == {"a", "c"})


async def test_to_be_asked_for_nothing_is_answered(files, caplog):
    async with files.follow() as reloader:
        reloader.ask()
        await until(lambda: "read again, and routing stays as it is" in caplog.messages)

    assert files.followed == []


async def test_settings_are_followed(files, caplog):
    async with files.follow() as reloader:
        text = f"roles_path: {files.catalog}\nrouting: {{default_strategy: scored}}\n"
        files.config.write_text(text)
        await until(lambda: files.followed)

    assert reloader.rules.strategy is Strategy.SCORED
    assert set(reloader.rules.roles) == {"a", "b"}
    assert "routing.default_strategy: scored" in logged(caplog, logging.INFO)


async def test_another_catalog_is_followed_from_then_on(files):
    other = files.folder / "other.yaml"
    other.write_text(roles("x"))
    async with files.follow() as reloader:
        files.config.write_text(f"roles_path: {other}\n")
        await until(lambda: files.names() == {"x"})
        other.write_text(roles("x", "y"))
        await until(lambda: files.names() == {"x", "y"})
        count = len(files.followed)
        files.catalog.write_text(roles("z"))
        await some_polls()

    assert len(files.followed) == count
    assert reloader.status.source == str(other)


async def test_without_settings_the_environment_names_the_catalog(files):
    reloader = Reloader(None, {"GENIEHIVE_ROLES_CONFIG": str(files.catalog)}, lambda: 0.0, POLL_S)
    reloader.begin(Config())
    task = asyncio.create_task(reloader.run(files.followed.append))
    files.catalog.write_text(roles("c"))
    await until(lambda: files.names() == {"c"})
    task.cancel()


def empty(path):
    path.write_text("")


def removed(path):
    path.unlink()


def a_folder(path):
    path.unlink()
    path.mkdir()


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def half(path):
    path.write_text("roles:\n  - role_id: [a")


def binary(path):
    path.write_bytes(bytes(range(256)))


SPOILS = [removed, a_folder, a_pipe, half, binary]


@pytest.mark.parametrize(
    # Settings may be empty: all of them have a default.
    ("which", "spoil"),
    [("catalog", empty), *itertools.product(["catalog", "config"], SPOILS)],
)
async def test_what_cannot_be_used_changes_nothing_and_is_told_once(files, caplog, which, spoil):
    path = getattr(files, which)
    async with files.follow() as reloader:
        before = reloader.rules
        spoil(path)
        await until(lambda: reloader.status.problem)
        await some_polls()
        told = logged(caplog, logging.ERROR)

        assert len(told) == 1
        assert told[0].startswith(str(path))
        assert told[0].endswith("; routing stays as it was")
        assert reloader.rules is before
        assert reloader.status.roles == 2
        assert files.followed == []

        if path.is_dir():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
        text = {"catalog": roles("c"), "config": f"roles_path: {files.catalog}\n"}[which]
        path.write_text(text)
        await until(lambda: not reloader.status.problem)

    assert files.names() == ({"c"} if which == "catalog" else None)


async def test_settings_without_a_catalog_remove_the_roles(files):
    async with files.follow() as reloader:
        files.config.write_text("")
        await until(lambda: files.names() == set())

    assert reloader.status.source == ""


async def test_a_problem_is_told_again_when_somebody_asks(files, caplog):
    async with files.follow() as reloader:
        files.catalog.write_text("roles: [x]")
        await until(lambda: reloader.status.problem)
        reloader.ask()
        await until(lambda: len(logged(caplog, logging.ERROR)) == 2)


async def test_that_a_problem_is_over_is_told_although_nothing_changed(files, caplog):
    async with files.follow() as reloader:
        before = files.catalog.read_text()
        files.catalog.write_text("roles: [x]")
        await until(lambda: reloader.status.problem)
        files.catalog.write_text(before)
        await until(lambda: not reloader.status.problem)

    assert files.followed == []
    assert logged(caplog, logging.INFO)[-1] == "read again, and routing stays as it is"


async def test_a_file_that_may_be_read_again_is_read(files, monkeypatch):
    async with files.follow() as reloader:
        with monkeypatch.context() as patched:
            patched.setattr(reloading, "read_rules", unreadable)
            files.catalog.write_text(roles("c"))
            await until(lambda: reloader.status.problem)
        files.catalog.chmod(0o600)
        await until(lambda: files.names() == {"c"})


def unreadable(config, path):
    raise SettingsError([f"{path}: permission denied"])


async def test_whatever_a_file_provokes_is_told_and_control_goes_on(files, monkeypatch):
    async with files.follow() as reloader:
        before = reloader.rules
        with monkeypatch.context() as patched:
            patched.setattr(reloading, "read_rules", lambda *_: {}["surprise"])
            files.catalog.write_text(roles("c"))
            await until(lambda: "KeyError('surprise')" in reloader.status.problem)
        assert reloader.rules is before
        reloader.ask()
        await until(lambda: files.names() == {"c"})


async def test_what_looks_different_each_time_is_not_read(files, monkeypatch):
    sizes = itertools.count()
    async with files.follow():
        with monkeypatch.context() as patched:
            patched.setattr(reloading, "look", lambda paths: dict.fromkeys(paths, next(sizes)))
            files.catalog.write_text(roles("c"))
            await some_polls()
            assert files.followed == []
        await until(lambda: files.names() == {"c"})


async def test_what_is_still_being_written_is_not_read(files, caplog):
    """A list that ends early is a good catalog, too."""
    async with files.follow():
        await some_polls()
        text = "roles:\n" + "".join(f"- {{role_id: r{n}, operation: chat}}\n" for n in range(200))
        with files.catalog.open("w") as file:
            for line in text.splitlines(keepends=True):
                file.write(line)
                file.flush()
                await asyncio.sleep(POLL_S / 10)
        await until(lambda: files.followed and len(files.followed[-1].roles) == 200)

    assert logged(caplog, logging.ERROR) == []


async def test_the_latest_wins_and_one_reading_follows_another(files, monkeypatch):
    busy, most, slow = 0, 0, threading.Event()

    def slowly(config, path):
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        found = read_rules(config, path)
        slow.wait(10)
        busy -= 1
        return found

    async with files.follow() as reloader:
        monkeypatch.setattr(reloading, "read_rules", slowly)
        files.catalog.write_text(roles("old"))
        await until(lambda: busy)
        files.catalog.write_text(roles("new"))
        reloader.ask()
        slow.set()
        await until(lambda: files.names() == {"new"})
        await some_polls()

    assert most == 1
    assert [set(rules.roles) for rules in files.followed] == [{"old"}, {"new"}]


async def test_what_needs_a_restart_is_told_once_and_without_its_value(files, caplog):
    async with files.follow() as reloader:
        text = f"roles_path: {files.catalog}\nauth: {{node_api_keys: [hush]}}\n"
        files.config.write_text(text)
        reloader.ask()
        await until(lambda: logged(caplog, logging.WARNING))
        reloader.ask()
        await until(lambda: any("read again" in said for said in caplog.messages))

    assert logged(caplog, logging.WARNING) == [f"{files.config}: waiting for a restart: auth"]
    assert "hush" not in caplog.text


async def test_a_warning_that_stays_is_told_once(files, caplog):
    files.config.write_text(f"roles_path: {files.catalog}\nrouting: {{probe_pace_s: 0}}\n")
    files.catalog.write_text(
        "roles: [{role_id: a, operation: chat, routing_policy: {fallback_roles: [a]}}]"
    )
    async with files.follow() as reloader:
        reloader.ask()
        await until(lambda: any("read again" in said for said in caplog.messages))

    told = logged(caplog, logging.WARNING)
    assert len(told) == 2
    assert "fallbacks lead back" in told[0]
    assert "unknown key routing.probe_pace_s" in told[1]
