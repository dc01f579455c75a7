"""A cluster that the tests of commands look at, and leave as it is."""

from collections.abc import Iterator

import pytest

from tests.integration.cli.small_hive import small_hive
from tests.integration.cluster import Cluster


@pytest.fixture(scope="session")
def hive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A small cluster with roles."""
    with small_hive(tmp_path_factory.mktemp("hive")) as running:
        yield running
