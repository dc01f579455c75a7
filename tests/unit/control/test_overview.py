from hypothesis import given
from hypothesis import strategies as some

from control.live import Loads
from control.measurements import Measurements
from control.membership import Membership
from control.overview import Overview
from control.pace import Rhythm
from control.ranking.subject import UNSEEN
from control.table.compile import Compiler
from tests.unit.control.builders import host, service
from tests.unit.control.clock import Clock

# Characters before and after the slash, which ends the id of a host.
HOST_IDS = some.text("a-.0z", min_size=1, max_size=3)
HOSTS = some.dictionaries(HOST_IDS, some.sets(some.sampled_from(["s", "s0", "s/t", "z"])))


def overview(hosts):
    membership = Membership(Rhythm(interval=1.0), jitter=lambda: 0.0)
    for host_id, names in hosts.items():
        services = [service(f"{host_id}/{name}") for name in names]
        membership.restore(host(host_id), 1, services, heard=0.0)
    measurements = Measurements(None, lambda: 0.0, {})
    return Overview(membership, Compiler(), Loads(), measurements, lambda *_: UNSEEN, Clock())


@given(HOSTS, some.text("a-.0z/s", max_size=5))
def test_services_come_in_the_order_of_their_ids_from_anywhere_on(hosts, after):
    everything = sorted(f"{host_id}/{name}" for host_id, names in hosts.items() for name in names)
    found = overview(hosts).services(after)

    assert [service_id for service_id, _ in found] == [one for one in everything if one > after]


@given(HOSTS, HOST_IDS)
def test_services_of_one_host_are_only_its_own(hosts, host_id):
    found = [service_id for service_id, _ in overview(hosts).services("", host_id)]

    assert found == sorted(f"{host_id}/{name}" for name in hosts.get(host_id, ()))


@given(HOSTS, HOST_IDS)
def test_hosts_come_in_the_order_of_their_ids_from_anywhere_on(hosts, after):
    found = [host_id for host_id, _ in overview(hosts).hosts(after)]

    assert found == sorted(one for one in hosts if one > after)


def test_what_goes_while_it_is_listed_is_left_out():
    one = overview({"a": {"s"}, "b": {"s"}, "c": {"s"}})
    hosts, services = one.hosts(""), one.services("")
    next(hosts), next(services)
    one._membership.deregister("b", None, now=0.0)

    assert [host_id for host_id, _ in hosts] == ["c"]
    assert [service_id for service_id, _ in services] == ["c/s"]
