"""Engines that ask for a key, and tell all that they know when they fail."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.fakes import answers
from tests.fakes.answers import Answer, Reset
from tests.fakes.engine import Request, openai

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
CONTENT = ("prompt", "completion", "reasoning")
# How an engine can fail, by the model that it is asked for. What it says of the request
# itself, 400 and its like, passes as it said it and is not among them; so does what it says
# within a stream, which is looked for everywhere but in what the client gets.
STATUSES = (401, 403, 407, 429, 500, 501, 502, 503, 504)
BROKEN = ("cut", "error-event", "not-json", "redirect")
MODELS = ("small", *(f"status-{status}" for status in STATUSES), *BROKEN)
VECTORS = "vectors"


@dataclass(slots=True)
class Telltale:
    """The scripts. canaries: a word for the key of the engine, and for each kind of content."""

    canaries: Mapping[str, str]

    def all(self) -> str:
        """Return what an engine may know."""
        return " ".join(self.canaries[kind] for kind in (*CONTENT, "engine"))

    def sick(self, _: Request) -> Answer:
        """Fail, and tell everything."""
        return answers.failure(500, self.all())

    def well(self, request: Request) -> Answer:
        """Answer, or fail as the name of the model says."""
        if request.header("authorization") != f"Bearer {self.canaries['engine']}":
            return answers.failure(401, f"{self.canaries['engine']} is expected")
        if request.method == "GET":
            return openai(MODELS)(request)
        asked = request.json()
        assert self.canaries["prompt"] in request.body.decode()
        model, stream = asked["model"], bool(asked.get("stream"))
        if model.startswith("status-"):
            return answers.failure(int(model.removeprefix("status-")), self.all())
        if model in BROKEN:
            return self._broken(model)
        if request.target == EMBEDDINGS:
            return openai([VECTORS])(request)
        said = f"{self.canaries['completion']} "
        hidden = {"reasoning_content": self.canaries["reasoning"]}
        if stream:
            thought = {"choices": [{"index": 0, "delta": hidden}]}
            events = answers.completion_events([said, said], model)
            return answers.events([answers.data(thought), *events])
        whole = answers.completion(said, model)
        whole["choices"][0]["message"] |= hidden
        return answers.document(whole)

    def _broken(self, how: str) -> Answer:
        event = answers.data({"choices": [{"index": 0, "delta": {"content": self.all()}}]})
        if how == "cut":
            return [*answers.events([event, event])[:-2], Reset()]
        if how == "error-event":
            return answers.events([answers.data({"error": {"message": self.all(), "code": 500}})])
        if how == "redirect":
            return answers.whole(b"", 302, [("Location", f"http://127.0.0.1/?{self.all()}")])
        return answers.whole(
            f"<html>{self.all()}".encode(), headers=[("Content-Type", "text/html")]
        )
