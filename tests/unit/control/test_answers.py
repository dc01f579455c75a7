"""Names and services that are not what they seem, as a view tells."""

from dataclasses import replace

import pytest

from control import answers
from control.api.errors import ModelNotFound, NoHealthyRoute, OperationMismatch
from control.inventory import Asset, Endpoint, Host, Operation, Service
from control.lookout import View
from control.ranking.candidates import Candidate
from control.ranking.matching import Task
from control.ranking.offering import Rules
from control.ranking.questions import Seen
from control.ranking.roles import Role
from control.ranking.subject import Subject
from control.table.watch import Identity


def seen(service_id, *assets):
    host_id = service_id.partition("/")[0]
    endpoint = Endpoint("http", "127.0.0.1:8080")
    held = tuple(Asset(asset_id, (Operation.CHAT,)) for asset_id in assets)
    return Seen(Subject(Host(host_id), Service(service_id, host_id, endpoint, assets=held)))


def view(services=(), roles=(), **targets):
    """targets: by name, with _ for /; services and assets that serve it."""
    chat = {
        name.replace("_", "/"): tuple(Candidate(*one, loaded=False) for one in candidates)
        for name, candidates in targets.items()
    }
    return View(
        Rules({one: Role(one, Operation.CHAT) for one in roles}),
        {**{operation: {} for operation in Operation}, Operation.CHAT: chat},
        {one.subject.service.service_id: one for one in services},
        settled=True,
        table=Identity("store", "life", 1),
    )


def matched(found):
    return [
        (
            one.role.role_id if one.role else "",
            one.serving and one.serving.subject.service.service_id,
        )
        for one in answers.match(found, Task())
    ]


def test_a_role_is_known_before_the_table_has_it():
    found = answers.resolve(view(roles=["mentor"]), "mentor", None)

    assert (found.role_id, list(found.candidates)) == ("mentor", [])
    with pytest.raises(NoHealthyRoute):
        answers.routed(view(roles=["mentor"]), "mentor", None)


def test_a_service_that_has_left_meanwhile_serves_nobody():
    gone = view(roles=["mentor"], mentor=[("h1/s", "m")], h1_s=[("h1/s", "m")])

    assert matched(gone) == [("mentor", None)]


def test_an_asset_that_has_left_meanwhile_serves_nobody():
    gone = view([seen("h1/s", "other")], ["mentor"], mentor=[("h1/s", "m")])

    assert matched(gone) == [("mentor", None)]


def test_a_service_is_no_match_where_its_name_means_something_else():
    services = [seen("h1/s", "m"), seen("h2/s", "h1/s"), seen("h3/s", "m")]
    names = {"h1_s": [("h2/s", "h1/s")], "h2_s": [("h2/s", "h1/s")], "h3_s": [("h3/s", "m")]}

    assert matched(view(services, ["h3/s"], **names)) == [("h3/s", "h3/s"), ("", "h2/s")]


def test_what_cannot_be_told_is_asked_as_chat():
    other = {Operation.EMBEDDINGS: {"m": (), "e": ()}, Operation.TRANSCRIPTION: {"m": ()}}
    known = view()
    known = replace(known, targets={**known.targets, **other})

    assert answers.resolve(known, "e", None).operation is Operation.EMBEDDINGS
    with pytest.raises(OperationMismatch, match="'m' serves embeddings, transcription, not chat"):
        answers.resolve(known, "m", None)


@pytest.mark.parametrize("name", ["pc/s", "m", "asset/mentor"])
def test_of_a_name_that_nobody_may_ask_for_it_is_told_who_has_it_and_why(name):
    pc = seen("pc/s", "m", "mentor")
    pc = replace(
        pc, subject=replace(pc.subject, host=replace(pc.subject.host, trust_tier="personal_device"))
    )
    told = (
        f"nobody may ask for {name!r}; at pc/s, direct_requests: personal_device;"
        " does not answer direct requests"
    )

    for ask in (answers.resolve, answers.explain):
        with pytest.raises(ModelNotFound) as raised:
            ask(view([pc], ["mentor"]), name, None)
        assert str(raised.value) == told


def test_latest_is_what_a_name_without_a_tag_means_where_nobody_offers_that():
    one = Candidate("h/a", "qwen3", loaded=False)
    found = replace(view(), targets={**view().targets, Operation.CHAT: {"qwen3": (one,)}})

    assert answers.resolve(found, "qwen3:latest", None).candidates == (one,)
    assert answers.explain(found, "qwen3:latest", None)[0].candidates == (one,)
    with pytest.raises(ModelNotFound):
        answers.resolve(found, "llama:latest", None)
    with pytest.raises(OperationMismatch):
        answers.resolve(found, "qwen3:latest", Operation.EMBEDDINGS)
