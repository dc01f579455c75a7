"""How services do, as messages. Copies; judges nothing."""

import math
from collections.abc import Callable

from geniehive.v1 import discovery_service_pb2 as pb

from control import messages
from control.ejection_messages import ejection_message
from control.measured import Counts, measured
from control.overview import ServiceView
from control.probe_messages import probe_message
from control.speed_messages import speed_message


def status_message(
    view: ServiceView, measured_since: float, wall_time: Callable[[float], float]
) -> pb.ServiceStatus:
    """Return a service and what control knows about it.

    measured_since: when what was measured begins, in seconds since 1970. wall_time: of a
    moment on the monotonic clock, the same.
    """
    message = pb.ServiceStatus(
        service=messages.service_message(view.offer),
        routable=view.routable,
        in_flight=view.in_flight,
        health=messages.HEALTH_VALUES[view.health],
        tokens_per_second=view.signals.tokens_per_second,
        drained=view.drained,
        waiting=view.waiting,
        learned=[
            speed_message((view.offer.service.service_id, asset_id), speed)
            for asset_id, speed in sorted(view.speeds.items())
        ],
    )
    for role_id, asset_id in view.roles:
        message.roles.add(role_id=role_id, asset_id=asset_id)
    if view.signals.latency_p50 is not None:
        message.latency_p50.FromMicroseconds(round(view.signals.latency_p50 * 1e6))
    message.update_time.FromMilliseconds(max(0, int(wall_time(view.heard_at) * 1000)))
    if view.held_back:
        message.held_back.FromMilliseconds(math.ceil(view.held_back * 1000))
        if view.well:
            detail = f"flapping, held back for {math.ceil(view.held_back)} s"
            message.service.observation.detail = detail
    if view.probe is not None:
        message.probe.CopyFrom(probe_message(view.probe))
    if view.counts:
        message.measured.CopyFrom(measured_message(view.counts, measured_since))
    if view.ejection is not None:
        message.ejection.CopyFrom(ejection_message(view.ejection))
    return message


def measured_message(counts: Counts, since: float) -> pb.Measured:
    """Return what gateways measured. since: when that begins, in seconds since 1970."""
    told = measured(counts)
    message = pb.Measured(
        request_count=told.requests,
        abandoned_count=told.abandoned,
        error_counts=told.errors,
        prompt_tokens=told.prompt_tokens,
        completion_tokens=told.completion_tokens,
        tokens_per_second=told.tokens_per_second,
    )
    message.start_time.FromSeconds(int(since))
    for field, latency in (
        (message.first_byte_p50, told.first_byte_p50),
        (message.first_byte_p95, told.first_byte_p95),
    ):
        if latency is not None:
            field.FromMicroseconds(int(latency * 1e6))
    return message
