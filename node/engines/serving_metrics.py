"""What vLLM and SGLang count in the same words, each behind its own prefix."""

from node.engines.metrics_text import Metrics
from node.engines.sight import Counters


def counters(metrics: Metrics, prefix: str) -> Counters | None:
    """Return what was done since the start; None when nothing is told. prefix: e.g. `vllm`.

    Tokens of prompts are those that were read, without what was in a cache, where that is
    told. The time between two tokens passes for each answer, however many run beside it.
    """
    between_tokens = f"{prefix}:inter_token_latency_seconds"
    read = metrics.total(f"{prefix}:request_prefill_kv_computed_tokens_sum")
    told = Counters(
        generated_tokens=metrics.total(f"{between_tokens}_count"),
        generation_seconds=metrics.total(f"{between_tokens}_sum"),
        prompt_tokens=metrics.total(f"{prefix}:request_prompt_tokens_sum")
        if read is None
        else read,
        prompt_seconds=metrics.total(f"{prefix}:request_prefill_time_seconds_sum"),
        latency=metrics.histogram(f"{prefix}:e2e_request_latency_seconds"),
        first_token=metrics.histogram(f"{prefix}:time_to_first_token_seconds"),
    )
    return None if told == Counters() else told


def share(value: float | None) -> float | None:
    """Return `value` when it can be a share, 0 to 1."""
    return value if value is not None and 0 <= value <= 1 else None
