"""The head of an engine's answer."""

from collections.abc import Mapping

import httptools

from gateway.memo import Memo, Seen
from gateway.verdict import Course, Verdict, judge


class AnswerHead:
    """The head of an engine's answer. headers: names in lower case, of equal ones the last.

    framed: whether it tells where the body ends; else it ends with the connection.
    verdict: what it means, where that does not depend on who sent it.
    """

    __slots__ = ("framed", "headers", "status", "verdict")

    def __init__(
        self,
        status: int,
        headers: Mapping[bytes, bytes],
        *,
        framed: bool = True,
        verdict: Verdict | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.framed = framed
        self.verdict = verdict


def _known_answer(raw: bytes) -> AnswerHead | None:
    seen = Seen()
    parser = httptools.HttpResponseParser(seen)
    if not seen.is_plain(parser, raw):
        return None
    headers = dict(seen.headers)
    verdict = judge(parser.get_status_code(), headers, "")
    if verdict.course is not Course.DOCUMENT:
        return None
    return AnswerHead(parser.get_status_code(), headers, verdict=verdict)


def answer_memo() -> Memo[AnswerHead]:
    """Return a memo of heads of answers that are JSON documents."""
    return Memo(_known_answer)
