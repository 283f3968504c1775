"""Enhanced fan-out: SubscribeToShard over HTTP/1.1, as boto3 speaks it."""

import itertools
import time

import pytest
from botocore.exceptions import ClientError, EventStreamError

from harness import ACCOUNT, eventually, refused, stream_arn

SHARD = "shardId-000000000000"
HALF = str(2**127)


def consumer(mill, stream, name="board"):
    """A new active consumer; gives its ARN."""
    registered = mill.kinesis.register_stream_consumer(StreamARN=stream_arn(stream), ConsumerName=name)
    arn = registered["Consumer"]["ConsumerARN"]

    def status():
        described = mill.kinesis.describe_stream_consumer(ConsumerARN=arn)
        return described["ConsumerDescription"]["ConsumerStatus"]

    eventually(lambda: status() == "ACTIVE", f"{arn} is active")
    return arn


def subscribe(mill, arn, kind="TRIM_HORIZON", shard=SHARD, **start):
    answer = mill.kinesis.subscribe_to_shard(
        ConsumerARN=arn, ShardId=shard, StartingPosition={"Type": kind, **start}
    )
    return answer["EventStream"]


def events(stream):
    return (event["SubscribeToShardEvent"] for event in stream)


def texts(stream, count):
    """The data of the next `count` records."""
    records = itertools.chain.from_iterable(event["Records"] for event in events(stream))
    return [record["Data"].decode() for record in itertools.islice(records, count)]


@pytest.mark.parity("SubscribeToShard", grade="exact", source="observed")
def test_records_are_pushed_over_http_1(mill):
    stream = mill.stream()
    arn = consumer(mill, stream)
    mill.put(stream, ["a", "b"])
    subscription = subscribe(mill, arn)
    first = next(events(subscription))
    assert [record["Data"] for record in first["Records"]] == [b"a", b"b"]
    assert (first["MillisBehindLatest"], first.get("ChildShards")) == (0, None)
    record = first["Records"][0]
    assert record["PartitionKey"] == "key" and abs(record["ApproximateArrivalTimestamp"].timestamp() - time.time()) < 60
    sent = mill.put(stream, ["c"])
    pushed = next(event for event in events(subscription) if event["Records"])
    assert [record["SequenceNumber"] for record in pushed["Records"]] == sent
    subscription.close()


