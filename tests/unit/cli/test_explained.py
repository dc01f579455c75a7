import pytest
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from cli import explained, matched

CHAT = inventory.OPERATION_CHAT
HEALTHY = pb.Gate(name="health", passed=True, detail="healthy")


def candidate(service_id, asset_id, score, runtime, **fields):
    """runtime: value and detail of that term."""
    value, detail = runtime
    terms = [
        pb.ScoreTerm(name="text", weight=0.2, detail="no task"),
        pb.ScoreTerm(name="runtime", weight=0.45, value=value, detail=detail),
        pb.ScoreTerm(name="benchmark", weight=0.35, value=0.9, detail="31 samples"),
    ]
    return pb.Explanation(
        service_id=service_id,
        asset_id=asset_id,
        score=score,
        gates=[HEALTHY],
        terms=terms,
        **fields,
    )


def refused(service_id, asset_id, **gates):
    shut = [pb.Gate(name=name, detail=detail) for name, detail in gates.items()]
    return pb.Explanation(service_id=service_id, asset_id=asset_id, gates=[HEALTHY, *shut])


TOWER = candidate(
    "tower/ollama", "qwen3:14b", 0.77, (0.75, "loaded 900ms 44t/s"), in_flight=1, chosen=True
)
LAPTOP = candidate(
    "laptop/ollama",
    "qwen3:8b",
    0.58,
    (0.45, "loaded 1.8s 24t/s"),
    in_flight=3,
    queue_depth=2,
    live_penalty=0.05,
)
MINI = refused("mini/llama.cpp", "gemma3:4b", require_loaded="not loaded")
ATTIC = refused(
    "attic/ollama", "qwen3:8b", host="lost", trust_tier="unknown; wanted: one of trusted"
)


def answer(*explanations, model="mentor", role_id="mentor", **fields):
    serving = [one for one in explanations if one.terms]
    return pb.ResolveRouteResponse(
        model=model,
        operation=CHAT,
        role_id=role_id,
        strategy=fields.pop("strategy", pb.STRATEGY_LEAST_LOADED),
        table=pb.TableIdentity(version=812),
        candidates=[
            pb.ResolvedCandidate(
                candidate=pb.Candidate(service_id=one.service_id, asset_id=one.asset_id)
            )
            for one in serving
        ],
        explanations=explanations,
        **fields,
    )


def test_the_screen():
    assert explained.render(answer(TOWER, LAPTOP, MINI, ATTIC)).split("\n") == [
        "mentor (role, chat) -> tower/ollama qwen3:14b   least_loaded   routes v812",
        "SCORE  SERVICE         ASSET      BUSY  WAIT  TEXT .20      RUNTIME .45"
        "              BENCH .35",
        " 0.77  tower/ollama    qwen3:14b     1     0  0.00 no task  0.75 loaded 900ms 44t/s"
        "  0.90 31 samples",
        " 0.58  laptop/ollama   qwen3:8b      3     2  0.00 no task  0.45 loaded 1.8s 24t/s"
        "   0.90 31 samples",
        "    -  mini/llama.cpp  gemma3:4b  require_loaded: not loaded",
        "    -  attic/ollama    qwen3:8b   host: lost; trust_tier: unknown; wanted: one of trusted",
    ]


def test_a_candidate_that_gateways_keep_out_says_so():
    """Control tells where it would go; nobody is told that it does go there."""
    kept_out = pb.Explanation()
    kept_out.CopyFrom(TOWER)
    kept_out.ejection.MergeFrom(pb.Ejection(reason="5 timeouts\x1b", gateway_count=2))
    kept_out.ejection.remaining.FromSeconds(12)
    lines = explained.render(answer(kept_out, LAPTOP)).split("\n")

    assert lines[0].startswith(
        "mentor (role, chat) -> tower/ollama qwen3:14b (ejected by 2 gateways)   least_loaded"
    )
    assert lines[2].endswith("  0.90 31 samples  ejected 12s: 5 timeouts\ufffd")
    assert "ejected" not in lines[3]
    kept_out.ejection.ClearField("remaining")
    lines = explained.render(answer(kept_out, LAPTOP)).split("\n")
    assert "ejected" not in lines[0]
    assert lines[2].endswith("  0.90 31 samples  on trial: 5 timeouts\ufffd")


