"""Names that we share with others are noticed before they hurt."""

from importlib import metadata

import pytest

from cli.installed import require_own_names
from cli.output import Failure


def test_here_all_names_are_ours():
    require_own_names()


def test_a_distribution_of_the_same_name_is_refused_in_one_line():
    def installed(name):
        if name != "control":
            raise metadata.PackageNotFoundError(name)
        return object()

    with pytest.raises(Failure) as caught:
        require_own_names(installed)

    assert caught.value.exit_code == 2
    assert "pip uninstall control" in caught.value.text()
    assert len(caught.value.text().splitlines()) == 1
