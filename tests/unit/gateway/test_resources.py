"""A resource is read whole and checked, or named as unusable."""

import pytest
from geniehive.v1 import routing_service_pb2 as pb

from gateway.resources import meant, ranked, read_resource, target_name
from gateway.table import Unusable
from tests.unit.gateway.pushed import CHAT, EMBEDDINGS, service, target


@pytest.mark.parametrize(
    "resource",
    [
        service(""),
        service("h/a", "127.0.0.1"),
        service("h/a", "127.0.0.1:0"),
        service("h/a", "127.0.0.1:99999"),
        service("h/a", "u@h:80"),
        service("h/a", "h:80\r\nx: y"),
        service("h/a", scheme="ftp"),
        service("h/a", base_path="v1"),
        service("h/a", base_path="/a b"),
        service("h/a", base_path="/a\r\n"),
        service("h/a", kind=7),
        target(""),
        target("m", operation=0),
        target("m", operation=99),
        target("m", ("", 1)),
        target("m", ("h/a", float("nan"))),
        pb.Resource(name="service/h/b", service=service("h/a").service),
        pb.Resource(name="target/chat/n", target=target("m").target),
        pb.Resource(name="target/embeddings/m", target=target("m").target),
        pb.Resource(key=pb.ClientKey(principal_id="a", key_hash=b"x" * 32)),
        pb.Resource(name="empty"),
    ],
    ids=str,
)
def test_what_a_gateway_cannot_act_on_is_unusable(resource):
    with pytest.raises(Unusable):
        read_resource(resource)


def test_candidates_come_best_first_whatever_the_order_they_were_sent_in():
    found = read_resource(target("m", ("h/c", 1), ("h/a", 0), ("h/b", 1)))

    assert [one.service_id for one in found.candidates] == ["h/b", "h/c", "h/a"]
    assert ranked(reversed(found.candidates)) == found.candidates


@pytest.mark.parametrize("name", ["m", "org/model:7b", "//", "modèle"])
@pytest.mark.parametrize("operation", [CHAT, EMBEDDINGS])
def test_what_a_name_of_a_target_means_can_be_read_from_it(operation, name):
    assert meant(target_name(operation, name)) == (operation, name)