def expecting(service_id, cost, **seconds):
    """Return a candidate of which is known what a usual request takes there."""
    found = candidate(service_id, "m", 0.5, (0.4, "loaded"))
    found.expected.cost = cost
    for name, span in seconds.items():
        getattr(found.expected, name).FromMilliseconds(int(span * 1_000))
    return found


def test_where_the_expected_end_decides_it_is_told_what_it_is_made_of():
    fast = expecting("tower/ollama", 6.35, prefill=0.52, decode=4.2)
    fast.chosen = True
    busy = expecting("attic/ollama", 41.62, slot=5.1, pending=0.3, load=72, prefill=1.0, decode=9)
    busy.in_flight, busy.waiting, busy.queue_depth = 4, 2, 1
    busy.gates.add(name="slot", passed=True, detail="4 of 4 busy; requests wait in gateways")
    new = candidate("new/ollama", "m", 0.5, (0.4, "loaded"))
    lead = pb.Lead(service_id="tower/ollama", over_service_id="attic/ollama", by=35.27)
    told = answer(fast, busy, new, strategy=pb.STRATEGY_EXPECTED_COMPLETION, lead=lead)

    assert explained.render(told).split("\n")[1:] == [
        "SCORE  SERVICE       ASSET  BUSY  WAIT  COST   SLOT  UNREAD  LOAD  PROMPT  ANSWER",
        " 0.50  tower/ollama  m         0     0   6.3      -       -     -  520 ms   4.2 s",
        " 0.50  attic/ollama  m         4     3  41.6  5.1 s  300 ms    1m   1.0 s   9.0 s"
        "  4 of 4 busy; requests wait in gateways",
        " 0.50  new/ollama    m         0     0     ?      ?       ?     ?       ?       ?",
        "costs 35.3 less than attic/ollama",
    ]


def test_scores_are_less_what_waits_where_scores_decide():
    text = explained.render(answer(TOWER, LAPTOP, strategy=pb.STRATEGY_SCORED))

    assert " 0.53  laptop/ollama" in text


def test_tiers_are_numbered_where_there_are_several():
    """Their values mean nothing to people, only their order does."""
    failover = candidate("laptop/ollama", "qwen3:8b", 0.9, (1, ""), tier=712)
    lines = explained.render(answer(TOWER, failover)).split("\n")

    assert "TIER" in lines[1]
    assert [line.split()[3] for line in lines[2:]] == ["1", "2"]
    assert "TIER" not in explained.render(answer(TOWER, LAPTOP))


@pytest.mark.parametrize(
    ("told", "first"),
    [
        (answer(MINI), "mentor (role, chat) -> nobody can serve it now"),
        (
            answer(TOWER, role_id="helper"),
            "mentor (role, chat) -> helper (fallback role) -> tower/ollama qwen3:14b",
        ),
        (
            answer(TOWER, model="qwen3:14b", role_id=""),
            "qwen3:14b (model, chat) -> tower/ollama qwen3:14b",
        ),
        (
            answer(TOWER, model="tower/ollama", role_id=""),
            "tower/ollama (service, chat) -> tower/ollama qwen3:14b",
        ),
        (
            answer(TOWER, TOWER, TOWER),
            "mentor (role, chat) -> tower/ollama qwen3:14b or 2 more",
        ),
    ],
    ids=["nobody", "fallback", "model", "service", "several"],
)
def test_the_headline_says_what_the_name_is_and_where_it_goes(told, first):
    assert explained.headline(told).split("   ")[0] == first


def test_a_cluster_without_services_is_a_hint_and_no_empty_table():
    lines = explained.render(answer(fallback_roles=["helper", "other"])).split("\n")

    assert lines[1:] == [
        "! no service offers that: geniehive status",
        "fallback roles: helper, other",
    ]


