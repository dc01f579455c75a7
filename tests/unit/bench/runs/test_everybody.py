"""Whom `--all` asks, and why others are left out."""

from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from bench.runs import everybody, workload
from tests.unit.cli.clusters import status

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
