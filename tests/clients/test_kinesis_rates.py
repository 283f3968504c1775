"""The rates of the control plane and the quotas of an account, as they bite a client.

What must hold: a rate is counted before anything is looked up, so that it bites for what is not there as well;
a request for more than a quota allows costs the server nothing.
"""

import json
import pathlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import ACCOUNT, Mill, Server, eventually, refused, stream_arn, unique

LIMIT = "LimitExceededException"
OUR_TEXT = "the text of the message is ours where the rate is an account's"
SHARD = "shardId-000000000000"


def stream(name):
    return {"StreamName": name}


def resource(name):
    return {"ResourceARN": stream_arn(name)}


def consumer(name):
    return {"StreamARN": stream_arn(name), "ConsumerName": "c"}


def key(name):
    return {**stream(name), "EncryptionType": "KMS", "KeyId": "k"}


# Operation: calls a second, whose calls are counted, and a call.
RATES = {
    "DescribeLimits": (1, "account", lambda name: {}),
    "CreateStream": (5, "account", lambda name: {**stream(name), "ShardCount": 100_000}),
    "DeleteStream": (5, "account", stream),
    "ListStreams": (5, "account", lambda name: {}),
    "AddTagsToStream": (5, "account", lambda name: {**stream(name), "Tags": {"a": ""}}),
    "PutResourcePolicy": (5, "account", lambda name: {**resource(name), "Policy": "{}"}),
    "GetResourcePolicy": (5, "account", resource),
    "DeleteResourcePolicy": (5, "account", resource),
    "DescribeAccountSettings": (5, "account", lambda name: {}),
    "UpdateAccountSettings": (
        5,
        "account",
        lambda name: {"MinimumThroughputBillingCommitment": {"Status": "DISABLED"}},
    ),
    "UpdateStreamWarmThroughput": (5, "account", lambda name: {**stream(name), "WarmThroughputMiBps": 1}),
    "DescribeStream": (10, "account", stream),
    "UpdateShardCount": (
        10,
        "account",
        lambda name: {**stream(name), "TargetShardCount": 1, "ScalingType": "UNIFORM_SCALING"},
    ),
    "DescribeStreamSummary": (20, "account", stream),
    "DescribeStreamConsumer": (20, "stream", consumer),
    "SplitShard": (5, "stream", lambda name: {**stream(name), "ShardToSplit": SHARD, "NewStartingHashKey": "7"}),
    "MergeShards": (
        5,
        "stream",
        lambda name: {**stream(name), "ShardToMerge": SHARD, "AdjacentShardToMerge": SHARD},
    ),
    "RegisterStreamConsumer": (5, "stream", consumer),
    "DeregisterStreamConsumer": (5, "stream", consumer),
    "ListStreamConsumers": (5, "stream", lambda name: {"StreamARN": stream_arn(name)}),
    "ListTagsForStream": (5, "stream", stream),
    "RemoveTagsFromStream": (5, "stream", lambda name: {**stream(name), "TagKeys": ["a"]}),
    "IncreaseStreamRetentionPeriod": (5, "stream", lambda name: {**stream(name), "RetentionPeriodHours": 48}),
    "DecreaseStreamRetentionPeriod": (5, "stream", lambda name: {**stream(name), "RetentionPeriodHours": 24}),
    "EnableEnhancedMonitoring": (5, "stream", lambda name: {**stream(name), "ShardLevelMetrics": ["ALL"]}),
    "DisableEnhancedMonitoring": (5, "stream", lambda name: {**stream(name), "ShardLevelMetrics": ["ALL"]}),
    "StartStreamEncryption": (5, "stream", key),
    "StopStreamEncryption": (5, "stream", key),
}


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    """A server of this file's own, so that nothing else uses up a rate."""
    server = Server(tmp_path_factory.mktemp("rated"), "--limits", "aws")
    server.start()
    yield Mill(server)
    server.stop()


def is_throttled(mill, operation, body):
    _, _, answer = mill.server.call("kinesis", f"Kinesis_20131202.{operation}", json.dumps(body).encode())
    parsed = json.loads(answer or b"{}")
    return parsed.get("__type") == LIMIT and parsed["message"].startswith("Rate exceeded for ")


