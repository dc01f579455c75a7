"""Asking the gateway how requests went: what programs get, and how it fails."""

import json

import httpx
import msgspec
import pytest

from cli import requests
from cli.output import BAD, NOT_ALLOWED, UNKNOWN, UNREACHABLE, Failure, Output
from gateway import examples
from gateway import requests as told

URL = "http://gateway:1"
ONE = msgspec.to_builtins(told.document(examples.REQUEST))
MANY = msgspec.to_builtins(told.documents([examples.REQUEST, examples.BEGUN]))


@pytest.fixture
def gateway(monkeypatch):
    """A gateway of scripted answers, by path; returns them."""
    answers = {
        b"/v1/requests/req_1": httpx.Response(200, json=ONE),
        b"/v1/requests?limit=20": httpx.Response(200, json=MANY),
    }
    kept = httpx.Client

    def handle(request):
        found = answers[request.url.raw_path]
        if isinstance(found, Exception):
            raise found
        return found

    def client(**given):
        return kept(**given, transport=httpx.MockTransport(handle))

    monkeypatch.setattr(httpx, "Client", client)
    monkeypatch.delenv("GENIEHIVE_API_KEY", raising=False)
    return answers


def test_programs_get_what_the_gateway_tells(gateway, tmp_path, capsys):
    requests.show(Output(as_json=True), URL, "req_1", tmp_path)
    one = json.loads(capsys.readouterr().out)
    requests.show_last(Output(as_json=True), URL, 20, tmp_path)
    many = json.loads(capsys.readouterr().out)

    assert one == {"schema": "geniehive.request/1", "request": ONE}
    assert many == {"schema": "geniehive.requests/1", "requests": MANY["data"]}


def test_quietly_there_are_only_ids(gateway, tmp_path, capsys):
    requests.show(Output(quiet=True), URL, "req_1", tmp_path)
    requests.show_last(Output(quiet=True), URL, 20, tmp_path)

    assert capsys.readouterr().out.split() == [
        examples.REQUEST.request_id,
        examples.REQUEST.request_id,
        examples.BEGUN.request_id,
    ]


def test_people_get_sentences(gateway, tmp_path, capsys):
    requests.show(Output(), URL, "req_1", tmp_path)
    requests.show_last(Output(), URL, 20, tmp_path)
    out = capsys.readouterr().out

    assert out.startswith('chat "mentor" -> gpu-1/llama ')
    assert "\nTIME " in out


def error(status, message):
    return httpx.Response(status, json={"error": {"message": message}})


@pytest.mark.parametrize(
    ("answer", "exit_code", "said"),
    [
        (error(404, 'no request "req_1" of yours'), UNKNOWN, 'no request "req_1" of yours'),
        (error(401, "key is not known"), NOT_ALLOWED, "refused: key is not known"),
        (error(503, "not ready"), BAD, "does not tell: 503 not ready"),
        (httpx.Response(200, text="<html>"), BAD, "tells what is not known here"),
        (httpx.Response(200, json=ONE | {"began_at": 1e300}), BAD, "not known here"),
        (httpx.Response(200, json=ONE | {"attempts": 3}), BAD, "not known here"),
        (httpx.ConnectError("[Errno 111] refused"), UNREACHABLE, "does not answer"),
    ],
    ids=["unknown", "key", "unready", "html", "moment", "attempts", "away"],
)
def test_what_goes_wrong_has_its_exit_code(gateway, tmp_path, answer, exit_code, said):
    gateway[b"/v1/requests/req_1"] = answer
    with pytest.raises(Failure) as failure:
        requests.show(Output(), URL, "req_1", tmp_path)

    assert failure.value.exit_code == exit_code
    assert said in str(failure.value)


def test_an_id_cannot_lead_elsewhere(gateway, tmp_path):
    gateway[b"/v1/requests/..%2Fmodels%3Fx"] = error(404, "no request")
    with pytest.raises(Failure, match="no request"):
        requests.show(Output(), URL, "../models?x", tmp_path)
