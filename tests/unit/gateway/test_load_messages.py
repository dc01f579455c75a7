import math

from control import ejections as ejections_of
from control import routing, speed_messages
from gateway.breaker import Ejected
from gateway.cells import Busy
from gateway.load import Elsewhere
from gateway.load_messages import (
    MAX_LEVELS,
    MAX_RATES,
    MAX_REASON,
    MAX_SERVICES,
    elsewhere,
    load_messages,
    rate_messages,
    told,
)
from gateway.told import Told

WHOLE = Told("h/a", "m", 2_400.0, ((1, 38.0), (4, 21.0)), 3.2, 210.0, 4.1, 6, 17)


def test_control_is_told_how_busy_services_are_and_what_is_kept_out():
    ejections = {"h/a": Ejected(9.2501, "5 timeouts"), "h/b": Ejected(0.0, "x" * 1_000)}
    loads = {"h/a": Busy(2, 0.25, 1), "h/c": Busy(1)}
    messages = {one.service_id: one for one in load_messages(loads, ejections)}

    assert {name: one.in_flight for name, one in messages.items()} == {"h/a": 2, "h/b": 0, "h/c": 1}
    assert messages["h/a"].pending_prefill.ToMilliseconds() == 250
    assert messages["h/a"].waiting == 1
    assert not messages["h/c"].HasField("pending_prefill")
    assert messages["h/a"].ejection.remaining.ToMilliseconds() == 9_251
    assert messages["h/a"].ejection.reason == "5 timeouts"
    assert messages["h/b"].ejection.remaining.ToMilliseconds() == 0
    assert messages["h/b"].ejection.reason == "x" * MAX_REASON
    assert not messages["h/c"].HasField("ejection")


def test_a_gateway_that_keeps_everybody_out_tells_of_as_many_as_control_takes():
    ejections = {f"h/{number}": Ejected(9.0, "5 timeouts") for number in range(10_000)}

    assert len(load_messages({"h/1": Busy(1)}, ejections)) == MAX_SERVICES
    assert ejections_of.MAX_SERVICES == MAX_SERVICES
    assert (routing.MAX_RATES, speed_messages.MAX_LEVELS) == (MAX_RATES, MAX_LEVELS)


def test_times_to_read_that_cannot_be_are_told_as_none_or_as_very_long():
    loads = {"nan": Busy(1, math.nan), "less": Busy(1, -1e-17), "ever": Busy(1, math.inf)}
    times = [one.pending_prefill.ToSeconds() for one in load_messages(loads, {})]

    assert times == [0, 0, 1_000_000]


def test_what_others_do_is_heard():
    messages = load_messages({"h/a": Busy(2, 0.25)}, {})

    assert elsewhere(messages) == {"h/a": Elsewhere(2, 0, 0.25)}


def test_what_is_learned_is_heard_as_it_was_told():
    assert told(rate_messages([WHOLE], {"h/a": 6})) == [WHOLE]
    least = Told("h/a", "m", samples=1)
    assert told(rate_messages([least], {})) == [least]


def test_what_no_answer_has_shown_is_not_told():
    assert not rate_messages([Told("h/a", "m", prefill=9.0)], {})
