"""A clock that a test sets by hand: the server that is started with it has no other.

It stands still until it is set. What it stands on is a library of a few lines of C that answers in place of the
system when the server asks for the time of day; durations are measured as ever. What must hold: the server's
functions and everything else on the machine keep the real time.
"""

import datetime
import mmap
import shutil
import struct
import subprocess
import sys

import pytest

SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *millis;

__attribute__((constructor)) static void open_clock(void) {
    int file = open(getenv("TIDEMILL_TEST_CLOCK"), O_RDONLY);
    millis = mmap(NULL, sizeof *millis, PROT_READ, MAP_SHARED, file, 0);
    if (millis == MAP_FAILED) abort();
    unsetenv("LD_PRELOAD");
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (clock != CLOCK_REALTIME) return syscall(SYS_clock_gettime, clock, now);
    now->tv_sec = *millis / 1000;
    now->tv_nsec = *millis % 1000 * 1000000;
    return 0;
}
"""


def library(folder):
    """Compiles the library into `folder`; gives its path."""
    if not sys.platform.startswith("linux") or shutil.which("cc") is None:
        pytest.skip("a clock that is set by hand needs Linux and a C compiler")
    source, path = folder / "clock.c", folder / "clock.so"
    source.write_text(SOURCE)
    words = ["cc", "-shared", "-fPIC", "-O1", "-o", str(path), str(source)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return path


class Clock:
    """The time as the server sees it; `environment` is what to start the server with."""

    def __init__(self, folder, library, now):
        file = folder / "clock"
        file.write_bytes(bytes(8))
        with file.open("r+b") as opened:
            self._millis = mmap.mmap(opened.fileno(), 8)
        self.environment = {"LD_PRELOAD": str(library), "TIDEMILL_TEST_CLOCK": str(file)}
        self.set(now)

    def set(self, now):
        self.now = now
        self._millis[:] = struct.pack("=q", round(now.timestamp() * 1000))

    def advance(self, **duration):
        self.set(self.now + datetime.timedelta(**duration))
