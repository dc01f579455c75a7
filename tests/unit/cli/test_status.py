"""The status screen: totals, worst first, what to do."""

import json
from datetime import timedelta

import pytest
from geniehive.v1 import inventory_pb2 as inventory

from cli.cluster import Cluster
from cli.status import document, healthy, render
from tests.unit.cli.clusters import EMPTY, NOW, THREE_HOSTS, ejected, health, host, status

SCREEN = """\
2 of 3 hosts up | 10 models, 2 loaded | 2 in flight, 1 waiting | routes v812, 2s old
HOST    SERVICE    STATE                    LOADED            FREE MEM  BUSY  WAIT
attic   ollama     lost 4m: no heartbeat    ?/2                      ?     ?     ?
tower   whisper    down: cannot be reached  ?/1                 9.1 GB     ?     ?
laptop  llama.cpp  up                       1/1 smollm2-135m    6.0 GB   0/1     0
tower   ollama     up                       1/3 qwen3:14b       9.1 GB   2/4     1
! attic: last seen 14:02:01 at 192.168.1.31; check its power and node log
! tower/whisper: http://127.0.0.1:8080 cannot be reached"""

ASSETS = """
HOST    SERVICE    ASSET         OPERATION  LOADED  CONTEXT
laptop  llama.cpp  smollm2-135m  chat       yes        4096
laptop  llama.cpp  other         chat       no         4096"""


def test_screen():
    assert render(THREE_HOSTS, NOW) == SCREEN


def test_nothing_registered_says_what_to_do():
    assert render(EMPTY, NOW).splitlines() == [
        "0 of 0 hosts up | 0 models, 0 loaded | 0 in flight, 0 waiting | routes v0, 2s old",
        "! no hosts yet: geniehive node --config FILE",
    ]


def test_who_waits_in_gateways_counts_beside_who_waits_inside_engines():
    waits = status("tower/ollama", "+m", queue=1)
    waits.waiting = 3
    cluster = Cluster(health(waiting=4), (host("tower"),), (waits,))
    summary, _, row = render(cluster, NOW).splitlines()

    assert "0 in flight, 5 waiting" in summary
    assert row.split()[-1] == "4"
    assert document(cluster)["waiting"] == 4
    assert document(cluster)["hosts"][0]["services"][0]["waiting"] == 3


def test_assets_are_a_table_of_their_own():
    cluster = Cluster(
        health(),
        (host("laptop"),),
        (status("laptop/llama.cpp", "+smollm2-135m", "other", context=4096),),
    )

    assert ASSETS in render(cluster, NOW, assets=True)
    assert "ASSET" not in render(cluster, NOW)


@pytest.mark.parametrize(
    ("state", "service", "said"),
    [
        (inventory.HOST_STATE_ONLINE, {"health": inventory.HEALTH_LOADING}, "loading"),
        (inventory.HOST_STATE_ONLINE, {"health": inventory.HEALTH_UNHEALTHY}, "down"),
        (inventory.HOST_STATE_ONLINE, {"routable": False}, "up, not routed"),
        (inventory.HOST_STATE_ONLINE, {"routable": False, "detail": "odd"}, "up, odd"),
        (inventory.HOST_STATE_RETURNING, {}, "returning: not heard since control started"),
    ],
)
def test_every_state_has_a_word(state, service, said):
    cluster = Cluster(health(), (host("h", state),), (status("h/x", "m", **service),))

    assert f" {said} " in render(cluster, NOW)
    assert not healthy(cluster)


@pytest.mark.parametrize(
    ("availability", "routable", "said"),
    [
        (inventory.AVAILABILITY_BUSY, True, "busy"),
        (inventory.AVAILABILITY_DRAINING, False, "draining"),
        (inventory.AVAILABILITY_PAUSED_BY_USER, False, "paused by user"),
        (inventory.AVAILABILITY_OFFLINE, False, "offline"),
        (inventory.AVAILABILITY_QUARANTINED, False, "quarantined"),
    ],
)
def test_what_its_owner_says_of_a_service_is_its_state(availability, routable, said):
    withheld = status("h/x", "m", routable=routable, availability=availability)
    cluster = Cluster(health(), (host("h"),), (withheld,))
    line = render(cluster, NOW).splitlines()[2]

    assert line.split()[2 : 2 + len(said.split())] == said.split()
    (service,) = document(cluster)["hosts"][0]["services"]
    assert service["availability"] == said.replace(" ", "_")
    assert healthy(cluster) is routable


def test_of_a_service_that_is_down_that_is_said_first():
    broken = status(
        "h/x",
        "m",
        health=inventory.HEALTH_UNHEALTHY,
        detail="cannot be reached",
        availability=inventory.AVAILABILITY_DRAINING,
    )

    assert "down: cannot be reached" in render(Cluster(health(), (host("h"),), (broken,)), NOW)


def test_host_without_services_is_shown():
    lines = render(Cluster(health(), (host("h"),), ()), NOW).splitlines()

    assert lines[2].split() == ["h", "-", "up", "-", "9.1", "GB", "-", "-"]
    assert lines[3].startswith("! no models yet")


