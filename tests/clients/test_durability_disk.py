"""A disk that fills up, and one that becomes read-only: what is acknowledged stays, and the server says so.

The disk is a small ext4 image on a loop mount, so that it is full within seconds and fails as a real one
does. Where it cannot be made, the tests are skipped with what is missing.
"""

import os
import re
import shutil
import subprocess
import threading
import time
from contextlib import ExitStack

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from harness import Mill, Server, eventually

MEBI = 1024 * 1024
IMAGE_MIB, BIGGER_MIB = 64, 128
# What is left for records: all of the image, or a part, so that a test does not take long.
LEFT_BYTES = int(os.environ.get("TIDEMILL_DISK_LEFT_MIB", "12")) * MEBI
PAYLOAD_BYTES = 500_000
TOOLS = ["mkfs.ext4", "resize2fs", "e2fsck", "mount", "umount"]


def system(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)


class SmallDisk:
    """An ext4 image of `IMAGE_MIB`, mounted."""

    def __init__(self, folder):
        self.image, self.place = folder / "disk.img", folder / "disk"
        self.place.mkdir()
        with self.image.open("wb") as image:
            image.truncate(IMAGE_MIB * MEBI)
        self.do("mkfs.ext4", "-q", "-m", "0", self.image)

    @staticmethod
    def do(*command):
        done = system(*command)
        assert done.returncode == 0, f"{command}: {done.stderr}"

    def mount(self):
        self.do("mount", "-o", "loop", self.image, self.place)

    def unmount(self):
        eventually(lambda: system("umount", self.place).returncode == 0, f"{self.place} is unmounted")

    def grow(self):
        self.unmount()
        with self.image.open("r+b") as image:
            image.truncate(BIGGER_MIB * MEBI)
        # It gives 1 when it has mended something, which is well.
        assert system("e2fsck", "-f", "-p", self.image).returncode <= 1
        self.do("resize2fs", self.image)
        self.mount()

    def remove(self):
        if os.path.ismount(self.place) and system("umount", self.place).returncode != 0:
            system("umount", "--lazy", self.place)
        self.image.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("a loop mount needs root")
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    with ExitStack() as stack:
        disk = SmallDisk(tmp_path)
        stack.callback(disk.remove)
        mounted = system("mount", "-o", "loop", disk.image, disk.place)
        if mounted.returncode != 0:
            pytest.skip(f"no loop mount here: {mounted.stderr.strip()}")
        yield disk


@pytest.fixture
def mill(disk, tmp_path):
    server = Server(tmp_path, "--limits", "none", data_dir=disk.place / "data")
    server.start()
    yield Mill(server)
    if server.process is not None:
        server.kill()


def diagnostics(mill):
    return (mill.server.folder / "stderr.txt").read_text(errors="replace")


def payload(n):
    return f"{n}/".encode() + os.urandom(PAYLOAD_BYTES)


def put_until_refused(mill, name, acknowledged, deadline_seconds=60):
    """Puts until a put fails; gives the error. Each put must answer in time."""
    deadline = time.monotonic() + deadline_seconds
    while time.monotonic() < deadline:
        data = payload(len(acknowledged))
        started = time.monotonic()
        try:
            answer = mill.kinesis.put_record(StreamName=name, PartitionKey="key", Data=data)
        except (ClientError, BotoCoreError) as error:
            assert time.monotonic() - started < 20, "a put that fails does not hang"
            return error
        acknowledged[answer["SequenceNumber"]] = data
    raise AssertionError(f"after {deadline_seconds} s every put still succeeds")


def found(mill, name):
    return {record["SequenceNumber"]: record["Data"] for record in mill.read_all(name)}


def check_nothing_is_missing(mill, name, acknowledged):
    stored = found(mill, name)
    missing = [number for number, data in acknowledged.items() if stored.get(number) != data]
    assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged records are missing: {missing[:3]}"


