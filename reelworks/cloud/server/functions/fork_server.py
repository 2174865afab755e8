"""Start functions' processes by forking one that has imported their libraries: `python fork_server.py`.

Importing boto3, pydantic, NumPy and PyAV takes most of a function's start; a fork has them at once, and
shares the memory. The cloud (forked.py) sends one byte for each process over the socket that is this
program's standard input, with four file descriptors: the process's standard input, output and error, and a
pipe. To the pipe this program writes the process's id, and later its exit code, each as a signed 32-bit
integer; a negative errno in place of the id says that no process could be made. The program ends when the
socket closes.

The process reads one line of JSON from its standard input: the folder it works in, its environment, and the
program it runs. With the argument `once`, this program is such a process itself: on macOS, whose system
libraries can't be used after a fork (https://bugs.python.org/issue33725).

Standard library only, except for what is imported for the functions.
"""

import errno
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
from contextlib import suppress

# What functions import, apart from their own code, and what these libraries import at their first use.
LIBRARIES = (
    "av",
    "aws_lambda_powertools.logging.correlation_paths",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.batch",
    "boto3",
    "botocore.httpsession",
    "botocore.signers",
    "c2pa",
    "jwt",
    "markdown_it",
    "numpy.random",
    "numpy.typing",
    "PIL.ImageChops",
    "PIL.ImageCms",
    "PIL.ImageDraw",
    "PIL.ImageFilter",
    "PIL.ImageFont",
    "PIL.ImageOps",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "pydantic.json_schema",
    "pydantic.root_model",
    "pydantic.type_adapter",
    "pysubs2",
    "s3transfer.manager",
    "uniseg.graphemecluster",
    "uniseg.linebreak",
)

NUMBER = struct.Struct("=i")
_PIPES = 4


def _serve(requests: socket.socket) -> bool:
    """Fork for each request. Return True in the new process, and False once the socket has closed."""
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    reports: dict[int, int] = {}  # of each process: where its exit code goes
    while True:
        ready, _, _ = select.select([requests.fileno(), woken], [], [])
        if woken in ready:
            with suppress(BlockingIOError):
                os.read(woken, 1024)
            _report_ends(reports)
        if requests.fileno() in ready:
            _, pipes, _, _ = socket.recv_fds(requests, 1, _PIPES)
            if len(pipes) < _PIPES:
                return False
            *streams, report = pipes
            try:
                pid = os.fork()
            except OSError as error:
                pid = -(error.errno or errno.EAGAIN)
            if pid == 0:
                _become_a_process(streams)
                requests.detach()
                return True
            for stream in streams:
                os.close(stream)
            if pid > 0:
                reports[pid] = report
            _write(report, pid)
            if pid < 0:
                os.close(report)


def _become_a_process(streams: list[int]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
    os.closerange(len(streams), os.sysconf("SC_OPEN_MAX"))


def _report_ends(reports: dict[int, int]) -> None:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            report = reports.pop(ended[0])
            _write(report, os.waitstatus_to_exitcode(ended[1]))
            os.close(report)


def _write(report: int, number: int) -> None:
    with suppress(BrokenPipeError):  # the cloud no longer wants to know
        os.write(report, NUMBER.pack(number))


def _import_libraries() -> None:
    gc.disable()
    for name in LIBRARIES:
        with suppress(ImportError):  # the function that needs it says so
            importlib.import_module(name)
    gc.freeze()  # a later collection would write to the memory that the processes share
    gc.enable()


def main() -> None:
    if sys.argv[1:] != ["once"]:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the cloud, which then stops us
        with socket.socket(fileno=os.dup(sys.stdin.fileno())) as requests:
            _import_libraries()
            if not _serve(requests):
                return
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins by ignoring it
    start = json.loads(sys.stdin.readline())
    os.chdir(start["folder"])
    os.environ.clear()
    os.environ.update(start["environment"])
    exec(compile(start["program"], "<function>", "exec"), {"__name__": "__main__"})  # noqa: S102 - ministack's


if __name__ == "__main__":
    main()
