"""A process gets as many open files as it needs, or as the system lets it have."""

import resource
import sys

import pytest

from control.api import process

NONE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("limits", "allowed", "set_to"),
    [
        ((1_024, 524_288), 9_216, (9_216, 524_288)),
        ((1_024, 4_096), 4_096, (4_096, 4_096)),
        ((20_000, 20_000), 9_216, None),
        ((256, NONE), 9_216, (9_216, NONE)),
        ((NONE, NONE), 9_216, None),
    ],
    ids=["enough", "too-few", "had-enough", "macos", "no-limit"],
)
def test_the_limit_is_raised_to_what_is_needed(monkeypatch, limits, allowed, set_to):
    asked = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: asked.append(wanted))

    assert process.allow_open_files(9_216) == allowed
    assert asked == ([set_to] if set_to else [])


def test_a_bound_that_the_limit_does_not_tell_leaves_it_as_it_was(monkeypatch):
    def refuse(*_):
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, NONE))
    monkeypatch.setattr(resource, "setrlimit", refuse)

    assert process.allow_open_files(9_216) == 256


def test_where_nothing_bounds_them_there_are_as_many_as_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows

    assert process.allow_open_files(9_216) == 9_216
