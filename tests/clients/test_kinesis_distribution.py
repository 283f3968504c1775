"""Record distribution AUTO, and the operations on queues and channels that are refused by name."""

import collections
import json

import pytest

from harness import ACCOUNT, REGION, refused, stream_arn, unique

INVALID = "InvalidArgumentException"


def on_demand(mill, strategy=None):
    """A new on-demand stream of four shards; gives its name."""
    name = unique("stream")
    chosen = {"RecordDistributionStrategy": strategy} if strategy else {}
    mill.kinesis.create_stream(StreamName=name, StreamModeDetails={"StreamMode": "ON_DEMAND"}, **chosen)
    mill.active(name)
    return name


def update(kinesis, name, strategy):
    return kinesis.update_stream_record_distribution_strategy(
        StreamARN=stream_arn(name), RecordDistributionStrategy=strategy
    )


@pytest.mark.parity("UpdateStreamRecordDistributionStrategy", "CreateStream", grade="exact", source="model")
def test_the_strategy_is_shown_and_changed_at_once(mill, kinesis):
    name = on_demand(mill)
    assert mill.summary(name)["RecordDistributionStrategy"] == "USER_PARTITION_KEY"
    update(kinesis, name, "AUTO")
    summary = mill.summary(name)
    assert (summary["RecordDistributionStrategy"], summary["StreamStatus"]) == ("AUTO", "ACTIVE")
    update(kinesis, name, "USER_PARTITION_KEY")
    assert mill.summary(name)["RecordDistributionStrategy"] == "USER_PARTITION_KEY"
    assert mill.summary(on_demand(mill, "AUTO"))["RecordDistributionStrategy"] == "AUTO"
    assert "RecordDistributionStrategy" not in mill.summary(mill.stream())


@pytest.mark.parity("PutRecord", "PutRecords", "UpdateStreamRecordDistributionStrategy", grade="exact", source="model")
def test_under_auto_records_are_spread_whatever_their_keys_say(mill, kinesis):
    name = on_demand(mill, "AUTO")
    shards = collections.Counter()
    for _ in range(8):
        answer = kinesis.put_record(StreamName=name, PartitionKey="one", ExplicitHashKey="0", Data=b"x")
        shards[answer["ShardId"]] += 1
    entries = [{"PartitionKey": "one", "Data": b"x"}] * 40
    for entry in kinesis.put_records(StreamName=name, Records=entries)["Records"]:
        shards[entry["ShardId"]] += 1
    assert list(shards.values()) == [12] * 4
    assert len(mill.read_all(name)) == 48


@pytest.mark.parity("PutRecord", "PutRecords", "GetRecords", grade="exact", source="model")
def test_under_auto_a_key_is_given_back_only_where_one_was_sent(mill, kinesis):
    name = on_demand(mill, "AUTO")
    kinesis.put_record(StreamName=name, Data=b"none")
    kinesis.put_records(StreamName=name, Records=[{"Data": b"none"}, {"Data": b"some", "PartitionKey": "k"}])
    records = mill.read_all(name)
    assert sorted(record["Data"] for record in records) == [b"none", b"none", b"some"]
    for record in records:
        assert record.get("PartitionKey") == ("k" if record["Data"] == b"some" else None)


@pytest.mark.parity("UpdateStreamRecordDistributionStrategy", "PutRecord", "PutRecords", grade="exact", source="model")
def test_producers_without_keys_fail_once_they_have_to_decide(mill, kinesis):
    name = on_demand(mill, "AUTO")
    kinesis.put_record(StreamName=name, Data=b"x")
    update(kinesis, name, "USER_PARTITION_KEY")
    refused(kinesis.put_record, "ValidationException", StreamName=name, Data=b"x")
    refused(kinesis.put_records, "ValidationException", StreamName=name, Records=[{"Data": b"x"}])


@pytest.mark.parity("PutRecord", "UpdateStreamRecordDistributionStrategy", grade="exact", source="model")
def test_what_auto_does_not_go_with_is_refused(mill, kinesis):
    name = on_demand(mill, "AUTO")
    number = kinesis.put_record(StreamName=name, Data=b"x")["SequenceNumber"]
    refused(
        kinesis.put_record,
        INVALID,
        StreamName=name,
        PartitionKey="k",
        Data=b"x",
        SequenceNumberForOrdering=number,
    )
    provisioned = mill.stream()
    refused(
        kinesis.update_stream_record_distribution_strategy,
        INVALID,
        StreamARN=stream_arn(provisioned),
        RecordDistributionStrategy="AUTO",
    )
    refused(
        kinesis.create_stream, INVALID, StreamName=unique("s"), ShardCount=1, RecordDistributionStrategy="AUTO"
    )
    absent = unique("nowhere")
    message = refused(
        kinesis.update_stream_record_distribution_strategy,
        "ResourceNotFoundException",
        StreamARN=stream_arn(absent),
        RecordDistributionStrategy="AUTO",
    )
    assert message == f"Stream {absent} under account {ACCOUNT} not found."


QUEUE = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:queue/q"
CHANNEL = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:channel/c"
OF_2026 = {
    "AcknowledgeDeadLetterQueueRecords": {"QueueARN": QUEUE},
    "AcknowledgeQueueRecords": {"QueueARN": QUEUE},
    "CreateChannel": {"ChannelName": "c"},
    "CreateQueue": {"QueueName": "q"},
    "DeleteChannel": {"ChannelARN": CHANNEL},
    "DeleteQueue": {"QueueARN": QUEUE},
    "DescribeChannel": {"ChannelARN": CHANNEL},
    "DescribeQueue": {"QueueARN": QUEUE},
    "ListChannels": {},
    "ListQueues": {},
    "ReceiveDeadLetterQueueRecords": {"QueueARN": QUEUE},
    "ReceiveQueueRecords": {"QueueARN": QUEUE},
    "RestoreDeadLetterQueueRecords": {"QueueARN": QUEUE},
    "UpdateChannel": {"ChannelARN": CHANNEL},
    "UpdateDeadLetterQueueRecordsVisibility": {"QueueARN": QUEUE},
    "UpdateQueue": {"QueueARN": QUEUE},
    "UpdateQueueRecordsVisibility": {"QueueARN": QUEUE},
}


@pytest.mark.parity(*OF_2026, grade="refused", source="model")
@pytest.mark.parametrize("operation", OF_2026)
def test_an_operation_on_queues_or_channels_is_refused_by_name(mill, operation):
    body = json.dumps(OF_2026[operation]).encode()
    status, _, answer = mill.server.call("kinesis", f"Kinesis_20131202.{operation}", body)
    # Not 500, 502, 503 or 504: those the SDKs would try again.
    assert status == 501
    assert json.loads(answer) == {
        "__type": "UnsupportedOperationException",
        "message": f"Tidemill does not support {operation}; docs/PARITY.md lists what it does.",
    }


def test_a_client_sees_the_refusal_of_a_queue_as_an_error_with_its_name(mill, kinesis):
    if not hasattr(kinesis, "list_queues"):
        pytest.skip("this boto3 does not know queues of Kinesis")
    message = refused(kinesis.list_queues, "UnsupportedOperationException")
    assert message == "Tidemill does not support ListQueues; docs/PARITY.md lists what it does."
