"""llm-d/llm-d-router#1625: what clients wrote into headers and bodies became labels of metrics."""

import pytest

pytestmark = pytest.mark.anyio


async def test_what_clients_write_is_in_no_metric(front, series):
    await front.post({"model": "small", "user": "junk-0"})
    before = await series()
    for number in range(1, 30):
        name = f"junk-{number}"
        body = {"model": "small", "user": name, "metadata": {name: name}}
        headers = {"x_request_id": name, "user_agent": name, "x_llm_d_inference_fairness_id": name}
        assert (await front.post(body, **headers)).status_code == 200

    assert await series() == before
    assert not any("junk" in one for one in before)
