"""One bounded GET. Whatever listens there, it can cost neither time nor memory without end."""

import asyncio
from dataclasses import dataclass

import httpx

ANSWER_SECONDS = 3.0
MAX_BODY_BYTES = 4 << 20  # far above any list of models seen


class NoAnswer(Exception):
    """The server cannot be asked; the message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status."""

    status: int
    body: bytes


def new_client() -> httpx.AsyncClient:
    """Return a client that takes no proxy and no credentials from the environment."""
    return httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False, follow_redirects=False)


async def get(client: httpx.AsyncClient, url: str, key: str = "") -> Reply:
    """Return the answer to `GET url`. key: the server's own, where it asks for one.

    Raises:
        NoAnswer: refused, too slow, too large or not HTTP.
    """
    try:
        # httpx bounds each read; a server that drips bytes needs a bound over all of them.
        async with (
            asyncio.timeout(ANSWER_SECONDS),
            client.stream("GET", url, headers=_presenting(key)) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise NoAnswer(f"answers with more than {MAX_BODY_BYTES >> 20} MB")
            return Reply(response.status_code, bytes(body))
    except httpx.ConnectError as error:
        raise NoAnswer("cannot be reached") from error
    except (TimeoutError, httpx.TimeoutException) as error:
        raise NoAnswer(f"sends no full answer within {ANSWER_SECONDS:.0f} s") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoAnswer(f"does not speak HTTP: {type(error).__name__}") from error


def refusal(status: int, key: str) -> str:
    """Return in a few words what `status` means where a list of models was asked for."""
    if status in (401, 403):
        if key:
            return f"refuses its API key ({status}); see api_key_env"
        return f"asks for an API key ({status}); see api_key_env, or geniehive up --help"
    return f"answers {status} at /v1/models"


def _presenting(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}
