"""Lists as tables, and one of each in detail."""

import time

from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import roles_pb2

from cli import detailed, listed
from cli.models import models
from tests.unit.cli.clusters import NOW, THREE_HOSTS, ejected, host, role, status

HOSTILE = "\x1b[2Jevil\r\n\u202e"
BOUND = 10.0  # ten times the goal


def big():
    made = host("tower", address="192.168.1.22")
    made.resources.cpu_threads, made.resources.memory_bytes = 16, 64_000_000_000
    made.metrics.cpu_utilization = 0.12
    made.trust_tier = "trusted_datacenter"
    made.labels["site"] = "lab"
    made.capabilities["cuda"] = True
    return made


def probed():
    one = status("tower/vllm", "+qwen3:14b", "other", concurrency=4, in_flight=2, queue=1)
    one.latency_p50.FromMilliseconds(1_800)
    one.tokens_per_second = 44.4
    one.health = inventory.HEALTH_HEALTHY
    one.probe.health = inventory.HEALTH_HEALTHY
    one.probe.probe_time.FromDatetime(NOW)
    one.measured.request_count = 31
    one.measured.error_counts["timeout"] = 2
    one.roles.append(pb.ServedRole(role_id="mentor", asset_id="qwen3:14b"))
    return one


def test_hosts():
    lost = host("attic", inventory.HOST_STATE_LOST, seen=250)
    assert listed.hosts([lost, big()], NOW, None, color=False).splitlines() == [
        "HOST   STATE                  ADDRESS       TIER                CORES   MEMORY"
        "  FREE MEM  CPU  SEEN",
        "attic  lost 4m: no heartbeat  -             -                       ?        ?"
        "         ?    ?    4m",
        "tower  up                     192.168.1.22  trusted_datacenter     16  64.0 GB"
        "    9.1 GB  12%    1s",
    ]


def test_services():
    owners = {one.host_id: one for one in (*THREE_HOSTS.hosts, big())}
    shown = listed.services([THREE_HOSTS.services[0], probed()], owners, NOW, None, color=False)
    assert shown.splitlines() == [
        "SERVICE       STATE                  ENGINE  LOADED         BUSY  WAIT  LATENCY  TOK/S",
        "attic/ollama  lost 4m: no heartbeat  -       ?/2               ?     ?        -      -",
        "tower/vllm    up                     -       1/2 qwen3:14b   2/4     1    1.8 s     44",
    ]


def test_roles():
    fallback = role("mentor", "tower/vllm", "qwen3:14b", loaded=1)
    fallback.fallback_roles.append("helper")
    fallback.best_latency_p50.FromMilliseconds(420)
    assert listed.roles([fallback, role("nobody")], None).splitlines() == [
        "ROLE    OPERATION  SERVED BY             SERVICES  IN MEM  LATENCY  FALLBACK",
        "mentor  chat       tower/vllm qwen3:14b         1       1   420 ms  helper",
        "nobody  chat       nobody now                   0       0        -  -",
    ]


def test_models():
    found = models([probed(), status("a/b", "other", context=8_192)], [role("nobody")])
    assert listed.models(found, None).splitlines() == [
        "MODEL      KIND   OPERATION  LOADED  CONTEXT  SERVED BY",
        "nobody     role   chat       no            -  nobody now",
        "other      asset  chat       no         8192  tower/vllm +1",
        "qwen3:14b  asset  chat       yes           ?  tower/vllm",
    ]


def test_of_nothing_the_way_on_is_said():
    shown = (
        listed.hosts([], NOW, None, color=False),
        listed.services([], {}, NOW, None, color=False),
        listed.roles([], None),
        listed.models([], None),
    )
    assert all(text.startswith("no ") and "\n" not in text for text in shown)


def test_a_host_in_detail():
    found = pb.GetHostInventoryResponse(host=big(), services=[probed()])
    assert detailed.host(found, NOW, None).splitlines() == [
        "tower: up",
        "  address     192.168.1.22",
        "  heard       1s ago",
        "  machine     16 cores, 64.0 GB, 9.1 GB free, 12% busy",
        "  trust tier  trusted_datacenter",
        "  labels      site=lab",
        "  abilities   cuda=yes",
        "SERVICE     STATE  ENGINE  LOADED         BUSY  WAIT  LATENCY  TOK/S",
        "tower/vllm  up     -       1/2 qwen3:14b   2/4     1    1.8 s     44",
    ]


def test_a_service_in_detail():
    assert detailed.service(probed(), big(), NOW, None).splitlines() == [
        "tower/vllm: up",
        "  endpoint      http://127.0.0.1:8080",
        "  loads models  none",
        "  requests      2/4 served, 1 waiting",
        "  health        healthy, by its node; healthy, by probes 0s ago",
        "  speed         1.8 s to an answer, 44 tokens/s",
        "  measured      31 requests, 2 failed (most: timeout), since yesterday",
        "ASSET      OPERATION  LOADED  CONTEXT  SIZE  FAMILY  CAN  ROLES",
        "qwen3:14b  chat       yes           ?     ?  -       -    mentor",
        "other      chat       no            ?     ?  -       -    -",
    ]


