"""gpustack/gpustack#1075: a worker that came and went took its models along, every time."""

from control.flaps import Flaps


def test_what_comes_and_goes_every_two_seconds_is_held_back_until_it_stays():
    flaps = Flaps()
    for second in range(0, 60, 2):
        flaps.fell("h/s", float(second))
        flaps.release(float(second))
    assert flaps.holds("h/s")

    flaps.release(58.0 + 60.0)
    assert not flaps.holds("h/s")
