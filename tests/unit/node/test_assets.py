"""Which models a service offers."""

import pytest

from node.assets import Asset, declared, described, listed, takes, within
from node.config import Service
from node.engines.sight import Model


def service(*assets, **keys):
    declared_ones = [one if isinstance(one, dict) else {"asset_id": one} for one in assets]
    return Service.model_validate(
        {"service_id": "x", "endpoint": "http://a:1", "assets": declared_ones, **keys}
    )


def offered(models, settings, known=(), takes=lambda _: True):
    return listed(models, settings, known, takes)


def names(assets):
    return [one.asset_id for one in assets]


@pytest.mark.parametrize(
    ("said", "by_server"),
    [("qwen3", "qwen3"), ("qwen3:latest", "qwen3"), ("qwen3", "qwen3:latest")],
)
def test_a_declared_name_is_found_in_either_spelling_and_offered_in_that_of_the_server(
    said, by_server
):
    settings = service({"asset_id": said, "family": "Qwen3"}, engine="ollama")
    (asset,) = offered([Model(by_server, True)], settings)

    assert (asset.asset_id, asset.loaded, asset.family) == (by_server, True, "Qwen3")
    assert asset.declared is settings.assets[0]


def test_two_spellings_of_one_model_are_offered_once():
    settings = service("qwen3:latest", "qwen3", engine="ollama")

    assert names(offered([Model("qwen3", True)], settings)) == ["qwen3"]


def test_what_a_server_does_not_tell_stays_as_it_was():
    known = (Asset("a", True, 4096, "embeddings", "bert", "d1", "", "gguf", ("x",), 7),)

    assert offered([Model("a", None)], service(), known) == known
    assert offered([Model("b", None)], service(), known) == (Asset("b", False, 0),)


def test_of_what_is_unloaded_it_stays_known_what_it_is():
    known = (Asset("a", True, 4096, "embeddings", "bert", "d1", "", "gguf", ("x",), 7),)
    (asset,) = offered([Model("a", False)], service(), known)

    assert asset == Asset("a", False, 4096, "embeddings", "bert", "d1", "", "gguf", ("x",), 7)


@pytest.mark.parametrize(
    "model", [Model("a", True), Model("a", False, digest="d2")], ids=["loaded", "another"]
)
def test_what_was_known_of_other_weights_is_forgotten(model):
    known = (Asset("a", True, 4096, "embeddings", "bert", "d1"),)
    (asset,) = offered([model], service(), known)

    assert (asset.operation, asset.context_tokens, asset.family) == (None, 0, "")


CHAT, EMBEDS, UNTOLD = (
    Model("c", True, operation="chat"),
    Model("e", True, operation="embeddings"),
    Model("u", True),
)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["chat"], [["c", "e", "u"]]),
        (["chat", "embeddings"], [["c", "u"], ["e", "u"]]),
        (["embeddings", "chat"], [["e", "u"], ["c", "u"]]),
        (["chat", "chat"], [["c", "e", "u"], ["c", "e", "u"]]),
        (["transcription"], [["c", "e", "u"]]),
    ],
    ids=["-".join(kinds) for kinds in (["1"], ["2"], ["2r"], ["same"], ["other"])],
)
def test_services_of_one_server_offer_what_is_for_them(kinds, expected):
    found = [
        names(offered([CHAT, EMBEDS, UNTOLD], service(), takes=takes(kinds, kind)))
        for kind in kinds
    ]

    assert found == expected


def test_what_is_declared_is_for_the_service_that_declares_it():
    settings = service("e", engine="openai")

    assert names(offered([EMBEDS], settings, takes=lambda _: False)) == ["e"]


def test_before_the_first_look_what_is_declared_stands():
    settings = service({"asset_id": "whisper", "loaded": True, "context_size": 5})

    assert declared(settings) == (Asset("whisper", True, 5),)


def test_what_there_is_no_room_to_describe_is_offered_undescribed():
    """Control refuses a whole host whose models are described in more than a megabyte."""
    assets = [Asset(f"m{n}", True, 9, "chat", "f" * 10, capabilities=("ü",)) for n in range(3)]
    room = described(assets[:2])
    kept = within(assets, room)

    assert room == 24
    assert kept == (*assets[:2], Asset("m2", True, 9, "chat"))
