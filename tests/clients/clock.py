"""A clock that a test sets by hand: the server that is started with it has no other.

It stands still until it is set. What it stands on is a small library in C that answers in place of the system when
the server asks for the time of day. Durations are measured as ever until the test lets time elapse: then so much of
it has passed for every duration as well, and whoever has waited long enough by that goes on. What must hold: the
server's functions and everything else on the machine keep the real time.
"""

import datetime
import mmap
import shutil
import struct
import subprocess
import sys

import pytest

from harness import Mill, Server

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Nobody waits for longer without a look at what has elapsed. */
enum { LOOK_MILLIS = 20 };

static volatile struct { int64_t now, elapsed; } *hand;
static long (*system_call)(long, ...);
static int (*system_epoll_wait)(int, struct epoll_event *, int, int);

__attribute__((constructor)) static void open_clock(void) {
    int file = open(getenv("TIDEMILL_TEST_CLOCK"), O_RDONLY);
    hand = mmap(NULL, sizeof *hand, PROT_READ, MAP_SHARED, file, 0);
    system_call = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    system_epoll_wait = (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
    if (hand == MAP_FAILED || !system_call || !system_epoll_wait) abort();
    unsetenv("LD_PRELOAD");
}

static int64_t nanos(struct timespec time) { return time.tv_sec * 1000000000 + time.tv_nsec; }

static struct timespec timespec_of(int64_t nanos) {
    return (struct timespec){nanos / 1000000000, nanos % 1000000000};
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (clock == CLOCK_REALTIME) {
        *now = timespec_of(hand->now * 1000000);
        return 0;
    }
    int answer = system_call(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_MONOTONIC) *now = timespec_of(nanos(*now) + hand->elapsed * 1000000);
    return answer;
}

/* What waits on a lock or a condition until a moment waits in pieces. */
long syscall(long number, ...) {
    va_list given;
    va_start(given, number);
    long a = va_arg(given, long), b = va_arg(given, long), c = va_arg(given, long);
    long d = va_arg(given, long), e = va_arg(given, long), f = va_arg(given, long);
    va_end(given);
    if (number != SYS_futex || (b & ~FUTEX_PRIVATE_FLAG) != FUTEX_WAIT_BITSET || d == 0)
        return system_call(number, a, b, c, d, e, f);
    for (;;) {
        struct timespec now;
        system_call(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
        int64_t look = nanos(now) + LOOK_MILLIS * 1000000;
        int64_t deadline = nanos(*(struct timespec *)d) - hand->elapsed * 1000000;
        int is_last = deadline <= look;
        struct timespec until = timespec_of(is_last ? (deadline > 0 ? deadline : 0) : look);
        long answer = system_call(number, a, b, c, &until, e, f);
        if (answer == 0 || errno != ETIMEDOUT || is_last) return answer;
    }
}

/* What waits for a socket or a timer looks at its timers more often. */
int epoll_wait(int file, struct epoll_event *events, int most, int millis) {
    return system_epoll_wait(file, events, most, millis < 0 || millis > LOOK_MILLIS ? LOOK_MILLIS : millis);
}
"""


def library(folder):
    """Compiles the library into `folder`; gives its path."""
    if not sys.platform.startswith("linux") or shutil.which("cc") is None:
        pytest.skip("a clock that is set by hand needs Linux and a C compiler")
    source, path = folder / "clock.c", folder / "clock.so"
    source.write_text(SOURCE)
    words = ["cc", "-shared", "-fPIC", "-O1", "-o", str(path), str(source), "-ldl"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return path


class Clock:
    """The time as the server sees it; `environment` is what to start the server with."""

    def __init__(self, folder, library, now):
        file = folder / "clock"
        file.write_bytes(bytes(16))
        with file.open("r+b") as opened:
            self._hand = mmap.mmap(opened.fileno(), 16)
        self.environment = {"LD_PRELOAD": str(library), "TIDEMILL_TEST_CLOCK": str(file)}
        self._elapsed = datetime.timedelta()
        self.set(now)

    def set(self, now):
        """Sets the time of day; no duration is longer or shorter for it."""
        self.now = now
        self._hand[:8] = struct.pack("=q", round(now.timestamp() * 1000))

    def advance(self, **duration):
        self.set(self.now + datetime.timedelta(**duration))

    def elapse(self, **duration):
        """Lets time pass, as it does for whoever waits."""
        self.advance(**duration)
        self._elapsed += datetime.timedelta(**duration)
        self._hand[8:] = struct.pack("=q", self._elapsed // datetime.timedelta(milliseconds=1))


def started(folder, library, *options, **settings):
    """A server with these options and a clock of its own, and its clients."""
    hand = Clock(folder, library, datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc))
    server = Server(folder, *options, environment=hand.environment, **settings)
    server.start()
    return Mill(server, hand)
