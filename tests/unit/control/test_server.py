import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from control.scopes import SCOPES
from control.server import OURS
from tests.unit.control.serving import serving

pytestmark = pytest.mark.anyio

CLOSED = {"node": ["n"], "gateway": ["g"], "operator": ["o"], "admin": ["a"]}


async def test_every_service_says_that_it_serves_without_a_key(one_loop):
    async with serving(CLOSED) as control:
        health = health_pb2_grpc.HealthStub(control.channel)
        for name in ("", *OURS):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_an_unknown_service_is_not_found(control):
    health = health_pb2_grpc.HealthStub(control.channel)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await health.Check(health_pb2.HealthCheckRequest(service="no.such.Service"))

    assert raised.value.code() == grpc.StatusCode.NOT_FOUND


async def test_reflection_names_exactly_the_services_with_scopes(control):
    stub = reflection_pb2_grpc.ServerReflectionStub(control.channel)
    call = stub.ServerReflectionInfo()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services="*"))
    names = {one.name for one in (await call.read()).list_services_response.service}
    call.cancel()

    assert names == {method.split("/")[1] for method in SCOPES}


async def test_a_stopping_server_says_so_to_health_checks(control):
    call = health_pb2_grpc.HealthStub(control.channel).Watch(health_pb2.HealthCheckRequest())
    assert (await call.read()).status == health_pb2.HealthCheckResponse.SERVING
    await control.server.health.enter_graceful_shutdown()

    assert (await call.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    call.cancel()
