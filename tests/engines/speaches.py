"""speaches: models on disk, by task, and those in memory as strings under Ollama's path.

Made from its source.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence

from tests.engines.server import Request, Route, StandIn, run
from tests.fakes import answers
from tests.fakes.answers import Step

HEARS, SPEAKS = "automatic-speech-recognition", "text-to-speech"


class Speaches(StandIn):
    """models: what hears. voices: what speaks. tasks: whether it tells, as old ones do not."""

    def __init__(
        self,
        models: Sequence[str] = ("Systran/faster-whisper-small",),
        *,
        voices: Sequence[str] = (),
        tasks: bool = True,
        slots: int = 2,
    ) -> None:
        self.models = list(models)
        self.voices = list(voices)
        self.tasks = tasks
        self.loaded: list[str] = []
        super().__init__(slots=slots)

    def routes(self) -> Mapping[str, Route]:
        return {
            "GET /health": lambda _: answers.whole(b"OK"),
            "GET /v1/models": lambda _: answers.document(self.listed()),
            "GET /api/ps": lambda _: answers.document({"models": self.loaded}),
            "POST /api/ps/{model}": self.load,
            "DELETE /api/ps/{model}": self.unload,
            "POST /v1/audio/transcriptions": self.transcribe,
        }

    def not_found(self, request: Request) -> Iterable[Step]:
        return answers.document({"detail": "Not Found"}, 404)

    def listed(self) -> object:
        """Return the answer of `/v1/models`."""
        tasks = {**dict.fromkeys(self.models, HEARS), **dict.fromkeys(self.voices, SPEAKS)}
        entries = [
            {
                "id": model,
                "created": 0,
                "object": "model",
                "owned_by": model.partition("/")[0],
                **({"language": ["en"], "task": task} if self.tasks else {}),
            }
            for model, task in tasks.items()
        ]
        return {"data": entries, "object": "list"}

    def load(self, request: Request, model: str) -> Iterable[Step]:
        """Load a model, once."""
        if model in self.loaded:
            return answers.whole(b"Model already loaded", 409)
        if model not in (*self.models, *self.voices):
            return answers.document({"detail": "Not Found"}, 404)
        self.loaded.append(model)
        return answers.whole(b"", 201)

    def unload(self, request: Request, model: str) -> Iterable[Step]:
        """Unload a model."""
        if model not in self.loaded:
            return answers.whole(b"Model not found", 404)
        self.loaded.remove(model)
        return answers.whole(b"")

    def transcribe(self, request: Request) -> Iterable[Step]:
        """Say what is always said; the model that is asked for is loaded on the way."""
        asked = next((one for one in self.models if one.encode() in request.body), None)
        if asked is None:
            return answers.document({"detail": "Model not found"}, 404)
        if asked not in self.loaded:
            self.loaded.append(asked)
        return self.work(answers.document({"text": "word " * self.words}))


def make(given: argparse.Namespace) -> Speaches:
    """Return the stand-in that the command line asks for."""
    return Speaches(given.model or ["Systran/faster-whisper-small"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.engines.speaches", description=__doc__)
    sys.exit(run(make, parser))
