"""What the tests show of each engine, and the table of docs/engines.md that is made of it.

A test says what it shows by a mark, read from its source and therefore literal:

    @pytest.mark.shows("ollama", "assets", "loaded", by="stand-in")

`python -m tests.engines.matrix` writes the table anew; a conformance test compares.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "engines.md"
HEADING = "## What was verified, and how\n"
MARK = "pytest.mark.shows"

# The names of `engine` in settings; llama.cpp twice, since its router is another server.
ENGINES = {
    "ollama": "Ollama",
    "llamacpp": "llama.cpp",
    "llamacpp-router": "llama.cpp, router",
    "vllm": "vLLM",
    "sglang": "SGLang",
    "lmstudio": "LM Studio",
    "llama-swap": "llama-swap",
    "speaches": "speaches",
    "whispercpp": "whisper.cpp",
    "openai": "any other with OpenAI's API",
}
FACTS = {
    "fingerprint": "recognised",
    "assets": "models",
    "capabilities": "what each can do",
    "loaded": "what is in memory",
    "load": "how busy it is",
}
# The strongest first. A recording is what a real engine said once.
WAYS = ("real", "recorded", "stand-in")


@dataclass(frozen=True, slots=True, order=True)
class Shown:
    """One test shows one fact of one engine."""

    engine: str
    fact: str
    way: str
    file: str  # inside the project


def shown(folder: Path = ROOT / "tests") -> list[Shown]:
    """Return what the marks of all tests say, each once.

    Raises:
        ValueError: a mark names no engine, fact or way of this module.
    """
    return sorted({one for path in folder.rglob("test_*.py") for one in _of_file(path)})


def table(found: Iterable[Shown]) -> str:
    """Return the table in Markdown; a cell links the first test of each way."""
    first: dict[tuple[str, str, str], str] = {}
    for one in sorted(found):
        first.setdefault((one.engine, one.fact, one.way), one.file)
    lines = [f"| engine | {' | '.join(FACTS.values())} |", "| --- " * (len(FACTS) + 1) + "|"]
    for engine, title in ENGINES.items():
        cells = [
            ", ".join(
                f"[{way}](../{first[engine, fact, way]})"
                for way in WAYS
                if (engine, fact, way) in first
            )
            for fact in FACTS
        ]
        lines.append(f"| {title} | {' | '.join(cell or 'not told' for cell in cells)} |")
    return "\n".join(lines)


def with_table(page: str, fresh: str) -> str:
    """Return `page` with `fresh` as the table below `HEADING`."""
    before, heading, rest = page.partition(HEADING)
    words, _, after = rest.partition("\n| engine |")
    _, _, after = after.partition("\n\n")
    return f"{before}{heading}{words}\n{fresh}\n\n{after}"


def _of_file(path: Path) -> Iterator[Shown]:
    text = path.read_text()
    if MARK not in text:
        return
    place = path.relative_to(ROOT).as_posix()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == MARK:
            engine, *facts = map(ast.literal_eval, node.args)
            (way,) = (ast.literal_eval(one.value) for one in node.keywords if one.arg == "by")
            if engine not in ENGINES or way not in WAYS or not facts or set(facts) - FACTS.keys():
                raise ValueError(f"{place}:{node.lineno}: {ast.unparse(node)}")
            yield from (Shown(engine, fact, way, place) for fact in facts)


def main() -> None:
    PAGE.write_text(with_table(PAGE.read_text(), table(shown())))


if __name__ == "__main__":
    main()
