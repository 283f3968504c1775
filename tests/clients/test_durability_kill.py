"""Rounds of `kill -9` under load: whatever the server acknowledged is what it gives back.

Several threads put through boto3 and through raw signed HTTP, the server is killed in the middle, and
after each start everything acknowledged in any round so far is compared with what GetRecords gives:
sequence number, payload, order in the shard, nothing twice. `TIDEMILL_KILL_ROUNDS` says how many rounds.
"""

import base64
import json
import os
import random
import threading
from http.client import HTTPException

from botocore.exceptions import BotoCoreError

from harness import eventually

ROUNDS = int(os.environ.get("TIDEMILL_KILL_ROUNDS", "5"))
SHARDS = 4
# What a round waits for before it kills: enough frames for the kill to fall anywhere between them.
CALLS_LEAST, CALLS_MOST = 20, 120


class Acknowledged:
    """What the server said it has: sequence numbers and payloads, by shard."""

    def __init__(self):
        self._lock = threading.Lock()
        self._records = {}
        self.calls = 0

    def add(self, results):
        """Notes records of one acknowledged call, as (shard, sequence number, payload)."""
        with self._lock:
            self.calls += 1
            for shard, number, payload in results:
                known = self._records.setdefault(shard, {})
                assert int(number) not in known, f"{number} of {shard} was given out twice"
                known[int(number)] = payload

    def of(self, shard):
        return self._records.get(shard, {})

    def __len__(self):
        return sum(len(records) for records in self._records.values())


def payload_of(worker, call, index, chance):
    size = chance.choice([1, 10, 100, 1000, 5000, 60_000])
    return f"{worker}/{call}/{index}/".encode() + chance.randbytes(size)


class Producer(threading.Thread):
    """Puts until the server is gone; notes what was acknowledged and how each other call ended."""

    def __init__(self, name, stream, acknowledged, seed):
        super().__init__(name=name, daemon=True)
        self.stream, self.acknowledged = stream, acknowledged
        self.chance = random.Random(seed)
        self.problem = None

    def run(self):
        try:
            for call in range(1_000_000):
                if not self.put(call):
                    return
        except (BotoCoreError, HTTPException, OSError):
            pass  # The server is gone: what this call put may be there or not.
        except Exception as problem:
            self.problem = problem


class WithBoto(Producer):
    def __init__(self, server, *arguments):
        super().__init__(*arguments)
        self.client = server.client("kinesis")

    def put(self, call):
        payloads = [payload_of(self.name, call, n, self.chance) for n in range(self.chance.randint(1, 8))]
        if len(payloads) == 1:
            answer = self.client.put_record(StreamName=self.stream, PartitionKey=f"{call}", Data=payloads[0])
            self.acknowledged.add([(answer["ShardId"], answer["SequenceNumber"], payloads[0])])
            return True
        entries = [{"PartitionKey": f"{call}-{n}", "Data": data} for n, data in enumerate(payloads)]
        answer = self.client.put_records(StreamName=self.stream, Records=entries)
        self.acknowledged.add(
            (result["ShardId"], result["SequenceNumber"], data)
            for data, result in zip(payloads, answer["Records"])
            if "ErrorCode" not in result
        )
        return True


class WithHttp(Producer):
    def __init__(self, server, *arguments):
        super().__init__(*arguments)
        self.server = server

    def put(self, call):
        payload = payload_of(self.name, call, 0, self.chance)
        body = {
            "StreamName": self.stream,
            "PartitionKey": f"{self.name}-{call}",
            "Data": base64.b64encode(payload).decode(),
        }
        status, _, answer = self.server.call("kinesis", "Kinesis_20131202.PutRecord", json.dumps(body).encode())
        assert status == 200, f"{status}: {answer[:300]}"
        # A connection that was cut in the answer is no acknowledgement.
        try:
            result = json.loads(answer)
        except ValueError:
            return False
        self.acknowledged.add([(result["ShardId"], result["SequenceNumber"], payload)])
        return True


def test_every_acknowledged_record_is_there_after_each_of_many_kills(durable):
    stream = durable.stream(shards=SHARDS)
    acknowledged = Acknowledged()
    for round_number in range(ROUNDS):
        chance = random.Random(round_number)
        kill_in_the_middle(durable.server, stream, acknowledged, round_number, chance)
        durable.server.start()
        compare(durable, stream, acknowledged, f"round {round_number}")
    print(f"{ROUNDS} rounds, {acknowledged.calls} calls, {len(acknowledged)} records acknowledged, none missing")


def kill_in_the_middle(server, stream, acknowledged, round_number, chance):
    kinds = [WithBoto, WithBoto, WithBoto, WithHttp, WithHttp]
    producers = [
        kind(server, f"{round_number}-{n}", stream, acknowledged, chance.random()) for n, kind in enumerate(kinds)
    ]
    enough = acknowledged.calls + chance.randint(CALLS_LEAST, CALLS_MOST)
    for producer in producers:
        producer.start()
    eventually(
        lambda: acknowledged.calls >= enough or any(producer.problem for producer in producers),
        f"{enough} calls are acknowledged",
    )
    server.kill()
    for producer in producers:
        producer.join(timeout=30)
        assert not producer.is_alive(), "a call to a server that is gone does not end"
        assert producer.problem is None, f"{producer.name}: {producer.problem!r}"


def compare(mill, stream, acknowledged, when):
    """Reads every shard from its start and compares it with what was acknowledged."""
    for shard in mill.shards(stream):
        expected = acknowledged.of(shard["ShardId"])
        found = read_shard(mill, stream, shard["ShardId"])
        numbers = [int(record["SequenceNumber"]) for record in found]
        assert numbers == sorted(set(numbers)), f"{when}: {shard['ShardId']} is not in order, or has a number twice"
        payloads = dict(zip(numbers, (record["Data"] for record in found)))
        missing = [number for number in expected if number not in payloads]
        assert not missing, f"{when}: {len(missing)} of {len(expected)} acknowledged records are missing: {missing[:3]}"
        changed = [number for number, payload in expected.items() if payloads[number] != payload]
        assert not changed, f"{when}: {len(changed)} acknowledged records have another payload: {changed[:3]}"
        # A payload names its call, so one that stands at two numbers was stored twice.
        assert len(set(payloads.values())) == len(payloads), f"{when}: a record of {shard['ShardId']} is there twice"


def read_shard(mill, stream, shard):
    records = []
    place = mill.iterator(stream, shard)
    while place:
        answer = mill.kinesis.get_records(ShardIterator=place)
        records.extend(answer["Records"])
        at_tip = not answer["Records"] and answer["MillisBehindLatest"] == 0
        place = None if at_tip else answer.get("NextShardIterator")
    return records
