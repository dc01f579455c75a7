"""gpustack/gpustack#5935: after a time of load, all workers were taken for lost."""


def test_when_all_are_silent_nobody_is_lost(members):
    lost, spared = members.expire(60.0)

    assert lost == []
    assert spared == 10
