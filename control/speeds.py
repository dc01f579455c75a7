"""How fast services are, as all gateways together measured it: start values for new ones.

Never stored: gateways tell again whatever they know whenever a connection begins. What one
measured outlives it here, so that it need not begin anew when it is restarted.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice, takewhile

from control.ranking.speed import UNMEASURED, Speed, believed, best, merged

MAX_KNOWN = 10_000  # services and assets
MAX_TOLD = 500  # of them, in one message
MAX_GATEWAYS = 16  # whose word counts, of one service and asset
# A gateway's word that is so much older than now counts no more where another one has spoken.
STALE_S = 3_600.0
FORGET_S = 600.0  # after the service was seen last
LOOKED_AT = 20  # services whether they are still there, whenever a gateway tells anything

# A service, and one of its assets.
Key = tuple[str, str]


@dataclass(slots=True)
class _Known:
    """What is known of a service and asset.

    words: of gateways, with when they were told. told: what gateways were told of it last.
    """

    words: dict[str, tuple[float, Speed]] = field(default_factory=dict)
    speed: Speed = UNMEASURED
    told: Speed = UNMEASURED

    def hear(self, gateway_id: str, speed: Speed, now: float) -> bool:
        """Take the word of a gateway; return whether gateways are to be told of it."""
        if gateway_id in self.words:  # it may have been restarted, and measured little since
            _, before = self.words.pop(gateway_id)
            speed = speed.completed(before)
        self.words[gateway_id] = now, speed
        heard = islice(reversed(self.words.items()), MAX_GATEWAYS)
        self.words = dict(reversed([one for one in heard if now - one[1][0] <= STALE_S]))
        self.speed = merged([speed for _, speed in self.words.values()])
        if self.speed.is_like(self.told):
            return False
        self.told = self.speed
        return True


@dataclass(slots=True)
class _Service:
    """What is known of a service, by asset. seen_at: when it was there last."""

    assets: dict[str, _Known] = field(default_factory=dict)
    seen_at: float = 0.0


class Speeds:
    """What gateways measured, by service and asset. now: the monotonic clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._services: OrderedDict[str, _Service] = OrderedDict()
        self._of_asset: dict[str, dict[str, _Known]] = {}  # by service
        # By asset the best of all, and by service, until something of the asset changes.
        self._believed: dict[str, tuple[Speed, dict[str, Speed]]] = {}
        # With the version in which it changed, the oldest change first.
        self._changed: dict[Key, int] = {}
        self._version = 0

    def tell(
        self,
        gateway_id: str,
        speeds: Iterable[tuple[Key, Speed]],
        there: Callable[[str], object],
    ) -> None:
        """Take what a gateway measured. there: returns None for a service that nobody has.

        What is new is not taken when there is too much already.
        """
        for key, speed in speeds:
            self._hear(gateway_id, key, speed)
        self._forget_some(there)

    def of(self, service_id: str) -> dict[str, Speed]:
        """Return what is known of a service, by asset."""
        found = self._services.get(service_id)
        return {asset: known.speed for asset, known in found.assets.items()} if found else {}

    def believed(self, service_id: str, asset_id: str) -> Speed | None:
        """Return how fast a service is with an asset, as far as anything is known of that.

        What was not measured is the best that others with the asset do.
        """
        if (of_asset := self._of_asset.get(asset_id)) is None:
            return None
        if (made := self._believed.get(asset_id)) is None:
            made = self._believed[asset_id] = best([one.speed for one in of_asset.values()]), {}
        others, by_service = made
        if (known := of_asset.get(service_id)) is None:
            return others
        if (found := by_service.get(service_id)) is None:
            found = by_service[service_id] = believed(known.speed, others)
        return found

    def since(self, version: int) -> tuple[int, list[tuple[Key, Speed]]]:
        """Return what changed after a version, `MAX_TOLD` at most, and the version that this is."""
        newer = list(takewhile(lambda one: one[1] > version, reversed(self._changed.items())))
        told = newer[: -MAX_TOLD - 1 : -1]  # the oldest first
        news = [(key, self._of_asset[key[1]][key[0]].told) for key, _ in told]
        return told[-1][1] if told else version, news

    def __len__(self) -> int:
        return len(self._changed)

    def _hear(self, gateway_id: str, key: Key, speed: Speed) -> None:
        if not speed.tells_anything:
            return
        service_id, asset_id = key
        service = self._services.get(service_id) or _Service()
        known = service.assets.get(asset_id)
        if known is None:
            if len(self) >= MAX_KNOWN:
                return
            known = service.assets[asset_id] = _Known()
            self._services[service_id] = service
            self._of_asset.setdefault(asset_id, {})[service_id] = known
        service.seen_at = self._now()
        self._believed.pop(asset_id, None)
        if known.hear(gateway_id, speed, self._now()):
            self._version += 1
            self._changed.pop(key, None)
            self._changed[key] = self._version

    def _forget_some(self, there: Callable[[str], object]) -> None:
        """Look at a few services, others the next time; drop those that are long gone."""
        now = self._now()
        for service_id in list(islice(self._services, LOOKED_AT)):
            service = self._services[service_id]
            if there(service_id) is not None:
                service.seen_at = now
            if now - service.seen_at > FORGET_S:
                self._drop(service_id)
            else:
                self._services.move_to_end(service_id)

    def _drop(self, service_id: str) -> None:
        for asset_id in self._services.pop(service_id).assets:
            del self._changed[service_id, asset_id]
            self._believed.pop(asset_id, None)
            del self._of_asset[asset_id][service_id]
            if not self._of_asset[asset_id]:
                del self._of_asset[asset_id]
