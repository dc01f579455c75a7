"""etcd-io/etcd#14370: a single node lost a write that it had acknowledged when it crashed."""

from tests.chaos.r20_acknowledged import run


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    assert [one for one in run(tmp_path, kills=1, seed=14370) if not one.holds(10.0)] == []
