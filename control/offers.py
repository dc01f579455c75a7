"""What a beat makes of the services of a host, and whether that is a change. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from control import admission, observations
from control.inventory import Observation, Service
from control.members import Offer

ServiceBeat = tuple[str, Observation, Service | None]


@dataclass(frozen=True, slots=True)
class Taken:
    """The services of a host after a beat, and what is to be said of it."""

    offers: dict[str, Offer]
    wanted: tuple[str, ...]  # services whose definition is not held
    refused: dict[str, str]  # reason by service
    redefined: bool  # whether more changed than how the services are
    dropped: int  # observed values that could not be used


def taken(host_id: str, held: Mapping[str, Offer], beats: Sequence[ServiceBeat]) -> Taken:
    """Return what `beats` make of the services that a host `held`; what is missing is withdrawn."""
    services = {
        service_id: held[service_id].service for service_id, _, _ in beats if service_id in held
    }
    redefined = len(services) != len(held)
    refused: dict[str, str] = {}
    if any(definition is not None for _, _, definition in beats):
        redefined |= _define(host_id, services, beats, refused)
    offers: dict[str, Offer] = {}
    wanted: list[str] = []
    dropped = 0
    for service_id, seen, definition in beats:
        if service_id in services:
            kept, odd = observations.clean(seen)
            dropped += odd
            offers[service_id] = Offer(services[service_id], kept)
        elif definition is None:
            wanted.append(service_id)
    return Taken(offers, tuple(wanted[: admission.MAX_SERVICES]), refused, redefined, dropped)


def differs(before: Offer, after: Offer) -> bool:
    """Return whether a service was redefined, or its owner lends it otherwise.

    How well it is, and how busy, is told apart from that.
    """
    availability = after.observation.availability
    return before.service != after.service or before.observation.availability is not availability


def moved(before: Service, after: Service) -> bool:
    """Return whether a service is asked elsewhere or otherwise, so that old probes tell nothing."""
    return _asked(before) != _asked(after)


def _asked(service: Service) -> tuple[object, ...]:
    return service.endpoint, service.engine, service.api_key


def _define(
    host_id: str,
    services: dict[str, Service],
    beats: Sequence[ServiceBeat],
    refused: dict[str, str],
) -> bool:
    """Take the definitions in `beats` over into `services`; return whether there was any.

    What is withdrawn is not in `services` any more: it leaves its room to what is.
    """
    defined = False
    assets = admission.asset_count(services.values())
    size = admission.description_size(services.values())
    for service_id, _, definition in beats:
        held = services.get(service_id)
        if definition is None or (held is not None and definition.revision <= held.revision):
            continue
        count = len(services) + (held is None)
        replaced = () if held is None else (held,)
        total = assets + len(definition.assets) - admission.asset_count(replaced)
        described = (
            size + admission.description_size((definition,)) - admission.description_size(replaced)
        )
        reason = _refusal(host_id, service_id, definition, count, total, described)
        if reason is not None:
            refused[service_id[: admission.MAX_TEXT]] = reason
            continue
        services[service_id], assets, size = definition, total, described
        defined = True
    return defined


def _refusal(
    host_id: str, service_id: str, definition: Service, services: int, assets: int, described: int
) -> str | None:
    """Return why `definition` is refused, or None.

    services, assets: how many the host would have with it. described: bytes that describe these.
    """
    if definition.service_id != service_id:
        return f"the definition is of {definition.service_id[: admission.MAX_TEXT]!r}"
    if services > admission.MAX_SERVICES:
        return f"a host has at most {admission.MAX_SERVICES} services"
    if assets > admission.MAX_ASSETS:
        return f"a host has at most {admission.MAX_ASSETS} assets"
    if described > admission.MAX_DESCRIPTION:
        return f"a host describes its assets with at most {admission.MAX_DESCRIPTION} bytes"
    return admission.service_refusal(definition, host_id)
