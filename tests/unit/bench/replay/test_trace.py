import gzip

import pytest

from bench.replay.trace import MAX_LINE, Entry, TraceError, read

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
GENERIC = "time,input_tokens,output_tokens\n"


@pytest.fixture
def written(tmp_path):
    """Return what writes a trace and gives its path."""

    def write(name, text):
        path = tmp_path / name
        content = text.encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


def test_a_trace_of_azure_is_read(written):
    text = f"{AZURE}2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9305900,396,109\n"

    assert read(written("azure.csv", text)) == [Entry(0.0, 374, 44, -1), Entry(4.25, 396, 109, -2)]


@pytest.mark.parametrize("first", ["10000101", "1712010122359"])
def test_a_number_is_no_date_though_it_could_be_one(written, first):
    text = f"timestamp,input_length,output_length\n{first},1,2\n{int(first) + 1_500},3,4\n"

    assert [one.at for one in read(written("t.csv", text))] == [0.0, 1.5]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2024-03-31 01:30:00", "2024-03-31 03:30:00"),  # no hour is left out, wherever this runs
        ("2024-03-31T01:30:00+02:00", "2024-03-31T01:30:00Z"),
    ],
)
def test_times_without_a_zone_are_in_one_that_never_changes(written, one, other):
    text = f"{AZURE}{one},1,2\n{other},3,4\n"

    assert [entry.at for entry in read(written("t.csv", text))] == [0.0, 7_200.0]


def test_a_trace_of_mooncake_is_read(written):
    text = (
        '{"timestamp": 3000, "input_length": 900, "output_length": 5, "hash_ids": [0, 7]}\n'
        '{"timestamp": 4500, "input_length": 99, "output_length": 6, "hash_ids": [0, 8]}\n'
        '{"timestamp": 9000, "input_length": 2000, "output_length": 7, "hash_ids": [0, 7, 9]}\n'
    )

    assert read(written("mooncake.jsonl.gz", text)) == [
        Entry(0.0, 900, 5, 1, (0, 7)),
        Entry(1.5, 99, 6, 2, (0, 8)),
        Entry(6.0, 2000, 7, 1, (0, 7, 9)),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "plain.csv",
            "time,input_tokens,output_tokens,prefix_block_ids\n10.5,20,30,4 5\n\n10,2,3,\n",
        ),
        (
            "plain.jsonl",
            '{"time": 10.5, "input_tokens": 20, "output_tokens": 30, "prefix_block_ids": [4, 5]}\n'
            '{"time": 10, "input_tokens": 2, "output_tokens": 3}\n',
        ),
    ],
    ids=["csv", "jsonl"],
)
def test_a_trace_of_anybody_is_read_in_the_order_of_its_times(written, name, text):
    assert read(written(name, text)) == [Entry(0.0, 2, 3, -1), Entry(0.5, 20, 30, 1, (4, 5))]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.txt", "", ": a trace is .csv or .jsonl, maybe with .gz"),
        ("t.csv", "", ": it has no requests"),
        ("t.csv", AZURE, ": it has no requests"),
        ("t.csv", f"{GENERIC}1,2\n", ":2: 2 values, the head has 3"),
        ("t.csv", "a,b\n1,2\n", ":2: none of TIMESTAMP, timestamp or time is there"),
        ("t.csv", f"{GENERIC}soon,2,3\n", ":2: time: 'soon' is no time"),
        ("t.csv", f"{GENERIC}nan,2,3\n", ":2: time: 'nan' is no time"),
        ("t.csv", f"{GENERIC}1,-2,3\n", ":2: input_tokens: '-2' is no count of tokens"),
        ("t.csv", f"{GENERIC}1,2,3.5\n", ":2: output_tokens: '3.5' is no count of tokens"),
        ("t.csv", f"{GENERIC}1,1e12,3\n", ":2: input_tokens: '1e12' is no count of tokens"),
        ("t.csv", "x" * (MAX_LINE + 1), ":1: the line is longer than 1,048,576 characters"),
        (
            "t.csv",
            f"{GENERIC}1,{'2' * 200_000},3\n",
            ":2: it is not CSV: field larger than field limit (131072)",
        ),
        ("t.jsonl", "{}\n[1]\n", ":1: none of TIMESTAMP, timestamp or time is there"),
        ("t.jsonl", "[1]\n", ":1: it is not a JSON object"),
        ("t.jsonl", "{\n", ":1: it is not JSON"),
        ("t.jsonl", "[" * 100_000, ":1: it is not JSON"),
        (
            "t.jsonl",
            '{"time": true, "input_tokens": 1, "output_tokens": 1}',
            ":1: time: True is no time",
        ),
        (
            "t.jsonl",
            '{"time": 1, "input_tokens": 1, "output_tokens": 1, "hash_ids": 7}',
            ":1: hash_ids: 7 is no list of numbers",
        ),
        (
            "t.jsonl",
            '{"time": 1, "input_tokens": 1, "output_tokens": 1, "hash_ids": [null]}',
            ":1: hash_ids: [None] is no list of numbers",
        ),
    ],
)
def test_a_line_that_cannot_be_used_is_named(written, name, text, said):
    path = written(name, text)

    with pytest.raises(TraceError) as raised:
        read(path)
    assert str(raised.value) == f"{path}{said}"


def test_what_is_no_file_or_not_packed_is_told(tmp_path):
    broken = tmp_path / "t.csv.gz"
    broken.write_bytes(gzip.compress(AZURE.encode())[:-4])
    plain = tmp_path / "p.csv.gz"
    plain.write_text(AZURE)
    binary = tmp_path / "b.csv"
    binary.write_bytes(b"\xff\xfe")

    for path, why in (
        (tmp_path / "none.csv", "no such file or directory"),
        (tmp_path / "folder.csv", "is a directory"),
        (broken, "it is not packed as .gz, or not whole"),
        (plain, "it is not packed as .gz, or not whole"),
        (binary, "it is not UTF-8"),
    ):
        if path.name == "folder.csv":
            path.mkdir()
        with pytest.raises(TraceError) as raised:
            read(path)
        assert str(raised.value) == f"{path}: {why}"
