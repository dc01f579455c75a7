"""What was felt of control is told of the time that is asked for."""

from bench import pulse


def test_only_what_was_due_within_a_time_counts(tmp_path):
    path = tmp_path / "pulse"
    lines = [
        (pulse.CALLS, 100, 5_000_000),
        (pulse.CALLS, 200, 1_000_000),
        (pulse.BEATS, 200, 3_000_000),
        (pulse.CALLS, 300, 2_000_000),
    ]
    half = b"\0" * 3  # still being written
    path.write_bytes(b"".join(pulse._LINE.pack(*line) for line in lines) + half)

    assert pulse.read(path, pulse.CALLS, 150, 300) == pulse.Times(2, 1.0, 2.0, 2.0)
    assert pulse.read(path, pulse.BEATS, 150, 300) == pulse.Times(1, 3.0, 3.0, 3.0)


def test_nothing_felt_is_zero():
    assert pulse.times([]) == pulse.Times(0, 0.0, 0.0, 0.0)
