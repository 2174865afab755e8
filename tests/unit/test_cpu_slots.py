import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lambdas.production.cpu_slots import cpu_slot


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_as_many_run_as_there_are_slots() -> None:
    inside = threading.Semaphore(2)
    met = threading.Barrier(2)  # breaks unless both are inside at the same time

    def work(_: int) -> bool:
        with cpu_slot(2):
            alone_or_second = inside.acquire(blocking=False)
            met.wait(timeout=20)
            inside.release()
        return alone_or_second

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(work, range(6)))


def test_a_caller_without_a_slot_waits_for_one() -> None:
    entered = threading.Event()

    def work() -> None:
        with cpu_slot(1):
            entered.set()

    with cpu_slot(1):
        waiting = threading.Thread(target=work)
        waiting.start()
        assert not entered.wait(timeout=0.5)
    assert entered.wait(timeout=20)
    waiting.join()


def test_a_slot_is_released_after_an_error() -> None:
    with pytest.raises(KeyError), cpu_slot(1):
        raise KeyError
    with cpu_slot(1):
        pass
