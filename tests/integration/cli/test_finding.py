"""What looks for model servers leaves gateways of ours alone, or requests would go in circles."""

import asyncio
from urllib.parse import urlsplit

import httpx

from node.engines import detect, http
from node.finding import Finder
from node.listeners import Listener


def test_a_gateway_that_lists_models_is_no_engine(hive):
    assert httpx.get(f"{hive.url}/v1/models", trust_env=False).json()["data"]
    port = urlsplit(hive.url).port

    async def looked():
        async with http.new_client() as client:
            return (
                (await detect.look(client, hive.url, None)).detail,
                await Finder(client, listening=lambda: (Listener(port),)).find(),
            )

    assert asyncio.run(looked()) == ("is a gateway of GenieHive, not a model server", [])
