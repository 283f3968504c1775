"""The AWS CLI, unmodified, as a process: streams created, filled, read, described, waited for and deleted."""

import base64
import json
import os
import subprocess
import sys

import pytest

from harness import ACCOUNT, REGION, stream_arn, unique

FIRST = "shardId-000000000000"


class Aws:
    """The command `aws kinesis` against one server."""

    def __init__(self, server, folder):
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.environment = {
            **kept,
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def run(self, operation, *arguments):
        command = [sys.executable, "-m", "awscli", "kinesis", operation, *arguments]
        return subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=60
        )

    def __call__(self, operation, *arguments):
        """The parsed answer of a call that must come out well."""
        done = self.run(operation, *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.fixture
def aws(mill, tmp_path):
    return Aws(mill.server, tmp_path)


@pytest.fixture
def stream(aws):
    name = unique("stream")
    aws("create-stream", "--stream-name", name, "--shard-count", "2")
    aws("wait", "stream-exists", "--stream-name", name)
    return name


def read(aws, stream, shard=FIRST):
    """The records of a shard, as the command shows them: their data in base64."""
    of_shard = ["--stream-name", stream, "--shard-id", shard, "--shard-iterator-type", "TRIM_HORIZON"]
    place = aws("get-shard-iterator", *of_shard)["ShardIterator"]
    return aws("get-records", "--shard-iterator", place)["Records"]


def test_a_stream_is_created_waited_for_and_deleted(aws, stream):
    described = aws("describe-stream", "--stream-name", stream)["StreamDescription"]
    assert described["StreamARN"] == stream_arn(stream) and len(described["Shards"]) == 2
    summary = aws("describe-stream-summary", "--stream-arn", stream_arn(stream))["StreamDescriptionSummary"]
    assert summary["StreamStatus"] == "ACTIVE" and summary["OpenShardCount"] == 2
    assert stream in aws("list-streams")["StreamNames"]
    assert aws("delete-stream", "--stream-name", stream) is None
    aws("wait", "stream-not-exists", "--stream-name", stream)
    done = aws.run("describe-stream", "--stream-name", stream)
    assert done.returncode in (254, 255)
    assert f"(ResourceNotFoundException) when calling the DescribeStream operation: Stream {stream} under account {ACCOUNT} not found." in done.stderr


@pytest.mark.parametrize("given", ["text", "a file of text", "a file of bytes"])
def test_data_is_given_in_each_form_that_the_command_takes(aws, stream, given, tmp_path):
    data = bytes(range(256)) if given == "a file of bytes" else "Flut ü".encode()
    (tmp_path / "data").write_bytes(data)
    form = {"text": "Flut ü", "a file of text": "file://data", "a file of bytes": "fileb://data"}[given]
    put = ["--stream-name", stream, "--partition-key", "k", "--explicit-hash-key", "0", "--data", form]
    answer = aws("put-record", *put)
    assert answer["ShardId"] == FIRST
    (record,) = read(aws, stream)
    assert base64.b64decode(record["Data"]) == data
    assert record["SequenceNumber"] == answer["SequenceNumber"] and record["PartitionKey"] == "k"


def test_many_records_are_put_from_a_file_of_json(aws, stream, tmp_path):
    entries = [{"Data": f"wave {n}", "PartitionKey": "k", "ExplicitHashKey": "0"} for n in range(20)]
    (tmp_path / "entries.json").write_text(json.dumps(entries))
    answer = aws("put-records", "--stream-name", stream, "--records", "file://entries.json")
    assert answer["FailedRecordCount"] == 0 and len(answer["Records"]) == 20
    found = [base64.b64decode(record["Data"]).decode() for record in read(aws, stream)]
    assert found == [f"wave {n}" for n in range(20)]


def test_lists_come_in_pages(aws, stream):
    described = aws("describe-stream", "--stream-name", stream, "--page-size", "1")["StreamDescription"]
    assert len(described["Shards"]) == 2
    names = aws("list-streams", "--page-size", "1", "--query", f"StreamNames[?@=='{stream}']")
    assert names == [stream]
    some = aws("list-shards", "--stream-name", stream, "--max-results", "1")
    rest = aws("list-shards", "--next-token", some["NextToken"])
    assert [shard["ShardId"] for shard in some["Shards"] + rest["Shards"]] == [FIRST, "shardId-000000000001"]


def test_shards_tags_and_retention_are_changed(aws, stream):
    aws("split-shard", "--stream-name", stream, "--shard-to-split", FIRST, "--new-starting-hash-key", "12345")
    aws("wait", "stream-exists", "--stream-name", stream)
    merged = ["--shard-to-merge", "shardId-000000000002", "--adjacent-shard-to-merge", "shardId-000000000003"]
    aws("merge-shards", "--stream-name", stream, *merged)
    aws("wait", "stream-exists", "--stream-name", stream)
    assert len(aws("list-shards", "--stream-name", stream)["Shards"]) == 5
    aws("add-tags-to-stream", "--stream-name", stream, "--tags", "team=mill,stage=test")
    aws("remove-tags-from-stream", "--stream-name", stream, "--tag-keys", "stage")
    assert aws("list-tags-for-stream", "--stream-name", stream)["Tags"] == [{"Key": "team", "Value": "mill"}]
    longer = ["--retention-period-hours", "48"]
    aws("increase-stream-retention-period", "--stream-name", stream, *longer)
    aws("wait", "stream-exists", "--stream-name", stream)
    aws("decrease-stream-retention-period", "--stream-name", stream, "--retention-period-hours", "24")


def test_consumers_scaling_monitoring_and_mode(aws, stream):
    arn = stream_arn(stream)
    consumer = aws("register-stream-consumer", "--stream-arn", arn, "--consumer-name", "reader")["Consumer"]
    described = aws("describe-stream-consumer", "--consumer-arn", consumer["ConsumerARN"])["ConsumerDescription"]
    assert described["StreamARN"] == arn and described["ConsumerName"] == "reader"
    listed = aws("list-stream-consumers", "--stream-arn", arn)["Consumers"]
    assert [each["ConsumerARN"] for each in listed] == [consumer["ConsumerARN"]]
    aws("deregister-stream-consumer", "--consumer-arn", consumer["ConsumerARN"])
    scale = ["--target-shard-count", "4", "--scaling-type", "UNIFORM_SCALING"]
    assert aws("update-shard-count", "--stream-name", stream, *scale)["CurrentShardCount"] == 2
    aws("wait", "stream-exists", "--stream-name", stream)
    metrics = ["--shard-level-metrics", "IncomingBytes"]
    assert aws("enable-enhanced-monitoring", "--stream-name", stream, *metrics)["StreamARN"] == arn
    aws("wait", "stream-exists", "--stream-name", stream)
    aws("disable-enhanced-monitoring", "--stream-name", stream, *metrics)
    aws("wait", "stream-exists", "--stream-name", stream)
    aws("update-stream-mode", "--stream-arn", arn, "--stream-mode-details", "StreamMode=ON_DEMAND")
    aws("wait", "stream-exists", "--stream-name", stream)
    summary = aws("describe-stream-summary", "--stream-name", stream)["StreamDescriptionSummary"]
    assert summary["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"} and summary["OpenShardCount"] == 4
