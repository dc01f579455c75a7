"""What `up` does when its children do not play along."""

import asyncio

import pytest

from cli import cluster, demo
from cli.hive import Hive
from cli.keys import Keys
from cli.output import NOT_ALLOWED, Failure, Output
from cli.plan import plan
from control.api.errors import ControlUnavailable, Forbidden, Unauthenticated
from tests.unit.cli.clusters import health


@pytest.fixture
def hive(tmp_path):
    made, _ = plan(tmp_path / "state", engines=("http://127.0.0.1:1",))
    return Hive(made, Output())


@pytest.mark.anyio
@pytest.mark.parametrize("refusal", [Unauthenticated("needs a key"), Forbidden("not yours")])
async def test_a_control_that_refuses_to_show_the_cluster_ends_it(hive, monkeypatch, refusal):
    answers = [ControlUnavailable("starting"), refusal]

    def read(*_):
        raise answers.pop(0)

    monkeypatch.setattr(cluster, "read", read)
    with pytest.raises(Failure, match=str(refusal)) as failed:
        async with asyncio.timeout(5):
            await hive._first_models(None, "http://127.0.0.1:1")

    assert failed.value.exit_code == NOT_ALLOWED
    assert "auth.operator_api_keys" in failed.value.fix


@pytest.mark.anyio
async def test_where_machines_join_nobody_waits_for_the_first_model(tmp_path, monkeypatch):
    """What they need to join is only told after that."""
    made, _ = plan(tmp_path / "state", keys=Keys(*"abcde"))
    monkeypatch.setattr("cli.hive.PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(cluster, "read", lambda *_: cluster.Cluster(health(), (), ()))

    async with asyncio.timeout(5):
        assert await Hive(made, Output())._first_models(None, "http://127.0.0.1:1") == []


@pytest.mark.anyio
async def test_a_stop_before_anything_started_is_one_line(hive, capfd):
    await hive.say_goodbye()

    assert capfd.readouterr() == ("", "stopping (again to cut)\n")


@pytest.mark.anyio
async def test_a_demo_model_that_cannot_start_ends_it_with_what_to_do_instead(
    hive, monkeypatch, tmp_path
):
    monkeypatch.setattr(demo, "is_fetched", lambda _: True)
    monkeypatch.setattr(demo, "folder", lambda _: tmp_path)  # without the engine
    (tmp_path / "state/logs").mkdir(parents=True)

    with pytest.raises(ExceptionGroup) as failed:
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            await hive._start_demo(group, None, 1)

    (failure,) = failed.value.exceptions
    assert str(failure) == "model ended (exit code 1) before it was ready"
    assert failure.why == "ModuleNotFoundError: No module named 'xllamacpp'"
    assert failure.fix.endswith("model.log, or " + demo.INSTEAD)
