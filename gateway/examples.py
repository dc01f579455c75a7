"""Examples of answers, made as real ones are: what the description of the API shows.

Of each kind of thing there is one of which all is known, and one of which nothing is.
"""

from collections.abc import Sequence

from geniehive.v1 import benchmark_service_pb2 as benchmark
from geniehive.v1 import discovery_service_pb2 as discovery
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import roles_pb2 as roles
from geniehive.v1 import routing_service_pb2 as routing
from google.protobuf.duration_pb2 import Duration

from control.api import evidence_documents, route_documents
from control.api.route_documents import Document
from gateway import cluster
from gateway.known import Entry, Known
from gateway.model_items import Named, document
from gateway.record import RUNNING, Attempt, Queued, Record
from gateway.totals import ANSWERED

_EPOCH_S = 1_775_583_000  # any moment
_SERVICE = "gpu-1/llama"

POLICY = inventory.RequestPolicy(
    body_defaults='{"temperature":0.2}',
    body_overrides='{"max_tokens":512}',
    system_prompt="Guide without doing the work.",
    user_template="{{ user_input }}",
    reasoning=inventory.REASONING_STRIP,
    without_tools=True,
)
HOST = inventory.Host(
    host_id="gpu-1",
    display_name="GPU box",
    address="192.168.1.31",
    labels={"site": "lab"},
    capabilities={"cuda": True},
    resources=inventory.HostResources(
        cpu_threads=24,
        memory_bytes=128_000_000_000,
        gpus=[
            inventory.Gpu(
                gpu_id="GPU-6d21", name="RTX 4090", vendor="nvidia", memory_bytes=24_000_000_000
            ),
            inventory.Gpu(gpu_id="other"),
        ],
    ),
    metrics=inventory.HostMetrics(
        cpu_utilization=0.25,
        memory_available_bytes=64_000_000_000,
        on_ac_power=True,
        temperature_celsius=61.5,
        gpus=[
            inventory.GpuMetrics(
                gpu_id="GPU-6d21",
                utilization=0.5,
                memory_used_bytes=9_000_000_000,
                temperature_celsius=64.5,
            ),
            inventory.GpuMetrics(gpu_id="other"),
        ],
    ),
    state=inventory.HOST_STATE_ONLINE,
    generation=1,
    trust_tier="trusted_datacenter",
    device_class="workstation",
    workload_classes=["interactive"],
    allowed_model_families=["qwen3"],
    node_key_id="static:1f3a9c02",
    contribution=inventory.ContributionPolicy(
        idle_only=True,
        ac_power_only=True,
        thermal_ceiling_celsius=85.5,
        max_memory_bytes=12_500_000_000,
    ),
)
ASSET = inventory.Asset(
    asset_id="Qwen3-8B-Q4_K_M",
    operations=[inventory.OPERATION_CHAT],
    loaded=True,
    context_tokens=8_192,
    family="Qwen3-8B",
    labels=["instruction"],
    request_policy=POLICY,
    modality="text",
    format="gguf",
    locator=inventory.AssetLocator(kind="path", value="/models/qwen3-8b.gguf"),
    metadata={"quant": "Q4_K_M"},
    digest="sha256:9f86d081",
    capabilities=["tools"],
    size_bytes=5_027_783_488,
)
STATUS = discovery.ServiceStatus(
    service=inventory.Service(
        service_id=_SERVICE,
        host_id="gpu-1",
        engine="llamacpp",
        engine_version="b9100",
        endpoint=inventory.Endpoint(scheme="http", address="192.168.1.31:8080"),
        assets=[ASSET, inventory.Asset(asset_id="other")],
        concurrency=4,
        observation=inventory.ServiceObservation(
            health=inventory.HEALTH_HEALTHY,
            in_flight=1,
            queue_depth=0,
            detail="all is well",
            kv_cache_utilization=0.25,
            vram_used_bytes=9_000_000_000,
            prompt_tokens_per_second=812.5,
        ),
        load_mode=inventory.LOAD_MODE_NONE,
    ),
    routable=True,
    in_flight=1,
    measured=discovery.Measured(
        request_count=120,
        error_counts={"upstream_timeout": 1},
        prompt_tokens=8_000,
        completion_tokens=12_000,
        tokens_per_second=42.5,
    ),
    roles=[discovery.ServedRole(role_id="mentor", asset_id="Qwen3-8B-Q4_K_M")],
    health=inventory.HEALTH_HEALTHY,
    probe=discovery.Probe(health=inventory.HEALTH_HEALTHY, detail="answered in 12 ms"),
    tokens_per_second=42.5,
    ejection=routing.Ejection(reason="5 timeouts", gateway_count=1),
    waiting=2,
    learned=[
        inventory.LearnedRates(
            service_id=_SERVICE,
            asset_id="Qwen3-8B-Q4_K_M",
            prefill_tokens_per_second=2_400.0,
            decode=[
                inventory.DecodeRate(concurrency=1, tokens_per_second=38.0),
                inventory.DecodeRate(concurrency=4, tokens_per_second=21.0),
            ],
            answer_tokens=210.0,
            slots=4,
            sample_count=120,
            bytes_per_token=4.1,
        )
    ],
)
ROLE = discovery.RoleStatus(
    role=roles.Role(
        role_id="mentor",
        display_name="Mentor",
        description="Explains concepts with patience",
        operation=inventory.OPERATION_CHAT,
        modality="text",
        request_policy=POLICY,
        routing_policy=roles.RoutingPolicy(
            preferred_families=["qwen3"],
            preferred_labels=["instruction"],
            min_context=8_192,
            allowed_trust_tiers=["trusted_datacenter"],
            denied_trust_tiers=["personal_device"],
            allowed_device_classes=["workstation"],
            denied_device_classes=["phone"],
            allowed_workload_classes=["interactive"],
            denied_workload_classes=["batch"],
            fallback_roles=["general_assistant"],
            guardrail_profile="none",
            agentic_benchmark_workloads=["chat.short_reasoning"],
            strategy="scored",
        ),
    ),
    strategy=routing.STRATEGY_SCORED,
    fallback_roles=["general_assistant"],
    candidate_count=2,
    loaded_candidate_count=1,
    service_id=_SERVICE,
    asset_id="Qwen3-8B-Q4_K_M",
    effective_request_policy=POLICY,
)
SAMPLE = discovery.HealthSample(
    sample_id="hs_01",
    service_id=_SERVICE,
    health=inventory.HEALTH_HEALTHY,
    checks={"http_ok": True},
    detail="answered in 12 ms",
    in_flight=1,
    queue_depth=0,
)
BENCHMARK = benchmark.BenchmarkSample(
    benchmark_id="bench_01",
    service_id=_SERVICE,
    asset_id="Qwen3-8B-Q4_K_M",
    workload="chat.short_reasoning",
    asset_digest="sha256:9f86d081",
    service_known=True,
    weight=1.0,
)
HEALTH = discovery.GetClusterHealthResponse(
    host_count=2,
    online_host_count=1,
    lost_host_count=1,
    service_count=3,
    routable_service_count=2,
    healthy_service_count=2,
    asset_count=4,
    loaded_asset_count=2,
    role_count=1,
    benchmark_sample_count=12,
    in_flight=1,
    waiting=2,
    gateway_count=1,
    route_version=812,
    settled=True,
    control_version="0.1.0",
    catalog_problem="roles.yaml:7: mentor: routing_policy.fallback_roles: no role helper",
    unusable_resources={"service/gpu-1/llama": "scheme 'ftp' is neither http nor https"},
    drains=[discovery.Drain(name="gpu-2", principal_id="static:1f3a9c02")],
)
for _span, _milliseconds in (
    (STATUS.latency_p50, 412),
    (STATUS.service.observation.first_token_p50, 412),
    (STATUS.service.observation.first_token_p95, 900),
    (STATUS.service.observation.latency_p50, 1_900),
    (STATUS.service.observation.latency_p95, 4_200),
    (STATUS.held_back, 12_000),
    (STATUS.ejection.remaining, 12_000),
    (STATUS.measured.first_byte_p50, 412),
    (STATUS.measured.first_byte_p95, 900),
    (ROLE.best_latency_p50, 412),
    (SAMPLE.latency, 12),
    (HEALTH.route_age, 2_000),
    (HEALTH.uptime, 3_600_000),
    (STATUS.learned[0].load, 3_200),
):
    _span.FromMilliseconds(_milliseconds)
