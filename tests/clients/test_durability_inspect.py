"""`tidemill log`: what a data folder holds, told without a server, and what in it is not what was written."""

import json
import subprocess

import pytest

from harness import BINARY


@pytest.fixture
def written(durable):
    """A killed server's data folder, with 20 records in it."""
    name = durable.stream()
    durable.put(name, [f"grain {n}" for n in range(20)])
    durable.function("def handle(event, context):\n    return None\n")
    durable.server.kill()
    return durable.server.data_dir


def log(*arguments):
    """Runs `tidemill log`; gives the status, the envelope and what went to standard error."""
    command = [str(BINARY), "log", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert "panicked" not in done.stderr
    envelope = json.loads(done.stdout)
    assert (envelope["schema_version"], envelope["command"]) == (1, f"log {arguments[0]}")
    return done.returncode, envelope, done.stderr


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_a_killed_server_leaves_is_clean(written):
    before = contents(written)
    status, envelope, _ = log("verify", "--data-dir", written)
    assert (status, envelope["status"], envelope["data"]["verdict"]) == (0, "ok", "clean")
    counts = envelope["data"]["counts"]
    assert counts["entries"] >= 22 and counts["blobs"] == 1, counts
    assert contents(written) == before, "nothing is changed"


def test_damage_is_found_where_it_is(written):
    (log_file,) = (written / "wal").iterdir()
    content = log_file.read_bytes()
    at = content.index(b"grain 7")
    log_file.write_bytes(content[:at] + b"GRAIN" + content[at + 5 :])
    status, envelope, _ = log("verify", "--data-dir", written)
    assert (status, envelope["status"], envelope["data"]["verdict"]) == (1, "finding", "damaged")
    damage = envelope["data"]["damage"]
    assert {found["file"] for found in damage} == {f"wal/{log_file.name}"}
    entry = next(found for found in damage if found["what"].startswith("entry 7 of streams/"))
    assert at - 200 < entry["offset"] <= at
    done = subprocess.run([BINARY, "log", "verify", "--data-dir", written], capture_output=True, text=True)
    assert done.returncode == 1 and "entry 7 of streams/" in done.stdout and "try: " in done.stderr


def test_a_torn_end_is_told_and_is_no_damage(written):
    (log_file,) = (written / "wal").iterdir()
    # Zeros stand ahead of the frames; frames are whole blocks of 4 KiB.
    frames = log_file.read_bytes().rstrip(b"\0")
    size = -(-len(frames) // 4096) * 4096
    with log_file.open("r+b") as file:
        file.truncate(size)
        file.seek(size)
        file.write(b"torn")
    status, envelope, _ = log("verify", "--data-dir", written)
    assert (status, envelope["data"]["verdict"]) == (0, "clean")
    torn = {"file": f"wal/{log_file.name}", "offset": size, "bytes": 4}
    assert envelope["data"]["torn_tail"] == torn and len(envelope["warnings"]) == 1


def test_a_folder_in_use_is_not_looked_at(durable):
    for command in ["verify", "dump"]:
        status, envelope, stderr = log(command, "--data-dir", durable.server.data_dir)
        assert (status, envelope["status"], envelope["data"]) == (3, "error", None)
        assert "in use" in envelope["error"]["message"] and "stop the server" in stderr
    assert durable.stream(), "the server does not mind"


def test_a_folder_without_data_is_told_and_not_made(tmp_path):
    for place in [tmp_path, tmp_path / "nowhere"]:
        status, envelope, stderr = log("verify", "--data-dir", place)
        assert status == 3 and str(place) in envelope["error"]["message"] and "try: " in stderr
    assert list(tmp_path.iterdir()) == []


def test_the_listing_has_every_record_and_every_control_command(written):
    status, envelope, _ = log("dump", "--data-dir", written)
    lines = envelope["data"]["lines"]
    assert status == 0 and lines[0]["kind"] == "file" and lines[1]["kind"] == "frame"
    entries = [line for line in lines if line["kind"] == "entry"]
    assert all(entry["checksum_ok"] for entry in entries)
    commands = [entry["command"] for entry in entries if entry["partition"] == "control/0"]
    told = [name for command in commands for name in command["json"]]
    assert "CreateStream" in told and {command["service"] for command in commands} >= {"streams", "functions"}
    (shard,) = {entry["partition"] for entry in entries if entry["partition"].startswith("streams/")}
    assert [entry["position"] for entry in entries if entry["partition"] == shard] == list(range(20))
    _, envelope, _ = log("dump", "--data-dir", written, "--partition", shard, "--from", 18)
    kept = [line for line in envelope["data"]["lines"] if line["kind"] == "entry"]
    assert [(entry["partition"], entry["position"]) for entry in kept] == [(shard, 18), (shard, 19)]
