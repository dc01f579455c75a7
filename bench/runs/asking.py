"""Asks once, and takes the times: the only place of a run that talks to a gateway."""

import asyncio
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from urllib.parse import unquote

import httpx

from bench.runs import judging
from bench.runs.listening import (
    MAX_BYTES,
    Heard,
    Unreadable,
    count,
    failure_in,
    parsed,
    vectors_in,
    word,
)
from bench.runs.record import Record
from bench.runs.workload import Case, Workload

MAX_ERROR_BYTES = 64 << 10
UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Question:
    """One request to come: a case, of the so-manieth repeat, and who is asked."""

    target: str
    workload: Workload
    case: Case
    repeat: int


async def ask(
    client: httpx.AsyncClient, question: Question, deadline: float, service_id: str = ""
) -> Record:
    """Return what a question came to; that nobody answers is an outcome too.

    client: knows address and key of the gateway. deadline: seconds. service_id: who answers
    where no header tells it, as an engine that is asked directly.
    """
    workload, case = question.workload, question.case
    record = Record(question.target, workload.workload, case.case, question.repeat, service_id)
    path, body = workload.request(case, question.target)
    asking = _Asking(record, question)
    try:
        async with asyncio.timeout(deadline):
            await asking.run(client, path, body)
    except TimeoutError:
        asking.fail("timeout")
    except (httpx.ConnectError, httpx.ConnectTimeout):
        asking.fail(UNREACHABLE)
    except httpx.HTTPError:
        asking.fail("connection_lost")
    except Unreadable as error:
        asking.fail(str(error))
    return asking.record


class _Asking:
    """One request on its way."""

    def __init__(self, record: Record, question: Question) -> None:
        self.record = record
        self._question = question
        self._sent = time.perf_counter()

    async def run(self, client: httpx.AsyncClient, path: str, body: dict[str, object]) -> None:
        self._sent = time.perf_counter()
        async with client.stream("POST", path, json=body) as answer:
            self._note_who(answer.headers)
            if answer.status_code != httpx.codes.OK:
                content = await self._read(answer, MAX_ERROR_BYTES)
                self.fail(_failure(answer.status_code, content))
            elif self._question.workload.operation == "embeddings":
                self._take_vectors(await self._read(answer, MAX_BYTES))
            else:
                await self._listen(answer)

    def fail(self, failure: str) -> None:
        self.record = replace(self.record, failure=failure, latency_ms=self._elapsed())

    def _elapsed(self) -> float:
        return (time.perf_counter() - self._sent) * 1_000

    def _note_who(self, headers: httpx.Headers) -> None:
        service_id = unquote(headers.get("x-geniehive-service", "")) or self.record.service_id
        asset_id = unquote(headers.get("x-geniehive-asset", ""))
        self.record = replace(self.record, service_id=service_id, asset_id=asset_id)

    async def _read(self, answer: httpx.Response, most: int) -> bytes:
        content = bytearray()
        async for data in answer.aiter_bytes():
            if not content:
                self.record = replace(self.record, first_byte_ms=self._elapsed())
            content += data
            if len(content) > most:
                raise Unreadable("answer_too_large")
        return bytes(content)

    async def _listen(self, answer: httpx.Response) -> None:
        heard, size = Heard(), 0
        async for data in answer.aiter_bytes():
            now = time.perf_counter()
            if not size:
                first = (now - self._sent) * 1_000
                self.record = replace(self.record, first_byte_ms=first)
            size += len(data)
            if size > MAX_BYTES:
                raise Unreadable("answer_too_large")
            heard.feed(data, now)
        self._take_chat(heard)

    def _take_chat(self, heard: Heard) -> None:
        times = [(one - self._sent) * 1_000 for one in heard.times]
        told = count(heard.usage, "completion_tokens")
        tokens = len(times) if told is None else told
        details = heard.usage.get("completion_tokens_details")
        # Gateways take hidden reasoning out, so that what it took is before our first token.
        hidden = count(details, "reasoning_tokens") if isinstance(details, dict) else None
        self.record = replace(
            self.record,
            asset_id=self.record.asset_id or heard.model,
            failure=heard.failure or ("" if heard.ended else "cut_off"),
            fault=judging.text_fault("".join(heard.text), self._question.case.expect),
            latency_ms=self._elapsed(),
            ttft_ms=times[0] if times else None,
            gaps_ms=tuple(b - a for a, b in pairwise(times)),
            prompt_tokens=count(heard.usage, "prompt_tokens"),
            completion_tokens=tokens,
            decoded_tokens=max(tokens - (hidden or 0), 0),
            counted=told is None,
        )

    def _take_vectors(self, content: bytes) -> None:
        vectors, answer = vectors_in(content)
        case = self._question.case
        missing = len(vectors) != len(case.input)
        usage = answer.get("usage")
        self.record = replace(
            self.record,
            asset_id=self.record.asset_id or word(answer, "model"),
            fault="empty" if missing else judging.vectors_fault(vectors, case.expect),
            latency_ms=self._elapsed(),
            prompt_tokens=count(usage, "prompt_tokens") if isinstance(usage, dict) else None,
        )


def _failure(status: int, content: bytes) -> str:
    """Return what an error is about."""
    try:
        return failure_in(parsed(content)) or f"http_{status}"
    except Unreadable:
        return f"http_{status}"