@pytest.mark.parametrize(
    ("strategy", "by", "line"),
    [
        (pb.STRATEGY_SCORED, 0.19, "lead .19 over laptop/ollama; would change: a or b"),
        (pb.STRATEGY_SCORED, 0, "level with laptop/ollama; would change: a or b"),
        (pb.STRATEGY_LEAST_LOADED, 1, "1 request fewer than laptop/ollama; would change: a or b"),
        (pb.STRATEGY_LEAST_LOADED, 0, "as busy as laptop/ollama; would change: a or b"),
    ],
)
def test_how_far_the_first_is_ahead_is_told(strategy, by, line):
    lead = pb.Lead(service_id="tower/ollama", over_service_id="laptop/ollama", by=by)
    told = answer(TOWER, LAPTOP, strategy=strategy, lead=lead, would_change=["a", "b"])

    assert explained.render(told).split("\n")[-1] == line


def test_services_without_that_name_are_counted_unless_all_is_wanted():
    """A thousand services that have another model say nothing about this one."""
    other = refused("mini/llama.cpp", "gemma3:4b", name="nothing called qwen3:14b there")
    told = answer(TOWER, other, model="qwen3:14b", role_id="")

    assert explained.render(told).split("\n")[-1] == "1 other service without that name: -v"
    assert "mini/llama.cpp  gemma3:4b  name: nothing called" in explained.render(told, closely=True)


def test_roles_that_nobody_serves_are_told_with_the_reason():
    passed = [pb.PassedOver(role_id="mentor", reason="health at 2, trust_tier at 1")]
    text = explained.render(answer(TOWER, role_id="helper", passed_over=passed))

    assert "! nobody serves mentor: health at 2, trust_tier at 1" in text


def test_all_gates_and_tiers_are_told_to_who_wants_to_know():
    told = candidate("a/s", "m", 1, (1, ""), preferences=["family qwen3, the first"])
    text = explained.render(answer(told, MINI), closely=True)

    assert "  pass  health: healthy" in text
    assert "  FAIL  require_loaded: not loaded" in text
    assert "  tier  family qwen3, the first" in text


def test_nothing_that_others_named_reaches_the_terminal():
    evil = "x\x1b[2J"
    told = answer(
        candidate(evil, evil, 1, (1, evil), preferences=[evil], chosen=True),
        refused(evil, evil, **{evil: evil}),
        model=evil,
        role_id=evil + "y",
        fallback_roles=[evil],
        passed_over=[pb.PassedOver(role_id=evil, reason=evil)],
        lead=pb.Lead(over_service_id=evil),
        would_change=[evil],
    )
    match = pb.RouteMatch(direct_service_id=evil, asset_id=evil, reasons=[evil])
    shown = explained.render(told, closely=True)
    shown += matched.render(pb.MatchRoutesResponse(candidates=[match]))

    assert "\x1b" not in shown


def test_matches_are_ranked_with_reasons():
    told = pb.MatchRoutesResponse(
        candidates=[
            pb.RouteMatch(
                role_id="mentor",
                operation=CHAT,
                score=0.68381,
                service_id="tower/ollama",
                asset_id="qwen3:14b",
                reasons=["the task is in its text", "fast"],
            ),
            pb.RouteMatch(role_id="idle", operation=CHAT, score=0.1, reasons=["nobody serves it"]),
            pb.RouteMatch(direct_service_id="tower/ollama", operation=CHAT, asset_id="qwen3:14b"),
        ]
    )

    assert matched.render(told).split("\n") == [
        " SCORE  CANDIDATE     KIND     OPERATION  SERVED BY               WHY",
        "0.6838  mentor        role     chat       tower/ollama qwen3:14b  the task is in its"
        " text; fast",
        "0.1000  idle          role     chat       nobody now              nobody serves it",
        "0.0000  tower/ollama  service  chat       tower/ollama qwen3:14b  -",
    ]


def test_no_match_is_said():
    assert matched.render(pb.MatchRoutesResponse()).startswith("nothing fits")
