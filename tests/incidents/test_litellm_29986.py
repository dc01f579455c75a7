"""BerriAI/litellm#29986: while the database was down, valid keys were refused with 401."""

import pytest

pytestmark = pytest.mark.anyio


async def test_a_valid_key_is_valid_while_control_is_away(front):
    front.allow("good")
    assert not front.gateway.control_connected

    assert (await front.post({"model": "small"}, authorization="Bearer good")).is_success
    assert (await front.post({"model": "small"}, authorization="Bearer bad")).status_code == 401
