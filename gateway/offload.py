"""Whether somebody may be given a simple subtask: what a program that looks for help reads."""

from control.api.route_documents import Document

# Milliseconds to an answer, at the median, up to which it is ...
GOOD_MS = 1_500  # ... good for a step that somebody waits for
USABLE_MS = 4_000  # ... good enough beside other work


def hint(operation: str | None, loaded: int, latency_ms: float | None) -> Document:
    """Return who should be asked what. loaded: how many have a model in memory.

    latency_ms: the best median of those that are known, None when none is.
    """
    return {
        "operation": operation,
        "suitability": suitability(loaded, latency_ms),
        "recommended_for": (
            "lower-complexity offload" if operation == "chat" else f"{operation} offload"
        ),
        "inference_basis": {"loaded_target_count": loaded, "best_p50_latency_ms": latency_ms},
    }


def suitability(loaded: int, latency_ms: float | None) -> str:
    """Return the word for it. Who has nothing in memory would first have to load it."""
    if loaded <= 0:
        return "cold_only"
    if latency_ms is None or latency_ms > USABLE_MS:
        return "available_but_slow"
    if latency_ms > GOOD_MS:
        return "usable_for_background_tasks"
    return "good_for_low_complexity"
