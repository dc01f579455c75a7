"""YAML is read as everybody reads it, or not at all."""

import pytest

from control.api.document import DocumentError, parse, pieces


def test_a_document_comes_with_the_line_of_each_key():
    document, lines = parse(b"a: 1\nb:\n  c: [x, {d: y}]\n")

    assert document == {"a": 1, "b": {"c": ["x", {"d": "y"}]}}
    assert lines == {("a",): 1, ("b",): 2, ("b", "c"): 3, ("b", "c", 1, "d"): 3}


@pytest.mark.parametrize("text", [b"", b"\xef\xbb\xbf", b"# nothing\n", b"---\n", b"null"])
def test_an_empty_text_is_no_document(text):
    assert parse(text)[0] is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-1_000", -1_000),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("1.0e+3", 1_000.0),
        (".inf", float("inf")),
        ("12:30:45", "12:30:45"),
        ("1:30.5", "1:30.5"),
        ("010", "010"),
        ("0o17", "0o17"),
        ("1e3", "1e3"),
        ("yes", True),
        ("~", None),
        ('"5"', "5"),
    ],
)
def test_numbers_are_those_that_people_write(text, value):
    found = parse(f"a: {text}".encode())[0]["a"]

    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (b"a: 1\nb: \xff", 2, "not UTF-8 text"),
        (b"a: 1\n\nb: \x01", 3, "character 0x1 is not allowed"),
        (b"a:\n\tb: 1", 2, "a tab cannot indent; use spaces"),
        (b"a: !x 1", 1, "tag '!x' is not supported"),
        (b"a: [\n", 2, "did not find expected node content"),
        (b"- 1: a", 1, "key '1' is no text; put it in quotes"),
        # So deep that PyYAML would end the process.
        (b"a: " + b"[" * 500_000, 1, "nested too deep"),
        (b"- " * 500_000, 1, "nested too deep"),
    ],
)
def test_what_is_no_document_says_where_and_why(text, line, problem):
    with pytest.raises(DocumentError) as refused:
        parse(text)

    assert (refused.value.line, str(refused.value)) == (line, problem)


def test_pieces_are_values_and_the_items_of_lists():
    text = b"a: 1\nb:\n  - c: x\n  - {d: [y]}\ne: {f: z}\ng: []\n"

    assert list(pieces(text)) == [
        (("a",), 1, {(): 1}),
        (("b", 0), {"c": "x"}, {(): 3, ("c",): 3}),
        (("b", 1), {"d": ["y"]}, {(): 4, ("d",): 4}),
        (("e",), {"f": "z"}, {(): 5, ("f",): 5}),
        (("g",), [], {(): 6}),
    ]


@pytest.mark.parametrize(
    ("text", "value"), [(b"- 1\n- 2\n", [1, 2]), (b"x", "x"), (b"null", None), (b"# a", ...)]
)
def test_what_is_no_mapping_is_one_piece_or_none(text, value):
    assert [found for _, found, _ in pieces(text)] == ([] if value is ... else [value])


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (b"a: [1]\nb: \xff", 2, "not UTF-8 text"),
        (b"a: 1\na: 2", 2, "duplicate key a"),
        (b"a:\n- b: 1\n  b: 2", 3, "duplicate key b"),
        (b"a:\n- &x {b: 1}\n- *x", 3, "aliases are not supported"),
        (b"a: &x [*x]", 1, "aliases are not supported"),
        (b"*x", 1, "aliases are not supported"),
        (b"{? [a] : 1}", 1, "a key is expected to be a word"),
        (b"a: 1\n---\nb: 1\n", 2, "expected one document, but found another document"),
        (b"a: [\n", 2, "did not find expected node content"),
        (b"a: " + b"[" * 500_000, 1, "nested too deep"),
        (b"a:\n- b: !x 1", 2, "tag '!x' is not supported"),
    ],
)
def test_pieces_of_no_document_say_where_and_why(text, line, problem):
    with pytest.raises(DocumentError) as caught:
        list(pieces(text))

    assert (str(caught.value), caught.value.line) == (problem, line)
