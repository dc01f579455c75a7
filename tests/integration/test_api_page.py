"""The answers in docs/api.md are those that a gateway gives."""

import re

from gateway.openapi import answers
from tests.transcript.api import EXAMPLE, PAGE, made, running

NOT_SHOWN = {"/v1/embeddings", "/health", "/ready", "/metrics"}


def test_the_gateway_answers_what_the_page_shows():
    """`python -m tests.transcript.api` writes the page anew."""
    page = PAGE.read_text()
    with running() as client:
        found = made(page, client)

    assert found.splitlines() == page.splitlines()


def test_every_path_is_on_the_page():
    shown = {found["line"].partition("?")[0] for found in EXAMPLE.finditer(PAGE.read_text())}

    for method, path in answers():
        if path not in NOT_SHOWN:
            pattern = re.compile(method.upper() + " " + re.sub(r"\\{\w+\\}", ".+", re.escape(path)))
            assert any(map(pattern.fullmatch, shown)), path
