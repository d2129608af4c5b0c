"""When our own code fails on input: how much of it is put up with before a partition stops."""

from kernel.bus.poison import PoisonGuard


def test_more_than_twenty_in_a_row_stop() -> None:
    guard = PoisonGuard()
    assert [guard.failed() for _ in range(21)] == [False] * 20 + [True]


def test_a_good_record_begins_the_row_anew() -> None:
    guard = PoisonGuard()
    for _ in range(5):
        assert not any(guard.failed() for _ in range(15))
        guard.fine()


def test_more_than_a_tenth_of_the_last_thousand_stop() -> None:
    guard = PoisonGuard()
    answers = []
    for _ in range(300):
        answers.append(guard.failed())
        guard.fine(7)
    # Before a thousand records were seen nothing is said of a share; then one in eight is too many.
    assert not any(answers[:124])
    assert answers[125]


def test_a_tenth_and_less_goes_on() -> None:
    guard = PoisonGuard()
    for _ in range(500):
        assert not guard.failed()
        guard.fine(9)


def test_old_failures_are_forgotten() -> None:
    guard = PoisonGuard()
    for _ in range(6):
        for _ in range(18):
            guard.failed()
        guard.fine()
    guard.fine(1_000)
    assert not guard.failed()
