"""Consumers of a stream: registered, described, listed, deregistered."""

import datetime
import itertools
import re

import pytest

from harness import ACCOUNT, eventually, refused, stream_arn, unique

NOT_FOUND = "ResourceNotFoundException"
INVALID = "InvalidArgumentException"
IN_USE = "ResourceInUseException"
OUR_TEXT = "the text of the message is ours: AWS's is not known"


def register(kinesis, stream, name="board", **arguments):
    answer = kinesis.register_stream_consumer(StreamARN=stream_arn(stream), ConsumerName=name, **arguments)
    return answer["Consumer"]


def described(kinesis, **arguments):
    return kinesis.describe_stream_consumer(**arguments)["ConsumerDescription"]


def active(kinesis, arn):
    return eventually(
        lambda: described(kinesis, ConsumerARN=arn)["ConsumerStatus"] == "ACTIVE", f"{arn} is active"
    )


def names(kinesis, stream, **arguments):
    answer = kinesis.list_stream_consumers(StreamARN=stream_arn(stream), **arguments)
    return [consumer["ConsumerName"] for consumer in answer["Consumers"]]


@pytest.mark.parity("RegisterStreamConsumer", "DescribeStreamConsumer", grade="exact", source="model")
def test_a_registered_consumer_becomes_active(mill, kinesis):
    stream = mill.stream()
    consumer = register(kinesis, stream)
    assert set(consumer) == {"ConsumerName", "ConsumerARN", "ConsumerStatus", "ConsumerCreationTimestamp"}
    assert consumer["ConsumerName"] == "board"
    assert consumer["ConsumerStatus"] == "CREATING"
    match = re.fullmatch(re.escape(stream_arn(stream)) + r"/consumer/board:(\d+)", consumer["ConsumerARN"])
    assert int(match[1]) == int(consumer["ConsumerCreationTimestamp"].timestamp())
    active(kinesis, consumer["ConsumerARN"])
    assert mill.summary(stream)["ConsumerCount"] == 1


@pytest.mark.parity("DescribeStreamConsumer", grade="exact", source="model")
def test_a_consumer_is_described_by_its_arn_its_name_or_both(mill, kinesis):
    stream = mill.stream()
    arn = register(kinesis, stream)["ConsumerARN"]
    by_name = {"StreamARN": stream_arn(stream), "ConsumerName": "board"}
    for arguments in [{"ConsumerARN": arn}, by_name, {"ConsumerARN": arn, **by_name}]:
        found = described(kinesis, **arguments)
        assert found["ConsumerARN"] == arn
        assert found["StreamARN"] == stream_arn(stream)
        assert found["ConsumerName"] == "board"


@pytest.mark.parity(
    "DescribeStreamConsumer",
    "DeregisterStreamConsumer",
    grade="approximate",
    source="model",
    note=OUR_TEXT,
)
def test_a_consumer_must_be_named_without_contradiction(mill, kinesis):
    stream, other = mill.stream(), mill.stream()
    arn = register(kinesis, stream)["ConsumerARN"]
    for call in [kinesis.describe_stream_consumer, kinesis.deregister_stream_consumer]:
        refused(call, INVALID)
        refused(call, INVALID, StreamARN=stream_arn(stream))
        refused(call, INVALID, ConsumerName="board")
        refused(call, INVALID, ConsumerARN=arn, StreamARN=stream_arn(other))
        refused(call, INVALID, ConsumerARN=arn, ConsumerName="other")
    assert names(kinesis, stream) == ["board"]


@pytest.mark.parity("RegisterStreamConsumer", grade="approximate", source="model", note=OUR_TEXT)
def test_a_name_is_taken_once_for_each_stream(mill, kinesis):
    stream, other = mill.stream(), mill.stream()
    register(kinesis, stream)
    refused(
        kinesis.register_stream_consumer, IN_USE, StreamARN=stream_arn(stream), ConsumerName="board"
    )
    register(kinesis, other)


@pytest.mark.parity(
    "RegisterStreamConsumer",
    "DescribeStreamConsumer",
    "DeregisterStreamConsumer",
    "ListStreamConsumers",
    grade="approximate",
    source="model",
    note=OUR_TEXT,
)
def test_what_is_not_there_is_not_found(mill, kinesis):
    stream, absent = mill.stream(), unique("nowhere")
    for call in [kinesis.describe_stream_consumer, kinesis.deregister_stream_consumer]:
        refused(call, NOT_FOUND, StreamARN=stream_arn(stream), ConsumerName="nobody")
        refused(call, NOT_FOUND, ConsumerARN=stream_arn(stream) + "/consumer/nobody:1")
        refused(call, NOT_FOUND, ConsumerARN=stream_arn(absent) + "/consumer/nobody:1")
    message = refused(
        kinesis.register_stream_consumer, NOT_FOUND, StreamARN=stream_arn(absent), ConsumerName="board"
    )
    assert message == f"Stream {absent} under account {ACCOUNT} not found."
    refused(kinesis.list_stream_consumers, NOT_FOUND, StreamARN=stream_arn(absent))


