"""Settings that are written for processes of ours."""

import os
from collections.abc import Mapping
from pathlib import Path

import yaml


def write_private(path: Path, settings: Mapping[str, object]) -> None:
    """Write settings as YAML; they may hold keys, so only we may read them."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        yaml.safe_dump(dict(settings), file, sort_keys=False)
