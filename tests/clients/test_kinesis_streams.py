"""Streams: created, described, listed, deleted, kept for longer, tagged."""

import datetime
import itertools

import pytest

from harness import ACCOUNT, REGION, eventually, refused, stream_arn, unique

NOT_FOUND = "ResourceNotFoundException"
INVALID = "InvalidArgumentException"


def gone(kinesis, name):
    try:
        kinesis.describe_stream_summary(StreamName=name)
    except kinesis.exceptions.ResourceNotFoundException:
        return True
    return False


def describe(kinesis, name, **arguments):
    return kinesis.describe_stream(StreamName=name, **arguments)["StreamDescription"]


@pytest.mark.parity("CreateStream", "ListShards", grade="exact", source="observed")
def test_a_new_stream_covers_the_hash_space_once(mill):
    name = mill.stream(shards=3)
    ranges = [shard["HashKeyRange"] for shard in mill.shards(name)]
    assert [(each["StartingHashKey"], each["EndingHashKey"]) for each in ranges] == [
        ("0", "113427455640312821154458202477256070484"),
        ("113427455640312821154458202477256070485", "226854911280625642308916404954512140969"),
        ("226854911280625642308916404954512140970", "340282366920938463463374607431768211455"),
    ]


@pytest.mark.parity("DescribeStream", grade="exact", source="model")
def test_a_described_stream_says_all_of_itself(mill, kinesis):
    name = mill.stream(shards=2)
    found = describe(kinesis, name)
    assert found["StreamName"] == name
    assert found["StreamARN"] == stream_arn(name)
    assert found["StreamStatus"] == "ACTIVE"
    assert found["HasMoreShards"] is False
    assert found["RetentionPeriodHours"] == 24
    assert found["EnhancedMonitoring"] == [{"ShardLevelMetrics": []}]
    assert found["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}
    age = datetime.datetime.now(datetime.timezone.utc) - found["StreamCreationTimestamp"]
    assert datetime.timedelta(seconds=-60) < age < datetime.timedelta(minutes=10)
    assert [shard["ShardId"] for shard in found["Shards"]] == [
        "shardId-000000000000",
        "shardId-000000000001",
    ]
    for shard in found["Shards"]:
        assert len(shard["SequenceNumberRange"]["StartingSequenceNumber"]) == 56
        assert "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        assert "ParentShardId" not in shard and "AdjacentParentShardId" not in shard


@pytest.mark.parity("CreateStream", grade="exact", source="observed")
def test_adjacent_shards_of_one_stream_differ_as_in_production(mill):
    shards = mill.shards(mill.stream(shards=2))
    first, second = (int(shard["SequenceNumberRange"]["StartingSequenceNumber"]) for shard in shards)
    assert second - first == 22300745198530623141535718272648361505980432


@pytest.mark.parity("DescribeStream", grade="exact", source="model")
def test_a_described_stream_comes_in_pages(mill, kinesis):
    name = mill.stream(shards=5)
    first = describe(kinesis, name, Limit=2)
    assert [shard["ShardId"][-1] for shard in first["Shards"]] == ["0", "1"] and first["HasMoreShards"]
    last = first["Shards"][-1]["ShardId"]
    rest = describe(kinesis, name, ExclusiveStartShardId=last)
    assert [shard["ShardId"][-1] for shard in rest["Shards"]] == ["2", "3", "4"]
    assert not rest["HasMoreShards"]
    pages = kinesis.get_paginator("describe_stream").paginate(
        StreamName=name, PaginationConfig={"PageSize": 2}
    )
    assert sum(len(page["StreamDescription"]["Shards"]) for page in pages) == 5


@pytest.mark.parity("DescribeStreamSummary", grade="exact", source="model")
def test_the_summary_counts_shards_and_does_not_list_them(mill):
    name = mill.stream(shards=4)
    summary = mill.summary(name)
    assert summary["OpenShardCount"] == 4
    assert summary["StreamARN"] == stream_arn(name)
    assert summary["StreamStatus"] == "ACTIVE"
    assert summary["RetentionPeriodHours"] == 24
    assert summary["EnhancedMonitoring"] == [{"ShardLevelMetrics": []}]
    assert summary["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}
    assert "Shards" not in summary


@pytest.mark.parity("CreateStream", "DescribeStream", "DeleteStream", grade="exact", source="model")
def test_the_waiters_of_the_sdk_see_a_stream_come_and_go(kinesis):
    name = unique("stream")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    kinesis.delete_stream(StreamName=name)
    kinesis.get_waiter("stream_not_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})


@pytest.mark.parity("CreateStream", grade="exact", source="observed")
def test_a_stream_without_a_number_of_shards_is_on_demand_with_four(mill, kinesis):
    name = unique("stream")
    kinesis.create_stream(StreamName=name)
    mill.active(name)
    summary = mill.summary(name)
    assert summary["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    assert summary["OpenShardCount"] == 4


@pytest.mark.parity(
    "CreateStream",
    grade="approximate",
    source="documented",
    note="the text of the message is ours: AWS's is not known",
)
def test_an_on_demand_stream_takes_no_number_of_shards(kinesis):
    refused(
        kinesis.create_stream,
        (INVALID, "ValidationException"),
        StreamName=unique("stream"),
        ShardCount=2,
        StreamModeDetails={"StreamMode": "ON_DEMAND"},
    )


@pytest.mark.parity("CreateStream", grade="exact", source="observed")
def test_a_name_is_taken_once(mill, kinesis):
    name = mill.stream()
    message = refused(kinesis.create_stream, "ResourceInUseException", StreamName=name, ShardCount=1)
    assert message == f"Stream {name} under account {ACCOUNT} already exists."


@pytest.mark.parametrize("name", ["with space", "ümlaut", "slash/ed"])
@pytest.mark.parity("CreateStream", grade="exact", source="observed")
def test_a_name_has_few_kinds_of_letters(kinesis, name):
    message = refused(kinesis.create_stream, "ValidationException", StreamName=name, ShardCount=1)
    assert message == (
        f"1 validation error detected: Value '{name}' at 'streamName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
    )


@pytest.mark.parity("CreateStream", grade="exact", source="model")
def test_a_name_has_an_end(kinesis):
    message = refused(kinesis.create_stream, "ValidationException", StreamName="a" * 129, ShardCount=1)
    assert "Member must have length less than or equal to 128" in message
    kinesis.create_stream(StreamName="a" * 128, ShardCount=1)
    kinesis.delete_stream(StreamName="a" * 128)


@pytest.mark.parity("CreateStream", grade="exact", source="observed")
def test_all_constraints_that_are_broken_are_told_at_once(mill):
    client = mill.server.client("kinesis", parameter_validation=False)
    message = refused(client.create_stream, "ValidationException", StreamName="a b", ShardCount=0)
    assert message.startswith("2 validation errors detected: ")
    assert "'shardCount' failed to satisfy constraint: Member must have value greater than or equal to 1" in message


@pytest.mark.parametrize(
    "call", ["describe_stream", "describe_stream_summary", "delete_stream", "list_shards", "list_tags_for_stream"]
)
@pytest.mark.parity(
    "DescribeStream",
    "DescribeStreamSummary",
    "DeleteStream",
    "ListShards",
    "ListTagsForStream",
    grade="exact",
    source="observed",
)
def test_a_stream_that_is_not_there_is_not_found(kinesis, call):
    name = unique("nowhere")
    message = refused(getattr(kinesis, call), NOT_FOUND, StreamName=name)
    assert message == f"Stream {name} under account {ACCOUNT} not found."


@pytest.mark.parity("DescribeStream", "PutRecord", "ListShards", grade="exact", source="observed")
def test_a_stream_goes_by_its_arn_as_well(mill, kinesis):
    name = mill.stream()
    found = kinesis.describe_stream(StreamARN=stream_arn(name))["StreamDescription"]
    assert found["StreamName"] == name
    kinesis.put_record(StreamARN=stream_arn(name), PartitionKey="k", Data=b"x")
    assert kinesis.list_shards(StreamARN=stream_arn(name))["Shards"]
    absent = unique("nowhere")
    message = refused(kinesis.describe_stream, NOT_FOUND, StreamARN=stream_arn(absent))
    assert message == f"Stream {absent} under account {ACCOUNT} not found."


@pytest.mark.parity(
    "DescribeStream",
    grade="approximate",
    source="inferred",
    note="that AWS refuses it with this exception is a deduction",
)
def test_a_name_and_an_arn_must_agree(mill, kinesis):
    name, other = mill.stream(), mill.stream()
    refused(kinesis.describe_stream, INVALID, StreamName=name, StreamARN=stream_arn(other))


@pytest.mark.parity("DeleteStream", grade="exact", source="model")
def test_a_deleted_stream_is_gone_and_its_name_is_free(mill, kinesis):
    name = mill.stream()
    mill.put(name, ["old"])
    kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)
    eventually(lambda: gone(kinesis, name), "the stream is gone")
    mill.stream(name=name)
    assert mill.read_all(name) == []


@pytest.mark.parity("CreateStream", grade="exact", source="model")
def test_accounts_and_regions_have_streams_of_their_own(mill):
    name = mill.stream()
    for key, region, account in [("111122223333", REGION, "111122223333"), ("test", "eu-west-1", ACCOUNT)]:
        elsewhere = mill.server.client("kinesis", access_key=key, region=region)
        refused(elsewhere.describe_stream, NOT_FOUND, StreamName=name)
        elsewhere.create_stream(StreamName=name, ShardCount=1)
        found = elsewhere.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        assert found["StreamARN"] == f"arn:aws:kinesis:{region}:{account}:stream/{name}"


@pytest.mark.parity("ListStreams", grade="exact", source="model")
def test_streams_are_listed_in_order_and_in_pages(mill):
    kinesis = mill.server.client("kinesis", access_key="444455556666")
    names = sorted(unique(word) for word in ["b", "a", "c"])
    for name in reversed(names):
        kinesis.create_stream(StreamName=name, ShardCount=1)
    answer = kinesis.list_streams()
    assert answer["StreamNames"] == names and answer["HasMoreStreams"] is False
    summaries = answer["StreamSummaries"]
    assert [summary["StreamName"] for summary in summaries] == names
    assert summaries[0]["StreamARN"] == f"arn:aws:kinesis:{REGION}:444455556666:stream/{names[0]}"
    first = kinesis.list_streams(Limit=2)
    assert first["StreamNames"] == names[:2] and first["HasMoreStreams"] is True
    assert kinesis.list_streams(NextToken=first["NextToken"])["StreamNames"] == names[2:]
    assert kinesis.list_streams(ExclusiveStartStreamName=names[0])["StreamNames"] == names[1:]
    pages = kinesis.get_paginator("list_streams").paginate(PaginationConfig={"PageSize": 1})
    assert list(itertools.chain.from_iterable(page["StreamNames"] for page in pages)) == names


@pytest.mark.parity("ListShards", grade="exact", source="model")
def test_shards_are_listed_in_pages(mill, kinesis):
    name = mill.stream(shards=5)
    first = kinesis.list_shards(StreamName=name, MaxResults=2)
    assert [shard["ShardId"][-1] for shard in first["Shards"]] == ["0", "1"]
    rest = kinesis.list_shards(NextToken=first["NextToken"])
    assert [shard["ShardId"][-1] for shard in rest["Shards"]] == ["2", "3", "4"]
    assert "NextToken" not in rest
    after = kinesis.list_shards(StreamName=name, ExclusiveStartShardId="shardId-000000000003")
    assert [shard["ShardId"][-1] for shard in after["Shards"]] == ["4"]


@pytest.mark.parity("ListShards", grade="exact", source="observed")
def test_a_page_of_shards_is_asked_for_by_name_or_by_token(mill, kinesis):
    name = mill.stream(shards=2)
    token = kinesis.list_shards(StreamName=name, MaxResults=1)["NextToken"]
    assert refused(kinesis.list_shards, INVALID) == "Either NextToken or StreamName should be provided."
    message = refused(kinesis.list_shards, INVALID, StreamName=name, NextToken=token)
    assert message == "NextToken and StreamName cannot be provided together."
    refused(kinesis.list_shards, (INVALID, "ExpiredNextTokenException"), NextToken="nonsense")


@pytest.mark.parity(
    "IncreaseStreamRetentionPeriod",
    "DecreaseStreamRetentionPeriod",
    grade="exact",
    source="observed",
)
def test_records_can_be_kept_for_longer_and_shorter(mill, kinesis):
    name = mill.stream()
    kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    mill.active(name)
    assert mill.summary(name)["RetentionPeriodHours"] == 48
    kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    mill.active(name)
    kinesis.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=24)
    mill.active(name)
    assert mill.summary(name)["RetentionPeriodHours"] == 24


@pytest.mark.parity(
    "IncreaseStreamRetentionPeriod",
    "DecreaseStreamRetentionPeriod",
    grade="exact",
    source="observed",
)
def test_retention_goes_the_way_it_is_told_and_no_other(mill, kinesis):
    name = mill.stream()
    kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=72)
    mill.active(name)
    message = refused(
        kinesis.increase_stream_retention_period, INVALID, StreamName=name, RetentionPeriodHours=48
    )
    assert message == (
        f"Requested retention period (48 hours) for stream {name} can not be shorter than existing "
        "retention period (72 hours). Use DecreaseRetentionPeriod API."
    )
    message = refused(
        kinesis.decrease_stream_retention_period, INVALID, StreamName=name, RetentionPeriodHours=96
    )
    assert message == (
        f"Requested retention period (96 hours) for stream {name} can not be longer than existing "
        "retention period (72 hours). Use IncreaseRetentionPeriod API."
    )


@pytest.mark.parity(
    "IncreaseStreamRetentionPeriod",
    "DecreaseStreamRetentionPeriod",
    grade="exact",
    source="observed",
)
def test_retention_has_a_shortest_and_a_longest(mill, kinesis):
    name = mill.stream()
    for call in [kinesis.decrease_stream_retention_period, kinesis.increase_stream_retention_period]:
        message = refused(call, INVALID, StreamName=name, RetentionPeriodHours=23)
        assert message == (
            "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too short."
        )
    refused(
        kinesis.increase_stream_retention_period,
        (INVALID, "ValidationException"),
        StreamName=name,
        RetentionPeriodHours=8761,
    )
    kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=8760)


