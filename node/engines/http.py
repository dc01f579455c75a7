"""One bounded GET. Whatever listens there, it can cost neither time nor memory without end."""

import asyncio
from dataclasses import dataclass
from functools import cached_property

import httpx

from node.engines.sight import Sight, document

ANSWER_SECONDS = 3.0
BESIDE_SECONDS = 1.5  # for what a look can do without
# Far above any list of models and any metrics seen; such a list takes the event loop 30 ms.
MAX_BODY_BYTES = 2 << 20
# What a gateway of ours says of itself in its list of models.
OURS = "x-geniehive-gateway"


class NoAnswer(Exception):
    """The server cannot be asked; the message says why, in a few words.

    silent: it was waited for in vain, so that it may only be busy.
    """

    def __init__(self, message: str, *, silent: bool = False) -> None:
        super().__init__(message)
        self.silent = silent

    @property
    def sight(self) -> Sight:
        return Sight("unhealthy", str(self), silent=self.silent)


@dataclass(frozen=True)
class Reply:
    """An answer, whatever its status."""

    status: int  # 0 when there is none
    body: bytes

    @cached_property
    def content(self) -> object:
        """The document that a good answer holds, else None; read once: it may have megabytes."""
        return document(self.body) if self.status == 200 else None


def new_client() -> httpx.AsyncClient:
    """Return a client that takes no proxy and no credentials from the environment."""
    return httpx.AsyncClient(
        timeout=ANSWER_SECONDS,
        trust_env=False,
        follow_redirects=False,
        # Servers that hang must not take the connections that others need.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
    )


async def get(
    client: httpx.AsyncClient, url: str, key: str = "", seconds: float = ANSWER_SECONDS
) -> Reply:
    """Return the answer to `GET url`. key: the server's own, where it asks for one.

    seconds: for all of it.

    Raises:
        NoAnswer: refused, too slow, too large, not HTTP, or a gateway of ours.
    """
    try:
        # httpx bounds each read; a server that drips bytes needs a bound over all of them.
        async with (
            asyncio.timeout(seconds),
            client.stream("GET", url, headers=_headers(key)) as response,
        ):
            body = bytearray()
            if OURS in response.headers:
                # Whoever asked it would come back here, and each time as several requests.
                raise NoAnswer("is a gateway of GenieHive, not a model server")
            # A few bytes may not become millions here, and we asked for none of it.
            if response.headers.get("content-encoding", "identity") != "identity":
                raise NoAnswer("answers in an encoding that it was not asked for")
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise NoAnswer(f"answers with more than {MAX_BODY_BYTES >> 20} MB")
            return Reply(response.status_code, bytes(body))
    except httpx.ConnectError as error:
        raise NoAnswer("cannot be reached") from error
    except (TimeoutError, httpx.TimeoutException) as error:
        raise NoAnswer(f"sends no full answer within {seconds:g} s", silent=True) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoAnswer(f"does not speak HTTP: {type(error).__name__}") from error


async def beside(client: httpx.AsyncClient, url: str, key: str = "") -> Reply:
    """Return the answer to a question that a look can do without, of status 0 when none comes."""
    try:
        return await get(client, url, key, BESIDE_SECONDS)
    except NoAnswer:
        return Reply(0, b"")


def refusal(status: int, key: str, path: str = "/v1/models") -> str:
    """Return in a few words what `status` means where `path` was asked for a list of models."""
    if status in (401, 403):
        if key:
            return f"refuses its API key ({status}); see api_key_env"
        return f"asks for an API key ({status}); see api_key_env, or geniehive up --help"
    return f"answers {status} at {path}"


def _headers(key: str) -> dict[str, str]:
    # A kept connection may be closed by its server just when it is used again (llama.cpp
    # closes each after a hundred answers), and a server that works would be told as down.
    plain = {"Accept-Encoding": "identity", "Connection": "close"}
    return {**plain, "Authorization": f"Bearer {key}"} if key else plain
