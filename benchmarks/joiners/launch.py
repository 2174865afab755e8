"""Runs a program; the last line of what is printed then is its seconds, CPU seconds and peak memory in KiB.

    python -I -S launch.py PROGRAM ARGUMENT...

Linux counts what a process was before `exec` into its peak: one that a large process starts would look
large. So this one, which imports next to nothing, lies between. CPU and peak contain the program's own
children that it waited for; of them and itself the largest is the peak, not the sum.
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
        sys.exit(f"{sys.argv[1:4]} ended with {code}")
    print(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss)


if __name__ == "__main__":
    main()
