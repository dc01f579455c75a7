"""What fits a task, as text."""

from geniehive.v1 import routing_service_pb2 as pb

from cli.table import Row, table
from control.api.route_documents import OPERATIONS

TITLES = ("SCORE", "CANDIDATE", "KIND", "OPERATION", "SERVED BY", "WHY")
NUMBERS = frozenset({"SCORE"})


def render(answer: pb.MatchRoutesResponse, width: int | None = None) -> str:
    """Return a row for each role and service, best first. width: of a terminal, in cells."""
    if not answer.candidates:
        return "nothing fits: no role and no service does that"
    rows = [Row((place,), _cells(one)) for place, one in enumerate(answer.candidates)]
    return table(TITLES, rows, numbers=NUMBERS, width=width)


def name(one: pb.RouteMatch) -> str:
    """Return what is asked for to use a match: a role, or a service."""
    return one.role_id or one.direct_service_id


def _cells(one: pb.RouteMatch) -> list[str]:
    served = f"{one.service_id or one.direct_service_id} {one.asset_id}".strip()
    return [
        f"{one.score:.4f}",
        name(one),
        "role" if one.role_id else "service",
        OPERATIONS.get(one.operation, "?"),
        served or "nobody now",
        "; ".join(one.reasons) or "-",
    ]
