from bench import results
from tests.unit.bench import made

FOUND = made.results(("direct", 5.0, 40.0), ("nginx", 10.0, 100.0))


def test_a_file_gives_back_what_was_written(tmp_path):
    FOUND.write(tmp_path / "results.json")

    assert results.read(tmp_path / "results.json") == FOUND


def test_figures_are_by_round():
    assert FOUND.figures("nginx", "json-64", "cpu_per_request") == {1: 10.0, 2: 20.0}
    assert FOUND.figures("nginx", "json-64", "cpu_per_event") == {}
    assert FOUND.figures("nobody", "json-64", "cpu_per_request") == {}


def test_this_machine_is_described():
    machine = results.this_machine()

    assert machine.cpu
    assert machine.cores >= 1
    assert machine.memory_gib >= 1
