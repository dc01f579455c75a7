from pathlib import Path

import pytest

from control.api.settings import SettingsError
from control.rules.catalog import MAX_CATALOG_BYTES, MAX_TOLD, Catalog, names, read_catalog
from control.rules.fallbacks import MAX_STAND_INS


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Return the catalog of a text; the file is `c.yaml` in what is said of it."""
    monkeypatch.chdir(tmp_path)

    def read(text):
        path = Path("c.yaml")
        path.write_text(text)
        return read_catalog(path)

    return read


def entry(role_id, *fallbacks, operation="chat"):
    return (
        f"  - role_id: {role_id}\n    operation: {operation}\n"
        f"    routing_policy:\n      fallback_roles: [{', '.join(fallbacks)}]\n"
    )


def catalog(*entries):
    return "roles:\n" + "".join(entries)


def problems(read, text):
    with pytest.raises(SettingsError) as caught:
        read(text)
    return caught.value.problems


def test_roles_come_with_their_stand_ins_in_the_order_of_the_file(read):
    found = read(catalog(entry("a", "b", "c"), entry("b", "d"), entry("c"), entry("d")))

    assert list(found.roles) == ["a", "b", "c", "d"]
    assert found.roles["a"].stand_ins == ("b", "d", "c")
    assert found.roles["a"].routing.fallback_roles == ("b", "c")
    assert found.warnings == []


def test_there_may_be_no_roles(read):
    assert read("roles: []\n") == Catalog({}, [])


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "roles:\n", "{}\n"])
def test_a_file_that_is_not_written_yet_does_not_remove_all_roles(read, text):
    assert len(problems(read, text)) == 1


def test_circles_are_told_once_and_are_safe(read):
    found = read(catalog(entry("a", "a"), entry("b", "c"), entry("c", "b"), entry("d", "b")))

    assert [role.stand_ins for role in found.roles.values()] == [(), ("c",), ("b",), ("b", "c")]
    assert found.warnings == [
        "c.yaml: fallbacks lead back to where they began, each role is tried once: a, b, c"
    ]


def test_a_fallback_of_another_operation_is_left_out_and_told(read):
    found = read(
        catalog(
            entry("a", "b", "c"), entry("b", "d", operation="embeddings"), entry("c"), entry("d")
        )
    )

    assert found.roles["a"].stand_ins == ("c",)
    assert found.warnings[0] == (
        "c.yaml:5: a: routing_policy.fallback_roles: b is left out,"
        " it is for embeddings and not for chat"
    )


def test_a_fallback_that_is_nobody_is_a_problem_with_its_line(read):
    text = catalog(entry("mentor", "asistant"), entry("assistant"))

    assert problems(read, text) == [
        "c.yaml:5: mentor: routing_policy.fallback_roles: no role asistant; nearest: assistant"
    ]


def test_a_fallback_on_a_role_that_is_wrong_is_no_second_problem(read):
    text = catalog(entry("a", "b"), entry("b", operation="chatt"))

    (problem,) = problems(read, text)

    assert problem.startswith("c.yaml:7: operation: ")


def test_a_role_twice_is_a_problem_with_both_lines(read):
    assert problems(read, catalog(entry("a"), entry("b"), entry("a"))) == [
        "c.yaml:10: role_id: a is in line 2 already"
    ]


def test_a_chain_that_is_cut_is_told(read):
    count = MAX_STAND_INS + 2
    found = read(catalog(*(entry(f"r{n}", f"r{min(n + 1, count - 1)}") for n in range(count))))

    assert len(found.roles["r0"].stand_ins) == MAX_STAND_INS
    assert any("fallbacks end after" in said and ": r0" in said for said in found.warnings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", "c.yaml:1: a mapping with a list of roles is expected"),
        ("x\n", "c.yaml:1: a mapping with a list of roles is expected"),
        ("roles: x\n", "c.yaml:1: roles: a list is expected"),
        ("roles: {a: {}}\n", "c.yaml:1: roles: a list is expected"),
        ("rolls: []\n", "c.yaml:1: unknown key rolls; a catalog holds roles, and nothing else"),
        ("roles:\n  - x\n", "c.yaml:2: a mapping of keys is expected, not a text"),
        ("roles:\n  - 5\n", "c.yaml:2: a mapping of keys is expected, not a int"),
        ("roles: [\n", "c.yaml:2: did not find expected node content"),
        ("roles: []\nroles: []\n", "c.yaml:2: duplicate key roles"),
        (
            "roles:\n- role_id: a\n  operation: chat\n  routing_policy:\n    strategy: rr\n",
            "c.yaml:5: routing_policy.strategy: no strategy 'rr'; there are scored, round_robin,"
            " least_loaded, power_of_two, expected_completion",
        ),
    ],
)
def test_what_is_no_catalog_says_where_and_why(read, text, said):
    assert problems(read, text) == [said]


def test_all_problems_are_told_and_no_more_than_anybody_reads(read):
    bad = "  - {role_id: a b, operation: chat}\n"

    assert len(problems(read, "roles:\n" + bad * 3)) == 3
    found = problems(read, "roles:\n" + bad * 1_000)
    assert len(found) == MAX_TOLD + 1
    assert found[-1] == "and more"


def test_what_was_wrong_before_a_key_that_stands_twice_is_told_too(read):
    found = problems(read, "roles:\n  - {role_id: a b, operation: chat}\n  - {a: 1, a: 2}\n")

    assert [said.split(": ")[0] for said in found] == ["c.yaml:2", "c.yaml:3"]


def test_a_catalog_may_be_larger_than_settings_and_is_bounded(read):
    filler = f"# {'x' * 100}\n"
    text = catalog(entry("a"))

    assert list(read(text + filler * (2 << 20 >> 6)).roles) == ["a"]
    (problem,) = problems(read, text + filler * (MAX_CATALOG_BYTES // 100))
    assert problem == f"c.yaml: larger than {MAX_CATALOG_BYTES} bytes"


def test_ten_thousand_roles_in_one_circle_load(read):
    count = 10_000
    found = read(catalog(*(entry(f"r{n}", f"r{(n + 1) % count}") for n in range(count))))

    assert len(found.roles) == count
    assert [said.partition(", others")[0] for said in found.warnings] == [
        f"c.yaml: fallbacks end after {MAX_STAND_INS} roles"
    ]


def test_a_folder_is_no_catalog(tmp_path):
    with pytest.raises(SettingsError, match="is a directory"):
        read_catalog(tmp_path)


def test_a_line_names_ten_roles():
    assert names(["a", "b"]) == "a, b"
    assert names(map(str, range(12))) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
