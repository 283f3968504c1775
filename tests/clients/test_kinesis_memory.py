"""Memory of shards that have records and fell idle, and of reading back all that is retained.

A few shards by default. `TIDEMILL_MEMORY_SHARDS=10000` puts a million records of 1 KiB on ten thousand, and then waits until
the server, a release build named by `TIDEMILL_BINARY`, holds no more than 100 MB, and reads all of them.
"""

import os
import pathlib
import threading

from harness import Server, eventually
from test_kinesis_rates import resident_bytes

SHARDS = int(os.environ.get("TIDEMILL_MEMORY_SHARDS", "100"))
RECORDS = 100  # on each shard
PAYLOAD = os.urandom(1024)
MB = 10**6
# What is kept for readers of the newest records, and for puts, until nothing has been put for half a minute or a whole one.
BUFFERS = 160 * MB
IDLE_MOST, IDLE_TIME_MOST = 100 * MB, 180


def entries_of(shards):
    """A record for each of `shards`, named by a hash key in the middle of its range."""
    middle = 2**128 // SHARDS // 2
    keys = {shard: str(2**128 * shard // SHARDS + middle) for shard in shards}
    return [{"Data": PAYLOAD, "PartitionKey": str(shard), "ExplicitHashKey": key} for shard, key in keys.items()]


def fill(server):
    requests = [entries_of(range(first, min(first + 500, SHARDS))) for first in range(0, SHARDS, 500)]

    def put(worker):
        kinesis = server.client("kinesis")
        for _ in range(worker, RECORDS, 4):
            for entries in requests:
                assert kinesis.put_records(StreamName="s", Records=entries)["FailedRecordCount"] == 0

    workers = [threading.Thread(target=put, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def read_all(server):
    """How many records there are, and the most that the server held meanwhile."""
    kinesis, count, most = server.client("kinesis"), 0, 0
    for shard in range(SHARDS):
        place = {"StreamName": "s", "ShardId": f"shardId-{shard:012d}", "ShardIteratorType": "TRIM_HORIZON"}
        iterator = kinesis.get_shard_iterator(**place)["ShardIterator"]
        records = None
        while records != []:
            answer = kinesis.get_records(ShardIterator=iterator, Limit=10_000)
            iterator, records = answer["NextShardIterator"], answer["Records"]
            count += len(records)
        most = max(most, resident_bytes(server)) if shard % 100 == 0 else most
    return count, most


def test_memory_does_not_grow_with_what_is_retained(tmp_path):
    server = Server(tmp_path, "--limits", "none", data_dir=tmp_path / "data")
    server.start()
    try:
        # With huge pages the system fills up again what an idle server has given back.
        status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
        assert "THP_enabled:\t0\n" in status
        kinesis = server.client("kinesis")
        kinesis.create_stream(StreamName="s", ShardCount=SHARDS)
        kinesis.get_waiter("stream_exists").wait(StreamName="s")
        empty = resident_bytes(server)
        fill(server)
        if SHARDS >= 10_000:
            eventually(lambda: resident_bytes(server) <= IDLE_MOST, "little memory is held", seconds=IDLE_TIME_MOST)
        count, most = read_all(server)
        assert count == SHARDS * RECORDS
        assert most - empty < BUFFERS, f"{empty / MB:.1f} MB when empty, {most / MB:.1f} MB when read"
    finally:
        server.stop()