@pytest.mark.parity("AddTagsToStream", "ListTagsForStream", "RemoveTagsFromStream", grade="exact", source="model")
def test_tags_are_added_overwritten_listed_and_removed(mill, kinesis):
    name = mill.stream()
    kinesis.add_tags_to_stream(StreamName=name, Tags={"b": "1", "a": "2"})
    kinesis.add_tags_to_stream(StreamName=name, Tags={"a": "3", "c": ""})
    answer = kinesis.list_tags_for_stream(StreamName=name)
    assert answer["Tags"] == [
        {"Key": "a", "Value": "3"},
        {"Key": "b", "Value": "1"},
        {"Key": "c", "Value": ""},
    ]
    assert answer["HasMoreTags"] is False
    first = kinesis.list_tags_for_stream(StreamName=name, Limit=1)
    assert [tag["Key"] for tag in first["Tags"]] == ["a"] and first["HasMoreTags"] is True
    rest = kinesis.list_tags_for_stream(StreamName=name, ExclusiveStartTagKey="a")
    assert [tag["Key"] for tag in rest["Tags"]] == ["b", "c"]
    kinesis.remove_tags_from_stream(StreamName=name, TagKeys=["a", "unknown"])
    assert [tag["Key"] for tag in kinesis.list_tags_for_stream(StreamName=name)["Tags"]] == ["b", "c"]


