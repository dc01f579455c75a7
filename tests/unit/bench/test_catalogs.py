"""Catalogs to measure with are such as control takes."""

import pytest

from bench import catalogs
from bench.nodes import mixed
from control.rules.catalog import read_catalog


@pytest.mark.parametrize("choosy", [False, True])
def test_control_takes_a_catalog_without_a_warning(tmp_path, choosy):
    path = tmp_path / "roles.yaml"

    catalogs.write(path, 20, 1, mixed=choosy)

    found = read_catalog(path)
    assert list(found.roles) == [catalogs.role_id(number) for number in range(20)]
    assert not found.warnings


def test_every_role_differs_between_editions(tmp_path):
    path = tmp_path / "roles.yaml"
    catalogs.write(path, 5, 1, mixed=True)
    first = read_catalog(path).roles

    catalogs.write(path, 5, 2, mixed=True)

    second = read_catalog(path).roles
    assert all(second[role_id] != role for role_id, role in first.items())
    assert all(second[role_id].routing == role.routing for role_id, role in first.items())


def test_mixed_nodes_differ_in_what_roles_look_at():
    hosts = [mixed(number, 1).host for number in range(50)]
    assets = [mixed(number, 1).services[0].service.assets[0] for number in range(50)]

    assert {one.trust_tier for one in hosts} == {"trusted", "lab", "edge"}
    assert len({one.labels["gpu"] for one in hosts}) == 3
    assert len({one.asset_id.partition("-")[0] for one in assets}) == 5
    assert {one.loaded for one in assets} == {True, False}
