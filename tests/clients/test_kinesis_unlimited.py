"""What `--limits none` lifts, and what it leaves: no rate and no quota bites, every size does.

The server's clock stands still, so that no rate comes back between two calls.
"""

import pytest

import clock
from harness import refused, stream_arn
from test_kinesis_rates import RATES, UNPUBLISHED, is_throttled, stream

MEBIBYTE = 1_048_576
ON_DEMAND, PROVISIONED = {"StreamMode": "ON_DEMAND"}, {"StreamMode": "PROVISIONED"}
# The most that the model lets DescribeLimits say.
LIFTED = 1_000_000


@pytest.fixture(scope="module")
def unlimited(tmp_path_factory, clock_library):
    """A server whose streams and consumers take a second to change, and whose clock stands still."""
    folder = tmp_path_factory.mktemp("unlimited")
    unlimited = clock.started(folder, clock_library, "--limits", "none", "--state-delay", "1s")
    yield unlimited
    unlimited.server.stop()


PER_SECOND = {operation: (calls, body) for operation, (calls, _, body) in RATES.items()}
PER_SECOND.update({operation: (5, body) for operation, body in UNPUBLISHED.items()})
PER_SECOND["ListShards"] = (1000, stream)


@pytest.mark.parametrize("operation", PER_SECOND)
def test_a_rate_of_the_control_plane_is_lifted(unlimited, operation):
    per_second, body = PER_SECOND[operation]
    throttled = [is_throttled(unlimited, operation, body("nowhere")) for _ in range(per_second + 25)]
    assert not any(throttled)


def test_the_quotas_of_an_account_are_lifted(unlimited):
    # Of on-demand streams there are 50, of streams in CREATING 5, of shards in this region 6,000.
    kinesis = unlimited.server.client("kinesis", access_key="181818181818", region="eu-central-1")
    for number in range(55):
        kinesis.create_stream(StreamName=f"on-demand-{number}", StreamModeDetails=ON_DEMAND)
    kinesis.create_stream(StreamName="large", ShardCount=6_001)
    streams = kinesis.get_paginator("list_streams").paginate()
    assert [page["StreamStatus"] for page in streams.search("StreamSummaries[]")] == ["CREATING"] * 56
    unlimited.clock.advance(seconds=1)
    assert [page["StreamStatus"] for page in streams.search("StreamSummaries[]")] == ["ACTIVE"] * 56
    limits = kinesis.describe_limits()
    assert (limits["ShardLimit"], limits["OpenShardCount"]) == (LIFTED, 6_001)
    assert (limits["OnDemandStreamCountLimit"], limits["OnDemandStreamCount"]) == (LIFTED, 55)
    kinesis.delete_stream(StreamName="large")


def new_stream(unlimited, name):
    unlimited.kinesis.create_stream(StreamName=name, ShardCount=1)
    unlimited.clock.advance(seconds=1)
    return name


def test_the_quotas_of_a_stream_are_lifted(unlimited):
    # Of consumers there are 20, of those in CREATING 5.
    arn = stream_arn(new_stream(unlimited, "board"))
    for number in range(25):
        made = unlimited.kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=f"c{number}")["Consumer"]
        assert made["ConsumerStatus"] == "CREATING"
    consumers = unlimited.kinesis.list_stream_consumers(StreamARN=arn)["Consumers"]
    assert [consumer["ConsumerStatus"] for consumer in consumers] == ["CREATING"] * 25


def test_changes_are_not_counted_by_the_day(unlimited):
    # Of a stream's numbers of shards there are 10 a day, of its modes 2, of keys 25.
    kinesis, name = unlimited.kinesis, new_stream(unlimited, "changed")
    arn, key = stream_arn(name), {"StreamName": name, "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
    for number in range(12):
        target = 1 + (number + 1) % 2
        kinesis.update_shard_count(StreamName=name, TargetShardCount=target, ScalingType="UNIFORM_SCALING")
        unlimited.clock.advance(seconds=1)
        assert unlimited.summary(name)["OpenShardCount"] == target
    for mode in [ON_DEMAND, PROVISIONED] * 2:
        kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails=mode)
        unlimited.clock.advance(seconds=1)
        assert unlimited.summary(name)["StreamModeDetails"] == mode
    for _ in range(26):
        for change, kind in [(kinesis.start_stream_encryption, "KMS"), (kinesis.stop_stream_encryption, "NONE")]:
            change(**key)
            unlimited.clock.advance(seconds=1)
            assert unlimited.summary(name)["EncryptionType"] == kind


def test_the_rates_of_a_shard_are_lifted(unlimited):
    # A shard takes 1,000 records and a mebibyte a second, answers 5 calls of each kind, and gives two mebibytes.
    kinesis, name = unlimited.kinesis, new_stream(unlimited, "busy")
    small, large = ({"PartitionKey": "k", "Data": b"x" * size} for size in (1, MEBIBYTE - 1))
    for entries in [[small] * 500] * 3 + [[large] * 10]:
        assert kinesis.put_records(StreamName=name, Records=entries)["FailedRecordCount"] == 0
    for _ in range(7):
        place = unlimited.iterator(name)
        assert len(kinesis.get_records(ShardIterator=place)["Records"]) > 1_500


def test_the_sizes_of_what_is_put_and_read_stay(unlimited):
    kinesis, name = unlimited.kinesis, new_stream(unlimited, "sizes")
    client = unlimited.server.client("kinesis", parameter_validation=False)

    def refusal(call, **arguments):
        return refused(call, ("InvalidArgumentException", "ValidationException"), **arguments)

    place, record = unlimited.iterator(name), {"PartitionKey": "k", "Data": b"x"}
    largest = {"PartitionKey": "k", "Data": b"x" * (MEBIBYTE - 1)}
    message = refusal(kinesis.put_record, StreamName=name, PartitionKey="k", Data=b"x" * MEBIBYTE)
    assert message.endswith("Member must have length less than or equal to 1048576.")
    refusal(client.put_records, StreamName=name, Records=[record] * 501)
    refusal(kinesis.put_records, StreamName=name, Records=[largest] * 10 + [record])
    refusal(client.put_record, StreamName=name, PartitionKey="k" * 257, Data=b"x")
    refusal(client.get_records, ShardIterator=place, Limit=10_001)
    assert kinesis.get_records(ShardIterator=place)["Records"] == []


def test_the_sizes_of_a_stream_stay(unlimited):
    kinesis, name = unlimited.kinesis, new_stream(unlimited, "small")
    client = unlimited.server.client("kinesis", parameter_validation=False)
    invalid, validation = "InvalidArgumentException", "ValidationException"
    refused(kinesis.increase_stream_retention_period, validation, StreamName=name, RetentionPeriodHours=8761)
    refused(client.update_max_record_size, validation, StreamARN=stream_arn(name), MaxRecordSizeInKiB=10_241)
    refused(kinesis.add_tags_to_stream, invalid, StreamName=name, Tags={f"t{number}": "" for number in range(51)})
    refused(kinesis.create_stream, "LimitExceededException", StreamName="huge", ShardCount=20_001)
    refused(
        kinesis.update_shard_count,
        "LimitExceededException",
        StreamName=name,
        TargetShardCount=3,
        ScalingType="UNIFORM_SCALING",
    )
