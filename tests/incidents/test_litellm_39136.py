"""BerriAI/litellm#39136: each model name that a client made up became a metric series."""

import pytest

pytestmark = pytest.mark.anyio


async def test_models_that_clients_make_up_are_in_no_metric(front, series):
    assert (await front.post({"model": "junk-0"})).status_code == 404
    before = await series()
    for number in range(1, 30):
        assert (await front.post({"model": f"junk-{number}"})).status_code == 404

    assert await series() == before
    assert not any("junk" in one for one in before)
