"""Hidden members are cut out of a text, and no other byte of it changes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.reasoning import HIDDEN_KEYS, MAX_HIDDEN, MAX_NESTED, Unreadable, Usage, cleaned

KEYS = st.sampled_from([*HIDDEN_KEYS, "a", "reasoning_", 'x"reasoning', "\\", "reasoning\\"])
TEXTS = st.sampled_from(["", "reasoning", '"reasoning":1,', "\\", '\\"', "{[,", "é\u2028", "a b"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


def without_hidden(value):
    if isinstance(value, dict):
        return {k: without_hidden(v) for k, v in value.items() if k not in HIDDEN_KEYS}
    return [without_hidden(one) for one in value] if isinstance(value, list) else value


@given(
    JSON,
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]),
    st.sampled_from(["reasoning", "r\\u0065asonin\\u0067", "reaso\\u006ei\\u006Eg"]),
)
def test_what_remains_is_what_a_walk_would_leave(value, ascii_only, separators, spelled):
    """However it is spaced and spelled, also with numbers that only lenient readers read."""
    text = json.dumps(value, ensure_ascii=ascii_only, separators=separators)
    text = text.replace("reasoning", spelled)

    result, _ = cleaned(text.encode(), strip=True)

    expected = without_hidden(json.loads(text))
    assert json.dumps(json.loads(result)) == json.dumps(expected)
    if expected == json.loads(text):
        assert result == text.encode()


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('{"reasoning":1}', "{}"),
        ('{ "reasoning" : 1 }', "{ }"),
        ('{"reasoning":1,"a":2}', '{"a":2}'),
        ('{"a": 2, "reasoning": 1}', '{"a": 2}'),
        ('{"a":1.50, "reasoning":"x" , "b":1e2}', '{"a":1.50 , "b":1e2}'),
        ('{"reasoning":1,"reasoning_content":2,"reasoning":3}', "{}"),
        ('{"reasoning":1, "a":2, "reasoning_content":3}', '{ "a":2}'),
        ('{"a":1,"reasoning":{"reasoning":["]}"]},"reasoning":[]}', '{"a":1}'),
        ('[{"reasoning":null},{"reasoning":-1e5}]', "[{},{}]"),
        ('{"reasoning":"\\\\","a":"\\"reasoning\\":1"}', '{"a":"\\"reasoning\\":1"}'),
        ('{"r\\u0065asoning\\u005Fcontent":"x","a":"\\u00e9"}', '{"a":"\\u00e9"}'),
        ('{"reasoning":NaN,"a":-Infinity}', '{"a":-Infinity}'),
        ('{"reasoning":"\\ud800","a":"\\udfff"}', '{"a":"\\udfff"}'),
        ('{"Reasoning":1,"reasoning_tokens":2}', '{"Reasoning":1,"reasoning_tokens":2}'),
        ('"reasoning"', '"reasoning"'),
    ],
)
def test_only_what_is_hidden_goes(text, result):
    assert cleaned(text.encode(), strip=True)[0] == result.encode()
    assert cleaned(text.encode(), strip=False)[0] == text.encode()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"reasoning":"s',
        b'{"reasoning":"s"',
        b'{"a":"b"reasoning":"s"}',
        b'{"reasoning":[}',
        b'{"reasoning":1} x',
        b"\xef\xbb\xbf{}",
        '{"reasoning":1}'.encode("utf-16"),
        b"[" * 100_000,
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_is_not_json_is_not_guessed_at(text):
    with pytest.raises(Unreadable):
        cleaned(text, strip=True)


def test_what_hides_too_much_is_refused():
    members = b",".join([b'{"reasoning":1}'] * (MAX_HIDDEN + 1))
    nested = b",".join([b"[]"] * (MAX_NESTED // 2 + 1))

    for text in (b"[%b]" % members, b'{"reasoning":[%b]}' % nested):
        assert cleaned(text, strip=False)[0] is text
        with pytest.raises(Unreadable, match="more than"):
            cleaned(text, strip=True)


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ('{"prompt_tokens":1,"completion_tokens":2,"x":{}}', Usage(1, 2)),
        ('{"prompt_tokens":0,"completion_tokens":0}', Usage(0, 0)),
        ('{"prompt_tokens":8}', Usage(8, 0)),
        ('{"prompt_tokens":8,"completion_tokens":-5}', Usage(8, 0)),
        ('{"prompt_tokens":8,"completion_tokens":1e308}', Usage(8, 0)),
        ('{"prompt_tokens":8,"completion_tokens":null}', Usage(8, 0)),
        ('{"prompt_tokens":"12","completion_tokens":true}', None),
        ('{"prompt_tokens":9007199254740992}', None),
        ('{"prompt_tokens":1e999}', None),
        ("{}", None),
        ("[]", None),
        ("null", None),
        ('"12"', None),
        ('{"prompt_tokens":8,"x":"\\ud800"}', Usage(8, 0)),
    ],
)
@pytest.mark.parametrize("around", ['{"usage":%s}', '{"usage":%s,"reasoning":NaN}'])
def test_a_count_is_believed_or_unknown(told, usage, around):
    assert cleaned((around % told).encode(), strip=True)[1] == usage


@pytest.mark.parametrize("text", [b"[1]", b'"x"', b"1", b"{}", b'{"choices":[]}'])
def test_what_tells_no_usage_is_of_unknown_usage(text):
    assert cleaned(text, strip=True) == (text, None)


def test_a_usage_that_is_no_text_is_of_unknown_usage():
    text = b'{"usage":{"prompt_tokens":-1,"x":"\xff"}}'

    assert cleaned(text, strip=True) == (text, None)
