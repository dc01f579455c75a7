"""500 updates that are wrong, each in one way: refused with a reason, and nothing else changes."""

import random

import pytest
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb
from google.protobuf.message import DecodeError

from gateway.resources import read_resource
from gateway.routes import Routes
from gateway.steps import finished
from gateway.table import Replica, SnapshotWanted
from tests.unit.gateway.pushed import CHAT, StubUpstream, service, target
from tests.unit.gateway.updates import Control

CASES = 500
HOSTS = [f"h{number}" for number in range(8)]


def table(score):
    """Return a table that routes alike whatever the score is, in other resources."""
    services = [
        service(f"{host}/s", f"{host}.lan:8080", host_id=host, tls_name=f"{score}")
        for host in HOSTS
    ]
    narrow = [target(f"{host}/s", (f"{host}/s", score)) for host in HOSTS]
    return [*services, *narrow, target("wide", *((f"{host}/s", score) for host in HOSTS))]


def some_service(update, chance):
    return chance.choice([one for one in update.upserts if one.HasField("service")])


def some_target(update, chance):
    return chance.choice([one for one in update.upserts if one.HasField("target")])


# What makes the whole update unusable.


def lose_a_resource(update, chance):
    del update.upserts[chance.randrange(len(update.upserts))]


def change_the_hash_of_a_resource(update, chance):
    chance.choice(update.upserts).hash ^= 1 << chance.randrange(64)


def change_the_hash_of_the_table(update, chance):
    update.table_hash ^= 1 << chance.randrange(64)


def come_from_the_past(update, chance):
    if update.snapshot:
        update.identity.version -= chance.randint(2, 9)
    else:
        update.base_version -= chance.randint(1, 9)


def be_there_and_gone(update, chance):
    update.tombstones.append(chance.choice(update.upserts).name)


def tell_a_resource_twice(update, chance):
    again = pb.Resource()
    again.CopyFrom(chance.choice(update.upserts))
    update.upserts.append(again)


def build_on_another_life(update, chance):
    update.snapshot = False
    if chance.random() < 0.5:
        update.identity.incarnation = f"{chance.random()}"
    else:
        update.identity.store_id = ""


# What makes one resource of it unusable.


def have_no_address(update, chance):
    bad = ["", "h", "h:0", "h:65536", ":80", "h:80\r\n", "u@h:80", "h:-1", "[::1:80", "h:8o"]
    some_service(update, chance).service.endpoint.address = chance.choice(bad)


def have_another_scheme(update, chance):
    bad = ["", "ftp", "HTTP", "file", "http:"]
    some_service(update, chance).service.endpoint.scheme = chance.choice(bad)


def have_a_path_that_is_none(update, chance):
    bad = ["v1", "/a b", "/a?b", "/\r\n", "//", "/é"]
    some_service(update, chance).service.endpoint.base_path = chance.choice(bad)


def be_reached_in_an_unknown_way(update, chance):
    kinds = [one for one in range(9) if one != inventory.ENDPOINT_KIND_DIRECT]
    some_service(update, chance).service.endpoint.kind = chance.choice(kinds)


def mean_another_name(update, chance):
    one = some_target(update, chance)
    one.target.name = chance.choice(["", f"{one.target.name}x", "other"])


def mean_another_service(update, chance):
    some_service(update, chance).service.service_id = chance.choice(["", "other/s"])


def be_of_no_operation(update, chance):
    some_target(update, chance).target.operation = chance.choice([0, 7, 99])


def have_a_bad_candidate(update, chance):
    candidate = chance.choice(some_target(update, chance).target.candidates)
    match chance.randrange(3):
        case 0:
            candidate.service_id = ""
        case 1:
            candidate.asset_id = ""
        case _:
            candidate.score = float("nan")


def say_nothing(update, chance):
    one = chance.choice(update.upserts)
    one.ClearField(one.WhichOneof("body"))


def be_of_the_other_table(update, chance):
    chance.choice(update.upserts).settings.required = True


WHOLE = [
    lose_a_resource,
    change_the_hash_of_a_resource,
    change_the_hash_of_the_table,
    come_from_the_past,
    be_there_and_gone,
    tell_a_resource_twice,
    build_on_another_life,
]
ONE = [
    have_no_address,
    have_another_scheme,
    have_a_path_that_is_none,
    be_reached_in_an_unknown_way,
    mean_another_name,
    mean_another_service,
    be_of_no_operation,
    have_a_bad_candidate,
    say_nothing,
    be_of_the_other_table,
]


class Following:
    """A gateway that holds version 10 of a good table."""

    def __init__(self):
        self.control = Control()
        self.control.version = 9
        self.control.delta(table(score=1.0))
        self.replica = Replica(read_resource)
        self.routes = Routes(StubUpstream)
        self.take(self.control.snapshot())

    def take(self, update):
        applied = self.replica.apply(update)
        finished(self.routes.follow(self.replica, applied.names))
        return applied

    def served(self):
        found = {}
        for name in ("wide", *(f"{host}/s" for host in HOSTS)):
            choices = self.routes.resolve(CHAT, name).choices
            found[name] = [
                (one.upstream.service_id, one.upstream.origin.host, one.asset) for one in choices
            ]
        return found

    def next_update(self, chance):
        delta = self.control.delta(table(score=2.0))
        return self.control.snapshot() if chance.random() < 0.5 else delta


@pytest.fixture(scope="module")
def good():
    return Following().served()


def update_of(case):
    """Return a gateway, the next update for it, and what chooses in which way it is wrong."""
    chance = random.Random(case)
    following = Following()
    return following, following.next_update(chance), chance


def test_the_updates_that_are_made_wrong_are_right_before(good):
    for case in range(10):
        following, update, _ = update_of(case)

        assert following.take(update).unusable == {}
        assert following.served() == good


def test_an_update_that_is_wrong_as_a_whole_is_refused(good):
    for case in range(CASES // 2):
        following, update, chance = update_of(case)
        damage = WHOLE[case % len(WHOLE)]
        damage(update, chance)

        with pytest.raises(SnapshotWanted) as refused:
            following.take(update)

        assert str(refused.value), damage
        assert following.replica.identity.version == 10, damage
        assert following.served() == good, damage


def test_a_resource_that_is_wrong_is_named_and_its_last_good_version_serves(good):
    for case in range(CASES // 2):
        following, update, chance = update_of(case)
        damage = ONE[case % len(ONE)]
        damage(update, chance)

        (reason,) = following.take(update).unusable.values()

        assert reason.isprintable(), damage
        assert following.replica.identity.version == 11, damage
        assert following.served() == good, damage


def test_what_is_cut_off_is_no_update(good):
    """A message cut anywhere: it cannot be read, or has lost the hash at its end."""
    for case in range(50):
        following, update, chance = update_of(case)
        encoded = update.SerializeToString()

        with pytest.raises((SnapshotWanted, DecodeError)):
            following.take(pb.TableUpdate.FromString(encoded[: chance.randrange(1, len(encoded))]))

        assert following.served() == good