@pytest.mark.parity("CreateStream", grade="exact", source="model")
def test_tags_can_be_given_with_a_new_stream(mill, kinesis):
    name = unique("stream")
    kinesis.create_stream(StreamName=name, ShardCount=1, Tags={"team": "mill"})
    mill.active(name)
    assert kinesis.list_tags_for_stream(StreamName=name)["Tags"] == [{"Key": "team", "Value": "mill"}]


@pytest.mark.parity("AddTagsToStream", grade="exact", source="documented")
def test_a_stream_has_at_most_fifty_tags(mill, kinesis):
    name = mill.stream()
    kinesis.add_tags_to_stream(StreamName=name, Tags={f"tag{n}": "" for n in range(50)})
    refused(kinesis.add_tags_to_stream, INVALID, StreamName=name, Tags={"one-more": ""})
    kinesis.add_tags_to_stream(StreamName=name, Tags={"tag7": "changed"})


@pytest.mark.parity("AddTagsToStream", grade="exact", source="observed")
def test_tags_have_few_kinds_of_letters(mill, kinesis):
    name = mill.stream()
    message = refused(kinesis.add_tags_to_stream, INVALID, StreamName=name, Tags={"a": "semi;colon"})
    assert message == (
        "Some tags contain invalid characters. Valid characters: "
        "Unicode letters, digits, white space, _ . / = + - % @."
    )
