"""Run a program; the last line printed is its seconds, CPU seconds and peak memory in KiB.

    python -I -S launch.py PROGRAM ARGUMENT...

Linux includes a process's memory before `exec` in its peak, so a program started by a large process would
look large. This launcher, which imports next to nothing, sits in between. CPU and peak include children that
the program waited for; the peak is the largest single process, not the sum.
"""

import os
import sys
from time import perf_counter


def main() -> None:
    started = perf_counter()
    process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
    _, status, used = os.wait4(process, 0)
    seconds = perf_counter() - started
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(f"{sys.argv[1:4]} ended with exit code {code}")
    print(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss)


if __name__ == "__main__":
    main()
