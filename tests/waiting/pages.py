"""Where on docs/routing.md stands what was measured."""

from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/routing.md"
