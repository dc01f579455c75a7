import pytest

from control.inventory import Health
from control.probing.verdict import Reply, finding, silence

H, M = "/health", "/v1/models"
LOADING = b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'


@pytest.mark.parametrize(
    ("replies", "health", "detail"),
    [
        ([(H, 200, b"{}")], Health.HEALTHY, ""),
        ([(H, 204, b"")], Health.HEALTHY, ""),
        ([(H, 500, b"")], Health.UNHEALTHY, "answers 500 at /health"),
        ([(H, 503, b"engine dead")], Health.UNHEALTHY, "answers 503 at /health"),
        ([(H, 503, LOADING)], Health.LOADING, "loading its model"),
        ([(H, 500, LOADING)], Health.UNHEALTHY, "answers 500 at /health"),
        ([(H, 400, b"")], Health.UNHEALTHY, "answers 400 at /health"),
        ([(H, 302, b"")], Health.UNKNOWN, "answers 302 at /health"),
        ([(H, 429, b"")], Health.UNKNOWN, "answers 429 at /health"),
        ([(H, 404, b""), (M, 200, b"{}")], Health.HEALTHY, ""),
        ([(H, 405, b""), (M, 500, b"{}")], Health.UNHEALTHY, "answers 500 at /v1/models"),
        (
            [(H, 404, b""), (M, 405, b"")],
            Health.UNKNOWN,
            "answers 404 at /health and 405 at /v1/models",
        ),
        ([(M, 404, b""), (H, 200, b"")], Health.HEALTHY, ""),
        ([(M, 200, b""), (H, 404, b"")], Health.HEALTHY, ""),
        ([(M, 200, b""), (H, 503, b"")], Health.UNHEALTHY, "answers 503 at /health"),
    ],
)
def test_the_worst_answer_counts_but_for_what_is_not_there(replies, health, detail):
    found = finding([Reply(*one) for one in replies], with_key=False)

    assert (found.health, found.detail) == (health, detail)


@pytest.mark.parametrize("status", [401, 403])
def test_who_refuses_our_key_is_unwell(status):
    found = finding([Reply(M, status)], with_key=True)

    assert found.health is Health.UNHEALTHY
    assert found.detail == f"refuses our key: answers {status} at /v1/models"
    assert found.checks == {"http_ok": True, "models_ok": False, "auth_ok": False}


def test_who_needs_a_key_that_nobody_told_is_unwell():
    """It answers, and would refuse what gateways send."""
    found = finding([Reply(H, 401)], with_key=False)

    assert found.health is Health.UNHEALTHY
    assert found.detail.startswith("needs a key that its node does not tell")


@pytest.mark.parametrize(
    ("replies", "checks"),
    [
        ([(H, 200)], {"http_ok": True}),
        ([(H, 500)], {"http_ok": False}),
        ([(M, 200)], {"http_ok": True, "models_ok": True, "auth_ok": True}),
        ([(H, 404), (M, 200)], {"http_ok": True, "models_ok": True, "auth_ok": True}),
        ([(M, 200), (H, 500)], {"http_ok": False, "models_ok": True, "auth_ok": True}),
        ([(M, 404), (H, 200)], {"http_ok": True, "models_ok": False}),
    ],
)
def test_what_was_looked_at_is_told(replies, checks):
    assert finding([Reply(*one) for one in replies], with_key=False).checks == checks


def test_silence_is_unwell():
    found = silence("cannot be reached from control")

    assert found.health is Health.UNHEALTHY
    assert found.checks == {"http_ok": False}
