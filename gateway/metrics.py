"""The metrics of a gateway: what each is called and means, and what it is now."""

from collections import Counter as Counts
from collections.abc import Collection, Iterable, Iterator
from itertools import chain

from prometheus_client import Metric

from control.api.families import Counter, Gauge, Histogram, Labels
from gateway.snapshot import Now, Snapshot, Speed
from gateway.totals import MAX_SERVICES, OTHER, Totals
from gateway.waited import Refusal, Waited

_SERVICE = ("service",)

REQUESTS = Counter(
    "geniehive_gateway_upstream_requests",
    "Requests to a service by how they ended: answered, client_left or the code of an error;"
    " one that fails over is one for each service that was asked.",
    ("service", "outcome"),
)
REFUSED = Counter(
    "geniehive_gateway_refused_requests",
    "Requests for inference, and such as were not understood, that ended with an error for the"
    " client, by its code.",
    ("code",),
)
DURATION = Histogram(
    "geniehive_gateway_request_duration_seconds",
    "How long whole answers of a service took.",
    _SERVICE,
    first=0.064,
    last=524.288,
)
FIRST_BYTE = Histogram(
    "geniehive_gateway_time_to_first_byte_seconds",
    "How long streamed answers of a service took to begin.",
    _SERVICE,
    first=0.016,
    last=65.536,
)
TOKENS = Counter(
    "geniehive_gateway_tokens",
    "Tokens as the service counted them, by kind: prompt or completion.",
    ("service", "kind"),
)
DECODED = Counter(
    "geniehive_gateway_decoded_tokens",
    "Tokens of streamed answers after the first one; over decode_seconds they are the speed.",
    _SERVICE,
)
DECODING = Counter("geniehive_gateway_decode_seconds", "How long decoded_tokens took.", _SERVICE)
IN_FLIGHT = Gauge("geniehive_gateway_in_flight_requests", "Requests at a service now.", _SERVICE)
RETRIES = Counter(
    "geniehive_gateway_retries",
    "Attempts beyond the first of a request: at a service that was asked after another.",
)
RETRIES_DENIED = Counter(
    "geniehive_gateway_retries_denied",
    "Attempts beyond the first that were not made, because so many were under way.",
)
EJECTIONS = Counter(
    "geniehive_gateway_ejections", "How often a service was taken out of rotation.", _SERVICE
)
EJECTED = Gauge(
    "geniehive_gateway_ejected",
    "1 while a service is out of rotation at a worker, else 0.",
    _SERVICE,
)
RESTING = Gauge(
    "geniehive_gateway_resting_services",
    "Services that others are preferred to, because they said that they are busy; those of the"
    " worst worker.",
)
WAITING = Gauge(
    "geniehive_gateway_waiting_requests", "Requests that wait now until a service is free."
)
WAITED = Histogram(
    "geniehive_gateway_queue_seconds",
    "How long requests waited until a service was free or they ended; those that did not wait"
    " are not in it.",
    first=0.016,
    last=524.288,
)
NOT_QUEUED = Counter(
    "geniehive_gateway_queue_refusals",
    "Requests that were told to come back later, by reason: full, as many waited as may, or"
    " deadline, they would have waited for longer than they have.",
    ("reason",),
)
PREFILL = Gauge(
    "geniehive_gateway_learned_prefill_tokens_per_second",
    "How fast a service reads prompts, as the worker learned it that saw most answers.",
    ("service", "asset"),
)
DECODE = Gauge(
    "geniehive_gateway_learned_decode_tokens_per_second",
    "How fast a service writes an answer while it writes no other, learned likewise.",
    ("service", "asset"),
)
SLOTS = Gauge(
    "geniehive_gateway_believed_slots",
    "Requests that a service is believed to serve at the same time; as the worker believes that"
    " believes in least.",
    _SERVICE,
)
ACTIVE = Gauge("geniehive_gateway_active_requests", "Requests that clients wait for now.")
MOST = Gauge("geniehive_gateway_active_requests_limit", "How many of these are taken on.")
HELD = Gauge(
    "geniehive_gateway_held_bytes", "Bodies of requests, and answers, that are held in memory now."
)
CONNECTIONS = Gauge("geniehive_gateway_client_connections", "Connections of clients.")
IDLE = Gauge("geniehive_gateway_idle_connections", "Kept connections to services, not in use.")
WORKERS = Gauge("geniehive_gateway_workers", "Processes that serve.")
CONNECTED = Gauge(
    "geniehive_gateway_control_connected",
    "1 while control tells where requests go, 0 when a worker does not hear it.",
)
AGE = Gauge(
    "geniehive_gateway_route_age_seconds",
    "How long ago the routes were last known to be true; those of the worst worker.",
)
VERSION = Gauge(
    "geniehive_gateway_route_version",
    "Version of the routes in this life of control; those of the worst worker.",
)
ROUTED = Gauge("geniehive_gateway_routed_services", "Services that the routes name.")
LAG = Gauge(
    "geniehive_gateway_event_loop_lag_seconds",
    "How late the event loop woke, 99th percentile of a minute; that of the worst worker.",
)

