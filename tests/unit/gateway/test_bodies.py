"""What stands in a body is read, or refused by its place."""

import msgspec
import pytest

from control.api.errors import InvalidBody, InvalidValue
from gateway import bodies


class Thing(msgspec.Struct):
    """Something to be said."""

    name: str
    size: int = 0


decode = msgspec.json.Decoder(Thing).decode


@pytest.mark.parametrize(
    ("raw", "place", "said"),
    [
        (b'{"size":1}', "", "'name' is missing"),
        (b'{"size":1}', "things[3]", "'things[3].name' is missing"),
        (b'{"name":1}', "", "'name': expected `str`, got `int`"),
        (b'{"name":1}', "things[3]", "'things[3].name': expected `str`, got `int`"),
        (b"7", "things[3]", "'things[3]': expected `object`, got `int`"),
    ],
)
def test_a_value_is_named_by_its_place(raw, place, said):
    with pytest.raises(InvalidValue) as refused:
        bodies.decoded(decode, raw, place)

    assert str(refused.value) == said
    assert said.startswith(f"'{refused.value.param}'")


@pytest.mark.parametrize("raw", [b"7", b"{", b"\xff", b"", b'{"other":' + b"[" * 100_000])
def test_what_is_no_object_in_json_is_no_body(raw):
    with pytest.raises(InvalidBody):
        bodies.decoded(decode, raw)
