"""Memory of shards that have records and fell idle, and of reading back all that is retained.

A thousand shards with 200 MB of records by default. `TIDEMILL_MEMORY_SHARDS=10000` puts a million records on ten
thousand, and then waits until the server, a release build named by `TIDEMILL_BINARY`, holds no more than 100 MB.

Each bound lies below what the records have, so that a server which kept them in memory would break all of them. The
half a minute after which a server is idle, or a whole one, elapses by a clock that the test sets.
"""

import json
import os
import threading

import clock
from harness import eventually

SHARDS = int(os.environ.get("TIDEMILL_MEMORY_SHARDS", "1000"))
RECORDS = 100  # on each shard
PAYLOAD = os.urandom(2048)
RETAINED = SHARDS * RECORDS * len(PAYLOAD)
MB = 10**6
# What is kept for readers of the newest records, and for puts, until next to nothing has been put for a while; and
# where the newest records of each shard stand. With a thousand, 113 to 152 MB were measured in all.
BUSY = 160 * MB + SHARDS * 20_000
# The promise is 100 MB for ten thousand idle shards. A server grows when it is used for the first time, too, however
# few shards it has: with a thousand, 20 to 30 MB were measured in all.
IDLE = SHARDS * 10_000 + 30 * MB
IDLE_MOST = 100 * MB
# What reads need meanwhile: 1 to 2 MB, measured.
READING = 10 * MB


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


def call(server, operation, **body):
    status, _, answer = server.call("kinesis", f"Kinesis_20131202.{operation}", json.dumps(body).encode())
    assert status == 200, answer
    return json.loads(answer)


def read_all(server):
    """How many records there are, and the most that the server held meanwhile."""
    count, most = 0, 0
    for shard in range(SHARDS):
        place = {"StreamName": "s", "ShardId": f"shardId-{shard:012d}", "ShardIteratorType": "TRIM_HORIZON"}
        iterator, behind = call(server, "GetShardIterator", **place)["ShardIterator"], None
        while behind != 0:
            answer = call(server, "GetRecords", ShardIterator=iterator, Limit=10_000)
            iterator, behind = answer["NextShardIterator"], answer["MillisBehindLatest"]
            count += len(answer["Records"])
        most = max(most, server.memory()) if shard % 100 == 99 else most
    return count, most


def test_memory_does_not_grow_with_what_is_retained(tmp_path, clock_library):
    assert max(BUSY, IDLE + READING) < RETAINED, "a larger bound says nothing"
    mill = clock.started(tmp_path, clock_library, "--limits", "none", data_dir=tmp_path / "data")
    server, kinesis = mill.server, mill.kinesis
    try:
        # With huge pages the system fills up again what an idle server has given back.
        assert "THP_enabled:\t0\n" in server.status()
        kinesis.create_stream(StreamName="s", ShardCount=SHARDS)
        kinesis.get_waiter("stream_exists").wait(StreamName="s")
        empty = server.memory()

        def grown(now):
            return f"{empty / MB:.1f} MB when empty, {now / MB:.1f} MB now"

        fill(server)
        most = server.memory("VmHWM")
        assert most - empty < BUSY, grown(most)

        def is_idle():
            mill.elapse(seconds=5)
            most = IDLE + empty if SHARDS < 10_000 else min(IDLE + empty, IDLE_MOST)
            return server.memory() <= most

        eventually(is_idle, "little memory is held", seconds=60)
        count, most = read_all(server)
        assert count == SHARDS * RECORDS
        assert most - empty < IDLE + READING, grown(most)
    finally:
        server.stop()