# In the order in which they are told.
ALL = (
    *(REQUESTS, REFUSED, DURATION, FIRST_BYTE, TOKENS, DECODED, DECODING, IN_FLIGHT),
    *(RETRIES, RETRIES_DENIED, EJECTIONS, EJECTED, RESTING),
    *(WAITING, WAITED, NOT_QUEUED, PREFILL, DECODE, SLOTS, ACTIVE, MOST, HELD),
    *(CONNECTIONS, IDLE, WORKERS, CONNECTED, AGE, VERSION, ROUTED, LAG),
)


def families(told: Iterable[Snapshot], at: float) -> Iterator[Metric]:
    """Yield all families, of what the workers told. at: now, as in `Now`."""
    told = list(told)
    now = [one.now for one in told if one.now.fresh(at)]
    totals = Totals()
    totals.add(one.totals for one in told)
    services = totals.services
    refused = sum((one.refused for one in told), Counts())
    outcomes: dict[Labels, float] = {}
    tokens: dict[Labels, float] = {}
    for name, sums in services.items():
        outcomes |= {(name, how): count for how, count in sums.outcomes.items()}
        tokens[name, "prompt"] = sums.prompt_tokens
        tokens[name, "completion"] = sums.completion_tokens
    yield REQUESTS.of(outcomes)
    yield REFUSED.of({(code,): count for code, count in refused.items()})
    yield DURATION.of({(name,): sums.durations for name, sums in services.items()})
    yield FIRST_BYTE.of({(name,): sums.first_bytes for name, sums in services.items()})
    yield TOKENS.of(tokens)
    yield DECODED.of({(name,): sums.decoded_tokens for name, sums in services.items()})
    yield DECODING.of({(name,): sums.decode_s for name, sums in services.items()})
    yield IN_FLIGHT.of(_in_flight(now, services))
    yield RETRIES.of({(): sum(one.retried for one in told)})
    yield RETRIES_DENIED.of({(): sum(one.retries_denied for one in told)})
    yield EJECTIONS.of({(name,): sums.ejections for name, sums in services.items()})
    yield EJECTED.of(_ejected(now, services))
    yield RESTING.of({(): max((one.resting for one in now), default=0)})
    yield WAITING.of({(): sum(one.waiting for one in now)})
    waited = Waited()
    for one in told:
        waited.add(one.waited)
    yield WAITED.of({(): waited.seconds})
    yield NOT_QUEUED.of({(why.value,): waited.refused[why.value] for why in Refusal})
    speeds = _speeds(now)
    yield PREFILL.of({key: one.prefill for key, one in speeds.items() if one.prefill is not None})
    yield DECODE.of({key: one.decode for key, one in speeds.items() if one.decode is not None})
    yield SLOTS.of(_slots(now))
    yield ACTIVE.of({(): sum(one.active for one in now)})
    yield MOST.of({(): sum(one.most for one in now)})
    yield HELD.of({(): sum(one.held for one in now)})
    yield CONNECTIONS.of({(): sum(one.connections for one in now)})
    yield IDLE.of({(): sum(one.idle for one in now)})
    yield WORKERS.of({(): len(now)})
    yield CONNECTED.of({(): all(one.connected for one in now)})
    # Without routes neither of the next two is known.
    ages = [one.age for one in now if one.age is not None]
    versions = [one.version for one in now if one.version is not None]
    yield AGE.of({(): max(ages)} if ages else {})
    yield VERSION.of({(): min(versions)} if versions else {})
    yield ROUTED.of({(): min((one.routed for one in now), default=0)})
    yield LAG.of({(): max((one.lag for one in now), default=0.0)})


def _in_flight(now: Iterable[Now], services: Iterable[str]) -> dict[Labels, float]:
    """Return requests in flight by service, of no more than have series of their own."""
    found: dict[str, float] = dict.fromkeys(services, 0)
    for one in now:
        for name, count in one.in_flight.items():
            label = _label(name, found)
            found[label] = found.get(label, 0) + count
    return {(name,): count for name, count in found.items()}


def _ejected(now: Iterable[Now], services: Iterable[str]) -> dict[Labels, float]:
    """Return whether services are out of rotation, of no more likewise."""
    found: dict[str, float] = dict.fromkeys(services, 0)
    for one in now:
        for name in one.ejected:
            found[_label(name, found)] = 1
    return {(name,): out for name, out in found.items()}


def _speeds(now: Iterable[Now]) -> dict[Labels, Speed]:
    """Return what those learned who saw most. Beyond so many there is no `other`: of what?"""
    found: dict[Labels, Speed] = {}
    for one in chain.from_iterable(worker.speeds for worker in now):
        key = one.service_id, one.asset_id
        if key not in found or found[key].samples < one.samples:
            found[key] = one
    return dict(sorted(found.items())[:MAX_SERVICES])


def _slots(now: Iterable[Now]) -> dict[Labels, float]:
    """Return what those believe who believe in least slots, likewise."""
    found: dict[Labels, float] = {}
    for name, slots in chain.from_iterable(worker.slots.items() for worker in now):
        found[name,] = min(slots, found.get((name,), slots))
    return dict(sorted(found.items())[:MAX_SERVICES])


def _label(name: str, found: Collection[str]) -> str:
    return name if name in found or len(found) < MAX_SERVICES else OTHER
