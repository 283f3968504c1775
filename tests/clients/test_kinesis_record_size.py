"""Records of up to 10 MiB: put, read, and refused when they are larger than their stream allows."""

import hashlib

import pytest

from harness import ACCOUNT, refused, stream_arn, unique

MIB = 1024 * 1024
LARGEST = 10 * MIB


def data(size, seed=b"x"):
    """Bytes that do not repeat, so that a page that is put together wrongly is seen."""
    block = b"".join(hashlib.sha256(seed + number.to_bytes(4, "big")).digest() for number in range(2048))
    return (block * (size // len(block) + 1))[:size]


def update(kinesis, name, kib):
    return kinesis.update_max_record_size(StreamARN=stream_arn(name), MaxRecordSizeInKiB=kib)


def too_large(member, limit):
    return (
        f"1 validation error detected: Value at '{member}' failed to satisfy constraint: "
        f"Member must have length less than or equal to {limit}."
    )


@pytest.mark.parity("UpdateMaxRecordSize", "PutRecord", "GetRecords", grade="exact", source="model")
def test_the_largest_record_goes_through(mill, kinesis):
    name = mill.stream()
    update(kinesis, name, 10240)
    mill.active(name)
    assert mill.summary(name)["MaxRecordSizeInKiB"] == 10240
    sent = data(LARGEST - 1)
    kinesis.put_record(StreamName=name, PartitionKey="k", Data=sent)
    mill.put(name, ["after"])
    records = mill.read(mill.iterator(name), 2)
    assert records[0]["Data"] == sent and records[1]["Data"] == b"after"


@pytest.mark.parity("PutRecords", "GetRecords", grade="exact", source="model")
def test_large_records_come_in_one_request_and_in_pages_of_ten_mebibytes(mill, kinesis):
    name = mill.stream()
    update(kinesis, name, 10240)
    mill.active(name)
    sent = [data(size, seed) for size, seed in [(6 * MIB, b"a"), (3 * MIB, b"b"), (100, b"c")]]
    for _ in range(2):
        entries = [{"PartitionKey": "k", "Data": each} for each in sent]
        answer = kinesis.put_records(StreamName=name, Records=entries)
        assert answer["FailedRecordCount"] == 0
    iterator, pages = mill.iterator(name), []
    while sum(map(len, pages)) < 6:
        answer = kinesis.get_records(ShardIterator=iterator)
        pages.append([record["Data"] for record in answer["Records"]])
        iterator = answer["NextShardIterator"]
    assert all(sum(map(len, page)) <= LARGEST for page in pages)
    assert [each for page in pages for each in page] == sent * 2


@pytest.mark.parity("PutRecord", "PutRecords", grade="exact", source="observed")
def test_a_record_larger_than_its_stream_allows_refuses_the_whole_call(mill, kinesis):
    name = mill.stream()
    fitting = {"PartitionKey": "k", "Data": data(MIB - 1)}
    large = {"PartitionKey": "k", "Data": data(MIB)}
    kinesis.put_record(StreamName=name, **fitting)
    message = refused(kinesis.put_record, "ValidationException", StreamName=name, **large)
    assert message == too_large("data", MIB)
    message = refused(kinesis.put_records, "ValidationException", StreamName=name, Records=[fitting, large])
    assert message == too_large("records.2.member.data", MIB)
    update(kinesis, name, 2048)
    mill.active(name)
    kinesis.put_records(StreamName=name, Records=[fitting, large])
    update(kinesis, name, 1024)
    mill.active(name)
    refused(kinesis.put_record, "ValidationException", StreamName=name, **large)
    assert len(mill.read(mill.iterator(name), 3)) == 3, "what is there stays readable"


@pytest.mark.parity("PutRecord", "CreateStream", grade="exact", source="model")
def test_no_record_is_larger_than_ten_mebibytes(mill, kinesis):
    name = unique("stream")
    kinesis.create_stream(StreamName=name, ShardCount=1, MaxRecordSizeInKiB=10240)
    mill.active(name)
    message = refused(kinesis.put_record, "ValidationException", StreamName=name, PartitionKey="k", Data=data(LARGEST))
    assert message == too_large("data", LARGEST)


@pytest.mark.parity("UpdateMaxRecordSize", grade="exact", source="model")
def test_a_size_has_a_least_and_a_most(mill):
    client = mill.server.client("kinesis", parameter_validation=False)
    arn = stream_arn(mill.stream())
    for kib, bound in [(1023, "greater than or equal to 1024"), (10241, "less than or equal to 10240")]:
        message = refused(
            client.update_max_record_size, "ValidationException", StreamARN=arn, MaxRecordSizeInKiB=kib
        )
        assert message.endswith(f"at 'maxRecordSizeInKiB' failed to satisfy constraint: Member must have value {bound}")


@pytest.mark.parity("UpdateMaxRecordSize", grade="exact", source="model")
def test_the_size_of_what_is_not_there_is_not_changed(mill, kinesis):
    absent = unique("nowhere")
    message = refused(
        kinesis.update_max_record_size,
        "ResourceNotFoundException",
        StreamARN=stream_arn(absent),
        MaxRecordSizeInKiB=2048,
    )
    assert message == f"Stream {absent} under account {ACCOUNT} not found."
    refused(kinesis.update_max_record_size, "InvalidArgumentException", MaxRecordSizeInKiB=2048)


@pytest.mark.parity("PutRecord", grade="exact", source="documented")
def test_a_large_record_is_paid_off_afterwards(limited):
    name = unique("stream")
    limited.kinesis.create_stream(StreamName=name, ShardCount=1, MaxRecordSizeInKiB=10240)
    limited.active(name)
    large = data(LARGEST - 1)
    limited.kinesis.put_record(StreamName=name, PartitionKey="k", Data=large)
    message = refused(
        limited.kinesis.put_record,
        "ProvisionedThroughputExceededException",
        StreamName=name,
        PartitionKey="k",
        Data=large,
    )
    assert message == f"Rate exceeded for shard shardId-000000000000 in stream {name} under account {ACCOUNT}."


def test_the_largest_records_survive_a_kill(durable):
    name = unique("stream")
    durable.kinesis.create_stream(StreamName=name, ShardCount=1, MaxRecordSizeInKiB=10240)
    durable.active(name)
    sent = [data(LARGEST - 1, seed) for seed in [b"a", b"b", b"c"]]
    for each in sent:
        durable.kinesis.put_record(StreamName=name, PartitionKey="k", Data=each)
    durable.server.restart()
    assert [record["Data"] for record in durable.read(durable.iterator(name), 3)] == sent