@pytest.mark.parity("SubscribeToShard", grade="exact", source="model")
def test_a_subscription_begins_where_it_is_told(mill):
    stream = mill.stream()
    first, second = mill.put(stream, ["a", "b"])
    for index, (start, expected) in enumerate([
        ({"kind": "TRIM_HORIZON"}, ["a", "b", "c"]),
        ({"kind": "AT_SEQUENCE_NUMBER", "SequenceNumber": second}, ["b", "c"]),
        ({"kind": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": first}, ["b", "c"]),
        ({"kind": "AT_TIMESTAMP", "Timestamp": 1}, ["a", "b", "c"]),
    ]):
        if index == 0:
            latest = subscribe(mill, consumer(mill, stream, "latest"), "LATEST")
            assert next(events(latest))["Records"] == []
            mill.put(stream, ["c"])
            assert texts(latest, 1) == ["c"]
            latest.close()
        subscription = subscribe(mill, consumer(mill, stream, f"c{index}"), **start)
        assert texts(subscription, len(expected)) == expected
        subscription.close()


@pytest.mark.parity("SubscribeToShard", grade="exact", source="client")
def test_a_client_goes_on_after_the_last_number_it_was_given(mill):
    stream = mill.stream()
    arn = consumer(mill, stream)
    mill.put(stream, ["a"])
    subscription = subscribe(mill, arn)
    number = next(events(subscription))["ContinuationSequenceNumber"]
    empty = next(event for event in events(subscription) if not event["Records"])
    assert int(empty["ContinuationSequenceNumber"]) >= int(number)
    subscription.close()
    mill.put(stream, ["b"])
    start = {"kind": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": empty["ContinuationSequenceNumber"]}
    again = eventually(lambda: free(mill, arn, **start), "the place is free again")
    assert texts(again, 1) == ["b"]
    again.close()


def free(mill, arn, **start):
    """A subscription, unless the one before still has the place."""
    try:
        return subscribe(mill, arn, **start)
    except ClientError as error:
        # Who asks for it too often is told so, as soon as nothing else is in the way.
        assert error.response["Error"]["Code"] in ("ResourceInUseException", "LimitExceededException")
        return None


@pytest.mark.parity("SubscribeToShard", grade="exact", source="client")
def test_a_closed_shard_ends_with_its_children(mill):
    stream = mill.stream()
    arn = consumer(mill, stream)
    mill.put(stream, ["a"])
    subscription = subscribe(mill, arn)
    assert texts(subscription, 1) == ["a"]
    mill.kinesis.split_shard(StreamName=stream, ShardToSplit=SHARD, NewStartingHashKey=HALF)
    *before, last = events(subscription)
    assert all("ChildShards" not in event for event in before)
    assert "ContinuationSequenceNumber" not in last
    assert [child["ShardId"][-1] for child in last["ChildShards"]] == ["1", "2"]
    assert all(child["ParentShards"] == [SHARD] for child in last["ChildShards"])


@pytest.mark.parity("SubscribeToShard", grade="exact", source="observed")
def test_a_place_is_held_for_five_seconds(limited):
    stream = limited.stream()
    arn = consumer(limited, stream)
    first = subscribe(limited, arn)
    message = refused(
        limited.kinesis.subscribe_to_shard,
        "ResourceInUseException",
        ConsumerARN=arn,
        ShardId=SHARD,
        StartingPosition={"Type": "LATEST"},
    )
    assert message == f"Another active subscription exists for this consumer: {ACCOUNT}:{stream}:{SHARD}:board"
    second = eventually(lambda: free(limited, arn, kind="LATEST"), "the place can be taken over")
    with pytest.raises(EventStreamError) as lost:
        list(first)
    assert lost.value.response["Error"]["Code"] == "ResourceInUseException"
    assert next(events(second))["Records"] == []
    second.close()


@pytest.mark.parity(
    "SubscribeToShard", grade="approximate", source="documented", note="the text of the message is ours: AWS's is not known"
)
def test_a_shard_is_subscribed_to_once_a_second(timed):
    stream = timed.stream(shards=2)
    board, other = consumer(timed, stream, "board"), consumer(timed, stream, "other")

    def refusal(code, kind, shard=SHARD):
        call = {"ConsumerARN": board, "ShardId": shard, "StartingPosition": {"Type": kind}}
        return refused(timed.kinesis.subscribe_to_shard, code, **call)

    def subscribed(arn, shard=SHARD):
        subscribe(timed, arn, "LATEST", shard).close()
        return True

    too_soon = f"Rate exceeded for consumer board and shard {SHARD} in stream {stream} under account {ACCOUNT}."
    refusal("InvalidArgumentException", "AT_SEQUENCE_NUMBER")
    assert refusal("LimitExceededException", "LATEST") == too_soon
    assert subscribed(other) and subscribed(board, "shardId-000000000001")
    timed.clock.advance(milliseconds=999)
    assert refusal("LimitExceededException", "LATEST") == too_soon
    timed.clock.advance(milliseconds=1)
    assert subscribed(board)
    held = refusal("ResourceInUseException", "LATEST")
    assert held.startswith("Another active subscription exists for this consumer: ")
    timed.clock.advance(seconds=5)
    assert subscribed(board)


@pytest.mark.parity("SubscribeToShard", "DeregisterStreamConsumer", grade="exact", source="model")
def test_a_consumer_that_is_deregistered_is_told(mill):
    stream = mill.stream()
    arn = consumer(mill, stream)
    subscription = subscribe(mill, arn)
    next(events(subscription))
    mill.kinesis.deregister_stream_consumer(ConsumerARN=arn)
    with pytest.raises(EventStreamError) as lost:
        list(subscription)
    assert lost.value.response["Error"]["Code"] == "ResourceNotFoundException"
    refused(
        mill.kinesis.subscribe_to_shard,
        "ResourceNotFoundException",
        ConsumerARN=arn,
        ShardId=SHARD,
        StartingPosition={"Type": "LATEST"},
    )


@pytest.mark.parity("SubscribeToShard", grade="exact", source="observed")
def test_in_cbor_a_subscription_fails_as_it_does_at_aws(mill):
    cbor = "application/x-amz-cbor-1.1"
    status, headers, body = mill.server.call("kinesis", "Kinesis_20131202.SubscribeToShard", b"\xbf\xff", cbor)
    assert (status, headers["Content-Type"]) == (500, cbor)
    assert body == b"\xbf\x66__type\x6fInternalFailure\xff"


def test_a_server_that_stops_ends_its_subscriptions(durable):
    stream = durable.stream()
    subscription = subscribe(durable, consumer(durable, stream))
    next(events(subscription))
    began = time.monotonic()
    assert durable.server.stop() == 0
    list(subscription)
    assert time.monotonic() - began < 4, "it does not wait for connections that would not end"


@pytest.mark.parity(
    "SubscribeToShard", grade="approximate", source="model", note="the text of the message is ours: AWS's is not known"
)
def test_a_dry_run_checks_and_begins_no_subscription(timed):
    stream = timed.stream()
    arn, latest = consumer(timed, stream), {"StartingPosition": {"Type": "LATEST"}, "DryRun": True}
    dry = timed.kinesis.subscribe_to_shard
    refused(dry, "DryRunOperationException", ConsumerARN=arn, ShardId=SHARD, **latest)
    not_found = "ResourceNotFoundException"
    refused(dry, not_found, ConsumerARN=arn, ShardId="shardId-000000000001", **latest)
    refused(dry, not_found, ConsumerARN=f"{arn}1", ShardId=SHARD, **latest)
    # Neither another subscription nor the rate of one call a second is in the way of the first.
    subscription = subscribe(timed, arn)
    timed.put(stream, ["a"])
    assert texts(subscription, 1) == ["a"]
    subscription.close()
