"""What probes found of services: how each stands by them, and the last samples. Pure."""

from collections import deque
from dataclasses import dataclass, field, replace

from control.inventory import Health
from control.probing.hysteresis import UNPROBED, Standing, after
from control.probing.samples import HealthSample

KEPT = 10  # samples of a service
# When more than this share of at least so many services does not answer, control takes itself
# for the one that is cut off from them: their nodes call them well, and gateways may reach them.
MASS_SILENCE_SHARE = 0.55
MASS_SILENCE_SERVICES = 5


@dataclass(slots=True)
class Record:
    """One service. Others only read it.

    samples: with a number each that no other sample of the service has; the oldest first,
    never empty once a probe was taken.
    """

    standing: Standing = UNPROBED
    samples: deque[tuple[int, HealthSample]] = field(default_factory=lambda: deque(maxlen=KEPT))

    @property
    def health(self) -> Health:
        """Whether it is well by probes."""
        return self.standing.health

    @property
    def last(self) -> HealthSample:
        """The newest sample."""
        return self.samples[-1][1]

    @property
    def words(self) -> str:
        """How it is by probes, in words, and why if a sample that is kept says so."""
        found = (sample.finding for _, sample in reversed(self.samples))
        why = next((one.detail for one in found if one.health is self.health), "")
        return f"{self.health} by probe" + (f": {why}" if why else "")


class Records:
    """The records of all services that were probed, by id."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._answering: set[str] = set()  # by their last samples, however
        self._silent: set[str] = set()  # by these, although their nodes call them well

    def take(self, service_id: str, sample: HealthSample, *, called_well: bool = True) -> None:
        """Take a sample; silence changes nothing while control is cut off.

        called_well: whether its node calls the service healthy.
        """
        silent = sample.latency is None
        self._answering.discard(service_id)
        self._silent.discard(service_id)
        if not silent:
            self._answering.add(service_id)
        elif called_well:
            self._silent.add(service_id)
        record = self._records.setdefault(service_id, Record())
        if silent and self.cut_off:
            record.standing = Standing(record.standing.health)
        else:
            record.standing = after(record.standing, sample.finding.health)
        # Made of the time, so that control's next life does not give it again.
        number = int(sample.observed_time * 1000)
        if record.samples:
            number = max(number, record.samples[-1][0] + 1)
            if sample.finding == record.last.finding:  # as most: it is held once
                sample = replace(sample, finding=record.last.finding)
        record.samples.append((number, sample))

    def of(self, service_id: str) -> Record | None:
        """Return the record of a service; None when it is not probed."""
        return self._records.get(service_id)

    def health(self, service_id: str) -> Health:
        """Return whether a service is well by probes; unknown when it is not probed."""
        record = self._records.get(service_id)
        return Health.UNKNOWN if record is None else record.health

    def forget(self, service_id: str) -> None:
        """Forget a service; harmless when it is not there."""
        self._records.pop(service_id, None)
        self._answering.discard(service_id)
        self._silent.discard(service_id)

    @property
    def cut_off(self) -> bool:
        """Whether so many do not answer that it must be control that does not reach them."""
        silent = len(self._silent)
        together = silent + len(self._answering)
        return silent >= MASS_SILENCE_SERVICES and silent > MASS_SILENCE_SHARE * together

    @property
    def silent(self) -> int:
        """How many do not answer although their nodes call them well."""
        return len(self._silent)

    def __len__(self) -> int:
        return len(self._records)
