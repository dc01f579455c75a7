from hypothesis import given
from hypothesis import strategies as st

from control.table.diff import Delta, apply, changes, combined
from control.table.resources import KeySettings, Resource

NAMES = st.sampled_from("abcdef")
TABLES = st.dictionaries(NAMES, st.integers(0, 3))


def resources(contents):
    return {
        name: Resource.of(name, KeySettings(required=False, hash_secret=bytes([content])))
        for name, content in contents.items()
    }


def test_nothing_new_is_no_change():
    table = resources({"a": 1})

    assert not changes(table, resources({"a": 1}))
    assert not changes(table, {"b": None})


@given(TABLES, TABLES)
def test_applying_the_changes_leads_from_one_table_to_the_other(before, after):
    old, new = resources(before), resources(after)
    delta = changes(old, {name: new.get(name) for name in old.keys() | new.keys()})
    table_hash = apply(old, combined(old.values()), delta)

    assert old == new
    assert table_hash == combined(new.values())


@given(TABLES, TABLES)
def test_only_real_changes_are_in_a_delta(before, after):
    old, new = resources(before), resources(after)
    delta = changes(old, {name: new.get(name) for name in old.keys() | new.keys()})

    assert set(delta.tombstones) == old.keys() - new.keys()
    assert {one.name for one in delta.upserts} == {n for n in new if old.get(n) != new[n]}


def test_a_tombstone_of_what_is_not_there_changes_nothing():
    table = resources({"a": 1})

    assert apply(table, 7, Delta(tombstones=("b",))) == 7
    assert set(table) == {"a"}
