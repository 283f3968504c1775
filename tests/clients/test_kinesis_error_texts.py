"""Every error text that somebody has observed in production: the request that provokes it, over the bare wire.

Clients and their tests match on these, so they are compared letter by letter, in JSON and in CBOR. A text stands
here once, with what provokes it; texts of our own are not here. Those that take a clock, a subscription or a secret
to provoke are where these are: the iterator that has expired in `test_kinesis_time.py`, the second subscription in
`test_kinesis_fan_out.py`, signatures that do not hold in `test_kinesis_signatures.py`. Two kinds are never given, for
what they tell of does not happen here: keys of KMS are not asked for, and a record does not fail alone, since a request
is stored as a whole or not at all.

Texts with another number than was observed, or that were not observed for sure, are among `IN_PART`.
"""

import base64
import datetime
import json
import re
import types

import pytest

import cbor
from harness import ACCOUNT, REGION, Mill, Server, eventually, stream_arn, unique

KINESIS = "Kinesis_20131202."
JSON_1_1 = "application/x-amz-json-1.1"
CBOR_1_1 = "application/x-amz-cbor-1.1"
FIRST, SECOND, THIRD = (f"shardId-{number:012}" for number in range(3))
END = str(2**128 - 1)
HALF = str(2**127)
INVALID, IN_USE, NOT_FOUND = "InvalidArgumentException", "ResourceInUseException", "ResourceNotFoundException"
LIMIT, VALIDATION = "LimitExceededException", "ValidationException"
THROTTLED, SERIALIZATION = "ProvisionedThroughputExceededException", "SerializationException"
# A number of 2018 as the real service gave it out, but of the first shard; and the smallest of the layout before.
OLD_NUMBER = "49590338271356452137368508799512356786285685820100706306"
OLDER_NUMBER = str(2 * 16**46 + 1)
QUOTA_PAGE = "http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html"
PUT = {"PartitionKey": "k", "Data": b""}


