"""What is known of the cluster, as JSON: the fields that clients know, and null for the unknown."""

import json

import msgspec
import pytest
from geniehive.v1 import benchmark_service_pb2 as benchmark_pb
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import roles_pb2 as roles
from google.protobuf.struct_pb2 import Struct

from control.api import cluster_documents as documents
from control.api import evidence_documents

# What clients of the first GenieHive read.
HOST = "host_id display_name address labels capabilities resources status metrics"
SERVICE = "service_id host_id kind protocol endpoint runtime assets state observed updated_at"
RUNTIME = "engine launcher provider_id context_size max_context_tokens"
STATE = "health load_state availability accept_requests allow_employee_direct_requests"
OBSERVED = (
    "p50_latency_ms p95_latency_ms tokens_per_sec queue_depth in_flight"
    " loaded_model_count vram_used_bytes max_context_tokens"
)
ROLE = "role_id display_name description operation modality prompt_policy routing_policy updated_at"
ROUTING = (
    "preferred_families preferred_labels min_context require_loaded allow_employee_devices"
    " allowed_trust_tiers denied_trust_tiers allowed_device_classes denied_device_classes"
    " allowed_workload_classes denied_workload_classes fallback_roles guardrail_profile"
    " tool_mode force_respond_tool context_budget_mode agentic_benchmark_workloads"
)
BENCHMARK = "benchmark_id service_id asset_id workload observed_at results"
HEALTH = "status host_count online_host_count stale_host_count service_count healthy_service_count"
SAMPLE = "sample_id target_type target_id observed_at status checks metrics"


def read(document):
    """Return a document as a client reads it."""
    return json.loads(msgspec.json.encode(document))


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        (documents.host(inventory.Host()), HOST),
        (documents.service(pb.ServiceStatus()), SERVICE),
        (documents.service(pb.ServiceStatus())["runtime"], RUNTIME),
        (documents.service(pb.ServiceStatus())["state"], STATE),
        (documents.service(pb.ServiceStatus())["observed"], OBSERVED),
        (documents.role(pb.RoleStatus()), ROLE),
        (documents.role(pb.RoleStatus())["routing_policy"], ROUTING),
        (evidence_documents.benchmark(benchmark_pb.BenchmarkSample()), BENCHMARK),
        (documents.health(pb.GetClusterHealthResponse()), HEALTH),
        (evidence_documents.health_sample(pb.HealthSample()), SAMPLE),
        (documents.host_inventory(pb.GetHostInventoryResponse()), f"{HOST} services"),
    ],
)
def test_no_field_is_missing_when_nothing_is_known(document, fields):
    assert set(fields.split()) <= set(read(document))


def full_service():
    message = pb.ServiceStatus(
        service=inventory.Service(
            service_id="h/llama",
            host_id="h",
            engine="llamacpp",
            endpoint=inventory.Endpoint(scheme="http", address="h:80", base_path="/x"),
            assets=[
                inventory.Asset(
                    asset_id="e", operations=[inventory.OPERATION_EMBEDDINGS], context_tokens=512
                ),
                inventory.Asset(
                    asset_id="m",
                    operations=[inventory.OPERATION_CHAT],
                    loaded=True,
                    context_tokens=8192,
                    request_policy=inventory.RequestPolicy(
                        body_defaults='{"top_p":0.5}', system_prompt="Be brief."
                    ),
                ),
            ],
            observation=inventory.ServiceObservation(
                health=inventory.HEALTH_HEALTHY,
                queue_depth=2,
                availability=inventory.AVAILABILITY_DRAINING,
            ),
        ),
        health=inventory.HEALTH_UNHEALTHY,
        in_flight=3,
        waiting=2,
        learned=[
            inventory.LearnedRates(
                asset_id="m",
                decode=[inventory.DecodeRate(concurrency=4, tokens_per_second=21.0)],
                sample_count=9,
            )
        ],
        measured=pb.Measured(request_count=7),
        roles=[pb.ServedRole(role_id="mentor", asset_id="m")],
    )
    message.latency_p50.FromMicroseconds(412_500)
    message.measured.first_byte_p95.FromMilliseconds(900)
    message.update_time.FromMilliseconds(1_775_583_000_250)
    return message