def test_what_gateways_learned_of_a_service_is_told_in_words():
    one = probed()
    fast = inventory.LearnedRates(
        asset_id="qwen3:14b",
        prefill_tokens_per_second=2_400.4,
        decode=[
            inventory.DecodeRate(concurrency=1, tokens_per_second=38.2),
            inventory.DecodeRate(concurrency=4, tokens_per_second=21.0),
        ],
        answer_tokens=210.3,
    )
    fast.load.FromMilliseconds(3_200)
    one.learned.append(fast)
    words = (
        "reads 2,400 tok/s, writes 38 tok/s (4 at once: 21), loads in 3.2 s, answers of 210 tokens"
    )
    assert f"  learned       {words}" in detailed.service(one, big(), NOW, None).splitlines()

    slow = inventory.LearnedRates(
        asset_id="other", decode=[inventory.DecodeRate(concurrency=2, tokens_per_second=0.52)]
    )
    one.learned.append(slow)
    one.learned.append(inventory.LearnedRates(asset_id="third"))
    lines = detailed.service(one, big(), NOW, None).splitlines()
    assert [line.split(maxsplit=1)[1] for line in lines if line.startswith("  learned")] == [
        f"qwen3:14b {words}",
        "other writes 0.5 tok/s (2 at once)",
    ]


def test_who_waits_in_gateways_and_inside_the_engine_is_one_number():
    one = probed()
    one.waiting = 3
    row = listed.services([one], {"tower": big()}, NOW, None, color=False).splitlines()[-1]
    assert row.split()[6] == "4"
    one.service.observation.ClearField("queue_depth")
    row = listed.services([one], {"tower": big()}, NOW, None, color=False).splitlines()[-1]
    assert row.split()[6] == "3"


def test_what_a_service_that_is_down_has_in_memory_is_not_known():
    one = status("tower/vllm", "+qwen3:14b", health=inventory.HEALTH_UNHEALTHY)
    *_, row = detailed.service(one, big(), NOW, None).splitlines()

    assert row.split()[:3] == ["qwen3:14b", "chat", "?"]


def test_what_gateways_keep_out_is_told_with_how_many_do():
    one = ejected("tower/vllm")
    lines = detailed.service(one, big(), NOW, None).splitlines()
    (row,) = listed.services([one], {"tower": big()}, NOW, None, color=False).splitlines()[1:]

    assert lines[0] == "tower/vllm: up, ejected 12s: 5 timeouts"
    assert "  rotation      ejected 12s: 5 timeouts, by 2 gateways" in lines
    assert "  up, ejected 12s: 5 timeouts  " in row


def test_a_probe_that_another_one_must_confirm_is_told_as_the_last():
    one = probed()
    one.probe.detail = "answers 500 at /health"
    said = "; healthy, by probes 0s ago (the last: answers 500 at /health)"
    assert said in detailed.service(one, big(), NOW, None)

    one.probe.health = inventory.HEALTH_UNHEALTHY
    said = "; unhealthy, by probes 0s ago (answers 500 at /health)"
    assert said in detailed.service(one, big(), NOW, None)


def test_a_role_in_detail():
    policy = roles_pb2.RoutingPolicy(
        preferred_families=["qwen3"], min_context=8_192, denied_trust_tiers=["public"]
    )
    one = role("mentor", "tower/vllm", "qwen3:14b", routing_policy=policy)
    one.effective_request_policy.system_prompt = "You are a patient mentor."
    assert detailed.role(one).splitlines() == [
        "mentor (chat) -> tower/vllm qwen3:14b",
        "  could serve         1 service, 0 with the model in memory",
        "  families            qwen3",
        "  context             8192 tokens or more",
        "  denied trust tiers  public",
        "  prompt              You are a patient mentor.",
        "next: geniehive route explain mentor",
    ]


def test_a_model_in_detail():
    services = [probed()]
    (mentor, other, qwen) = models(services, [role("mentor", "tower/vllm", "qwen3:14b")])
    table = [
        "SERVICE     LOADED  CONTEXT  BUSY  WAIT  LATENCY",
        "tower/vllm  yes           ?   2/4     1    1.8 s",
    ]
    for one, kind in ((mentor, "role"), (qwen, "asset")):
        assert detailed.model(one, services, None).splitlines() == [
            f"{one.name} ({kind}, chat)",
            *table,
            f"next: geniehive route explain {one.name}",
        ]
    assert "no" in detailed.model(other, services, None).splitlines()[2].split()


def test_what_nodes_name_never_reaches_the_terminal():
    bad = host("h", address=HOSTILE)
    bad.trust_tier = bad.display_name = bad.labels["x"] = HOSTILE
    service = status("h/" + HOSTILE, "+" + HOSTILE, detail=HOSTILE, routable=False)
    service.service.engine = HOSTILE
    served = status("h/" + HOSTILE, "+" + HOSTILE)
    role_of = role(HOSTILE, HOSTILE, HOSTILE, description=HOSTILE)
    found = models([served], [role_of])
    shown = (
        listed.hosts([bad], NOW, None, color=False),
        listed.services([service], {"h": bad}, NOW, None, color=False),
        listed.roles([role_of], None),
        listed.models(found, None),
        detailed.host(pb.GetHostInventoryResponse(host=bad, services=[service]), NOW, None),
        detailed.service(service, bad, NOW, None),
        detailed.role(role_of),
        *(detailed.model(one, [served], None) for one in found),
    )

    for text in shown:
        assert "evil" in text
        assert not {"\x1b", "\r", "\u202e"} & set(text)


def test_a_thousand_hosts_are_drawn_within_a_second():
    hosts = [host(f"host-{number:04}", address="192.168.1.31") for number in range(1_000)]
    began = time.perf_counter()
    lines = listed.hosts(hosts, NOW, None, color=True).splitlines()
    took = time.perf_counter() - began

    print(f"1,000 hosts: {took * 1e3:.0f} ms")
    assert len(lines) == 1_001
    assert took < BOUND
