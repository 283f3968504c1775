"""What answers say of encryption: KMS from StartStreamEncryption to StopStreamEncryption."""

import pytest

from harness import ACCOUNT, refused, stream_arn, unique

INVALID = "InvalidArgumentException"
NOT_ENCRYPTED = "nothing is encrypted and no key is asked for; answers and records say what AWS's would"
OUR_TEXT = "the text of the message is ours: AWS's is not known"
KEYS = [
    "12345678-1234-1234-1234-123456789012",
    "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012",
    "alias/aws/kinesis",
    "arn:aws:kms:us-east-1:123456789012:alias/mine",
]


def start(kinesis, name, key="alias/aws/kinesis", **arguments):
    return kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=key, **arguments)


def stop(kinesis, name, key="alias/aws/kinesis"):
    return kinesis.stop_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=key)


def described(mill, name):
    """EncryptionType and KeyId as both descriptions give them."""
    found = mill.kinesis.describe_stream(StreamName=name)["StreamDescription"]
    summary = mill.summary(name)
    said = (found["EncryptionType"], found.get("KeyId"))
    assert said == (summary["EncryptionType"], summary.get("KeyId"))
    return said


@pytest.mark.parity("StartStreamEncryption", grade="approximate", source="model", note=NOT_ENCRYPTED)
@pytest.mark.parametrize("key", KEYS)
def test_a_stream_shows_the_key_as_it_was_given(mill, kinesis, key):
    name = mill.stream()
    assert described(mill, name) == ("NONE", None)
    start(kinesis, name, key)
    mill.active(name)
    assert described(mill, name) == ("KMS", key)
    stop(kinesis, name, key)
    mill.active(name)
    assert described(mill, name) == ("NONE", None)


@pytest.mark.parity(
    "StartStreamEncryption",
    "StopStreamEncryption",
    "PutRecord",
    "PutRecords",
    "GetRecords",
    grade="approximate",
    source="observed",
    note=NOT_ENCRYPTED,
)
def test_puts_and_records_say_whether_they_are_encrypted(mill, kinesis):
    name = mill.stream()
    record = {"PartitionKey": "k", "Data": b"x"}
    said = []

    def put():
        one = kinesis.put_record(StreamName=name, **record)
        many = kinesis.put_records(StreamName=name, Records=[record])
        assert one.get("EncryptionType") == many.get("EncryptionType")
        said.append(one.get("EncryptionType"))

    put()
    start(kinesis, name)
    mill.active(name)
    put()
    stop(kinesis, name)
    mill.active(name)
    put()
    assert said == [None, "KMS", None], "it is left out where there is none"
    records = mill.read(mill.iterator(name), 6)
    assert [each.get("EncryptionType") for each in records] == [None, None, "KMS", "KMS", None, None]
    assert all(each["Data"] == b"x" for each in records)


@pytest.mark.parity("StartStreamEncryption", "StopStreamEncryption", grade="approximate", source="inferred", note=OUR_TEXT)
def test_only_kms_is_started_and_only_what_was_started_is_stopped(mill, kinesis):
    name = mill.stream()
    arguments = {"StreamName": name, "KeyId": "k"}
    refused(kinesis.start_stream_encryption, INVALID, EncryptionType="NONE", **arguments)
    refused(kinesis.stop_stream_encryption, INVALID, EncryptionType="NONE", **arguments)
    refused(kinesis.stop_stream_encryption, INVALID, EncryptionType="KMS", **arguments)
    client = mill.server.client("kinesis", parameter_validation=False)
    refused(client.start_stream_encryption, "ValidationException", EncryptionType="AES", **arguments)
    refused(client.start_stream_encryption, "ValidationException", StreamName=name, EncryptionType="KMS")
    assert described(mill, name) == ("NONE", None)


@pytest.mark.parity("StartStreamEncryption", "StopStreamEncryption", grade="exact", source="observed")
def test_what_is_not_there_has_no_encryption(kinesis):
    absent = unique("nowhere")
    for call in [kinesis.start_stream_encryption, kinesis.stop_stream_encryption]:
        message = refused(
            call, "ResourceNotFoundException", StreamARN=stream_arn(absent), EncryptionType="KMS", KeyId="k"
        )
        assert message == f"Stream {absent} under account {ACCOUNT} not found."


def test_encryption_survives_the_end_of_the_server(durable):
    name = durable.stream()
    start(durable.kinesis, name, "alias/mine")
    durable.active(name)
    durable.put(name, ["a"])
    durable.server.restart()
    assert described(durable, name) == ("KMS", "alias/mine")
    assert durable.read(durable.iterator(name), 1)[0]["EncryptionType"] == "KMS"