def in_json(value):
    """What JSON has in place of a value that it has not."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value.timestamp()


WRITERS = {JSON_1_1: lambda body: json.dumps(body, default=in_json).encode(), CBOR_1_1: cbor.encoded}
READERS = {JSON_1_1: json.loads, CBOR_1_1: cbor.decoded}
in_both_encodings = pytest.mark.parametrize("encoding", [JSON_1_1, CBOR_1_1], ids=["json", "cbor"])


def answered(mill, operation, body, encoding=JSON_1_1):
    """Status and output of a call with exactly this body."""
    sent = WRITERS[encoding](body)
    status, headers, answer = mill.server.call("kinesis", KINESIS + operation, sent, encoding)
    assert len(headers["x-amzn-RequestId"]) == 36 and headers["Content-Type"] == encoding
    return status, READERS[encoding](answer) if answer else {}


def call(mill, operation, body, encoding=JSON_1_1):
    """Status, type and message of a call with exactly this body."""
    status, found = answered(mill, operation, body, encoding)
    if status == 200:
        return status, None, None
    kind = found["__type"]
    word = "Message" if kind == SERIALIZATION else "message"
    assert set(found) <= {"__type", word}, found
    return status, kind, found.get(word)


def position(stream, kind, shard=FIRST, **rest):
    return {"StreamName": stream, "ShardId": shard, "ShardIteratorType": kind, **rest}


@pytest.fixture(scope="module")
def world(mill):
    """Streams in the states that the table speaks of, and what it calls them."""
    kinesis = mill.kinesis
    world = types.SimpleNamespace(account=ACCOUNT, region=REGION, absent=unique("nowhere"))
    world.one, world.two, world.split = mill.stream(), mill.stream(shards=2), mill.stream()
    world.three = mill.stream(shards=3)
    kinesis.split_shard(StreamName=world.split, ShardToSplit=FIRST, NewStartingHashKey=HALF)
    mill.active(world.split)
    put = kinesis.put_record(StreamName=world.two, PartitionKey="k", ExplicitHashKey=HALF, Data=b"x")
    world.number_of_second = put["SequenceNumber"]
    world.number = mill.put(world.one, ["x"])[0]
    world.future = str(int(world.number) + 16**20)
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    world.later = now + datetime.timedelta(hours=1, milliseconds=123)
    world.kept = mill.stream()
    kinesis.increase_stream_retention_period(StreamName=world.kept, RetentionPeriodHours=72)
    mill.active(world.kept)
    world.tagged = mill.stream()
    kinesis.add_tags_to_stream(StreamName=world.tagged, Tags={f"t{number}": "" for number in range(50)})
    world.read = mill.stream()
    consumer = kinesis.register_stream_consumer(StreamARN=stream_arn(world.read), ConsumerName="board")["Consumer"]
    world.consumer = consumer["ConsumerARN"]
    gone = mill.stream()
    world.gone, world.iterator_of_gone = gone, mill.iterator(gone)
    kinesis.delete_stream(StreamName=gone)
    mill.stream(name=gone)
    world.token = kinesis.list_shards(StreamName=world.two, MaxResults=1)["NextToken"]
    return world


def under(stream):
    return f"{stream} under account {ACCOUNT}"


def kind_and_number(kind, given):
    return (
        "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
        f"(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified {kind} and {given} "
        "StartingSequenceNumber."
    )


def illegal_tags(failed, stream):
    return (
        f"Failed to {failed} stream {under(stream)} because some tags contained illegal characters. The allowed "
        "characters are Unicode letters, white-spaces, '_',',','/','=','+','-','@'."
    )


def constraint(value, member, rule):
    return f"1 validation error detected: Value {value}at '{member}' failed to satisfy constraint: {rule}"


# Name, operation, body, type of the error, text. Body and text are made from the world.
TEXTS = {
    "a stream that is there": (
        "CreateStream",
        lambda w: {"StreamName": w.one, "ShardCount": 1},
        IN_USE,
        lambda w: f"Stream {under(w.one)} already exists.",
    ),
    "a stream that is not there, by its name": (
        "DescribeStream",
        lambda w: {"StreamName": w.absent},
        NOT_FOUND,
        lambda w: f"Stream {under(w.absent)} not found.",
    ),
    "a stream that is not there, by its ARN": (
        "DescribeStream",
        lambda w: {"StreamARN": stream_arn(w.absent)},
        NOT_FOUND,
        lambda w: f"Stream {under(w.absent)} not found.",
    ),
    "a stream with consumers": (
        "DeleteStream",
        lambda w: {"StreamName": w.read},
        IN_USE,
        lambda w: (
            f"DeleteStream can't delete {ACCOUNT}:{w.read} because there are consumers associated with this data "
            f"stream. To delete {w.read} anyway, set the EnforceConsumerDeletion parameter to true to force the "
            "deletion of all the consumers that are associated with it."
        ),
    ),
    "a page by token and name": (
        "ListShards",
        lambda w: {"StreamName": w.two, "NextToken": w.token},
        INVALID,
        lambda w: "NextToken and StreamName cannot be provided together.",
    ),
    "a page by neither": (
        "ListShards",
        lambda w: {},
        INVALID,
        lambda w: "Either NextToken or StreamName should be provided.",
    ),
    "a retention that is too short": (
        "DecreaseStreamRetentionPeriod",
        lambda w: {"StreamName": w.kept, "RetentionPeriodHours": 23},
        INVALID,
        lambda w: "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too short.",
    ),
    "an increase that is none": (
        "IncreaseStreamRetentionPeriod",
        lambda w: {"StreamName": w.kept, "RetentionPeriodHours": 48},
        INVALID,
        lambda w: (
            f"Requested retention period (48 hours) for stream {w.kept} can not be shorter than existing retention "
            "period (72 hours). Use DecreaseRetentionPeriod API."
        ),
    ),
    "a decrease that is none": (
        "DecreaseStreamRetentionPeriod",
        lambda w: {"StreamName": w.kept, "RetentionPeriodHours": 96},
        INVALID,
        lambda w: (
            f"Requested retention period (96 hours) for stream {w.kept} can not be longer than existing retention "
            "period (72 hours). Use IncreaseRetentionPeriod API."
        ),
    ),
    "a retention that is too long": (
        "IncreaseStreamRetentionPeriod",
        lambda w: {"StreamName": w.kept, "RetentionPeriodHours": 8761},
        VALIDATION,
        lambda w: constraint("'8761' ", "retentionPeriodHours", "Member must have value less than or equal to 8760"),
    ),
    "a tag with a percent sign": (
        "AddTagsToStream",
        lambda w: {"StreamName": w.one, "Tags": {"a": "5 %"}},
        INVALID,
        lambda w: illegal_tags("add tags to", w.one),
    ),
    "a tag with a percent sign to remove": (
        "RemoveTagsFromStream",
        lambda w: {"StreamName": w.one, "TagKeys": ["5%"]},
        INVALID,
        lambda w: illegal_tags("remove tags from", w.one),
    ),
    "a tag with a tab": (
        "AddTagsToStream",
        lambda w: {"StreamName": w.one, "Tags": {"a\tb": ""}},
        INVALID,
        lambda w: (
            "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, "
            "_ . / = + - % @."
        ),
    ),
    "the key of a tag that is too long": (
        "AddTagsToStream",
        lambda w: {"StreamName": w.one, "Tags": {"k" * 129: "3"}},
        VALIDATION,
        lambda w: constraint(
            f"'{{{'k' * 129}=3}}' ",
            "tags",
            "Map keys must satisfy constraint: [Member must have length less than or equal to 128, Member must have "
            "length greater than or equal to 1]",
        ),
    ),
    "the value of a tag that is too long": (
        "AddTagsToStream",
        lambda w: {"StreamName": w.one, "Tags": {"k": "v" * 257}},
        VALIDATION,
        lambda w: constraint(
            f"'{{k={'v' * 257}}}' ",
            "tags",
            "Map value must satisfy constraint: [Member must have length less than or equal to 256, Member must have "
            "length greater than or equal to 0]",
        ),
    ),
    "tags of illegal letters": (
        "AddTagsToStream",
        lambda w: {"StreamName": w.one, "Tags": {"a": "semi;colon"}},
        INVALID,
        lambda w: (
            "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, "
            "_ . / = + - % @."
        ),
    ),
    "more tags than there may be": (
        "AddTagsToStream",
        lambda w: {"StreamName": w.tagged, "Tags": {"more": ""}},
        INVALID,
        lambda w: (
            f"Failed to add tags to stream {under(w.tagged)} because a given stream cannot have more than 50 tags "
            "associated with it."
        ),
    ),
    "a put after the future": (
        "PutRecord",
        lambda w: {"StreamName": w.one, "SequenceNumberForOrdering": w.future, **PUT},
        INVALID,
        lambda w: (
            f"ExclusiveMinimumSequenceNumber {w.future} used in PutRecord on stream {under(w.one)} is invalid."
        ),
    ),
    "a hash key beyond the space": (
        "PutRecord",
        lambda w: {"StreamName": w.one, "ExplicitHashKey": str(2**128), **PUT},
        INVALID,
        lambda w: (
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was "
            f"{2**128}"
        ),
    ),
    "a hash key beyond the space among many records": (
        "PutRecords",
        lambda w: {"StreamName": w.one, "Records": [PUT, {"ExplicitHashKey": str(2**128), **PUT}]},
        INVALID,
        lambda w: (
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was "
            f"{2**128}"
        ),
    ),
    "a record that is too large": (
        "PutRecords",
        lambda w: {"StreamName": w.one, "Records": [{"PartitionKey": "k", "Data": bytes(3 * 349_526)}]},
        VALIDATION,
        lambda w: constraint("", "records.1.member.data", "Member must have length less than or equal to 1048576."),
    ),
    "the number of another shard": (
        "GetShardIterator",
        lambda w: position(w.two, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=w.number_of_second),
        INVALID,
        lambda w: (
            f"Invalid StartingSequenceNumber. It encodes {SECOND}, while it was used in a call to a shard with {FIRST}"
        ),
    ),
    "a number that nobody gave out": (
        "GetShardIterator",
        lambda w: position(w.one, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=w.future),
        INVALID,
        lambda w: (
            f"StartingSequenceNumber {w.future} used in GetShardIterator on shard {FIRST} in stream {under(w.one)} "
            "is invalid."
        ),
    ),
    "a number from before the stream": (
        "GetShardIterator",
        lambda w: position(w.one, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=OLD_NUMBER),
        INVALID,
        lambda w: (
            f"StartingSequenceNumber {OLD_NUMBER} used in GetShardIterator on shard {FIRST} in stream "
            f"{under(w.one)} is invalid because it did not come from this stream."
        ),
    ),
    "a number of the layout before": (
        "GetShardIterator",
        lambda w: position(w.one, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=OLDER_NUMBER),
        INVALID,
        lambda w: (
            f"StartingSequenceNumber {OLDER_NUMBER} used in GetShardIterator on shard {FIRST} in stream "
            f"{under(w.one)} is invalid because it did not come from this stream."
        ),
    ),
    "a short number": (
        "GetShardIterator",
        lambda w: position(w.one, "AT_SEQUENCE_NUMBER", StartingSequenceNumber="5"),
        INVALID,
        lambda w: (
            "Invalid StartingSequenceNumber. It encodes shardId-000000000005, while it was used in a call to a shard "
            f"with {FIRST}"
        ),
    ),
    "a number whose shard has a sign": (
        "GetShardIterator",
        lambda w: position(w.one, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=str(2 * 16**46 + 8 * 16**8 + 2)),
        INVALID,
        lambda w: (
            "Invalid StartingSequenceNumber. It encodes shardId--02147483648, while it was used in a call to a shard "
            f"with {FIRST}"
        ),
    ),
    "a position without its number": (
        "GetShardIterator",
        lambda w: position(w.one, "AFTER_SEQUENCE_NUMBER"),
        INVALID,
        lambda w: kind_and_number("AFTER_SEQUENCE_NUMBER", "no"),
    ),
    "a number without its position": (
        "GetShardIterator",
        lambda w: position(w.one, "LATEST", StartingSequenceNumber=w.number),
        INVALID,
        lambda w: kind_and_number("LATEST", "also a"),
    ),
    "a position without its time": (
        "GetShardIterator",
        lambda w: position(w.one, "AT_TIMESTAMP"),
        INVALID,
        lambda w: (
            "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no "
            "timestamp parameter."
        ),
    ),
    "a time that has not come": (
        "GetShardIterator",
        lambda w: position(w.one, "AT_TIMESTAMP", Timestamp=w.later),
        INVALID,
        lambda w: re.compile(
            "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
            rf"timestampInMillis: {round(w.later.timestamp() * 1000)}, currentTimestampInMillis: \d{{13}}"
        ),
    ),
    "a shard that is none": (
        "GetShardIterator",
        lambda w: position(w.one, "LATEST", shard="nonsense"),
        NOT_FOUND,
        lambda w: f"Could not find shard nonsense in stream {under(w.one)}.",
    ),
    "a shard that there is not": (
        "GetShardIterator",
        lambda w: position(w.one, "LATEST", shard="shardId-000000000005"),
        NOT_FOUND,
        lambda w: f"Shard shardId-000000000005 in stream {under(w.one)} does not exist",
    ),
    "a shard that is none of a stream that there is not": (
        "GetShardIterator",
        lambda w: position(w.absent, "LATEST", shard="2147483648"),
        NOT_FOUND,
        lambda w: f"Could not find shard 2147483648 in stream {under(w.absent)}.",
    ),
    "a shard of a stream that there is not": (
        "GetShardIterator",
        lambda w: position(w.absent, "LATEST", shard="-00002147483647"),
        NOT_FOUND,
        lambda w: f"Shard shardId-002147483647 in stream {under(w.absent)} does not exist",
    ),
    "a shard to merge that is none": (
        "MergeShards",
        lambda w: {"StreamName": w.absent, "ShardToMerge": FIRST, "AdjacentShardToMerge": "2.14E4"},
        NOT_FOUND,
        lambda w: f"Could not find shard 2.14E4 in stream {under(w.absent)}.",
    ),
    "a shard to merge that there is not": (
        "MergeShards",
        lambda w: {"StreamName": w.one, "ShardToMerge": FIRST, "AdjacentShardToMerge": SECOND},
        NOT_FOUND,
        lambda w: f"Could not find shard {SECOND} in stream {under(w.one)}.",
    ),
    "a shard to split that there is not": (
        "SplitShard",
        lambda w: {"StreamName": w.one, "ShardToSplit": "shardId-000000000005", "NewStartingHashKey": "7"},
        NOT_FOUND,
        lambda w: f"Could not find shard shardId-000000000005 in stream {under(w.one)}.",
    ),
    "an iterator of nonsense": (
        "GetRecords",
        lambda w: {"ShardIterator": "AAAA"},
        INVALID,
        lambda w: "Invalid ShardIterator.",
    ),
    "the iterator of a stream that was created anew": (
        "GetRecords",
        lambda w: {"ShardIterator": w.iterator_of_gone},
        NOT_FOUND,
        lambda w: f"Shard {FIRST} in stream {under(w.gone)} does not exist",
    ),
    "a shard that was split already": (
        "SplitShard",
        lambda w: {"StreamName": w.split, "ShardToSplit": FIRST, "NewStartingHashKey": HALF},
        INVALID,
        lambda w: (
            f"Shard {FIRST} in stream {under(w.split)} has already been merged or split, and thus is not eligible "
            "for merging or splitting."
        ),
    ),
    "a place that splits nothing off": (
        "SplitShard",
        lambda w: {"StreamName": w.one, "ShardToSplit": FIRST, "NewStartingHashKey": "1"},
        INVALID,
        lambda w: (
            f"NewStartingHashKey 1 used in SplitShard() on shard {FIRST} in stream {under(w.one)} is not both greater "
            f"than one plus the shard's StartingHashKey 0 and less than the shard's EndingHashKey {END}."
        ),
    ),
    "shards that are no neighbours": (
        "MergeShards",
        lambda w: {"StreamName": w.three, "ShardToMerge": FIRST, "AdjacentShardToMerge": THIRD},
        INVALID,
        lambda w: (
            f"Shards {FIRST} and {THIRD} in stream {under(w.three)} are not an adjacent pair of shards eligible for "
            "merging"
        ),
    ),
    "more than the double": (
        "UpdateShardCount",
        lambda w: {"StreamName": w.one, "TargetShardCount": 4, "ScalingType": "UNIFORM_SCALING"},
        LIMIT,
        lambda w: (
            "UpdateShardCount cannot scale up over double your current open shard count. Current open shard count: 1 "
            "Target shard count: 4"
        ),
    ),
    "less than the half": (
        "UpdateShardCount",
        lambda w: {"StreamName": w.three, "TargetShardCount": 1, "ScalingType": "UNIFORM_SCALING"},
        LIMIT,
        lambda w: (
            "UpdateShardCount cannot scale down below half your current open shard count. Current open shard count: 3 "
            "Target shard count: 1"
        ),
    ),
    "a name that is too long": (
        "DescribeStream",
        lambda w: {"StreamName": "a" * 129},
        VALIDATION,
        lambda w: constraint(f"'{'a' * 129}' ", "streamName", "Member must have length less than or equal to 128"),
    ),
    "a name of illegal letters": (
        "DescribeStream",
        lambda w: {"StreamName": "a b"},
        VALIDATION,
        lambda w: constraint(
            "'a b' ", "streamName", "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        ),
    ),
    "a number that is too small": (
        "GetRecords",
        lambda w: {"ShardIterator": "x", "Limit": 0},
        VALIDATION,
        lambda w: constraint("'0' ", "limit", "Member must have value greater than or equal to 1"),
    ),
    "a number that is too large": (
        "GetRecords",
        lambda w: {"ShardIterator": "x", "Limit": 10_001},
        VALIDATION,
        lambda w: constraint("'10001' ", "limit", "Member must have value less than or equal to 10000"),
    ),
    "a value that there is not": (
        "GetShardIterator",
        lambda w: position(w.one, "FIRST"),
        VALIDATION,
        lambda w: constraint(
            "'FIRST' ",
            "shardIteratorType",
            "Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, "
            "TRIM_HORIZON]",
        ),
    ),
    "a broken constraint in a list": (
        "PutRecords",
        lambda w: {"StreamName": w.one, "Records": [PUT, PUT, {"PartitionKey": "", "Data": b""}]},
        VALIDATION,
        lambda w: constraint(
            "'' ", "records.3.member.partitionKey", "Member must have length greater than or equal to 1"
        ),
    ),
    "eleven broken constraints": (
        "PutRecords",
        lambda w: {"StreamName": w.one, "Records": [{"PartitionKey": "", "Data": b""}] * 11},
        VALIDATION,
        lambda w: "10 validation errors detected: "
        + "; ".join(
            f"Value '' at 'records.{number}.member.partitionKey' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1"
            for number in range(1, 11)
        ),
    ),
    "more bytes than a request may have": (
        "PutRecords",
        lambda w: {"StreamName": w.one, "Records": [{"PartitionKey": "k", "Data": bytes(1_048_000)}] * 11},
        INVALID,
        lambda w: "Records size exceeds 10 MB limit",
    ),
    "a member that is missing": (
        "GetRecords",
        lambda w: {},
        VALIDATION,
        lambda w: constraint("null ", "shardIterator", "Member must not be null"),
    ),
    "two broken constraints": (
        "GetRecords",
        lambda w: {"ShardIterator": "", "Limit": 0},
        VALIDATION,
        lambda w: re.compile(
            "2 validation errors detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value "
            "greater than or equal to 1; Value '' at 'shardIterator' failed to satisfy constraint: Member must have "
            "length greater than or equal to 1"
            "|2 validation errors detected: Value '' at 'shardIterator' failed to satisfy constraint: Member must "
            "have length greater than or equal to 1; Value '0' at 'limit' failed to satisfy constraint: Member must "
            "have value greater than or equal to 1"
        ),
    ),
    "a number for a text": (
        "DescribeStream",
        lambda w: {"StreamName": 5},
        SERIALIZATION,
        lambda w: (
            "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String"
        ),
    ),
    "a text for a number": (
        "CreateStream",
        lambda w: {"StreamName": "x", "ShardCount": "2"},
        SERIALIZATION,
        lambda w: "class java.lang.String can not be converted to an Integer",
    ),
    "a truth for a text": (
        "DescribeStream",
        lambda w: {"StreamName": True},
        SERIALIZATION,
        lambda w: "class java.lang.Boolean can not be converted to an String",
    ),
    "a list for a text": (
        "DescribeStream",
        lambda w: {"StreamName": []},
        SERIALIZATION,
        lambda w: "Start of list found where not expected",
    ),
    "a map for a text": (
        "DescribeStream",
        lambda w: {"StreamName": {}},
        SERIALIZATION,
        lambda w: "Start of structure or map found where not expected.",
    ),
    "a text for a list": (
        "PutRecords",
        lambda w: {"StreamName": "x", "Records": "y"},
        SERIALIZATION,
        lambda w: "Expected list or null",
    ),
    "a text for a map": (
        "AddTagsToStream",
        lambda w: {"StreamName": "x", "Tags": "y"},
        SERIALIZATION,
        lambda w: "Expected map or null",
    ),
    "a text for a structure": (
        "CreateStream",
        lambda w: {"StreamName": "x", "StreamModeDetails": "y"},
        SERIALIZATION,
        lambda w: "Expected null",
    ),
    "a text for a time": (
        "GetShardIterator",
        lambda w: position("x", "AT_TIMESTAMP", Timestamp="noon"),
        SERIALIZATION,
        lambda w: "class java.lang.String can not be converted to milliseconds since epoch",
    ),
    "base64 that is cut": (
        "PutRecord",
        lambda w: {"StreamName": "x", "PartitionKey": "k", "Data": "23456"},
        SERIALIZATION,
        lambda w: (
            "'23456' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but "
            "found: 5"
        ),
    ),
    "base64 with a strange letter": (
        "PutRecord",
        lambda w: {"StreamName": "x", "PartitionKey": "k", "Data": "=AAA"},
        SERIALIZATION,
        lambda w: "'=AAA' can not be converted to a Blob: Invalid Base64 character: '='",
    ),
    "base64 with bits left over": (
        "PutRecord",
        lambda w: {"StreamName": "x", "PartitionKey": "k", "Data": "ABB="},
        SERIALIZATION,
        lambda w: "'ABB=' can not be converted to a Blob: Invalid last non-pad Base64 character dectected",
    ),
}


def assert_told(mill, world, provoked_by, encoding):
    operation, body, kind, text = TEXTS[provoked_by]
    status, found_kind, found = call(mill, operation, body(world), encoding)
    assert (status, found_kind) == (400, kind), found
    expected = text(world)
    if isinstance(expected, re.Pattern):
        assert expected.fullmatch(found), found
    else:
        assert found == expected


# What was observed was in JSON for the most part, and type errors name what JSON has; of CBOR it is known that
# errors are maps with the same members.
OF_EITHER_ENCODING = [provoked_by for provoked_by in TEXTS if TEXTS[provoked_by][2] != SERIALIZATION]
OF_TYPES = [provoked_by for provoked_by in TEXTS if TEXTS[provoked_by][2] == SERIALIZATION]


IN_PART = [
    "a retention that is too long",
    "more tags than there may be",
    "less than the half",
    "more bytes than a request may have",
]


@pytest.mark.parity("*", grade="exact", source="observed")
@pytest.mark.parametrize("provoked_by", [provoked_by for provoked_by in TEXTS if provoked_by not in IN_PART])
def test_a_text_is_the_one_that_was_observed(mill, world, provoked_by):
    assert_told(mill, world, provoked_by, JSON_1_1)


@pytest.mark.parity("*", grade="exact", source="inferred")
@pytest.mark.parametrize("provoked_by", IN_PART)
def test_a_text_is_the_one_that_was_observed_in_part(mill, world, provoked_by):
    assert_told(mill, world, provoked_by, JSON_1_1)


@pytest.mark.parity("*", grade="exact", source="inferred")
@pytest.mark.parametrize("provoked_by", OF_EITHER_ENCODING)
def test_a_text_is_the_same_in_cbor(mill, world, provoked_by):
    assert_told(mill, world, provoked_by, CBOR_1_1)


@pytest.mark.parity("*", grade="exact", source="inferred")
@pytest.mark.parametrize("provoked_by", OF_TYPES)
def test_a_wrong_type_is_told_in_cbor_as_in_json(mill, world, provoked_by):
    assert_told(mill, world, provoked_by, CBOR_1_1)


@in_both_encodings
@pytest.mark.parity("GetShardIterator", grade="exact", source="observed")
def test_the_number_zero_is_a_failure_of_the_service(mill, world, encoding):
    zero = position(world.one, "AT_SEQUENCE_NUMBER", StartingSequenceNumber="0")
    assert call(mill, "GetShardIterator", zero, encoding) == (500, "InternalFailure", None)


@in_both_encodings
@pytest.mark.parity("GetResourcePolicy", "DeleteResourcePolicy", grade="exact", source="observed")
def test_what_was_observed_of_policies(mill, world, encoding):
    arn = stream_arn(world.one)
    assert answered(mill, "GetResourcePolicy", {"ResourceARN": arn}, encoding) == (200, {"Policy": "{}"})
    assert call(mill, "DeleteResourcePolicy", {"ResourceARN": arn}, encoding)[:2] == (400, NOT_FOUND)
    absent = {"ResourceARN": stream_arn(world.absent), "Policy": "{}"}
    policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kinesis:*"}]}
    absent["Policy"] = json.dumps(policy)
    assert call(mill, "PutResourcePolicy", absent, encoding)[:2] == (400, NOT_FOUND)


@in_both_encodings
@pytest.mark.parity("*", grade="exact", source="observed")
def test_a_throttled_shard_says_so(limited, encoding):
    name, other = limited.stream(), limited.stream()
    text = f"Rate exceeded for shard {FIRST} in stream {under(name)}."
    full = {"PartitionKey": "k", "Data": bytes(3 * 345_000)}
    status, failed = answered(limited, "PutRecords", {"StreamName": name, "Records": [full, full]}, encoding)
    assert status == 200 and failed["FailedRecordCount"] == 1
    assert failed["Records"][1] == {"ErrorCode": THROTTLED, "ErrorMessage": text}
    assert call(limited, "PutRecord", {"StreamName": name, **full}, encoding) == (400, THROTTLED, text)
    iterator = limited.iterator(other)
    text = f"Rate exceeded for shard {FIRST} in stream {under(other)}."

    def throttled(operation, body):
        status, kind, found = call(limited, operation, body, encoding)
        assert status == 200 or (kind, found) == (THROTTLED, text)
        return status == 400

    eventually(lambda: throttled("GetRecords", {"ShardIterator": iterator}), "GetRecords is throttled")
    place = position(other, "LATEST")
    eventually(lambda: throttled("GetShardIterator", place), "GetShardIterator is throttled")


@in_both_encodings
@pytest.mark.parity("*", grade="exact", source="observed")
def test_a_control_plane_rate_is_told_with_the_stream(limited, encoding):
    absent = unique("nowhere")
    text = f"Rate exceeded for stream {under(absent)}."
    split = {"StreamName": absent, "ShardToSplit": FIRST, "NewStartingHashKey": HALF}
    answers = [call(limited, "SplitShard", split, encoding) for _ in range(10)]
    assert answers[0] == (400, NOT_FOUND, f"Stream {under(absent)} not found.")
    assert answers[-1] == (400, LIMIT, text)


@pytest.mark.parity("CreateStream", "UpdateShardCount", grade="exact", source="observed")
def test_a_quota_of_shards_is_told_with_its_numbers(limited):
    kinesis = limited.server.client("kinesis", access_key="171717171717", region="eu-central-1")
    with pytest.raises(kinesis.exceptions.LimitExceededException) as refused:
        kinesis.create_stream(StreamName=unique("large"), ShardCount=100_000)
    assert refused.value.response["Error"]["Message"] == (
        "This request would exceed the shard limit for the account 171717171717 in eu-central-1. Current shard count "
        "for the account: 0. Limit: 6000. Number of additional shards that would have resulted from this request: "
        f"100000. Refer to the AWS Service Limits page ({QUOTA_PAGE}) for current limits and how to request higher "
        "limits."
    )


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """A server whose streams take a few seconds to change."""
    server = Server(tmp_path_factory.mktemp("slow"), "--limits", "none", "--state-delay", "3s")
    server.start()
    yield Mill(server)
    server.stop()


@pytest.mark.parity("*", grade="exact", source="observed")
def test_a_busy_stream_or_consumer_says_what_it_is_doing(slow):
    def assert_refused(operation, body, kind, text, encodings=(JSON_1_1, CBOR_1_1)):
        for encoding in encodings:
            assert call(slow, operation, body, encoding) == (400, kind, text)

    name = unique("slow")
    slow.kinesis.create_stream(StreamName=name, ShardCount=1)
    text = f"Stream {under(name)} not found."
    assert_refused("PutRecord", {"StreamName": name, **PUT}, NOT_FOUND, text)
    assert_refused("PutRecords", {"StreamName": name, "Records": [PUT]}, NOT_FOUND, text)
    assert_refused("GetShardIterator", position(name, "LATEST"), NOT_FOUND, text)
    slow.active(name)
    arn = stream_arn(name)
    consumer = slow.kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="board")["Consumer"]
    created = int(consumer["ConsumerCreationTimestamp"].timestamp())
    subscribe = {
        "ConsumerARN": consumer["ConsumerARN"],
        "ShardId": FIRST,
        "StartingPosition": {"Type": "LATEST"},
    }
    policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kinesis:*"}]}
    attach = {"ResourceARN": consumer["ConsumerARN"], "Policy": json.dumps(policy)}
    text = (
        f"Consumer board with creation timestamp {created} under stream: {name} , account {ACCOUNT} is not in ACTIVE "
        "status."
    )
    assert_refused("SubscribeToShard", subscribe, IN_USE, text, [JSON_1_1])
    text = (
        f"Consumer board with creation timestamp {created} under stream {name} and account {ACCOUNT} is not in ACTIVE "
        "status."
    )
    assert_refused("PutResourcePolicy", attach, IN_USE, text)
    slow.kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    again = {"StreamName": name, "RetentionPeriodHours": 72}
    text = f"Stream {under(name)} not ACTIVE, instead in state UPDATING"
    assert_refused("IncreaseStreamRetentionPeriod", again, IN_USE, text)


DENIED = (
    "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n"
    "</AccessDeniedException>\n"
)
PLAIN = '{"Output":{"__type":"com.amazon.coral.service#%s"},"Version":"1.0"}'
SERIALIZATION_IN_CBOR = cbor.encoded({"__type": SERIALIZATION})
UNKNOWN_IN_CBOR = cbor.encoded({"__type": "UnknownOperationException"})
# Method, content type, target, body; status and body of the answer.
BARE = {
    "another method": ("PUT", JSON_1_1, KINESIS + "ListStreams", b"{}", 403, DENIED),
    "no target and no known content type": ("POST", "text/plain", "", b"{}", 403, DENIED),
    "a target and no known content type": (
        "POST",
        "text/plain",
        KINESIS + "ListStreams",
        b"{}",
        404,
        "<UnknownOperationException/>\n",
    ),
    "an empty body": ("POST", JSON_1_1, KINESIS + "ListStreams", b"", 400, '{"__type":"SerializationException"}'),
    "an empty body for nobody": ("POST", JSON_1_1, "x.y", b"", 400, '{"__type":"UnknownOperationException"}'),
    "half an object": ("POST", JSON_1_1, KINESIS + "ListStreams", b"{", 400, '{"__type":"SerializationException"}'),
    "an unknown operation": ("POST", JSON_1_1, KINESIS + "Grind", b"{}", 400, '{"__type":"UnknownOperationException"}'),
    "an empty body in CBOR": ("POST", CBOR_1_1, KINESIS + "ListStreams", b"", 400, SERIALIZATION_IN_CBOR),
    "an empty body for nobody in CBOR": ("POST", CBOR_1_1, "x.y", b"", 400, UNKNOWN_IN_CBOR),
    "half a map in CBOR": ("POST", CBOR_1_1, KINESIS + "ListStreams", b"\xbf", 400, SERIALIZATION_IN_CBOR),
    "a text alone in CBOR": ("POST", CBOR_1_1, KINESIS + "ListStreams", b"\x61x", 400, SERIALIZATION_IN_CBOR),
    "an unknown operation in CBOR": ("POST", CBOR_1_1, KINESIS + "Grind", b"\xbf\xff", 400, UNKNOWN_IN_CBOR),
    "plain JSON that is none": (
        "POST",
        "application/json",
        KINESIS + "ListStreams",
        b"{",
        400,
        PLAIN % "SerializationException",
    ),
    "plain JSON": (
        "POST",
        "application/json",
        KINESIS + "ListStreams",
        b"{}",
        404,
        PLAIN % "UnknownOperationException",
    ),
}


@pytest.mark.parity("*", grade="exact", source="observed")
@pytest.mark.parametrize("provoked_by", BARE)
def test_a_bare_answer_is_the_one_that_was_observed(mill, provoked_by):
    method, content_type, target, body, status, expected = BARE[provoked_by]
    headers = {"Content-Type": content_type, **({"X-Amz-Target": target} if target else {})}
    found = mill.server.send("kinesis", method, "/", headers, body)
    is_xml = isinstance(expected, str) and expected.startswith("<")
    assert ("Content-Type" in found[1]) != is_xml
    assert 64 <= len(base64.b64decode(found[1]["x-amz-id-2"])) <= 80
    assert (found[0], found[2]) == (status, expected if isinstance(expected, bytes) else expected.encode())


@pytest.mark.parity("*", grade="exact", source="observed")
def test_a_request_that_is_signed_by_halves_is_told_what_is_missing(mill):
    headers = {"X-Amz-Target": KINESIS + "ListStreams", "Content-Type": JSON_1_1}

    def sent(path="/", **more):
        status, _, body = mill.server.send_unsigned("POST", path, {**headers, **more}, b"{}")
        answer = json.loads(body)
        return status, answer["__type"], answer["message"]

    assert sent() == (400, "MissingAuthenticationTokenException", "Missing Authentication Token")
    assert sent(Authorization="X", Date="Fri, 27 Nov 2026 09:00:00 GMT") == (
        400,
        "IncompleteSignatureException",
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. "
        "Authorization header requires 'SignedHeaders' parameter. Authorization=X",
    )
    assert sent(Authorization="AWS4-HMAC-SHA256 x") == (
        400,
        "IncompleteSignatureException",
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. "
        "Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a "
        "'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256 x",
    )
    assert sent("/?X-Amz-Algorithm=AWS4-HMAC-SHA256", Authorization="AWS4-HMAC-SHA256 x") == (
        400,
        "InvalidSignatureException",
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    )
