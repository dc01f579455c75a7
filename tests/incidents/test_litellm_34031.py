"""BerriAI/litellm#34031: an error of 114 MB was read and parsed, and nobody else was served."""

import pytest

from tests.fakes import answers
from tests.fakes.answers import Send

pytestmark = pytest.mark.anyio

MB = 1 << 20


async def test_an_error_is_not_read_to_its_end(front, engine):
    head = answers.head(500, [("Content-Type", "text/plain"), ("Content-Length", str(114 * MB))])
    engine.script = lambda _: [Send(head), *[Send(b"e" * MB)] * 114]

    assert (await front.post({"model": "small"})).status_code == 502
    assert engine.requests[0].sent < 20 * MB  # what fits into buffers on the way
