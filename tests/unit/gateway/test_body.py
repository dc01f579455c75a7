"""Request bodies are checked whole, and changed in no byte but the model."""

import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.api.errors import BadRequest, ForbiddenField, InvalidBody, InvalidValue
from gateway.body import MAX_DEPTH, MAX_DIGITS, MAX_KEYS, _Checked, depth, parse

# Of which hypothesis knows, too: it reads names in the source of what it tests.
CHECKED = msgspec.json.schema(_Checked)["$defs"]["_Checked"]["properties"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "truncated"),
        (b"null", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b'"x"', "not a JSON object"),
        (b"123", "not a JSON object"),
        (b"{", "truncated"),
        (b'{"model":"a"} {}', "trailing"),
        (b'{"model":"a","x":NaN}', "malformed"),
        (b'{"model":"a","x":Infinity}', "malformed"),
        (b'{"model":"a","x":"\xff"}', "UTF-8"),
        ('{"model":"a"}'.encode("utf-16"), "UTF-8"),
        (b'\xef\xbb\xbf{"model":"a"}', "malformed"),
        (b'{"model":"a","x":"\\ud800"}', "truncated"),
        (b"[" * 1_000_000, "objects and lists"),
        (b'{"a":' * 1_000_000, "strings"),
        (b"[" * 90_000, "nested deeper"),
        (b'{"model":"a","x":' + b"[" * 64 + b"]" * 64 + b"}", "nested deeper"),
        (b'{"model":"a","model":"b"}', "given twice"),
        (b'{"model":"a","model":"a"}', "given twice"),
        (b'{"model":"a","mod\\u0065l":"b"}', "given twice"),
        (b'{"model":"bbb","model":"b"}', "given twice"),
        (b'{"model":"b" , "model":"bbb"}', "given twice"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else None,
)
def test_what_is_not_one_clear_object_is_refused(raw, message):
    with pytest.raises(InvalidBody, match=message):
        parse(raw)


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (b"{}", "model"),
        (b'{"model":null}', "model"),
        (b'{"model":["a"]}', "model"),
        (b'{"model":"a","stream":"true"}', "stream"),
        (b'{"model":"a","stream":1}', "stream"),
        (b'{"model":"a","n":-1}', "n"),
        (b'{"model":"a","max_tokens":9223372036854775808}', "max_tokens"),
        (b'{"model":"a","temperature":"hot"}', "temperature"),
    ],
)
def test_a_value_of_the_wrong_kind_names_its_field(raw, param):
    with pytest.raises(InvalidValue) as caught:
        parse(raw)

    assert caught.value.param == param


def test_a_nested_key_of_the_same_name_is_not_the_model():
    raw = b'{"tools":[{"model":"x"}], "m\\u006fdel" : "a\\"b", "z":{"model":1}}'

    changed = parse(raw).with_model(b'"new"')

    assert changed == b'{"tools":[{"model":"x"}], "m\\u006fdel" : "new", "z":{"model":1}}'


def test_a_body_with_too_many_keys_is_refused():
    many = json.dumps({"model": "a", "t": {"model": 1}} | dict.fromkeys(map(str, range(MAX_KEYS))))

    with pytest.raises(InvalidBody, match="keys"):
        parse(many.encode())


@given(st.integers(0, 3 * MAX_DIGITS), st.integers(MAX_DIGITS + 1, 3 * MAX_DIGITS))
def test_a_number_with_too_many_digits_is_refused_wherever_it_stands(place, digits):
    raw = b'{"model":"a","x":"%b","y":[%b]}' % (b"x" * place, b"9" * digits)

    with pytest.raises(InvalidBody, match="out of range"):
        parse(raw)


def test_as_many_digits_in_a_text_or_in_a_fraction_are_none_of_our_business():
    digits = b"9" * 3 * MAX_DIGITS

    assert parse(b'{"model":"a","x":"%b","y":0.%b,"z":%b}' % (digits, digits, digits[:MAX_DIGITS]))


@pytest.mark.parametrize("key", [b"api_base", b"headers", b"extr\\u0061_headers"])
def test_a_request_does_not_say_where_it_goes(key):
    with pytest.raises(ForbiddenField):
        parse(b'{"model":"a","%b":"x"}' % key)
    assert parse(b'{"model":"a","%b":null,"tools":[{"%b":"x"}]}' % (key, key))


@pytest.mark.parametrize(
    "part", [b'"",', b"[],", b"{},", b"1,", b'"\\\\",', b'{"":1},', b"[" * 62 + b"]" * 62 + b","]
)
def test_a_body_has_a_bounded_number_of_parts(part):
    """Numbers are read as fast as text, all else is counted."""
    raw = b'{"model":"a","x":[%b1]}' % (part * (5_000_000 // len(part)))

    if part == b"1,":
        assert parse(raw)
    else:
        with pytest.raises(InvalidBody, match="100,000"):
            parse(raw)


def test_a_key_may_not_be_a_book():
    with pytest.raises(InvalidBody, match="too long"):
        parse(b'{"model":"a","t":{"model":1},"%b":1}' % (b'\\"' * 100_000))


@given(st.text(min_size=1), st.dictionaries(st.text(), JSON, max_size=5), st.booleans(), st.data())
def test_only_the_model_changes(model, others, ascii_only, data):
    """Whatever stands around it, however it is spelled, wherever it stands."""
    members = [(key, value) for key, value in others.items() if key not in CHECKED]
    members.insert(data.draw(st.integers(0, len(members))), ("model", model))
    indent = data.draw(st.sampled_from([None, 1]))
    try:
        text = json.dumps(dict(members), ensure_ascii=ascii_only, indent=indent).encode()
    except UnicodeEncodeError:  # a lone surrogate
        return
    try:
        body = parse(text)
    except InvalidBody:
        assert b"\\ud" in text  # hypothesis may spell a lone surrogate, which is no text
        return
    changed = body.with_model(b'"new"')

    assert body.model == model
    assert json.loads(changed) == {**dict(members), "model": "new"}
    assert len(changed) == len(text) - (body.end - body.start) + len(b'"new"')


@given(st.binary(max_size=200))
def test_any_bytes_are_accepted_or_refused(raw):
    with suppress(BadRequest):
        assert parse(raw).with_model(b'"m"')


def nested(value):
    if isinstance(value, dict):
        return 1 + max(map(nested, value.values()), default=0)
    return 1 + max(map(nested, value), default=0) if isinstance(value, list) else 0


@given(JSON)
def test_depth_is_what_a_walk_would_find(value):
    text = json.dumps(value).encode()

    assert depth(text) == min(nested(value), MAX_DEPTH + 1)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'["[[[[", "\\"[", "\\\\"]', 1),
        (b"[" * 64 + b"]" * 64, 64),
        (b"[" * 65 + b"]" * 65, MAX_DEPTH + 1),
        (b"[" * 9, MAX_DEPTH + 1),
        (b"1", 0),
    ],
)
def test_depth(raw, expected):
    assert depth(raw) == expected
