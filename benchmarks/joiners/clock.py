"""Measure a joiner's work separately from its whole process."""

from collections.abc import Iterator
from contextlib import contextmanager
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from time import perf_counter


@contextmanager
def clocked() -> Iterator[None]:
    """Print the seconds and CPU seconds of the block; CPU seconds include children that have ended."""
    seconds, cpu = perf_counter(), _cpu()
    yield
    print(perf_counter() - seconds, _cpu() - cpu)


def _cpu() -> float:
    return sum(used.ru_utime + used.ru_stime for used in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))
