"""The product's own demonstration: its verdict, twice in a row, and through a kill in the middle."""

import json
import os
import subprocess

from harness import BINARY, Server, eventually


def demo(*options, **settings):
    command = [str(BINARY), "demo", "--json", *options]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings
    )


def verdict(process):
    """What the demonstration said, once it has ended well."""
    said, diagnostics = process.communicate(timeout=180)
    assert process.returncode == 0, f"{said[-3000:]}\n{diagnostics[-3000:]}"
    envelope = json.loads(said)
    assert (envelope["schema_version"], envelope["command"], envelope["status"]) == (1, "demo", "ok")
    assert envelope["error"] is None
    return envelope["data"]


def acked(server):
    """How many records the mappings have before them; none while the server is away."""
    try:
        return max((mapping["totals"]["acked"] for mapping in server.get("/_tidemill/ledger")["mappings"]), default=0)
    except OSError:
        return 0


def test_the_demo_accounts_for_every_flight_and_a_second_time_too(tmp_path):
    with_space = {**os.environ, "TMPDIR": str(tmp_path)}
    first = verdict(demo(env=with_space))
    second = verdict(demo(env=with_space))
    for data in (first, second):
        careful = data["careful"]["totals"]
        assert (careful["processed"], careful["dead_lettered"], careful["pending"]) == (26_398, 606, 0)
        assert (data["queue"]["records"], data["queue"]["rows"]) == (606, 606)
        assert data["stream_holds"] == {"records": 27_004, "missing": 0}
        assert data["producer"]["throttled"] > 0
        assert data["landings"]["wrong"] == 0
        assert data["landings"]["epochs"] > 1, "the batch view was swapped while it was asked"


def test_the_demo_accounts_for_every_flight_through_a_kill_and_a_restart(tmp_path):
    server = Server(tmp_path, data_dir=tmp_path / "data").start()
    try:
        process = demo("--endpoint", server.url)
        eventually(lambda: acked(server) > 8_000, "a third of the flights is on the stream", seconds=60)
        assert process.poll() is None, "the demonstration is in the middle of its job"
        server.restart()
        data = verdict(process)
        assert data["stream_holds"]["missing"] == 0
        totals = [mapping["totals"] for mapping in server.get("/_tidemill/ledger")["mappings"]]
        assert len(totals) == 2
        for counts in totals:
            closed = sum(counts[name] for name in ("processed", "filtered", "dead_lettered", "discarded", "expired"))
            assert counts["acked"] == closed + counts["pending"]
            assert counts["acked"] >= 27_004
    finally:
        server.stop()