def test_a_service_is_told_as_routing_sees_it():
    told = read(documents.service(full_service()))

    assert (told["kind"], told["operations"]) == ("chat", ["chat", "embeddings"])
    assert told["endpoint"] == "http://h:80/x"
    assert told["updated_at"] == 1_775_583_000.25
    assert told["state"]["health"] == "unhealthy"
    assert told["state"]["reported_health"] == "healthy"
    assert told["state"]["accept_requests"] is False
    assert told["state"]["load_state"] == "loaded"
    assert told["observed"]["p50_latency_ms"] == 412.5
    assert told["observed"]["p95_latency_ms"] == 900
    assert (told["observed"]["queue_depth"], told["observed"]["waiting"]) == (2, 2)
    assert told["learned"] == [
        {
            "asset_id": "m",
            "prompt_tokens_per_sec": None,
            "decode_tokens_per_sec": {"4": 21.0},
            "load_s": None,
            "answer_tokens": None,
            "bytes_per_token": None,
            "slots": None,
            "sample_count": 9,
        }
    ]
    assert told["observed"]["loaded_model_count"] == 1
    assert told["observed"]["max_context_tokens"] == 8192
    assert [one["roles"] for one in told["assets"]] == [[], ["mentor"]]
    assert told["assets"][1]["request_policy"] == {
        "body_defaults": {"top_p": 0.5},
        "system_prompt": "Be brief.",
        "system_prompt_position": "prepend",
    }


def test_quantiles_of_different_things_do_not_stand_together():
    """A node tells how long whole answers take, gateways measure the first byte."""
    message = full_service()
    seen = message.service.observation
    seen.latency_p50.FromMilliseconds(3_000)
    assert documents.observed(message)["p95_latency_ms"] is None

    seen.latency_p95.FromMilliseconds(8_000)
    assert documents.observed(message)["p95_latency_ms"] == 8_000
    seen.first_token_p50.FromMilliseconds(300)
    assert documents.observed(message)["p95_latency_ms"] is None
    seen.first_token_p95.FromMilliseconds(700)
    assert documents.observed(message)["p95_latency_ms"] == 700


def test_a_role_is_told_with_who_serves_it():
    message = pb.RoleStatus(
        role=roles.Role(
            role_id="mentor",
            operation=inventory.OPERATION_CHAT,
            request_policy=inventory.RequestPolicy(system_prompt="Guide.", without_tools=True),
            routing_policy=roles.RoutingPolicy(min_context=8192),
        ),
        candidate_count=3,
        loaded_candidate_count=2,
        service_id="h/llama",
        asset_id="m",
    )
    message.best_latency_p50.FromMilliseconds(900)
    told = read(documents.role(message))

    assert told["display_name"] == "mentor"
    assert told["prompt_policy"]["system_prompt"] == "Guide."
    assert told["routing_policy"]["min_context"] == 8192
    assert told["routing_policy"]["tool_mode"] == "none"
    assert (told["healthy_target_count"], told["loaded_target_count"]) == (3, 2)
    assert told["best_p50_latency_ms"] == 900


def test_results_of_benchmarks_come_back_as_they_were_sent():
    sent = {
        "pass_rate": 0.5,
        "case_count": 2,
        "note": "ü",
        "ttft_ms": None,
        "runs": [1, {"a": True}],
    }
    results = Struct()
    results.update(sent)

    told = read(evidence_documents.benchmark(benchmark_pb.BenchmarkSample(results=results)))

    assert told["results"] == sent
    assert isinstance(told["results"]["case_count"], int)


def test_no_engine_key_is_ever_told():
    message = full_service()
    message.service.api_key = "sk-secret"
    message.service.has_api_key = True

    assert "sk-secret" not in json.dumps(read(documents.service(message)))
    assert documents.service(message)["runtime"]["has_api_key"] is True
