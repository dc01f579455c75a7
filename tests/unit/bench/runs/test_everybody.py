"""Whom `--all` asks, and why others are left out."""

from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from bench.runs import everybody, workload
from cli.cluster import Cluster
from control.api.errors import ModelNotFound
from tests.unit.cli.clusters import health, status

OWN = [workload.load(name) for name in workload.own()]


def names(found):
    return [one.workload for one in found]


def test_a_service_is_asked_what_it_offers():
    chat, embed = status("h1/a", "m"), status("h1/b", "e", operation=inventory.OPERATION_EMBEDDINGS)
    whisper = status("h1/c", "w", operation=inventory.OPERATION_TRANSCRIPTION)

    found = everybody.fitting_workloads(chat, OWN)
    assert names(found) == ["chat.concise_support", "chat.short_reasoning"]
    assert names(everybody.fitting_workloads(embed, OWN)) == ["embeddings.short_texts"]
    assert everybody.fitting_workloads(whisper, OWN) == ()


def test_a_candidate_may_be_asked():
    candidate = pb.ResolvedCandidate()
    candidate.candidate.service_id = "h1/a"
    assert everybody.refusal(pb.ResolveRouteResponse(candidates=[candidate]), "h1/a") == ""


def test_a_service_that_answers_no_strangers_is_left_out_with_the_reason():
    gates = [
        pb.Gate(name="health", passed=True, detail="healthy"),
        pb.Gate(name="direct_requests", detail="employee_device; does not answer"),
    ]
    answer = pb.ResolveRouteResponse(
        operation=inventory.OPERATION_CHAT,
        explanations=[
            pb.Explanation(service_id="h1/b"),
            pb.Explanation(service_id="h1/a", gates=gates),
        ],
    )

    said = "direct_requests: employee_device; does not answer"
    assert everybody.refusal(answer, "h1/a") == said
    assert everybody.refusal(answer, "h1/b") == "not to be asked by its own name for chat"


def test_a_service_that_is_gone_meanwhile_is_left_out(monkeypatch):
    listed = Cluster(health(), (), (status("h1/a", "m"), status("h1/b", "m")))
    monkeypatch.setattr(everybody.cluster, "read", lambda *_: listed)

    def explain(channel, name, *_):
        if name == "h1/a":
            raise ModelNotFound("no model or role 'h1/a'")
        candidate = pb.ResolvedCandidate()
        candidate.candidate.service_id = name
        return pb.ResolveRouteResponse(candidates=[candidate])

    monkeypatch.setattr(everybody.routes, "explain", explain)
    found = everybody.everybody(None, OWN, 1.0)

    assert found.asked.keys() == {"h1/b"}
    assert found.skipped == {"h1/a": "no model or role 'h1/a'"}
