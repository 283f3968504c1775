"""Aggregated records, as the producer libraries of AWS make them: to the stream they are bytes like any other."""

import base64
import hashlib

import pytest
from aws_kinesis_agg.aggregator import RecordAggregator
from aws_kinesis_agg.deaggregator import iter_deaggregate_records

from harness import hash_key

MAGIC = b"\xf3\x89\x9a\xc2"
USERS = [(f"user-{n}", f"wave {n} ü".encode()) for n in range(100)]


def aggregate(users):
    """The bytes of one record of many."""
    aggregator = RecordAggregator()
    for key, data in users:
        assert aggregator.add_user_record(key, data) is None, "they all fit into one"
    _, _, data = aggregator.clear_and_get().get_contents()
    return data


def deaggregated(records):
    """What users had put."""
    for record in iter_deaggregate_records(records, data_format="Boto3"):
        data = record["kinesis"]["data"]
        # The library gives back what was aggregated in base64, and what was not as it was.
        is_part = record["kinesis"].get("aggregated", False)
        yield record["kinesis"]["partitionKey"], base64.b64decode(data) if is_part else data


@pytest.mark.parity("PutRecord", "PutRecords", "GetRecords", grade="exact", source="client")
def test_an_aggregated_record_passes_through_untouched(mill, kinesis):
    name = mill.stream(shards=4)
    data = aggregate(USERS)
    assert data[:4] == MAGIC and data[-16:] == hashlib.md5(data[4:-16]).digest()
    # So the Kinesis Producer Library puts an aggregate: under one key, at the hash of its first user's key.
    entry = {"PartitionKey": "a", "ExplicitHashKey": str(hash_key(USERS[0][0])), "Data": data}
    one = kinesis.put_record(StreamName=name, **entry)
    many = kinesis.put_records(StreamName=name, Records=[entry, {**entry, "Data": b"plain"}])
    assert {result["ShardId"] for result in many["Records"]} == {one["ShardId"]}
    first, second, plain = mill.read(mill.iterator(name, one["ShardId"]), 3)
    assert first["Data"] == second["Data"] == data and plain["Data"] == b"plain"
    assert first["PartitionKey"] == "a"
    assert list(deaggregated([first, plain])) == [*USERS, ("a", b"plain")]
