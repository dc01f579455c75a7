"""A schema is what all examples have in common, and what only some of them have."""

import pytest

from gateway.schema import schema_of


@pytest.mark.parametrize(
    ("examples", "schema"),
    [
        ([1], {"type": "integer"}),
        ([1, 0.5], {"type": "number"}),
        ([True, None], {"type": ["boolean", "null"]}),
        (["a", 1], {}),
        ([None], {}),
        ([[], ["a", None]], {"type": "array", "items": {"type": ["string", "null"]}}),
        ([[]], {"type": "array", "items": {}}),
        ([{}, {"site": "lab"}], {"type": "object", "additionalProperties": True}),
        (
            [{"a": 1}, {"a": None, "b": "x"}],
            {
                "type": "object",
                "required": ["a"],
                "properties": {"a": {"type": ["integer", "null"]}, "b": {"type": "string"}},
            },
        ),
    ],
)
def test_schema(examples, schema):
    assert schema_of(*examples) == schema
