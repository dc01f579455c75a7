"""Finding what answers: the order of names, what is tried, what a refusal means."""

import json

import httpx
import pytest

from cli import connect
from cli.output import BAD, NOT_ALLOWED, UNKNOWN, UNREACHABLE, Failure, Output

URL = "http://gateway:1"
OK = httpx.Response(200, json={"choices": [{"message": {"content": "hello"}}]})


def model(name, kind, **about):
    return {"id": name, "object": "model", "geniehive": {"route_type": kind, **about}}


LISTED = [
    model("embedder", "asset", operation="embeddings"),
    model("idle", "asset", operation="chat", loaded_asset_count=0),
    model("loaded", "asset", operation="chat", loaded_asset_count=1),
    model("h1/demo", "service", operation="chat"),
    model("nobody", "role", operation="chat", healthy_target_count=0),
    model("gone", "role", services=[]),
    model("mentor", "role", operation="chat", healthy_target_count=1),
]


@pytest.fixture
def gateway(monkeypatch):
    """A gateway of scripted answers, by model; returns what was asked."""
    asked = []
    answers = {}
    kept = httpx.Client

    def handle(request):
        if request.url.path == "/v1/models":
            return answers.get("/v1/models") or httpx.Response(200, json={"data": LISTED})
        name = json.loads(request.content)["model"]
        asked.append((name, request.headers.get("authorization")))
        found = answers.get(name, OK)
        if isinstance(found, Exception):
            raise found
        return found

    def client(**given):
        return kept(**given, transport=httpx.MockTransport(handle))

    monkeypatch.setattr(connect.httpx, "Client", client)
    monkeypatch.delenv("GENIEHIVE_API_KEY", raising=False)
    return asked, answers


def failed(code, message):
    return httpx.Response(code, json={"error": {"message": message}})


def run(tmp_path, name="python", model=None, **output):
    connect.connect(Output(**output), name, URL, model, tmp_path)


def test_roles_come_first_then_what_is_in_memory_and_only_what_chats():
    assert connect.chat_names(LISTED) == ["mentor", "loaded", "idle", "h1/demo"]


def test_a_gateway_that_tells_no_details_is_good_enough():
    plain = [{"id": "b"}, {"id": "a", "geniehive": None}]

    assert connect.chat_names(plain) == ["a", "b"]


def test_nothing_that_chats_is_a_failure():
    with pytest.raises(Failure, match="no model answers chats now"):
        connect.chat_names(LISTED[:1])


def test_what_answered_is_in_the_snippet_and_what_was_tried_is_told(gateway, tmp_path, capsys):
    asked, _ = gateway
    run(tmp_path)
    out, err = capsys.readouterr()

    assert asked == [("mentor", None)]
    assert 'model="mentor"' in out
    assert f"tried: POST {URL}/v1/chat/completions mentor: 200 in " in err


def test_of_what_is_busy_the_next_is_tried_three_at_most(gateway, tmp_path, capsys):
    asked, answers = gateway
    answers |= dict.fromkeys(("mentor", "loaded", "idle"), failed(503, "all busy"))
    with pytest.raises(Failure, match="idle did not answer: all busy") as failure:
        run(tmp_path)

    assert [name for name, _ in asked] == ["mentor", "loaded", "idle"]
    assert failure.value.exit_code == BAD

    answers.pop("loaded")
    run(tmp_path)
    assert 'model="loaded"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "exit_code", "said"),
    [
        (failed(404, "no model or role"), UNKNOWN, "no model or role"),
        (failed(401, "key is not known"), NOT_ALLOWED, "key is not known"),
        (httpx.Response(200, text="<html>"), BAD, "the answer has no choices"),
        (httpx.Response(500, text="\x1b[2J"), BAD, "Internal Server Error"),
        (httpx.ReadTimeout("slow"), BAD, "no answer in time"),
        (httpx.ReadError("[Errno 104] Connection reset"), BAD, "connection reset"),
    ],
)
def test_a_request_that_fails_says_why(gateway, tmp_path, answer, exit_code, said):
    gateway[1]["m"] = answer
    with pytest.raises(Failure) as failure:
        run(tmp_path, model="m")

    assert failure.value.exit_code == exit_code
    assert str(failure.value) == f"m did not answer: {said}"


def test_for_programs_a_failed_try_is_part_of_the_answer(gateway, tmp_path, capsys):
    gateway[1]["m"] = failed(503, "all busy")
    with pytest.raises(SystemExit) as ended:
        run(tmp_path, model="m", as_json=True)
    out, err = capsys.readouterr()

    assert (ended.value.code, err) == (BAD, "")
    tried = json.loads(out)["tried"]
    assert (tried["ok"], tried["status"], tried["error"]) == (False, 503, "all busy")


def test_a_key_is_presented_and_never_printed(gateway, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("GENIEHIVE_API_KEY", "s3cret")
    run(tmp_path)
    out, err = capsys.readouterr()

    assert gateway[0] == [("mentor", "Bearer s3cret")]
    assert "s3cret" not in out + err
    assert 'os.environ["GENIEHIVE_API_KEY"]' in out


@pytest.mark.parametrize(
    ("answer", "exit_code", "said"),
    [
        (failed(401, "a key is needed"), NOT_ALLOWED, "refused: a key is needed"),
        (failed(503, "not ready"), BAD, "does not list models: 503 not ready"),
        (httpx.Response(200, text="hello"), BAD, "does not list models: 200 OK"),
    ],
)
def test_a_gateway_that_lists_nothing_says_why(gateway, tmp_path, answer, exit_code, said):
    gateway[1]["/v1/models"] = answer
    with pytest.raises(Failure, match=said) as failure:
        run(tmp_path)

    assert failure.value.exit_code == exit_code


@pytest.mark.parametrize("name", ["claude", "codex"])
def test_what_speaks_another_protocol_is_refused(gateway, tmp_path, name):
    with pytest.raises(Failure, match="not served yet"):
        run(tmp_path, name)
    assert gateway[0] == []


def test_nothing_listening_is_unreachable(tmp_path):
    with pytest.raises(Failure, match=r"gateway http://127.0.0.1:1 does not answer") as failure:
        connect.connect(Output(), "curl", "http://127.0.0.1:1", None, tmp_path)

    assert failure.value.exit_code == UNREACHABLE
    assert failure.value.why.endswith("connection refused")
