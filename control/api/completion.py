"""What a request is expected to take at a service, as gateways compare it. Pure.

The terms add up. With the largest of them alone, long prompts would collect at one engine and
long answers at another.
"""

from typing import NamedTuple

OVERHEAD_S = 0.02  # before an engine begins with a prompt
LEAST_PROMPT = 16.0  # tokens that are read anew, whatever is cached
# A second until the first token counts so much more than one of the answer.
FIRST_TOKEN_WEIGHT = 4.0
# Who waits for the first token longer than this and a token's part of it is lost: that costs.
PATIENCE_S, PATIENCE_TOKENS_PER_S, IMPATIENCE_COST = 2.0, 2_000.0, 20.0
# A model that is loaded takes the place of another, which comes back one day.
LOAD_WEIGHT = 10.0


class Expected(NamedTuple):
    """Seconds that a request is expected to take. cost: what is compared; less is better.

    slot: until one is free. pending: until the prompts before it are read. load: of the
    model. prefill: of its own prompt. decode: of its answer.
    """

    slot: float
    pending: float
    load: float
    prefill: float
    decode: float
    cost: float

    @property
    def first_token(self) -> float:
        """Seconds until the first token comes."""
        return self.slot + self.pending + self.load + self.prefill


def prefill(prompt: float, tokens_per_s: float) -> float:
    """Return the seconds that an engine takes to read a prompt of so many tokens."""
    return OVERHEAD_S + max(LEAST_PROMPT, prompt) / tokens_per_s


def expected(
    prompt: float,
    prefill_s: float,
    decode_s: float,
    ahead: int,
    slots: int,
    pending_s: float,
    load_s: float = 0.0,
    waited_s: float = 0.0,
) -> Expected:
    """Return what a request is expected to take.

    prompt: tokens. decode_s: of its answer, written beside those that are ahead. ahead:
    requests that are there already. slots: that it serves at the same time, at least 1.
    load_s: of the model, 0 when it is there. waited_s: what it waited already.
    """
    slot_s = 0.0 if ahead < slots else (ahead - slots + 1) * decode_s / slots
    if load_s and ahead:
        load_s += decode_s  # the model that is there has to be idle before it goes
    first = slot_s + pending_s + load_s + prefill_s
    cost = first * FIRST_TOKEN_WEIGHT + decode_s + LOAD_WEIGHT * load_s
    if first + waited_s > PATIENCE_S + prompt / PATIENCE_TOKENS_PER_S:
        cost += IMPATIENCE_COST
    return Expected(slot_s, pending_s, load_s, prefill_s, decode_s, cost)
