"""The graphics processors of the machine, whoever made them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from node.machine import amd, apple, nvidia
from node.machine.aside import Aside, NoAnswer
from node.machine.gpu import MAX_GPUS, Seen
from node.state import Gpu, GpuMetrics

ASK_SECONDS = 3.0  # loading a driver takes one or two
REST_SECONDS = 60.0  # that a driver which did not answer is left alone

Look = Callable[[], Sequence[Seen]]


@dataclass(frozen=True, slots=True)
class _Known:
    """What one maker's driver told last. problem: why it tells nothing now."""

    seen: tuple[Seen, ...] = ()
    problem: str = ""
    not_before: float = 0.0


def makers() -> dict[str, Look]:
    """Return who is asked on this machine, by name."""
    return {"nvidia": nvidia.Nvidia().look, "amd": amd.look, "apple": apple.look}


class Gpus:
    """Asks each maker's driver beside the event loop; one that hangs holds up nothing.

    patience: seconds for an answer.
    """

    def __init__(self, looks: dict[str, Look], patience: float = ASK_SECONDS) -> None:
        self._patience = patience
        self._asides = {name: Aside(f"gpu-{name}", look) for name, look in looks.items()}
        self._known = dict.fromkeys(looks, _Known())

    @property
    def gpus(self) -> tuple[Gpu, ...]:
        """All that were ever seen, whether their driver answers now or not."""
        return tuple(one.gpu for known in self._known.values() for one in known.seen)[:MAX_GPUS]

    @property
    def metrics(self) -> tuple[GpuMetrics, ...]:
        """How busy they are, those whose driver answers."""
        answering = (known.seen for known in self._known.values() if not known.problem)
        return tuple(one.metrics for seen in answering for one in seen)[:MAX_GPUS]

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, a line each."""
        return tuple(known.problem for known in self._known.values() if known.problem)

    async def look(self, now: float) -> None:
        """Look at all of them. now: seconds, monotonic."""
        for name, aside in self._asides.items():
            known = self._known[name]
            if now < known.not_before:
                continue
            try:
                seen = tuple(await aside.ask(self._patience))
            except NoAnswer as error:
                problem = f"gpus: the driver of {name} {error}"
                self._known[name] = _Known(known.seen, problem, now + REST_SECONDS)
            else:
                self._known[name] = _Known(seen)
