"""Documents about routes name everything that the contract has a name for."""

import pytest
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from control.api import route_documents as documents
from control.api.strategies import Strategy
from control.inventory import Availability, Operation


@pytest.mark.parametrize(
    ("words", "names", "enum"),
    [
        (documents.OPERATIONS, Operation, inventory.Operation),
        (documents.AVAILABILITIES, Availability, inventory.Availability),
        (documents.STRATEGIES, Strategy, pb.Strategy),
    ],
    ids=["operation", "availability", "strategy"],
)
def test_every_value_has_the_word_that_control_has_for_it(words, names, enum):
    assert sorted(words.values()) == sorted(names)
    assert set(words) == {value for value in enum.values() if value}


def test_what_gateways_keep_out_is_told_with_its_unit():
    ejection = pb.Ejection(reason="5 timeouts", gateway_count=2)
    ejection.remaining.FromMilliseconds(12_500)
    told = {"remaining_s": 12.5, "reason": "5 timeouts", "gateways": 2}

    assert documents.explained(pb.Explanation(ejection=ejection))["ejection"] == told
    assert documents.explained(pb.Explanation())["ejection"] is None


def test_what_is_not_told_is_null_and_never_made_up():
    told = documents.explanation(pb.ResolveRouteResponse(model="m"))
    (match,) = documents.matches(
        pb.MatchRoutesResponse(candidates=[pb.RouteMatch(direct_service_id="h/s")]), None, None
    )["candidates"]

    assert (told["operation"], told["role_id"], told["strategy"], told["lead"]) == (None,) * 4
    assert match["service"]["asset_id"] is None
    assert {name for name, value in match["signals"].items() if value is None} == {
        "loaded",
        "p50_latency_ms",
        "tokens_per_sec",
        "queue_depth",
        "loaded_model_count",
        "availability",
        "benchmark_quality_score",
        "benchmark_age_s",
    }
