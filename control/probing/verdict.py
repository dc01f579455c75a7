"""What the answers to a probe mean. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from control.health import worse
from control.inventory import Health
from control.probing.samples import Finding
from control.probing.targets import MODELS, NOT_THERE

REFUSED = (401, 403)
UNAVAILABLE, TOO_MANY = 503, 429


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status. body: the first of it, no more than is looked at."""

    path: str
    status: int
    body: bytes = b""

    @property
    def good(self) -> bool:
        """Whether it is what was asked for."""
        return 200 <= self.status < 300


def finding(replies: Sequence[Reply], *, with_key: bool) -> Finding:
    """Return what one or more answers mean together: the worst of them, but for what is not there.

    with_key: whether the engine's key was presented.
    """
    checks = {"http_ok": all(reply.status < 500 for reply in replies)}
    for reply in replies:
        if reply.path == MODELS:
            checks["models_ok"] = reply.good
        if reply.status in REFUSED:
            checks["auth_ok"] = False
        elif reply.path == MODELS and reply.good:  # what many leave open says nothing of keys
            checks["auth_ok"] = True
    told = [_meaning(reply, with_key) for reply in replies if reply.status not in NOT_THERE]
    if not told:
        tried = " and ".join(f"{reply.status} at {reply.path}" for reply in replies)
        return Finding(Health.UNKNOWN, checks, f"answers {tried}")
    health, detail = told[0]
    for other, words in told[1:]:
        if worse(health, other) is not health:
            health, detail = other, words
    return Finding(health, checks, detail)


def silence(why: str) -> Finding:
    """Return what it means that no answer came. why: in words, e.g. `cannot be reached`."""
    return Finding(Health.UNHEALTHY, {"http_ok": False}, why)


def _meaning(reply: Reply, with_key: bool) -> tuple[Health, str]:
    if reply.good:
        return Health.HEALTHY, ""
    if reply.status in REFUSED:
        why = "refuses our key" if with_key else "needs a key that its node does not tell"
        return Health.UNHEALTHY, f"{why}: answers {reply.status} at {reply.path}"
    if reply.status == UNAVAILABLE and b"loading" in reply.body.lower():
        return Health.LOADING, "loading its model"
    # Somebody before the engine answers; of the engine it tells nothing.
    aside = 300 <= reply.status < 400 or reply.status == TOO_MANY
    found = Health.UNKNOWN if aside else Health.UNHEALTHY
    return found, f"answers {reply.status} at {reply.path}"
