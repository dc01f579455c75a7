"""whisper.cpp's server: a page, one model without a name, and 404 for every list.

Made from its source.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping

from tests.engines.server import Request, Route, StandIn, run
from tests.fakes import answers
from tests.fakes.answers import Step

PAGE = b"<html><head><title>Whisper.cpp Server</title></head><body>/inference /load</body></html>"
OPENAI_PATH = "/v1/audio/transcriptions"


class WhisperCpp(StandIn):
    """inference_path: as on its command line. old: from before it had `/health`."""

    def __init__(self, *, inference_path: str = "/inference", old: bool = False) -> None:
        self.inference_path = inference_path
        self.old = old
        self.loading = False
        super().__init__(slots=1)  # whatever comes waits for its one lock

    def routes(self) -> Mapping[str, Route]:
        routes: dict[str, Route] = {
            "GET /": lambda _: answers.whole(PAGE, headers=[("Content-Type", "text/html")]),
            f"POST {self.inference_path}": self.transcribe,
        }
        return routes if self.old else {**routes, "GET /health": lambda _: self.health()}

    def not_found(self, request: Request) -> Iterable[Step]:
        return answers.whole(f"File Not Found ({request.target})".encode(), 404)

    def health(self) -> Iterable[Step]:
        """Answer as the newest do, which listen before they have loaded."""
        if self.loading:
            return answers.document({"status": "loading model"}, 503)
        return answers.document({"status": "ok"})

    def transcribe(self, request: Request) -> Iterable[Step]:
        """Say what is always said, whatever model is asked for."""
        if b'name="file"' not in request.body:
            return answers.document({"error": "no 'file' field in the request"})
        return self.work(answers.document({"text": " word" * self.words}))


def make(given: argparse.Namespace) -> WhisperCpp:
    """Return the stand-in that the command line asks for."""
    return WhisperCpp(inference_path=given.inference_path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.engines.whispercpp", description=__doc__)
    parser.add_argument("--inference-path", default=OPENAI_PATH)
    sys.exit(run(make, parser))
