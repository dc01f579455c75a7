"""Answers with what real engines said, from files; what was not recorded must not be asked."""

from pathlib import Path

import httpx

RECORDED = Path(__file__).resolve().parents[3] / "engines" / "recorded"


class Recorded:
    """answers: status and file by path. What else is asked fails the test."""

    def __init__(self, folder: str, answers: dict[str, tuple[int, str | None]]) -> None:
        self.folder = RECORDED / folder
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        assert request.method == "GET"
        self.asked.append(path)
        status, file = self.answers[path]
        body = (self.folder / file).read_bytes() if file else b""
        return httpx.Response(status, content=body)

    def client(self) -> httpx.AsyncClient:
        """Return a client that is answered from here."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self))