for _moment in (
    HOST.heartbeat_time,
    STATUS.update_time,
    STATUS.measured.start_time,
    STATUS.probe.probe_time,
    ROLE.update_time,
    SAMPLE.observed_time,
    BENCHMARK.observed_time,
    HEALTH.drains[0].start_time,
):
    _moment.FromSeconds(_EPOCH_S)
BENCHMARK.results.update({"pass_rate": 1.0, "ttft_ms": 412, "tokens_per_sec": 42.5})
INVENTORY = discovery.GetHostInventoryResponse(host=HOST, services=[STATUS])
INVENTORY.machine.MergeFrom(
    inventory.MachineInventory(
        model_files=[
            inventory.ModelFile(
                path="/models/qwen3-8b.gguf",
                size_bytes=5_027_783_488,
                name="Qwen3 8B",
                architecture="qwen3",
                quantization="Q4_K_M",
                context_tokens=40_960,
                parameter_count=8_190_735_360,
            ),
            inventory.ModelFile(path="/models/other.gguf", size_bytes=98_000_000),
        ],
        model_file_count=2,
        problems=["/models/old: permission denied"],
    )
)
INVENTORY.report_time.FromSeconds(_EPOCH_S)
INVENTORY.report_age.FromMilliseconds(800)
RESOLVED = routing.ResolveRouteResponse(
    model="mentor",
    operation=inventory.OPERATION_CHAT,
    role_id="mentor",
    strategy=routing.STRATEGY_SCORED,
    candidates=[
        routing.ResolvedCandidate(
            candidate=routing.Candidate(
                service_id=_SERVICE, asset_id="Qwen3-8B-Q4_K_M", score=0.77, runtime=0.75
            ),
            endpoint=STATUS.service.endpoint,
            in_flight=1,
        )
    ],
    explanations=[
        routing.Explanation(
            service_id=_SERVICE,
            asset_id="Qwen3-8B-Q4_K_M",
            chosen=True,
            score=0.77,
            gates=[routing.Gate(name="health", passed=True)],
            terms=[routing.ScoreTerm(name="runtime", weight=0.45, value=0.75, detail="loaded")],
            ejection=STATUS.ejection,
            expected=routing.ExpectedCompletion(
                prefill=Duration(nanos=520_000_000), decode=Duration(seconds=4), cost=6.08
            ),
        )
    ],
)
MATCHED = routing.MatchRoutesResponse(
    tasks=["explain recursion"],
    workloads=["chat.short_reasoning"],
    candidates=[
        routing.RouteMatch(
            role_id="mentor",
            operation=inventory.OPERATION_CHAT,
            service_id=_SERVICE,
            asset_id="Qwen3-8B-Q4_K_M",
            score=0.71,
            reasons=["the task overlaps with what the role is for"],
            signals=routing.MatchSignals(task_overlap=0.5, loaded=True),
        ),
        routing.RouteMatch(
            direct_service_id=_SERVICE, operation=inventory.OPERATION_CHAT, score=0.58
        ),
    ],
)
REQUEST = Record(
    request_id="req_93c1f0d2a1b4e5f60000000000000007",
    client_id="ticket-4711",
    principal="",
    operation="chat",
    model="mentor",
    began=_EPOCH_S,
    outcome=ANSWERED,
    status=200,
    attempts=[
        Attempt(
            at=0.3004,
            service_id="laptop/ollama",
            host_id="laptop",
            asset_id="qwen3:8b",
            code="upstream_error",
            message="laptop/ollama cannot be reached: connection refused",
        ),
        Attempt(0.3021, _SERVICE, "gpu-1", "Qwen3-8B-Q4_K_M"),
    ],
    sent=0.3021,
    first_byte=0.7121,
    ended=1.9,
    prompt_tokens=9,
    completion_tokens=2,
    queued=Queued(0.0002, 0.3, 1, "all 2 slots of qwen3:8b busy"),
)
BEGUN = Record("req_93c1f0d2a1b4e5f60000000000000008", "", "", "chat", "", _EPOCH_S, RUNNING, 0, [])

