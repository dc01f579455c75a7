"""What a comparison found, as it is kept in a file."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.fleet_figures import Changes, Comeback, Figures, Steady
from bench.outcome import Outcome
from bench.role_figures import RoleFigures
from bench.role_figures import figures as role_figures
from bench.view_figures import ViewFigures
from bench.view_figures import figures as view_figures


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured."""

    cpu: str
    cores: int
    memory_gib: int
    kernel: str
    python: str


@dataclass(frozen=True, slots=True)
class Row:
    """One target at one case in one round. drained: it had come to rest before."""

    target: str
    case: str
    round: int
    drained: bool
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Results:
    """A whole comparison. Seconds, unless a name says otherwise."""

    when: str  # UTC
    machine: Machine
    steal: float  # that the machine's host took from it meanwhile
    versions: Mapping[str, str]
    ready: Mapping[str, float]  # from start to the first answer, helpers included
    skipped: Mapping[str, str]  # target: why
    rows: tuple[Row, ...] = ()
    fleets: tuple[Figures, ...] = ()  # control with simulated nodes
    roles: tuple[RoleFigures, ...] = ()  # and with roles over them
    views: tuple[ViewFigures, ...] = ()  # a gateway that is asked what there is

    def figures(self, target: str, case: str, name: str) -> dict[int, float]:
        """Return one figure of the outcome of a target at a case, by round."""
        found = {row.round: getattr(row.outcome, name) for row in self._rows(target, case)}
        return {number: value for number, value in found.items() if value is not None}

    def summaries(self, target: str, case: str, name: str) -> dict[int, dict[str, float]]:
        """Return `latency`, `first_byte` or `gap` of a target at a case, by round."""
        found = {row.round: getattr(row.outcome, name) for row in self._rows(target, case)}
        return {number: value for number, value in found.items() if value is not None}

    def _rows(self, target: str, case: str) -> list[Row]:
        return [row for row in self.rows if (row.target, row.case) == (target, case)]

    def document(self) -> dict[str, object]:
        """Return it for programs."""
        return asdict(self)

    def write(self, path: Path) -> None:
        """Write it, one row a line."""
        content = asdict(self)
        rows = content.pop("rows")
        lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
        head = json.dumps(content, indent=1)
        path.write_text(f'{head[:-2]},\n "rows": [\n{lines}\n]}}\n')


def read(path: Path) -> Results:
    """Return what `write` wrote."""
    content = json.loads(path.read_text())
    return Results(
        **{
            **content,
            "machine": Machine(**content["machine"]),
            "rows": tuple(_row(row) for row in content["rows"]),
            "fleets": tuple(fleet(figures) for figures in content["fleets"]),
            "roles": tuple(role_figures(figures) for figures in content.get("roles", ())),
            "views": tuple(view_figures(figures) for figures in content.get("views", ())),
        }
    )


def _row(content: dict[str, Any]) -> Row:
    outcome = {**content["outcome"], "curve": tuple(content["outcome"]["curve"])}
    return Row(**{**content, "outcome": Outcome(**outcome)})


def fleet(content: Mapping[str, Any]) -> Figures:
    """Return what `bench fleet` told as a document."""
    return Figures(
        **{
            **content,
            "steady": Steady(**content["steady"]),
            "changes": Changes(**content["changes"]),
            "comeback": Comeback(**content["comeback"]),
        }
    )


def this_machine() -> Machine:
    """Return where this runs."""
    described = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in described if line.startswith("model name")]
    return Machine(
        cpu=names[0] if names else platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(psutil.virtual_memory().total / 2**30),
        kernel=platform.release(),
        python=platform.python_version(),
    )
