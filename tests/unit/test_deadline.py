"""Functions stop before Lambda stops them."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lambdas.deadline import OutOfTime, deadline


class Context:
    def __init__(self, remaining_ms: int) -> None:
        self._remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._remaining_ms


def run(remaining_ms: int, seconds: float) -> str:
    try:
        with deadline(Context(remaining_ms), 1_000):  # type: ignore[arg-type]
            try:
                time.sleep(seconds)
            except Exception:  # noqa: BLE001  as code in between might
                return "swallowed"
            return "done"
    except OutOfTime:
        return "out of time"


@pytest.mark.parametrize("remaining_ms", [1_050, 1_000, 0])
def test_a_block_ends_before_the_function_s_time(remaining_ms: int) -> None:
    assert run(remaining_ms, 60) == "out of time"


def test_an_exception_that_a_callback_drops_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdas.deadline._AGAIN_SECONDS", 0.05)
    dropped = 0

    def work() -> None:
        nonlocal dropped
        with deadline(Context(1_010), 1_000):  # type: ignore[arg-type]
            try:
                time.sleep(60)
            except OutOfTime:
                dropped += 1
            time.sleep(60)

    with pytest.raises(OutOfTime):
        work()
    assert dropped == 1
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_block_in_time_is_left_alone_and_so_is_what_follows() -> None:
    before = signal.getsignal(signal.SIGALRM)
    assert run(60_000, 0) == "done"
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_errors_pass_and_end_the_deadline() -> None:
    with pytest.raises(KeyError), deadline(Context(60_000), 1_000):  # type: ignore[arg-type]
        raise KeyError
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_other_threads_have_no_deadline() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(run, 1_010, 0.1).result() == "done"