@pytest.mark.parity("DeregisterStreamConsumer", grade="exact", source="model")
def test_a_deregistered_consumer_is_gone_and_its_name_is_free(mill, kinesis):
    stream = mill.stream()
    arn = register(kinesis, stream)["ConsumerARN"]
    kinesis.deregister_stream_consumer(ConsumerARN=arn)
    eventually(lambda: names(kinesis, stream) == [], "the consumer is gone")
    refused(kinesis.describe_stream_consumer, NOT_FOUND, ConsumerARN=arn)
    assert mill.summary(stream)["ConsumerCount"] == 0
    register(kinesis, stream)
    kinesis.deregister_stream_consumer(StreamARN=stream_arn(stream), ConsumerName="board")


@pytest.mark.parity("ListStreamConsumers", grade="exact", source="model")
def test_consumers_are_listed_in_order_and_in_pages(mill, kinesis):
    stream = mill.stream()
    assert names(kinesis, stream) == []
    for name in ["c", "a", "b"]:
        register(kinesis, stream, name)
    assert names(kinesis, stream) == ["a", "b", "c"]
    listed = kinesis.list_stream_consumers(StreamARN=stream_arn(stream))["Consumers"][0]
    assert set(listed) == {"ConsumerName", "ConsumerARN", "ConsumerStatus", "ConsumerCreationTimestamp"}
    pages = kinesis.get_paginator("list_stream_consumers").paginate(
        StreamARN=stream_arn(stream), PaginationConfig={"PageSize": 1}
    )
    found = itertools.chain.from_iterable(page["Consumers"] for page in pages)
    assert [consumer["ConsumerName"] for consumer in found] == ["a", "b", "c"]


@pytest.mark.parity("ListStreamConsumers", grade="approximate", source="model", note=OUR_TEXT)
def test_a_page_token_belongs_to_its_stream(mill, kinesis):
    stream, other = mill.stream(), mill.stream()
    for name in ["a", "b"]:
        register(kinesis, stream, name)
    token = kinesis.list_stream_consumers(StreamARN=stream_arn(stream), MaxResults=1)["NextToken"]
    call = kinesis.list_stream_consumers
    refused(call, INVALID, StreamARN=stream_arn(other), NextToken=token)
    refused(call, INVALID, StreamARN=stream_arn(stream), NextToken="nonsense")
    refused(call, "ValidationException", StreamARN=stream_arn(stream), NextToken=token, MaxResults=10_001)
    created = mill.summary(stream)["StreamCreationTimestamp"]
    assert names(kinesis, stream, StreamCreationTimestamp=created) == ["a", "b"]
    refused(
        call,
        NOT_FOUND,
        StreamARN=stream_arn(stream),
        StreamCreationTimestamp=created - datetime.timedelta(days=1),
    )


@pytest.mark.parity("DeleteStream", grade="exact", source="observed")
def test_a_stream_with_consumers_is_deleted_by_force_only(mill, kinesis):
    stream = mill.stream()
    register(kinesis, stream)
    message = refused(kinesis.delete_stream, IN_USE, StreamName=stream)
    assert message == (
        f"DeleteStream can't delete {ACCOUNT}:{stream} because there are consumers associated with this "
        f"data stream. To delete {stream} anyway, set the EnforceConsumerDeletion parameter to true to "
        "force the deletion of all the consumers that are associated with it."
    )
    kinesis.delete_stream(StreamName=stream, EnforceConsumerDeletion=True)
    mill.stream(name=stream)
    assert names(kinesis, stream) == []


@pytest.mark.parametrize("name", ["with space", "a" * 129])
def test_a_consumers_name_is_checked_as_a_streams(mill, kinesis, name):
    refused(
        kinesis.register_stream_consumer,
        "ValidationException",
        StreamARN=stream_arn(mill.stream()),
        ConsumerName=name,
    )


@pytest.mark.parity("RegisterStreamConsumer", grade="exact", source="model")
def test_the_tags_of_a_new_consumer_have_legal_letters(mill, kinesis):
    stream = mill.stream()
    refused(
        kinesis.register_stream_consumer,
        INVALID,
        StreamARN=stream_arn(stream),
        ConsumerName="board",
        Tags={"a": "semi;colon"},
    )
    register(kinesis, stream, Tags={"team": "mill"})


@pytest.mark.parity("RegisterStreamConsumer", grade="approximate", source="documented", note=OUR_TEXT)
def test_a_stream_takes_twenty_consumers(limited):
    stream = limited.stream()

    def registered(name):
        try:
            return register(limited.kinesis, stream, name)
        except limited.kinesis.exceptions.LimitExceededException as error:
            assert error.response["Error"]["Message"].startswith("Rate exceeded for stream ")
            return None

    for number in range(20):
        eventually(lambda: registered(f"c{number:02}"), "the rate lets one more consumer in")
    text = f"Stream {stream} under account {ACCOUNT} has reached its limit of 20 consumers."

    def full():
        message = refused(
            limited.kinesis.register_stream_consumer,
            "LimitExceededException",
            StreamARN=stream_arn(stream),
            ConsumerName="more",
        )
        return message == text

    eventually(full, "the quota is told")


def test_consumers_survive_the_end_of_the_server(durable):
    stream = durable.stream()
    arn = register(durable.kinesis, stream)["ConsumerARN"]
    durable.server.restart()
    assert described(durable.kinesis, ConsumerARN=arn)["ConsumerStatus"] == "ACTIVE"
    assert names(durable.kinesis, stream) == ["board"]
