"""What a look at a server changes of what is told about it."""

from dataclasses import replace

import pytest

from node.assets import Asset
from node.config import Service
from node.engines.sight import Model, Sight
from node.state import (
    Host,
    Metrics,
    Observation,
    Report,
    Watched,
    declared,
    differs,
    draining,
    lent,
    seen,
)

PLAIN = Service(service_id="x", endpoint="http://a:1")
FIRST = Model("first", loaded=True, context_tokens=4096)
SECOND = Model("second", loaded=False)


def healthy(*models, **told):
    return Sight("healthy", engine="openai", models=models, **told)


def test_before_the_first_look_nothing_is_claimed():
    watched = declared(PLAIN, "h/x")

    assert watched.observation.health == "unhealthy"
    assert watched.service.assets == ()
    assert watched.service.revision == 1


def test_models_become_assets_and_the_revision_grows():
    watched = seen(declared(PLAIN, "h/x"), healthy(FIRST, SECOND, concurrency=2), PLAIN)

    assert watched.service.assets == (Asset("first", True, 4096), Asset("second", False, 0))
    assert (watched.service.concurrency, watched.service.revision) == (2, 2)


@pytest.mark.parametrize(
    "settings",
    [PLAIN, Service(service_id="x", endpoint="http://a:1", assets=[{"asset_id": "minilm"}])],
    ids=["listed", "declared"],
)
def test_what_embeds_is_known_from_the_server(settings):
    sight = healthy(Model("minilm", True, operation="embeddings"))
    watched = seen(declared(settings, "h/x"), sight, settings)

    assert watched.service.assets == (Asset("minilm", True, 0, "embeddings"),)


def test_same_sight_changes_nothing_of_the_definition():
    once = seen(declared(PLAIN, "h/x"), healthy(FIRST), PLAIN)
    twice = seen(once, healthy(FIRST, in_flight=3), PLAIN)

    assert twice.service == once.service
    assert twice.observation.in_flight == 3
    assert not differs(once, twice)


@pytest.mark.parametrize(
    "sight",
    [
        Sight("unhealthy", "cannot be reached"),
        Sight("loading", engine="openai"),
        healthy(),
        healthy(Model("first", loaded=False, context_tokens=4096)),
        healthy(FIRST, concurrency=4),
    ],
    ids=["down", "loading", "no models", "unloaded", "more slots"],
)
def test_what_routing_depends_on_is_told_at_once(sight):
    before = seen(declared(PLAIN, "h/x"), healthy(FIRST), PLAIN)

    assert differs(before, seen(before, sight, PLAIN))


def test_a_server_that_went_away_keeps_its_models():
    """So that their names stay known, as unavailable, instead of unknown."""
    before = seen(declared(PLAIN, "h/x"), healthy(FIRST, concurrency=2), PLAIN)
    after = seen(before, Sight("unhealthy", "cannot be reached"), PLAIN)

    assert after.service == before.service
    assert after.observation == Observation("unhealthy", "cannot be reached")


def service(**keys):
    return Service.model_validate({"service_id": "x", "endpoint": "http://a:1", **keys})


def test_declared_assets_come_first_and_the_server_tells_what_is_loaded():
    settings = service(
        engine="openai",
        assets=[{"asset_id": "mine", "loaded": True}, {"asset_id": "first", "context_size": 100}],
    )
    watched = seen(declared(settings, "h/x"), healthy(FIRST, SECOND), settings)

    assert watched.service.assets == (
        Asset("mine", False, 0),
        Asset("first", True, 100),
        Asset("second", False, 0),
    )


@pytest.mark.parametrize(
    ("keys", "first", "then"),
    [
        ({"runtime": {"engine": "Forge"}}, "Forge", "Forge"),
        ({"runtime": {"engine": "vllm"}, "engine": "openai"}, "vllm", "vllm"),
        ({"runtime": {"engine": "llama.cpp"}}, "llamacpp", "openai"),
        ({}, "", "openai"),
    ],
    ids=str,
)
def test_what_a_server_is_called_wins_over_what_it_looks_like(keys, first, then):
    """Roles with a guardrail profile find the proxies that keep it by that."""
    settings = service(**keys)
    before = declared(settings, "h/x")

    assert before.service.engine == first
    assert seen(before, healthy(FIRST), settings).service.engine == then


def test_without_discovery_only_declared_assets_are_offered():
    settings = service(assets=[{"asset_id": "second"}])
    watched = seen(declared(settings, "h/x"), healthy(FIRST, SECOND), settings)

    assert watched.service.assets == (Asset("second", False, 0),)


def test_a_server_without_a_list_keeps_what_is_declared():
    settings = service(kind="transcription", assets=[{"asset_id": "whisper", "loaded": True}])
    watched = seen(declared(settings, "h/x"), Sight("healthy", engine="openai"), settings)

    assert watched.service.assets == (Asset("whisper", True, 0),)
    assert watched.observation.health == "healthy"


def test_declared_concurrency_wins():
    settings = service(concurrency=7)
    watched = seen(declared(settings, "h/x"), healthy(FIRST, concurrency=2), settings)

    assert watched.service.concurrency == 7


