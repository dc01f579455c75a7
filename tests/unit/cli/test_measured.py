import pytest
from geniehive.v1 import discovery_service_pb2 as pb

from cli.cluster import Cluster
from cli.measured import cells, document
from cli.status import render
from tests.unit.cli.clusters import NOW, THREE_HOSTS, health, host, status


def measured(first_ms=None, speed=None, **counts):
    found = status("tower/ollama", "m")
    found.measured.CopyFrom(pb.Measured(tokens_per_second=speed, **counts))
    found.measured.start_time.FromSeconds(1_700_000_000)
    if first_ms is not None:
        found.measured.first_byte_p50.FromMilliseconds(first_ms)
        found.measured.first_byte_p95.FromMilliseconds(10 * first_ms)
    return found


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (status("h/x", "m"), ("-", "-")),
        (measured(request_count=1), ("-", "-")),
        (measured(412, 52.4), ("0.41s", "52")),
        (measured(12_400, 3.14), ("12s", "3.1")),
    ],
    ids=["never-asked", "no-streams", "fast", "slow"],
)
def test_cells(found, expected):
    assert tuple(cells(found)) == expected


def test_the_columns_come_with_the_first_measurement():
    assert "TTFT" not in render(THREE_HOSTS, NOW)

    cluster = Cluster(health(), (host("idle"), host("tower")), (measured(412, 52.4),))
    lines = render(cluster, NOW).splitlines()
    assert lines[1].split()[-2:] == ["TTFT", "TOK/S"]
    assert lines[2].split()[-2:] == ["-", "-"]
    assert lines[3].split()[-2:] == ["0.41s", "52"]


def test_the_document_has_units_in_its_names():
    found = measured(
        500,
        20.0,
        request_count=9,
        abandoned_count=1,
        error_counts={"upstream_error": 2},
        prompt_tokens=70,
        completion_tokens=80,
    )

    assert document(found) == {
        "since": "2023-11-14T22:13:20+00:00",
        "requests": 9,
        "abandoned": 1,
        "errors": {"upstream_error": 2},
        "prompt_tokens": 70,
        "completion_tokens": 80,
        "first_byte_p50_s": 0.5,
        "first_byte_p95_s": 5.0,
        "tokens_per_second": 20.0,
    }
    assert document(status("h/x", "m")) is None
