"""A cheap question to a service that is out, so that no client's request has to find out."""

import asyncio
from collections.abc import Callable, Mapping

from control.api.errors import GenieHiveError, UpstreamError, UpstreamTimeout
from control.api.errors import Upstream as UpstreamFault
from gateway.answer_head import AnswerHead
from gateway.rotation import Rotation
from gateway.upstream import Call, Upstream

SECONDS = 2.0
AT_ONCE = 256  # connections; what is due beyond waits for the next sweep


class Checkups:
    """Looks at services whose pause is over, at each by one question at a time."""

    def __init__(self, rotation: Rotation, clock: Callable[[], float]) -> None:
        self._rotation = rotation
        self._clock = clock
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def begin(self, upstreams: Mapping[str, Upstream], now: float) -> None:
        """Ask all that are due. upstreams: by service; who is gone by now is forgotten."""
        for service_id, breaker in self._rotation.due(now):
            if (upstream := upstreams.get(service_id)) is None:
                breaker.forget()
            elif len(self._under_way) < AT_ONCE and service_id not in self._under_way:
                epoch = breaker.checkup_begins(now)
                look = asyncio.get_running_loop().create_task(self._look(upstream, epoch))
                self._under_way[service_id] = look

    async def _look(self, upstream: Upstream, epoch: int) -> None:
        error: GenieHiveError | None = UpstreamError(f"{upstream.service_id} was not asked")
        try:
            error = await fault_of(upstream)
        finally:  # however this ends, or nobody would look again
            del self._under_way[upstream.service_id]
            upstream.breaker.checked(epoch, error, self._clock())


async def fault_of(upstream: Upstream) -> GenieHiveError | None:
    """Ask a service for its models; return what is wrong with it, None if it works.

    Any answer below 500 tells that it does, also that there is no such page. Its own
    connection shows that new ones come about; it is closed, whatever comes.
    """
    answer = _Answer()
    call = answer.call = Call(upstream, answer, _question(upstream), upstream.now(), SECONDS)
    call.connect()
    try:
        async with asyncio.timeout(SECONDS):
            status = await answer.status
    except TimeoutError:
        return UpstreamTimeout(f"{upstream.service_id} sent nothing for {SECONDS:g} s")
    except UpstreamFault as error:
        return error
    finally:
        call.cancel()
    return UpstreamError(f"{upstream.service_id} failed ({status})") if status >= 500 else None


def _question(upstream: Upstream) -> bytes:
    origin = upstream.origin
    head = (
        b"GET %b/v1/models HTTP/1.1\r\nhost: %b\r\n"
        b"accept: application/json\r\nconnection: close\r\n"
    )
    head %= (origin.base_path.encode(), origin.authority.encode())
    if origin.api_key:
        head += b"authorization: Bearer %b\r\n" % origin.api_key.encode()
    return head + b"\r\n"


class _Answer:
    """The status of an answer, as soon as it is known; the rest is not waited for."""

    call: Call

    def __init__(self) -> None:
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def upstream_head(self, head: AnswerHead) -> None:
        self._told(head.status)

    def upstream_answer(self, head: AnswerHead, content: bytes) -> None:
        self._told(head.status)

    def upstream_data(self, data: bytes, *, done: bool) -> None:
        pass

    def upstream_failed(self, error: UpstreamFault) -> None:
        if not self.status.done():
            self.status.set_exception(error)

    def _told(self, status: int) -> None:
        self.call.cancel()
        if not self.status.done():
            self.status.set_result(status)
