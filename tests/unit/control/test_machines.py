import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.inventory import Gpu, GpuMetrics, Machine, ModelFile, Resources
from control.machines import (
    MAX_BYTES,
    MAX_COUNT,
    MAX_FILES,
    MAX_GPUS,
    MAX_MACHINE,
    MAX_PROBLEMS,
    clean,
    clean_resources,
    distinct,
)

FILE = ModelFile("/m/a.gguf", 5_000, "Qwen3 8B", "qwen3", "Q4_K_M", 40_960, 8_190_735_360)
HOSTILE = "\x1b[2J\u202eevil\r\n\0"


def test_what_is_well_passes_unchanged():
    told = Machine((FILE, ModelFile("/m/b.gguf", 0)), 7, ("/n: permission denied",))

    assert clean(told) == told


def test_files_beyond_those_that_are_kept_are_counted():
    many = tuple(ModelFile(f"/m/{n:05}.gguf", n) for n in range(MAX_FILES + 5))
    kept = clean(Machine(many, 0))

    assert kept.files == many[:MAX_FILES]
    assert kept.file_count == MAX_FILES + 5


def test_a_file_without_a_path_is_none():
    assert clean(Machine((ModelFile("", 5), FILE), 2)).files == (FILE,)


def test_texts_are_shortened_and_lose_what_terminals_obey():
    odd = ModelFile("p" * 5_000 + HOSTILE, 1, HOSTILE, "a" * 300, HOSTILE)
    kept = clean(Machine((odd,), 1, (HOSTILE, "x" * 300, "")))

    assert [len(kept.files[0].path), len(kept.files[0].architecture)] == [4_096, 200]
    assert kept.problems == (" [2J evil   ", "x" * 200)
    assert kept.files[0].name == kept.files[0].quantization == " [2J evil   "


@pytest.mark.parametrize("value", [-1, -(2**63), MAX_COUNT + 1])
def test_an_odd_number_is_unknown(value):
    kept = clean(Machine((ModelFile("/a", value, "", "", "", value, value),), value))

    assert kept == Machine((ModelFile("/a", 0),), 1)


def test_problems_have_room_before_files_and_all_of_it_is_bounded():
    files = tuple(ModelFile("/" + "ä" * 4_000 + str(n), n) for n in range(MAX_FILES))
    kept = clean(Machine(files, len(files), tuple("x" * 300 for _ in range(MAX_PROBLEMS + 1))))
    size = sum(len(one.path.encode()) for one in kept.files) + sum(map(len, kept.problems))

    assert len(kept.problems) == MAX_PROBLEMS
    assert MAX_MACHINE - 10_000 < size <= MAX_MACHINE
    assert kept.file_count == MAX_FILES


@given(
    st.builds(
        Machine,
        st.lists(
            st.builds(ModelFile, st.text(), st.integers(), st.text(), st.text(), st.text()),
            max_size=5,
        ).map(tuple),
        st.integers(),
        st.lists(st.text(), max_size=5).map(tuple),
    )
)
def test_what_was_cut_once_is_cut_no_more(told):
    kept = clean(told)

    assert clean(kept) == kept
    assert kept.file_count >= len(kept.files)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (Gpu("0", "RTX", "nvidia", MAX_BYTES), Gpu("0", "RTX", "nvidia", MAX_BYTES)),
        (Gpu("0", "RTX", "nvidia", MAX_BYTES + 1), Gpu("0", "RTX", "nvidia")),
        (Gpu("0", memory_bytes=-1), Gpu("0")),
        (Gpu("0", HOSTILE, "x" * 300), Gpu("0", " [2J evil   ", "x" * 200)),
    ],
)
def test_a_processor_is_kept_without_what_is_odd_of_it(told, kept):
    assert clean_resources(Resources(8, 1, (told,))) == Resources(8, 1, (kept,))


def test_processors_that_cannot_be_told_apart_are_the_first_of_them():
    told = [Gpu("0", "a"), Gpu(""), Gpu("0", "b"), Gpu("1\n"), Gpu("x" * 201), Gpu("1")]

    assert list(distinct(told)) == [Gpu("0", "a"), Gpu("1")]
    assert len(list(distinct(GpuMetrics(str(n)) for n in range(MAX_GPUS + 1)))) == MAX_GPUS