def test_what_nodes_name_never_reaches_the_terminal():
    hostile = "\x1b[2Jevil\r\n\u202e"
    cluster = Cluster(
        health(),
        (host("h", address=hostile, state=inventory.HOST_STATE_LOST), host("i")),
        (
            status("h/x", f"+{hostile}"),
            status("i/" + hostile, hostile, health=inventory.HEALTH_UNHEALTHY, detail=hostile),
        ),
    )
    text = render(cluster, NOW, assets=True)

    assert not {"\x1b", "\r", "\u202e"} & set(text)
    assert len(text.splitlines()) == 10


def test_colour_is_on_the_state_alone_and_moves_nothing():
    plain, colored = render(THREE_HOSTS, NOW), render(THREE_HOSTS, NOW, color=True)

    assert "\x1b[31mlost 4m: no heartbeat\x1b[0m" in colored
    stripped = colored.replace("\x1b[31m", "").replace("\x1b[0m", "")
    assert stripped == plain


def test_mass_loss_and_flapping_are_told_with_what_they_mean():
    told = health(spared_host_count=6, held_back_count=1)
    cluster = Cluster(told, (host("h"),), (status("h/x", "m"),))

    assert render(cluster, NOW).splitlines()[-2:] == [
        "! 6 hosts silent and still routed to, because control itself may be cut off; check its"
        " network",
        "! 1 service held back, for coming and going: called only for models that nobody else"
        " serves",
    ]
    found = document(cluster)
    assert (found["spared_hosts"], found["held_back_services"]) == (6, 1)
    assert not found["healthy"]


def test_a_catalog_that_cannot_be_used_is_told_by_its_first_problem():
    told = health(catalog_problem="roles.yaml:3: odd\nroles.yaml:9: odd\nroles.yaml:12: odd")
    cluster = Cluster(told, (host("h"),), (status("h/x", "m"),))

    last = render(cluster, NOW).splitlines()[-1]
    assert last == "! routing stays as it was: roles.yaml:3: odd, and 2 more problems"
    assert document(cluster)["catalog_problem"] == told.catalog_problem
    assert not healthy(cluster)


def test_a_service_that_probes_find_down_says_who_says_so():
    probed = status("h/x", "m", routable=False)
    probed.health = inventory.HEALTH_UNHEALTHY
    probed.probe.detail = "/health answered 500"
    cluster = Cluster(health(), (host("h"),), (probed,))
    lines = render(cluster, NOW).splitlines()

    assert "down: /health answered 500" in lines[2]
    assert lines[3] == (
        "! h/x: http://127.0.0.1:8080 healthy to its node, not to control: /health answered 500"
    )
    (service,) = document(cluster)["hosts"][0]["services"]
    assert (service["health"], service["reported_health"]) == ("unhealthy", "healthy")


def test_a_service_that_is_held_back_says_for_how_long():
    flapping = status("h/x", "m", routable=False)
    flapping.held_back.FromSeconds(12)
    cluster = Cluster(health(), (host("h"),), (flapping,))

    assert " up, held back 12s " in render(cluster, NOW)


def test_a_service_that_gateways_keep_out_says_for_how_long_and_why():
    told = ejected(concurrency=4, in_flight=2, queue=1)
    cluster = Cluster(health(ejected_count=1), (host("h"),), (told,))
    lines = render(cluster, NOW, color=True).splitlines()

    assert " \x1b[33mup, ejected 12s: 5 timeouts\x1b[0m " in lines[2]
    assert lines[2].split()[-2:] == ["2/4", "1"]
    assert lines[3:] == [
        "! 1 service ejected, because answers failed: gateways try again by themselves; the log of"
        " the engine says more"
    ]
    assert not healthy(cluster)
    found = document(cluster)
    assert found["ejected_services"] == 1
    (service,) = found["hosts"][0]["services"]
    assert service["ejection"] == {"remaining_s": 12.0, "reason": "5 timeouts", "gateways": 2}
    assert service["routable"]


def test_a_service_that_answers_again_waits_for_a_request_to_try_it():
    """Where nobody asks, that may take hours, and says nothing against the service."""
    tried = ejected()
    tried.ejection.ClearField("remaining")
    cluster = Cluster(health(), (host("h"),), (tried,))

    assert " up, on trial: 5 timeouts " in render(cluster, NOW)
    assert healthy(cluster)


def test_what_is_kept_out_stands_after_what_is_down_and_before_what_loads():
    down, loading = inventory.HEALTH_UNHEALTHY, inventory.HEALTH_LOADING
    services = [
        status("h/a", "m", health=loading),
        ejected("h/b"),
        status("h/c", "m", health=down),
        status("h/d", "m"),
    ]
    lines = render(Cluster(health(), (host("h"),), tuple(services)), NOW).splitlines()

    assert [line.split()[1] for line in lines[2:6]] == ["c", "b", "a", "d"]


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ({"health": inventory.HEALTH_UNHEALTHY, "detail": "refused"}, "down: refused"),
        ({"availability": inventory.AVAILABILITY_DRAINING, "routable": False}, "draining"),
    ],
)
def test_what_takes_no_requests_at_all_is_said_before_who_keeps_it_out(service, said):
    lines = render(Cluster(health(), (host("h"),), (ejected(**service),)), NOW).splitlines()

    assert f" {said} " in lines[2]
    assert "ejected" not in lines[2]


