"""docs/engines.md says of each engine what the tests show of it."""

from node.config import Service
from tests.engines import matrix


def test_the_table_is_what_the_marks_of_the_tests_say():
    """`python -m tests.engines.matrix` writes it anew."""
    page = matrix.PAGE.read_text()

    assert page == matrix.with_table(page, matrix.table(matrix.shown()))


def test_it_has_a_row_for_every_engine_of_the_settings():
    (known,) = (
        one.__args__
        for one in Service.model_fields["engine"].annotation.__args__
        if hasattr(one, "__args__")
    )

    assert set(matrix.ENGINES) == {*known, "llamacpp-router"} - {"auto"}


def test_every_engine_is_recognised_and_its_models_are_listed():
    """What whisper.cpp has is declared: it has no list."""
    found = {(one.engine, one.fact) for one in matrix.shown()}

    assert {(engine, "fingerprint") for engine in matrix.ENGINES} <= found
    assert {(engine, "assets") for engine in matrix.ENGINES} <= found
