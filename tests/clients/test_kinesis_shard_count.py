"""UpdateShardCount: uniform scaling, its limits, and a kill in the middle of it."""

import contextlib
import threading

import pytest

from harness import ACCOUNT, eventually, hash_key, refused, stream_arn, unique

OUR_TEXT = "the text of the message is ours: AWS's is not known"
LIMIT = "LimitExceededException"
SPACE = 2**128


def scale(kinesis, name, count, **arguments):
    return kinesis.update_shard_count(
        StreamName=name, TargetShardCount=count, ScalingType="UNIFORM_SCALING", **arguments
    )


def open_ranges(mill, name):
    """The ranges of the open shards, in order."""
    shards = [shard for shard in mill.shards(name) if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
    ranges = [shard["HashKeyRange"] for shard in shards]
    return sorted((int(each["StartingHashKey"]), int(each["EndingHashKey"])) for each in ranges)


def uniform(ranges, count):
    """Whether `ranges` tile the space and are of one size, but for rounding."""
    starts = [start for start, _ in ranges]
    ends = [end for _, end in ranges]
    tiled = starts[0] == 0 and ends[-1] == SPACE - 1 and all(end + 1 == start for end, start in zip(ends, starts[1:]))
    placed = all(abs(start - index * SPACE // count) < 2**16 for index, start in enumerate(starts))
    return len(ranges) == count and tiled and placed


@pytest.mark.parity("UpdateShardCount", grade="exact", source="documented")
def test_a_stream_is_doubled_and_halved(mill, kinesis):
    name = mill.stream(shards=2)
    answer = scale(kinesis, name, 4)
    del answer["ResponseMetadata"]
    assert answer == {
        "StreamName": name,
        "StreamARN": stream_arn(name),
        "CurrentShardCount": 2,
        "TargetShardCount": 4,
    }
    mill.active(name)
    assert uniform(open_ranges(mill, name), 4)
    assert len(mill.shards(name)) == 6, "one split for each shard"
    assert scale(kinesis, name, 2)["CurrentShardCount"] == 4
    mill.active(name)
    assert uniform(open_ranges(mill, name), 2)
    merged = [shard for shard in mill.shards(name) if "AdjacentParentShardId" in shard]
    assert len(merged) == 2, "one merge for each pair"


@pytest.mark.parity("UpdateShardCount", grade="exact", source="observed")
def test_four_shards_become_three_of_one_size(mill, kinesis):
    name = mill.stream(shards=4)
    scale(kinesis, name, 3)
    mill.active(name)
    assert uniform(open_ranges(mill, name), 3)
    assert mill.summary(name)["OpenShardCount"] == 3


@pytest.mark.parity("UpdateShardCount", grade="exact", source="inferred")
@pytest.mark.parametrize("counts", [(1, 2, 3, 5), (5, 7, 6, 12), (12, 11, 9, 5)])
def test_any_count_within_the_rules_ends_uniform(mill, kinesis, counts):
    name = mill.stream(shards=counts[0])
    for count in counts[1:]:
        scale(kinesis, name, count)
        mill.active(name)
        assert uniform(open_ranges(mill, name), count)


@pytest.mark.parity("UpdateShardCount", grade="exact", source="observed")
def test_a_target_lies_between_the_half_and_the_double(mill, kinesis):
    name = mill.stream(shards=3)
    arguments = {"StreamName": name, "ScalingType": "UNIFORM_SCALING"}
    message = refused(kinesis.update_shard_count, LIMIT, TargetShardCount=7, **arguments)
    assert message == (
        "UpdateShardCount cannot scale up over double your current open shard count. "
        "Current open shard count: 3 Target shard count: 7"
    )
    message = refused(kinesis.update_shard_count, LIMIT, TargetShardCount=1, **arguments)
    assert message == (
        "UpdateShardCount cannot scale down below half your current open shard count. "
        "Current open shard count: 3 Target shard count: 1"
    )
    client = mill.server.client("kinesis", parameter_validation=False)
    refused(client.update_shard_count, "ValidationException", TargetShardCount=0, **arguments)
    assert uniform(open_ranges(mill, name), 3)


@pytest.mark.parity("UpdateShardCount", grade="approximate", source="model", note=OUR_TEXT)
def test_an_on_demand_stream_is_not_scaled_by_hand(mill, kinesis):
    name = unique("stream")
    kinesis.create_stream(StreamName=name)
    mill.active(name)
    arguments = {"StreamName": name, "TargetShardCount": 8, "ScalingType": "UNIFORM_SCALING"}
    refused(kinesis.update_shard_count, ("ValidationException", "InvalidArgumentException"), **arguments)


@pytest.mark.parity("UpdateShardCount", grade="exact", source="model")
def test_what_is_not_there_is_not_scaled(mill, kinesis):
    absent = unique("nowhere")
    arguments = {"TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING"}
    message = refused(kinesis.update_shard_count, "ResourceNotFoundException", StreamName=absent, **arguments)
    assert message == f"Stream {absent} under account {ACCOUNT} not found."
    refused(
        kinesis.update_shard_count,
        "InvalidArgumentException",
        StreamName=mill.stream(),
        StreamARN=stream_arn(absent),
        **arguments,
    )
    client = mill.server.client("kinesis", parameter_validation=False)
    arguments["ScalingType"] = "OTHER"
    message = refused(client.update_shard_count, "ValidationException", StreamName=absent, **arguments)
    assert "Member must satisfy enum value set: [UNIFORM_SCALING]" in message


@pytest.mark.parity("UpdateShardCount", grade="approximate", source="documented", note=OUR_TEXT)
def test_a_stream_is_scaled_ten_times_a_day(limited):
    name = limited.stream()
    for number in range(10):
        scale(limited.kinesis, name, 1 + (number + 1) % 2)
        limited.active(name)
    refused(
        limited.kinesis.update_shard_count,
        LIMIT,
        StreamName=name,
        TargetShardCount=2,
        ScalingType="UNIFORM_SCALING",
    )


@pytest.mark.parity("UpdateShardCount", grade="exact", source="documented")
def test_records_that_are_put_meanwhile_keep_their_order(mill, kinesis):
    name = mill.stream(shards=4)
    done = threading.Event()
    put = []

    def produce():
        client = mill.server.client("kinesis")
        while not done.is_set():
            number = len(put)
            answer = client.put_record(StreamName=name, PartitionKey="key", Data=str(number).encode())
            put.append((int(answer["SequenceNumber"]), answer["ShardId"]))

    producer = threading.Thread(target=produce)
    producer.start()
    try:
        for count in [3, 6, 5]:
            eventually(lambda: len(put) > 5, "records flow")
            scale(kinesis, name, count)
            mill.active(name)
    finally:
        done.set()
        producer.join()
    assert [number for number, _ in put] == sorted(number for number, _ in put)
    ranges = {shard["ShardId"]: shard["HashKeyRange"] for shard in mill.shards(name)}
    for _, shard in put:
        taken = ranges[shard]
        assert int(taken["StartingHashKey"]) <= hash_key("key") <= int(taken["EndingHashKey"])
    records = sorted(mill.read_all(name), key=lambda record: int(record["SequenceNumber"]))
    assert [int(record["Data"]) for record in records] == list(range(len(put)))


def test_a_scaling_that_has_begun_survives_a_kill(durable):
    name = durable.stream(shards=64)
    durable.put(name, ["before"])

    def ask():
        client = durable.server.client("kinesis")
        with contextlib.suppress(Exception):
            scale(client, name, 48)

    asking = threading.Thread(target=ask)
    asking.start()

    def begun():
        return durable.summary(name)["StreamStatus"] == "UPDATING" or len(durable.shards(name)) > 64

    eventually(begun, "the scaling has begun")
    durable.server.kill()
    asking.join()
    durable.server.start()
    durable.active(name)
    assert uniform(open_ranges(durable, name), 48)
    assert [record["Data"] for record in durable.read_all(name)] == [b"before"]
