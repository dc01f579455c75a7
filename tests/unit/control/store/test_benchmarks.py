import pytest

from control.benchmarks.samples import Sample, kept_run
from control.store import benchmarks
from control.store.benchmarks import KEPT, Filter, Taken
from control.store.opening import open_store

pytestmark = pytest.mark.anyio


def sample(benchmark_id, observed_at=0.0, **fields):
    given = {"service_id": "h/s", "asset_id": "m", "workload": "chat.a", "results": {}} | fields
    return Sample(benchmark_id, observed_at=observed_at, **given)


async def take(store, *samples, **limits):
    return await store.writer.run(benchmarks.take, samples, **limits)


async def ids(store, after=None, limit=1_000, **wanted):
    found = await store.writer.run(benchmarks.listed, Filter(**wanted), after, limit)
    return [one.benchmark_id for one in found]


async def test_what_is_taken_is_kept_whole(store):
    whole = sample("b", 7.5, results={"ttft_ms": 9.5, "é": [None, {"x": True}]}, digest="d")
    await take(store, whole)

    assert await store.writer.run(benchmarks.listed, Filter(), None, 9) == [whole]


async def test_the_same_again_replaces_and_changes_nothing_else(store):
    first = await take(store, sample("a"), sample("b"))
    again = await take(store, sample("b", workload="chat.b"), sample("c"))

    assert first == Taken(2, 0, frozenset())
    assert again == Taken(1, 1, frozenset())
    assert await ids(store, workload="chat.b") == ["b"]
    assert await ids(store) == ["a", "b", "c"]


async def test_of_each_kind_the_newest_are_kept(store):
    await take(store, *(sample(f"{n:03}", n) for n in range(KEPT)))
    added = await take(store, sample("new", KEPT), sample("old", -1), sample("x", -1, asset_id=""))

    assert added == Taken(3, 0, frozenset({"000", "old"}))
    assert len(await ids(store)) == KEPT + 1


async def test_in_all_only_so_many_are_kept_the_newest(store):
    await take(store, *(sample(f"{n}", n, service_id=f"h/{n}") for n in range(5)))
    added = await take(store, sample("new", 9), sample("old", -1), most=4)

    assert added.removed == {"0", "1", "old"}
    assert await ids(store) == ["new", "4", "3", "2"]


async def test_the_newest_come_first_then_those_of_the_smaller_id_page_by_page(store):
    await take(store, sample("c", 1), sample("a", 1), sample("b", 2), sample("d", 0))

    assert await ids(store, limit=2) == ["b", "a"]
    assert await ids(store, after=(1.0, "a")) == ["c", "d"]


async def test_lists_are_filtered(store):
    await take(
        store,
        sample("a"),
        sample("b", service_id="h/t"),
        sample("c", asset_id="n"),
        sample("d", workload="chat.b"),
    )

    assert await ids(store, service_id="h/t") == ["b"]
    assert await ids(store, asset_id="n") == ["c"]
    assert await ids(store, service_id="h/s", workload="chat.b") == ["d"]
    assert await ids(store, service_id="' OR 1=1 --") == []


async def test_samples_are_there_when_the_store_is_opened_again(tmp_path):
    path, one = tmp_path / "g.sqlite3", sample("a", results={"pass_rate": 0.5})
    store = open_store(path)
    await take(store, one)
    store.close()
    again = open_store(path)
    again.close()

    assert again.runs == [kept_run(one)]
