"""How benchmarks reach a gateway."""

import httpx


def gateway_client(
    url: str, key: str | None, limits: httpx.Limits, connect_s: float
) -> httpx.AsyncClient:
    """Open a client of the gateway at a URL; its requests have no deadline but their own.

    connect_s: seconds that a connection may take.
    """
    headers = {"accept-encoding": "identity", "user-agent": "geniehive-bench"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    return httpx.AsyncClient(
        base_url=url,
        headers=headers,
        # The deadline is that of the whole request; a proxy is meant for the internet.
        timeout=httpx.Timeout(None, connect=connect_s),
        limits=limits,
        trust_env=False,
    )
