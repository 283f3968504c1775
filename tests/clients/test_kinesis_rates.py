"""The rates of the control plane and the quotas of an account, as they bite a client.

What must hold: a rate is counted before anything is looked up, so that it bites for what is not there as well;
a request for more than a quota allows costs the server nothing. Where the server's clock stands still no rate
comes back, and what passes is counted exactly.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

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


def outcome(kinesis, operation, arguments):
    """How a call is refused: the class of the error and its message; none for a call that is answered."""
    try:
        getattr(kinesis, xform_name(operation))(**arguments)
    except kinesis.exceptions.LimitExceededException as error:
        return LIMIT, error.response["Error"]["Message"]
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return None


def assert_exact(timed, operation, per_second, body, text):
    """In one moment `per_second` calls pass and not one more; with time as many pass as it brings back."""

    def passed(calls, name):
        refusals = [outcome(timed.kinesis, operation, body(name)) for _ in range(calls)]
        throttled = [refusal for refusal in refusals if refusal and refusal[1].startswith("Rate exceeded for ")]
        assert set(throttled) <= {(LIMIT, text(name))}
        return calls - len(throttled)

    name = unique("rate")
    assert passed(per_second, name) == per_second
    assert passed(2, name) == 0
    timed.clock.advance(microseconds=1_000_000 // per_second)
    assert passed(2, name) == 1
    return passed


@pytest.mark.parity(*RATES, grade="approximate", source="documented", note=OUR_TEXT)
@pytest.mark.parametrize("operation", RATES)
def test_a_rate_is_counted_to_the_call(timed, operation):
    per_second, whose, body = RATES[operation]
    names_a_stream = body("a") != body("b")

    def text(name):
        of = f"stream {name} under account {ACCOUNT}" if names_a_stream else f"account {ACCOUNT}"
        return f"Rate exceeded for {of}."

    passed = assert_exact(timed, operation, per_second, body, text)
    assert passed(per_second, unique("other")) == (0 if whose == "account" else per_second)


def of_stream(name):
    return f"Rate exceeded for stream {name} under account {ACCOUNT}."


@pytest.mark.parity("ListShards", grade="exact", source="documented")
def test_the_shards_of_a_stream_are_listed_a_thousand_times_a_second(timed):
    passed = assert_exact(timed, "ListShards", 1000, stream, of_stream)
    assert passed(2, unique("other")) == 2


@pytest.mark.parity("ListShards", grade="exact", source="inferred")
def test_a_page_by_token_counts_for_its_stream(timed):
    name = timed.stream(shards=2)
    token = timed.kinesis.list_shards(StreamName=name, MaxResults=1)["NextToken"]
    for _ in range(999):
        assert len(timed.kinesis.list_shards(NextToken=token)["Shards"]) == 1
    assert refused(timed.kinesis.list_shards, LIMIT, NextToken=token) == of_stream(name)
    assert refused(timed.kinesis.list_shards, LIMIT, StreamName=name) == of_stream(name)
    timed.clock.advance(seconds=1)
    assert len(timed.shards(name)) == 2


# AWS publishes no rate of these.
UNPUBLISHED = {
    "ListTagsForResource": resource,
    "TagResource": lambda name: {**resource(name), "Tags": {"a": ""}},
    "UntagResource": lambda name: {**resource(name), "TagKeys": ["a"]},
    "UpdateMaxRecordSize": lambda name: {"StreamARN": stream_arn(name), "MaxRecordSizeInKiB": 2048},
    "UpdateStreamMode": lambda name: {"StreamARN": stream_arn(name), "StreamModeDetails": {"StreamMode": "ON_DEMAND"}},
    "UpdateStreamRecordDistributionStrategy": lambda name: {
        "StreamARN": stream_arn(name),
        "RecordDistributionStrategy": "AUTO",
    },
}


@pytest.mark.parity(
    *UNPUBLISHED,
    grade="approximate",
    source="inferred",
    note="AWS publishes no rate of it; five calls a second and stream are those of its kind",
)
@pytest.mark.parametrize("operation", UNPUBLISHED)
def test_a_rate_that_is_not_published_is_five_calls_a_second(timed, operation):
    passed = assert_exact(timed, operation, 5, UNPUBLISHED[operation], of_stream)
    assert passed(5, unique("other")) == 5


def throughput_exceeded(mill, name):
    """How often a read of the stream was throttled."""
    metric, label = "aws_kinesis_read_provisioned_throughput_exceeded_sum{", f'stream_name="{name}"'
    page = mill.server.send_unsigned("GET", "/_tidemill/metrics", {}, b"")[2].decode()
    lines = [line for line in page.splitlines() if line.startswith(metric) and label in line]
    values = [line.rsplit(" ", 1)[1] for line in lines]
    return sum(map(float, values))


@pytest.mark.parity(
    "GetRecords",
    grade="approximate",
    source="documented",
    note="a mapping takes a call a second where there are records; AWS's takes one where there are none, too",
)
def test_a_mapping_shares_the_reads_of_a_shard_with_those_who_poll_it(timed):
    name = timed.stream()
    uuid = timed.mapping(name, timed.function("def handle(event, context):\n    return None\n"))
    place = timed.iterator(name)

    def answered(calls):
        answers = [outcome(timed.kinesis, "GetRecords", {"ShardIterator": place}) for _ in range(calls)]
        text = f"Rate exceeded for shard {SHARD} in stream {name} under account {ACCOUNT}."
        assert set(answers) <= {None, ("ProvisionedThroughputExceededException", text)}
        return answers.count(None)

    timed.put(name, ["1"])
    timed.account(uuid, processed=1)
    assert answered(6) == 4
    timed.put(name, ["2"])
    timed.account(uuid, processed=2)
    timed.clock.advance(seconds=1)
    assert answered(5) == 5
    before = throughput_exceeded(timed, name)
    timed.put(name, ["3"])
    eventually(lambda: throughput_exceeded(timed, name) > before, "the mapping waits for its turn")
    assert timed.account(uuid, pending=1)["totals"]["processed"] == 2
    timed.clock.advance(milliseconds=200)
    timed.account(uuid, processed=3)


ON_DEMAND = {"StreamMode": "ON_DEMAND"}


@pytest.mark.parity(
    "CreateStream",
    "UpdateStreamMode",
    "DescribeLimits",
    grade="approximate",
    source="documented",
    note="the text of the message is ours: AWS's is not known",
)
def test_an_account_has_fifty_on_demand_streams(timed):
    kinesis = timed.kinesis
    full = f"Account {ACCOUNT} has reached its limit of 50 on-demand streams."

    def create(name, client=kinesis, **settings):
        # The rate of five calls a second comes back meanwhile.
        timed.clock.advance(seconds=1)
        client.create_stream(StreamName=name, **(settings or {"StreamModeDetails": ON_DEMAND}))

    def refusal(name):
        return refused(create, LIMIT, name=name)

    for number in range(50):
        create(f"on-demand-{number}")
    assert refusal("one-more") == full
    limits = kinesis.describe_limits()
    assert (limits["OnDemandStreamCount"], limits["OnDemandStreamCountLimit"]) == (50, 50)
    create("provisioned", ShardCount=1)
    switch = {"StreamARN": stream_arn("provisioned"), "StreamModeDetails": ON_DEMAND}
    assert refused(kinesis.update_stream_mode, LIMIT, **switch) == full
    create("one-more", client=timed.server.client("kinesis", region="eu-central-1"))
    create("one-more", client=timed.server.client("kinesis", access_key="161616161616"))

    kinesis.delete_stream(StreamName="on-demand-0")
    kinesis.get_waiter("stream_not_exists").wait(StreamName="on-demand-0")
    kinesis.update_stream_mode(**switch)
    assert refusal("one-more") == full


@pytest.mark.parity("CreateStream", grade="exact", source="documented")
def test_a_request_for_a_hundred_thousand_shards_costs_nothing(tmp_path):
    for limits in ["aws", "none"]:
        server = Server(tmp_path, "--limits", limits)
        server.start()
        try:
            kinesis = server.client("kinesis")
            kinesis.create_stream(StreamName="small", ShardCount=1)
            before, start = server.memory(), time.monotonic()
            for number in range(4):
                message = refused(kinesis.create_stream, LIMIT, StreamName=f"large{number}", ShardCount=100_000)
                assert message.startswith(f"This request would exceed the shard limit for the account {ACCOUNT} in ")
            assert time.monotonic() - start < 5
            assert server.memory() - before < 16 * 2**20
            assert kinesis.list_streams()["StreamNames"] == ["small"]
        finally:
            server.stop()


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