@pytest.mark.parity(*RATES, grade="approximate", source="documented", note=OUR_TEXT)
@pytest.mark.parametrize("operation", RATES)
def test_a_rate_of_the_control_plane_bites(rated, operation):
    per_second, whose, body = RATES[operation]
    names = [unique("rate"), unique("rate")]
    buckets = 1 if whose == "account" else len(names)
    bodies = [body(names[number % 2]) for number in range(6 * per_second)]
    start = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        throttled = list(pool.map(lambda body: is_throttled(rated, operation, body), bodies))
    seconds = time.monotonic() - start
    passed = throttled.count(False)
    # Full buckets, and what flows in meanwhile.
    most = buckets * (per_second + int(per_second * seconds) + 1)
    assert buckets * per_second <= passed <= most, f"{passed} calls in {seconds} s"


@pytest.mark.parity("CreateStream", grade="exact", source="documented")
def test_a_request_for_a_hundred_thousand_shards_costs_nothing(tmp_path):
    for limits in ["aws", "none"]:
        server = Server(tmp_path, "--limits", limits)
        server.start()
        try:
            kinesis = server.client("kinesis")
            kinesis.create_stream(StreamName="small", ShardCount=1)
            before, start = resident_bytes(server), time.monotonic()
            for number in range(4):
                message = refused(kinesis.create_stream, LIMIT, StreamName=f"large{number}", ShardCount=100_000)
                assert message.startswith(f"This request would exceed the shard limit for the account {ACCOUNT} in ")
            assert time.monotonic() - start < 5
            assert resident_bytes(server) - before < 16 * 2**20
            assert kinesis.list_streams()["StreamNames"] == ["small"]
        finally:
            server.stop()


def resident_bytes(server):
    """What the process holds of memory."""
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


@pytest.mark.parity("CreateStream", grade="approximate", source="documented", note="the text of the message is ours: AWS's is not known")
def test_five_streams_may_be_creating_at_once(tmp_path):
    server = Server(tmp_path, "--limits", "aws", "--state-delay", "600s")
    server.start()
    try:
        kinesis = server.client("kinesis")
        for number in range(5):
            kinesis.create_stream(StreamName=f"s{number}", ShardCount=1)

        def refusal():
            message = refused(kinesis.create_stream, LIMIT, StreamName="s5", ShardCount=1)
            return message == f"Account {ACCOUNT} has 5 streams in CREATING state; wait until one is ACTIVE."

        eventually(refusal, "the quota is told, once the rate lets the call through")
    finally:
        server.stop()


@pytest.mark.parity("DescribeStream", grade="exact", source="client")
def test_the_waiters_of_the_sdk_do_not_trip_over_a_rate(limited):
    name = unique("waited")
    limited.kinesis.create_stream(StreamName=name, ShardCount=1)
    limited.kinesis.get_waiter("stream_exists").wait(StreamName=name)
    limited.kinesis.delete_stream(StreamName=name)
    limited.kinesis.get_waiter("stream_not_exists").wait(StreamName=name)


DRY_RUN = "DryRunOperationException"


@pytest.mark.parity(
    "PutRecord",
    "PutRecords",
    "GetShardIterator",
    "GetRecords",
    grade="approximate",
    source="model",
    note="the text of the message is ours: AWS's is not known",
)
def test_a_dry_run_checks_and_does_nothing(mill, kinesis):
    name, absent = mill.stream(), unique("nowhere")
    record = {"PartitionKey": "k", "Data": b"x"}
    place = {"ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = mill.iterator(name)
    refused(kinesis.put_record, DRY_RUN, StreamName=name, DryRun=True, **record)
    refused(kinesis.put_records, DRY_RUN, StreamName=name, DryRun=True, Records=[record])
    refused(kinesis.get_shard_iterator, DRY_RUN, StreamName=name, DryRun=True, **place)
    refused(kinesis.get_records, DRY_RUN, ShardIterator=iterator, DryRun=True)
    assert mill.read_all(name) == []
    not_found = "ResourceNotFoundException"
    refused(kinesis.put_record, not_found, StreamName=absent, DryRun=True, **record)
    refused(kinesis.put_records, not_found, StreamName=absent, DryRun=True, Records=[record])
    refused(kinesis.get_shard_iterator, not_found, StreamName=absent, DryRun=True, **place)
    refused(kinesis.get_records, "InvalidArgumentException", ShardIterator="nonsense", DryRun=True)
    refused(
        kinesis.put_record, "InvalidArgumentException", StreamName=name, ExplicitHashKey=str(2**128), DryRun=True, **record
    )
    kinesis.put_record(StreamName=name, DryRun=False, **record)
    assert len(mill.read_all(name)) == 1