def test_a_full_disk_refuses_puts_keeps_reads_and_loses_nothing(disk, mill):
    name = mill.stream()
    leave(disk.place / "ballast", LEFT_BYTES)
    acknowledged = {}
    error = put_until_refused(mill, name, acknowledged)
    assert len(acknowledged) * PAYLOAD_BYTES > LEFT_BYTES // 2, "the disk was nearly filled"
    assert isinstance(error, ClientError), f"the answer to a put on a full disk is no AWS error: {error!r}"
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "full" in error.response["Error"]["Message"] or "full" in diagnostics(mill)
    # A client that tries again is answered again, and what is there can be read.
    for _ in range(3):
        assert isinstance(put_until_refused(mill, name, acknowledged), ClientError)
    check_nothing_is_missing(mill, name, acknowledged)
    assert mill.server.process.poll() is None, "a full disk does not end the server"
    said = diagnostics(mill)
    assert "panicked" not in said and "full" in said.lower(), said[-2000:]
    mill.server.kill()
    disk.grow()
    mill.server.start()
    check_nothing_is_missing(mill, name, acknowledged)
    answer = mill.kinesis.put_record(StreamName=name, PartitionKey="key", Data=b"there is room again")
    acknowledged[answer["SequenceNumber"]] = b"there is room again"
    check_nothing_is_missing(mill, name, acknowledged)


def test_a_start_on_a_full_disk_has_everything_or_says_what_is_in_the_way(disk, mill):
    name = mill.stream()
    ballast = disk.place / "ballast"
    leave(ballast, 4 * MEBI)
    acknowledged = {}
    put_until_refused(mill, name, acknowledged)
    mill.server.kill()
    fill(disk.place / "more")
    try:
        mill.server.start()
    except AssertionError as refusal:
        assert re.search("(?i)no space|full", str(refusal)), refusal
    else:
        # It has removed what was in the making, and needs no more room than that to serve.
        check_nothing_is_missing(mill, name, acknowledged)
        mill.server.kill()
    ballast.unlink()
    mill.server.start()
    check_nothing_is_missing(mill, name, acknowledged)
    mill.put(name, ["there is room again"])


def leave(ballast, left_bytes):
    """Takes all room of the disk but so much."""
    disk = os.statvfs(ballast.parent)
    taken = disk.f_bavail * disk.f_frsize - left_bytes
    with ballast.open("wb") as file:
        if taken > 0:
            os.posix_fallocate(file.fileno(), 0, taken)


def fill(path):
    with path.open("wb", buffering=0) as file:
        for size in [MEBI, 4096, 512]:
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


def test_a_disk_that_becomes_read_only_ends_the_server_and_keeps_what_it_had(disk, mill):
    name = mill.stream()
    acknowledged = {}
    stopped = threading.Event()
    lock = threading.Lock()

    def put():
        client = mill.server.client("kinesis")
        while not stopped.is_set():
            data = os.urandom(5000)
            try:
                answer = client.put_record(StreamName=name, PartitionKey="key", Data=data)
            except (ClientError, BotoCoreError):
                return
            with lock:
                acknowledged[answer["SequenceNumber"]] = data

    producers = [threading.Thread(target=put, daemon=True) for _ in range(3)]
    for producer in producers:
        producer.start()
    eventually(lambda: len(acknowledged) > 50, "records are acknowledged")
    with lock:
        before = dict(acknowledged)
    # What the kernel does by itself when it has seen the disk fail: read-only at once, whoever writes.
    # While it does, its fdatasync may answer 0 for what it then drops (seen on Linux 6.18 with nothing but
    # pwrite and fdatasync, in 3 of 99 tries), so only what was acknowledged before is compared.
    disk.do("mount", "-o", "remount,abort", disk.place)
    (status,) = eventually(lambda: ended(mill.server), "the server ends", seconds=30)
    mill.server.kill()
    stopped.set()
    for producer in producers:
        producer.join(timeout=30)
        assert not producer.is_alive(), "no put hangs"
    assert status == 3
    said = diagnostics(mill)
    assert "panicked" not in said, said[-2000:]
    assert "error: the server stopped" in said, said[-2000:]
    # A write that was on its way when it happened gets the one, any other the other.
    assert "Input/output error" in said or "Read-only" in said, said[-2000:]
    disk.unmount()
    disk.mount()
    mill.server.start()
    check_nothing_is_missing(mill, name, before)
    mill.put(name, ["writable again"])


def ended(server):
    """The exit status, once the process has ended; in a list, so that 0 is an answer too."""
    status = server.process.poll()
    return None if status is None else [status]
