"""The tables as messages: what watchers are told. Copies; decides nothing."""

from functools import lru_cache

from geniehive.v1 import routing_service_pb2 as pb

from control import messages
from control.api.priorities import Priority
from control.api.strategies import Strategy
from control.policy.effective import policy_id
from control.policy_messages import policy_message
from control.ranking.candidates import Candidate
from control.table.resources import (
    Body,
    ClientKey,
    KeySettings,
    Resource,
    RoomSettings,
    RoutePolicy,
    RouteService,
    Target,
    TargetPatch,
)
from control.table.watch import Identity, Update

STRATEGY_VALUES: dict[Strategy, pb.Strategy] = {
    Strategy.SCORED: pb.STRATEGY_SCORED,
    Strategy.ROUND_ROBIN: pb.STRATEGY_ROUND_ROBIN,
    Strategy.LEAST_LOADED: pb.STRATEGY_LEAST_LOADED,
    Strategy.POWER_OF_TWO: pb.STRATEGY_POWER_OF_TWO,
    Strategy.EXPECTED_COMPLETION: pb.STRATEGY_EXPECTED_COMPLETION,
}
PRIORITY_VALUES: dict[Priority | None, pb.Priority] = {
    None: pb.PRIORITY_UNSPECIFIED,
    Priority.LOW: pb.PRIORITY_LOW,
    Priority.NORMAL: pb.PRIORITY_NORMAL,
    Priority.HIGH: pb.PRIORITY_HIGH,
}


@lru_cache(maxsize=4)
def update_message(update: Update) -> pb.TableUpdate:
    """Return `update` for the wire; made once for all watchers that share it."""
    return pb.TableUpdate(
        identity=identity_message(update.identity),
        snapshot=update.base is None,
        base_version=update.base or 0,
        settled=update.settled,
        upserts=[_resource_message(resource) for resource in update.delta.upserts],
        tombstones=update.delta.tombstones,
        table_hash=update.table_hash,
    )


def identity(message: pb.TableIdentity) -> Identity:
    """Return the state of a table that `message` names."""
    return Identity(message.store_id, message.incarnation, message.version)


def identity_message(found: Identity) -> pb.TableIdentity:
    """Return a state of a table as it is told."""
    return pb.TableIdentity(
        store_id=found.store_id, incarnation=found.incarnation, version=found.version
    )


def candidate_message(candidate: Candidate) -> pb.Candidate:
    """Return a candidate as it is told."""
    return pb.Candidate(
        service_id=candidate.service_id,
        asset_id=candidate.asset_id,
        score=candidate.score,
        tier=candidate.tier,
        runtime=candidate.runtime,
        policy_id=0 if candidate.policy is None else policy_id(candidate.policy),
        absent=candidate.absent,
    )


def _resource_message(resource: Resource) -> pb.Resource:
    message = pb.Resource(name=resource.name, hash=resource.hash)
    _fill(message, resource.body)
    return message


def _fill(message: pb.Resource, body: Body) -> None:
    match body:
        case RouteService():
            message.service.service_id = body.service_id
            message.service.host_id = body.host_id
            message.service.endpoint.CopyFrom(messages.endpoint_message(body.endpoint))
            if body.endpoint.relay is not None:
                message.service.endpoint.relay.token = body.endpoint.token
            message.service.concurrency = body.concurrency
            message.service.loaded_asset_count = body.loaded_assets
            message.service.api_key = body.api_key
        case Target():
            _fill_target(message.target, body)
        case TargetPatch():
            message.target_patch.base_hash = body.base_hash
            message.target_patch.upserts.extend(map(candidate_message, body.upserts))
            message.target_patch.removed.extend(body.removed)
        case RoutePolicy():
            message.policy.policy_id = body.policy_id
            message.policy.policy.CopyFrom(policy_message(body.policy))
        case RoomSettings():
            message.room.waiting = body.waiting
            message.room.priority = PRIORITY_VALUES[body.priority]
            message.room.highest_priority = PRIORITY_VALUES[body.highest]
        case ClientKey():
            message.key.principal_id = body.principal_id
            message.key.key_hash = body.key_hash
            message.key.priority = PRIORITY_VALUES[body.standing.usual]
            message.key.highest_priority = PRIORITY_VALUES[body.standing.highest]
        case KeySettings():
            message.settings.required = body.required
            message.settings.hash_secret = body.hash_secret


def _fill_target(message: pb.Target, target: Target) -> None:
    dispatch = target.dispatch
    message.name = target.name
    message.operation = messages.OPERATION_VALUES[target.operation]
    message.candidates.extend(map(candidate_message, target.candidates))
    message.strategy = STRATEGY_VALUES[dispatch.strategy]
    message.role = dispatch.role
    message.priority = PRIORITY_VALUES[dispatch.priority]
    message.fallback_roles.extend(dispatch.stand_ins)
    for depth, penalty in dispatch.queue_steps:
        message.queue_steps.add(queue_depth=depth, penalty=penalty)
