"""Asks control to send a host or a service nothing new, or something again, and says what came."""

import time
from collections.abc import Callable
from typing import Any

import grpc
from geniehive.v1 import admin_service_pb2 as pb
from geniehive.v1 import admin_service_pb2_grpc as pb_grpc

from cli.inventory import Inventory, unknown
from cli.output import BAD, USAGE, Failure, Output
from control.api import auth
from control.api.channel import control_errors
from control.api.errors import InvalidValue, NotFound

POLL_S = 0.25
# Gateways tell four times a second what they have in flight; so long nothing is nothing.
QUIET_S = 0.5


class Draining:
    """Drains and undrains by name.

    inventory: asked as who drains. timeout: seconds, of each question. sleep, now: of the
    time between them.
    """

    def __init__(
        self,
        stub: pb_grpc.AdminServiceStub,
        inventory: Inventory,
        timeout: float,
        metadata: auth.Metadata = (),
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stub = stub
        self._inventory = inventory
        self._timeout = timeout
        self._metadata = metadata
        self._sleep = sleep
        self._now = now

    def drain(self, name: str) -> pb.DrainServicesResponse:
        """Have nothing new sent to a host or a service.

        Raises:
            Failure: it is neither.
            grpc.RpcError: control did not answer, or refused.
        """
        request = pb.DrainServicesRequest(name=name)
        done: pb.DrainServicesResponse = self._change(self._stub.DrainServices, request, name)
        return done

    def undrain(self, name: str) -> pb.UndrainServicesResponse:
        """Take that back. Raises as `drain`."""
        request = pb.UndrainServicesRequest(name=name)
        done: pb.UndrainServicesResponse = self._change(self._stub.UndrainServices, request, name)
        return done

    def wait(self, name: str, tell: Callable[[int], None]) -> None:
        """Return when nothing is in flight at what is drained as `name`.

        tell: gets how many requests are left, whenever that is another number.

        Raises:
            Failure: somebody took the drain back meanwhile.
            grpc.RpcError: control did not answer.
        """
        told = 0
        quiet_since = self._now()
        while True:
            host_id = name.partition("/")[0]
            found = [
                one
                for one in self._inventory.services(host_id)
                if name in (host_id, one.service.service_id)
            ]
            if not all(one.drained for one in found):
                fix = f"geniehive drain {name} --wait"
                raise Failure(f"{name} was undrained meanwhile", BAD, "undrained", fix=fix)
            if left := sum(one.in_flight for one in found):
                quiet_since = self._now()
            if left != told:
                tell(left)
                told = left
            if self._now() - quiet_since >= QUIET_S:
                return
            self._sleep(POLL_S)

    def _change(self, method: Callable[..., Any], request: Any, name: str) -> Any:
        try:
            with control_errors():
                return method(request, timeout=self._timeout, metadata=self._metadata)
        except InvalidValue as error:
            raise Failure(str(error), USAGE, error.code, fix="geniehive services") from error
        except NotFound as error:
            raise self._unknown(name) from error

    def _unknown(self, name: str) -> Failure:
        names = [one.service.service_id for one in self._inventory.services()]
        names += [one.host_id for one in self._inventory.hosts()]
        return unknown("host or service", name, names, listed="services")


def connected(channel: grpc.Channel, timeout: float, metadata: auth.Metadata) -> Draining:
    """Return what drains over `channel`, as who has `metadata`."""
    inventory = Inventory(channel, timeout, metadata)
    return Draining(pb_grpc.AdminServiceStub(channel), inventory, timeout, metadata)


def drain(output: Output, draining: Draining, name: str, *, wait: bool) -> None:
    """Drain a host or a service and say so. wait: return when nothing is in flight there."""
    done = draining.drain(name)
    left = done.in_flight
    if wait:
        _wait(output, draining, name)
        left = 0
    if output.as_json:
        output.document(
            "drain",
            {
                "name": name,
                "state": "draining" if left else "drained",
                "in_flight": left,
                "service_ids": list(done.service_ids),
                "changed": done.changed,
            },
        )
        return
    already = "" if done.changed else " already"
    state = f"draining{already}, {left} left" if left else f"drained{already}"
    output.answer(name if output.quiet else f"{name} {state}; undo: geniehive undrain {name}")


def _wait(output: Output, draining: Draining, name: str) -> None:
    try:
        draining.wait(name, lambda left: output.say(f"{name} draining, {left} left"))
    except KeyboardInterrupt:
        output.say(f"{name} goes on draining; undo: geniehive undrain {name}")
        raise


def undrain(output: Output, draining: Draining, name: str) -> None:
    """Take a drain back and say so, and what is drained all the same."""
    done = draining.undrain(name)
    if output.as_json:
        output.document(
            "undrain",
            {
                "name": name,
                "service_ids": list(done.service_ids),
                "still_drained": list(done.still_drained),
                "changed": done.changed,
            },
        )
        return
    output.answer(name if output.quiet else _undrained(name, done))


def _undrained(name: str, done: pb.UndrainServicesResponse) -> str:
    said = f"{name} is drained no longer" if done.changed else f"{name} was not drained"
    if name in done.still_drained:
        host_id = name.partition("/")[0]
        return f"{said} itself, but its host is; next: geniehive undrain {host_id}"
    if done.still_drained:
        first, *more = done.still_drained
        others = f" and {len(more)} more" if more else ""
        are = "are" if more else "is"
        return f"{said}, but {first}{others} still {are}; next: geniehive undrain {first}"
    return f"{said}; undo: geniehive drain {name}" if done.changed else said