def test_rows_that_are_watched_stay_where_they_are():
    worst_first = render(THREE_HOSTS, NOW).splitlines()[2:6]
    fixed = render(THREE_HOSTS, NOW, fixed=True).splitlines()[2:6]

    assert sorted(worst_first) == sorted(fixed)
    assert [line.split()[:2] for line in fixed] == [
        ["attic", "ollama"],
        ["laptop", "llama.cpp"],
        ["tower", "ollama"],
        ["tower", "whisper"],
    ]


def test_routes_that_a_gateway_cannot_use_are_named_then_counted():
    unusable = {f"target/chat/m{number}": "odd\x1b" for number in range(7)}
    cluster = Cluster(health(unusable_resources=unusable), (host("h"),), (status("h/x", "m"),))
    lines = [line for line in render(cluster, NOW).splitlines() if line.startswith("! ")]

    named = "! target/chat/m0: a gateway cannot use it and serves what it had: odd\ufffd"
    assert lines[0] == named
    assert lines[5:] == ["! 2 more routes that a gateway cannot use"]
    assert document(cluster)["unusable_resources"] == unusable


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        (THREE_HOSTS, False),
        (EMPTY, False),
        (Cluster(health(), (host("h"),), (status("h/x", "m"),)), True),
    ],
    ids=["lost host", "nothing serves", "all up"],
)
def test_healthy_means_that_everything_known_serves(cluster, expected):
    assert healthy(cluster) is expected


def test_document_is_json_with_units_in_its_names():
    made = json.loads(json.dumps(document(THREE_HOSTS)))
    attic, laptop, tower = made["hosts"]

    assert made["healthy"] is False
    assert made["route_age_s"] == 2.0
    assert attic["state"] == "lost"
    assert laptop["memory_available_bytes"] == 6_000_000_000
    assert [service["health"] for service in tower["services"]] == ["healthy", "unhealthy"]
    assert tower["services"][0]["assets"][0] == {
        "asset_id": "qwen3:14b",
        "operations": ["chat"],
        "loaded": True,
        "context_tokens": None,
        "capabilities": [],
    }


def drained(service_id, in_flight=0, **fields):
    found = status(service_id, "+m", routable=False, in_flight=in_flight, **fields)
    found.drained = True
    return found


def test_what_drains_says_how_much_is_left_who_wanted_it_and_how_to_undo_it():
    told = health()
    for name, by in (("tower", "static:1f3a9c02"), ("attic/a", "anyone")):
        told.drains.add(name=name, principal_id=by).start_time.FromDatetime(
            NOW - timedelta(minutes=4)
        )
    tower = host("tower")
    tower.drained = True
    cluster = Cluster(
        told,
        (tower,),
        (drained("tower/a", 2), drained("tower/b"), drained("tower/c", detail="odd")),
    )
    rows = [" ".join(line.split()) for line in render(cluster, NOW).splitlines()[2:]]
    assert rows == [
        "tower a draining, 2 left 1/1 m 9.1 GB 2/? 0",
        "tower b drained 1/1 m 9.1 GB 0/? 0",
        "tower c drained 1/1 m 9.1 GB 0/? 0",
        "! tower: drained 4m ago by static:1f3a9c02; undo: geniehive undrain tower",
        "! attic/a: drained 4m ago; undo: geniehive undrain attic/a",
    ]
    assert document(cluster)["drains"][0] == {
        "name": "tower",
        "since": "2026-11-20T14:02:11+00:00",
        "by": "static:1f3a9c02",
    }
    (told_host,) = document(cluster)["hosts"]
    assert told_host["drained"]
    assert all(one["drained"] for one in told_host["services"])


def test_what_an_operator_drained_is_no_reason_to_worry():
    cluster = Cluster(health(), (host("tower"),), (drained("tower/a"), status("tower/b", "m")))
    assert healthy(cluster)
    assert not healthy(Cluster(health(), (host("tower"),), (status("tower/b", routable=False),)))


def test_of_many_drains_the_first_are_told():
    told = health()
    for number in range(8):
        told.drains.add(name=f"h{number}", principal_id="anyone")
    lines = render(Cluster(told, (host("h"),), ()), NOW).splitlines()
    assert sum("undo: geniehive undrain" in line for line in lines) == 5
    assert "! 3 more names drained" in lines


def test_a_host_that_is_lost_and_drained_is_lost():
    attic = host("attic", inventory.HOST_STATE_LOST, seen=250)
    attic.drained = True
    screen = render(Cluster(health(), (attic,), (drained("attic/a", 1),)), NOW)
    assert "lost 4m: no heartbeat" in screen
