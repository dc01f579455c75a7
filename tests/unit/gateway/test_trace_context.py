import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.trace_context import lines, read

PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_what_is_told_is_told_on():
    context = read({b"traceparent": PARENT, b"tracestate": b"a=1,b=2"})

    assert lines(context) == b"traceparent: %b\r\ntracestate: a=1,b=2\r\n" % PARENT


@pytest.mark.parametrize(
    "parent",
    [
        b"",
        PARENT.upper(),
        PARENT + b"-more",
        PARENT.replace(b"00-", b"ff-", 1),
        b"00-" + b"0" * 32 + PARENT[35:],
        PARENT[:36] + b"0" * 16 + b"-01",
        PARENT[:-1] + b"\n",
        PARENT.replace(b"-", b"_"),
    ],
    ids=["empty", "upper", "longer", "version", "no-trace", "no-span", "line", "underscores"],
)
def test_what_nobody_understands_is_dropped_with_its_state(parent):
    assert not read({b"traceparent": parent, b"tracestate": b"a=1"})


@pytest.mark.parametrize("state", [b"", b"a=1\r\nx: y", b"\xff", b"a" * 513])
def test_a_state_that_cannot_be_told_on_is_dropped(state):
    assert read({b"traceparent": PARENT, b"tracestate": state}) == {"traceparent": PARENT.decode()}


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_nothing_adds_a_line(parent, state):
    told = lines(read({b"traceparent": parent, b"tracestate": state}))

    assert told.count(b"\n") <= 2
    assert told.count(b"\n") == told.count(b"\r\n")