_ITEMS = (
    Named("mentor", "role", ("chat",), (_SERVICE,), _SERVICE, POLICY),
    Named("Qwen3-8B-Q4_K_M", "asset", ("chat",), (_SERVICE,), _SERVICE, POLICY),
    Named(_SERVICE, "service", ("chat",), (_SERVICE,), _SERVICE, None),
)
_KNOWN = Known(
    {"gpu-1": Entry(HOST, b"")}, {_SERVICE: Entry(STATUS, b"")}, {"mentor": Entry(ROLE, b"")}
)


def models() -> Sequence[Document]:
    """Return a role, an asset and a service as they are listed."""
    return [document(one, _KNOWN) for one in _ITEMS]


def resolved() -> Document:
    """Return where a request goes, and why."""
    return {
        "status": "ok",
        "resolution": cluster.resolution(RESOLVED),
        "explanation": route_documents.explanation(RESOLVED),
    }


def matched() -> Document:
    """Return what fits a task."""
    return {"status": "ok", **route_documents.matches(MATCHED, "chat", "text")}


def ingested() -> Document:
    """Return the answer to samples that were told."""
    return {
        "status": "ok",
        "count": 1,
        "created_count": 1,
        "replaced_count": 0,
        "unknown_service_ids": ["gpu-1/gone"],
        "data": [evidence_documents.told_benchmark(BENCHMARK)],
    }
