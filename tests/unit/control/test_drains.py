from control.drains import Drain, Drains


def drain(name, since=1.0, by="anyone"):
    return Drain(name, since, by)


def test_a_host_is_drained_with_whatever_it_serves():
    drains = Drains([drain("h1"), drain("h2/a")])
    assert drains.names_over("h1/a") == ("h1",)
    assert drains.names_over("h2/a") == ("h2/a",)
    assert drains.names_over("h2/b") == drains.names_over("h10/a") == ()


def test_a_service_may_be_drained_twice_by_its_host_and_alone():
    drains = Drains([drain("h1"), drain("h1/a")])
    assert drains.names_over("h1/a") == ("h1", "h1/a")
    drains.drop("h1")
    assert drains.names_over("h1/a") == ("h1/a",)


def test_what_is_drained_again_is_drained_since_the_first_time():
    drains = Drains()
    drains.put(drain("h1", since=1.0, by="first"))
    drains.put(drain("h1", since=2.0, by="second"))
    assert drains.listed(10) == [drain("h1", since=1.0, by="first")]


def test_drains_are_listed_by_name_and_no_more_than_asked_for():
    drains = Drains(map(drain, ("c", "a", "b")))
    assert [one.name for one in drains.listed(2)] == ["a", "b"]
    assert len(drains) == 3


def test_what_was_never_drained_can_be_dropped():
    drains = Drains()
    drains.drop("h1")
    assert "h1" not in drains
