"""Names that cannot be drained, against a real cluster that stays as it is."""

import json

from tests.integration.cli.small_hive import geniehive


def test_a_name_that_nobody_has_is_answered_with_those_like_it(hive):
    done = geniehive(hive, "drain", "h1/dmo")
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith("error: no host or service 'h1/dmo'; similar: h1/demo\n")

    done = geniehive(hive, "undrain", "", "--json")
    assert (done.returncode, done.stdout) == (5, "")
    assert json.loads(done.stderr)["error"]["code"] == "not_found"


def test_a_role_or_a_model_is_refused_in_words(hive):
    for name, noun in (("mentor", "role"), ("small", "model")):
        done = geniehive(hive, "drain", name)
        assert (done.returncode, done.stdout) == (2, "")
        said = f"'{name}' is a {noun}; what is drained is a host or a service"
        assert done.stderr.startswith(f"error: {said}\n")


def test_what_was_not_drained_is_undrained_without_a_failure(hive):
    done = geniehive(hive, "undrain", "h1")
    assert (done.returncode, done.stdout) == (0, "h1 was not drained\n")