def test_what_the_host_has_no_room_for_is_left_out_until_it_has():
    full = seen(declared(PLAIN, "h/x"), healthy(FIRST, SECOND), PLAIN, room=1)
    assert full.service.assets == (Asset("first", True, 4096),)
    assert full.left_out == 1

    down = seen(full, Sight("unhealthy"), PLAIN, room=1)
    assert (down.service, down.left_out) == (full.service, 1)

    free = seen(full, healthy(FIRST, SECOND), PLAIN, room=2)
    assert len(free.service.assets) == 2
    assert free.service.revision == full.service.revision + 1
    assert free.left_out == 0


def test_a_declared_asset_that_is_listed_too_keeps_what_is_declared_of_it():
    settings = service(engine="openai", assets=[{"asset_id": "first", "family": "Qwen3-8B"}])
    first = declared(settings, "h/x")
    watched = seen(first, healthy(FIRST, SECOND), settings)

    assert first.service.assets[0].declared is settings.assets[0]
    assert watched.service.assets[0] == Asset("first", True, 4096, family="Qwen3-8B")
    assert watched.service.assets[0].declared is settings.assets[0]
    assert watched.service.assets[1].declared is None


@pytest.mark.parametrize(
    ("mode", "sights", "expected"),
    [
        (None, [None], False),
        (None, [True], True),
        (None, [True, None], True),
        (None, [True, False], False),
        ("none", [True], False),
        ("on_request", [False], True),
        ("on_request", [], True),
    ],
)
def test_what_a_service_does_without_a_model_is_declared_or_seen(mode, sights, expected):
    settings = service(load_mode=mode)
    watched = declared(settings, "h/x")
    for loads in sights:
        watched = seen(watched, healthy(FIRST, loads_on_request=loads), settings)

    assert watched.service.loads_on_request is expected


def test_a_paused_service_is_told_as_such_and_looked_at_all_the_same():
    settings = service(state={"accept_requests": False, "allow_employee_direct_requests": True})
    first = declared(settings, "h/x")
    watched = seen(first, healthy(FIRST), settings)

    assert first.observation.availability == watched.observation.availability == "paused_by_user"
    assert watched.observation.health == "healthy"
    assert first.service.direct_requests
    assert watched.service.direct_requests


def test_models_larger_than_what_is_lent_are_not_offered():
    sight = healthy(Model("small", True, size_bytes=5), Model("large", True, size_bytes=6), FIRST)
    watched = seen(declared(PLAIN, "h/x"), sight, PLAIN, max_bytes=5)

    assert [one.asset_id for one in watched.service.assets] == ["small", "first"]


@pytest.mark.parametrize("availability", ["available", "busy", "draining", "quarantined"])
def test_a_machine_that_is_not_lent_pauses_its_services(availability):
    watched = Watched(
        declared(PLAIN, "h/x").service, Observation("healthy", availability=availability)
    )
    told = lent(watched, "on battery; ac_power_only").observation

    assert lent(watched, "") == watched
    open_to = availability in ("available", "busy")
    assert told.availability == ("paused_by_user" if open_to else availability)
    assert told.detail == ("on battery; ac_power_only" if open_to else "")


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ("lists no models: 404 at /v1/models", "{}; lists no models: 404 at /v1/models"),
        ("not looked at yet", "{}; not looked at yet"),
    ],
)
@pytest.mark.parametrize("why", ["on battery; ac_power_only", "not looked at yet"])
def test_why_it_is_not_lent_is_told_whatever_else_there_is(why, detail, told):
    one = declared(Service(service_id="x", endpoint="http://127.0.0.1:1"), "h/x")
    watched = replace(one, observation=Observation("healthy", detail))

    assert lent(watched, why).observation.detail == (why if why == detail else told.format(why))


def test_a_report_of_a_host_that_leaves_is_the_same_but_for_who_may_come():
    one = declared(Service(service_id="x", endpoint="http://127.0.0.1:1"), "h/x")
    lent_one = replace(one, observation=Observation("healthy", in_flight=2))
    report = Report(Host("h"), Metrics(), (one, lent_one))
    leaving = draining(report)
    assert [each.observation.availability for each in leaving.services] == ["draining"] * 2
    assert [each.service for each in leaving.services] == [one.service] * 2
    assert leaving.services[1].observation.in_flight == 2
    assert report.services == (one, lent_one)


@pytest.mark.parametrize(
    ("keys", "then"),
    [({}, ()), ({"engine": "auto", "assets": [{"asset_id": "w"}]}, (Asset("w", False, 0),))],
    ids=["listed", "declared"],
)
def test_what_another_kind_of_server_offered_is_forgotten(keys, then):
    """What has no list of its own would offer the models of whoever was there before."""
    settings = service(**keys)
    before = seen(
        declared(settings, "h/x"), replace(healthy(FIRST, concurrency=4), version="b1"), settings
    )
    loading = seen(before, Sight("loading", engine="llamacpp"), settings)
    after = seen(loading, Sight("healthy", engine="whispercpp"), settings)

    assert FIRST.asset_id in {asset.asset_id for asset in loading.service.assets}
    assert after.service.assets == then
    assert (after.service.concurrency, after.service.engine_version) == (0, "")


def test_who_is_named_by_its_owner_is_the_same_server_whatever_it_looks_like():
    settings = service(runtime={"engine": "Forge"})
    before = seen(declared(settings, "h/x"), healthy(FIRST), settings)

    assert seen(before, Sight("healthy", engine="openai"), settings).service == before.service
