"""entrius/gittensor#1783: a planned drain stopped an instance that was still sent requests.

The gateway read who was draining every 3 s and was not asked what it had in flight, so a
request went there 52 ms after the drain and was cut.
"""

import pytest
from geniehive.v1 import admin_service_pb2 as admin
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import registry_service_pb2 as registry

from tests.unit.control.requests import heartbeat, registration
from tests.unit.control.serving import serving, until

pytestmark = pytest.mark.anyio

LEAVING = inventory.ServiceObservation(
    health=inventory.HEALTH_HEALTHY, availability=inventory.AVAILABILITY_DRAINING
)


async def test_gateways_are_told_of_a_drain_and_do_not_come_to_look():
    async with serving() as control:
        await control.registry.RegisterHost(registration("h1"))
        chat = control.compiler.targets["chat"]
        await until(lambda: chat.get("m"))
        before = control.routes.identity.version
        await control.admin.DrainServices(admin.DrainServicesRequest(name="h1"))
        await until(lambda: control.routes.identity.version > before)
        assert chat["m"] == ()


async def test_a_host_that_is_stopped_waits_for_what_began_before_gateways_were_told():
    async with serving() as control:
        granted = await control.registry.RegisterHost(registration("h1"))
        control.loads.tell("gateway", {})

        async def left(sequence):
            beat = heartbeat(granted.lease, sequence, "h1/s", observation=LEAVING)
            request = registry.SendHeartbeatRequest(heartbeat=beat)
            return (await control.registry.SendHeartbeat(request)).in_flight

        assert await left(1) == 1  # nothing was told, but it may have sent something since
        control.loads.tell("gateway", {"h1/s": 2})
        control.clock.now += 1.0
        assert await left(2) == 2
        control.loads.tell("gateway", {})
        assert await left(3) == 0
