"""The metrics page: with a known sequence of calls, exactly the numbers that CloudWatch would have."""

import re
import urllib.request

import pytest

from harness import ACCOUNT, REGION, eventually, refused, stream_arn, unique

FIRST = "shardId-000000000000"
SECOND = "shardId-000000000001"
LOWER = "0"
UPPER = str(2**127)
MIB = 1024 * 1024
IDLE = "def handle(event, context):\n    return None\n"
LINE = re.compile(r'^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def page(mill):
    with urllib.request.urlopen(mill.server.url + "/_tidemill/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return answer.read().decode()


def rows(mill, **labels):
    """The rows that have `labels`: a map of names, with the other labels' values, to numbers."""
    found = {}
    for line in page(mill).splitlines():
        if line.startswith("#"):
            continue
        name, text, value = LINE.match(line).groups()
        these = dict(LABEL.findall(text or ""))
        if all(these.get(label) == wanted for label, wanted in labels.items()):
            found[name] = float(value)
    return found


def of_stream(mill, name, metric):
    """Sum and number of samples of a stream-level metric."""
    found = stream_rows(mill, name)
    return found[f"aws_kinesis_{metric}_sum"], found[f"aws_kinesis_{metric}_count"]


def stream_rows(mill, name):
    found = {}
    for line in page(mill).splitlines():
        if f'stream_name="{name}"' in line and "shard_id=" not in line:
            metric, text, value = LINE.match(line).groups()
            assert dict(LABEL.findall(text)) == {
                "account_id": ACCOUNT,
                "region": REGION,
                "stream_name": name,
            }
            found[metric] = float(value)
    return found


def put(mill, name, size, where=LOWER):
    mill.kinesis.put_record(StreamName=name, PartitionKey="k", Data=b"x" * (size - 1), ExplicitHashKey=where)


def entry(size, where):
    return {"PartitionKey": "k", "Data": b"x" * (size - 1), "ExplicitHashKey": where}


def test_what_was_put_and_read_is_counted_to_the_byte(mill, kinesis):
    name = mill.stream(shards=2)
    for size in (10, 20, 30):
        put(mill, name, size)
    kinesis.put_records(StreamName=name, Records=[entry(100, LOWER), entry(200, UPPER), entry(300, UPPER)])
    kinesis.put_records(StreamName=name, Records=[entry(1000, UPPER)])
    lower, upper = mill.iterator(name, FIRST), mill.iterator(name, SECOND)
    page_of_two = kinesis.get_records(ShardIterator=lower, Limit=2)
    kinesis.get_records(ShardIterator=page_of_two["NextShardIterator"])
    kinesis.get_records(ShardIterator=upper)

    found = stream_rows(mill, name)
    expected = {
        "incoming_bytes": (1660, 5),
        "incoming_records": (7, 5),
        "put_record_bytes": (60, 3),
        "put_record_success": (3, 3),
        "put_records_bytes": (1600, 2),
        "put_records_success": (2, 2),
        "put_records_total_records": (4, 2),
        "put_records_successful_records": (4, 2),
        "put_records_records": (4, 2),
        "put_records_failed_records": (0, 2),
        "put_records_throttled_records": (0, 2),
        "get_records_bytes": (1660, 3),
        "get_records_records": (7, 3),
        "get_records_success": (3, 3),
        "read_provisioned_throughput_exceeded": (0, 3),
        "write_provisioned_throughput_exceeded": (0, 5),
    }
    for metric, numbers in expected.items():
        sums = found[f"aws_kinesis_{metric}_sum"], found[f"aws_kinesis_{metric}_count"]
        assert sums == numbers, metric
    for metric, calls in {"put_record": 3, "put_records": 2, "get_records": 3}.items():
        assert found[f"aws_kinesis_{metric}_latency_count"] == calls
        assert found[f"aws_kinesis_{metric}_latency_max"] < 10_000
    for metric in ("get_records_iterator_age_milliseconds", "get_records_iterator_age"):
        assert found[f"aws_kinesis_{metric}_count"] == 3
        assert 0 <= found[f"aws_kinesis_{metric}_max"] < 60_000
    assert found["aws_kinesis_incoming_bytes_second_max"] <= 1660
    assert found["tidemill_streams_open_shards"] == 2


def test_what_a_mapping_reads_is_counted_as_what_anybody_reads(mill, kinesis):
    name = mill.stream()
    for size in (10, 20, 30):
        put(mill, name, size)
    mill.account(mill.mapping(name, mill.function(IDLE)), processed=3)
    found = rows(mill, stream_name=name)
    assert found["aws_kinesis_get_records_bytes_sum"] == 60
    assert found["aws_kinesis_get_records_records_sum"] == 3
    calls = found["aws_kinesis_get_records_records_count"]
    assert calls >= 1
    for metric in ("success", "latency", "iterator_age_milliseconds", "iterator_age", "bytes"):
        assert found[f"aws_kinesis_get_records_{metric}_count"] == calls, metric
    assert found["aws_kinesis_get_records_success_sum"] == calls
    assert found["aws_kinesis_read_provisioned_throughput_exceeded_sum"] == 0


def test_what_is_throttled_is_counted_and_no_success(limited):
    name = limited.stream()
    size = 700 * 1024
    answer = limited.kinesis.put_records(
        StreamName=name, Records=[entry(size, LOWER), entry(size, LOWER), entry(10, LOWER)]
    )
    assert answer["FailedRecordCount"] == 1
    arguments = {"StreamName": name, "PartitionKey": "k", "Data": b"x" * size}
    refused(limited.kinesis.put_record, "ProvisionedThroughputExceededException", **arguments)
    iterator = limited.iterator(name)

    def is_refused():
        try:
            limited.kinesis.get_records(ShardIterator=iterator, Limit=1)
        except limited.kinesis.exceptions.ProvisionedThroughputExceededException:
            return True
        calls.append("answered")
        return False

    calls = []
    eventually(is_refused, "a read is refused")
    assert of_stream(limited, name, "incoming_bytes") == (size + 10, 1)
    assert of_stream(limited, name, "put_records_total_records") == (3, 1)
    assert of_stream(limited, name, "put_records_successful_records") == (2, 1)
    assert of_stream(limited, name, "put_records_throttled_records") == (1, 1)
    assert of_stream(limited, name, "put_record_success") == (0, 1)
    assert of_stream(limited, name, "write_provisioned_throughput_exceeded") == (2, 2)
    assert of_stream(limited, name, "get_records_success") == (len(calls), len(calls) + 1)
    assert of_stream(limited, name, "read_provisioned_throughput_exceeded") == (1, len(calls) + 1)

    shard = rows(limited, stream_name=name, shard_id=FIRST)
    assert shard == {"tidemill_streams_shard_write_utilization_second_max": (size + 10) / MIB}
    whole = stream_rows(limited, name)["tidemill_streams_write_utilization_second_max"]
    assert whole == (size + 10) / MIB


def test_shards_have_metrics_of_their_own_while_they_are_on(mill, kinesis):
    name = mill.stream(shards=2)
    put(mill, name, 5)
    kinesis.enable_enhanced_monitoring(
        StreamName=name, ShardLevelMetrics=["IncomingBytes", "OutgoingRecords", "IteratorAgeMilliseconds"]
    )
    assert not [metric for metric in rows(mill, stream_name=name, shard_id=FIRST) if "aws" in metric]
    put(mill, name, 10)
    put(mill, name, 30, where=UPPER)
    kinesis.put_records(StreamName=name, Records=[entry(100, LOWER), entry(1000, UPPER), entry(200, LOWER)])
    kinesis.get_records(ShardIterator=mill.iterator(name, FIRST))
    first, second = (rows(mill, stream_name=name, shard_id=shard) for shard in (FIRST, SECOND))
    prefix = "aws_kinesis_shard_"
    assert (first[prefix + "incoming_bytes_sum"], first[prefix + "incoming_bytes_count"]) == (310, 2)
    assert (second[prefix + "incoming_bytes_sum"], second[prefix + "incoming_bytes_count"]) == (1030, 2)
    assert first[prefix + "outgoing_records_sum"] == 4
    assert second[prefix + "outgoing_records_sum"] == 0
    assert first[prefix + "iterator_age_milliseconds_count"] == 1
    assert not [metric for metric in first if "incoming_records" in metric or "exceeded" in metric]
    kinesis.disable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["ALL"])
    assert not [metric for metric in rows(mill, stream_name=name, shard_id=FIRST) if "aws" in metric]


def of_shard(mill, name, shard, metric):
    """Sum and number of samples of a shard-level metric."""
    found = rows(mill, stream_name=name, shard_id=shard)
    return found[f"aws_kinesis_shard_{metric}_sum"], found[f"aws_kinesis_shard_{metric}_count"]


def test_what_a_shard_throttles_is_counted_for_the_shard_and_once_for_each_call(timed):
    name, size = timed.stream(shards=2), 700 * 1024
    timed.kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["ALL"])

    exceeded = "write_provisioned_throughput_exceeded"

    def put_all(*entries):
        return timed.kinesis.put_records(StreamName=name, Records=list(entries))["FailedRecordCount"]

    def written(shard):
        return [of_shard(timed, name, shard, metric) for metric in ("incoming_records", exceeded)]

    # The first shard takes it in part, the second whole.
    assert put_all(*[entry(size, LOWER)] * 3, entry(10, LOWER), entry(20, UPPER)) == 2
    assert written(FIRST) == [(2, 1), (2, 1)]
    assert written(SECOND) == [(1, 1), (0, 1)]
    # The first takes nothing, the second is not asked.
    assert put_all(entry(size, LOWER)) == 1
    assert of_shard(timed, name, FIRST, exceeded) == (3, 2)
    alone = {"StreamName": name, **entry(size, LOWER)}
    refused(timed.kinesis.put_record, "ProvisionedThroughputExceededException", **alone)
    assert of_shard(timed, name, FIRST, exceeded) == (4, 3)
    timed.clock.advance(seconds=1)
    put(timed, name, size)
    assert of_shard(timed, name, FIRST, exceeded) == (4, 4)
    assert of_shard(timed, name, FIRST, "incoming_records")[0] == 3
    assert written(SECOND) == [(1, 1), (0, 1)]
    assert of_stream(timed, name, exceeded) == (4, 4)
    assert of_stream(timed, name, "incoming_records")[0] == 4


def test_the_reads_that_a_shard_throttles_are_counted_for_the_shard(timed):
    name = timed.stream(shards=2)
    timed.kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["ALL"])
    first, second = timed.iterator(name, FIRST), timed.iterator(name, SECOND)
    for _ in range(5):
        timed.kinesis.get_records(ShardIterator=first)
    for _ in range(2):
        refused(timed.kinesis.get_records, "ProvisionedThroughputExceededException", ShardIterator=first)
    timed.kinesis.get_records(ShardIterator=second)
    exceeded = "read_provisioned_throughput_exceeded"
    assert of_shard(timed, name, FIRST, exceeded) == (2, 7)
    assert of_shard(timed, name, SECOND, exceeded) == (0, 1)
    assert of_stream(timed, name, exceeded) == (2, 8)
    assert of_stream(timed, name, "get_records_success") == (6, 8)


@pytest.mark.parametrize("service", ["aws_kinesis_", "tidemill_streams_", "tidemill_functions_", "tidemill_mapping_"])
def test_every_service_has_metrics(mill, service):
    mill.stream()
    assert any(line.startswith(f"# TYPE {service}") for line in page(mill).splitlines())


def test_every_metric_is_described_once_and_its_rows_follow(mill):
    put(mill, mill.stream(), 10)
    described, current = set(), None
    for line in page(mill).splitlines():
        if line.startswith("# HELP "):
            current = line.split()[2]
            assert current not in described
            described.add(current)
        elif line.startswith("# TYPE "):
            assert line.split()[2] == current
            assert line.split()[3] in ("counter", "gauge", "summary")
        else:
            assert re.sub("_(sum|count)$", "", LINE.match(line).group(1)) == re.sub("_(sum|count)$", "", current)
    assert len(described) > 60


# CloudWatch's names with their units: of a stream, of a consumer, and of a shard.
OF_STREAM = {
    "IncomingBytes": "Bytes",
    "IncomingRecords": "Count",
    "PutRecord.Bytes": "Bytes",
    "PutRecord.Latency": "Milliseconds",
    "PutRecord.Success": "Count",
    "PutRecords.Bytes": "Bytes",
    "PutRecords.Latency": "Milliseconds",
    "PutRecords.Success": "Count",
    "PutRecords.TotalRecords": "Count",
    "PutRecords.SuccessfulRecords": "Count",
    "PutRecords.FailedRecords": "Count",
    "PutRecords.ThrottledRecords": "Count",
    "PutRecords.Records": "Count",
    "GetRecords.Bytes": "Bytes",
    "GetRecords.Records": "Count",
    "GetRecords.Latency": "Milliseconds",
    "GetRecords.Success": "Count",
    "GetRecords.IteratorAgeMilliseconds": "Milliseconds",
    "GetRecords.IteratorAge": "Milliseconds",
    "ReadProvisionedThroughputExceeded": "Count",
    "WriteProvisionedThroughputExceeded": "Count",
}
OF_CONSUMER = {
    "SubscribeToShard.Success": "Count",
    "SubscribeToShard.RateExceeded": "Count",
    "SubscribeToShardEvent.Bytes": "Bytes",
    "SubscribeToShardEvent.Records": "Count",
    "SubscribeToShardEvent.MillisBehindLatest": "Milliseconds",
    "SubscribeToShardEvent.Success": "Count",
}
OF_SHARD = {
    "IncomingBytes": "Bytes",
    "IncomingRecords": "Count",
    "IteratorAgeMilliseconds": "Milliseconds",
    "OutgoingBytes": "Bytes",
    "OutgoingRecords": "Count",
    "ReadProvisionedThroughputExceeded": "Count",
    "WriteProvisionedThroughputExceeded": "Count",
}


def test_every_metric_of_aws_is_described_with_its_name_and_its_unit(mill):
    described = {}
    for line in page(mill).splitlines():
        if line.startswith("# HELP aws_kinesis_"):
            _, _, row, meaning = line.split(" ", 3)
            described[row] = meaning.split(": ")[0]

    def expected(metrics, prefix="aws_kinesis_"):
        words = {name: re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).replace(".", "_").lower() for name in metrics}
        return {prefix + words[name]: f"AWS/Kinesis {name} ({unit})" for name, unit in metrics.items()}

    metrics = {**expected(OF_STREAM), **expected(OF_CONSUMER), **expected(OF_SHARD, "aws_kinesis_shard_")}
    assert {row: described.get(row) for row in metrics} == metrics
    highest = {row: meaning for row, meaning in described.items() if row not in metrics}
    assert highest == {row: metrics[re.sub("(_second)?_max$", "", row)] for row in highest}


def test_a_stream_that_is_gone_has_no_metrics(mill, kinesis):
    name = mill.stream(name=unique("short"))
    put(mill, name, 10)
    assert stream_rows(mill, name)
    kinesis.delete_stream(StreamName=name)
    eventually(lambda: not stream_rows(mill, name), "the rows are gone")


def test_what_is_pushed_to_a_consumer_is_counted_for_it(mill, kinesis):
    name = mill.stream()
    kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["OutgoingBytes"])
    registered = kinesis.register_stream_consumer(StreamARN=stream_arn(name), ConsumerName="board")
    arn = registered["Consumer"]["ConsumerARN"]
    start = {"ConsumerARN": arn, "ShardId": FIRST, "StartingPosition": {"Type": "TRIM_HORIZON"}}
    put(mill, name, 10)
    put(mill, name, 20)
    subscription = kinesis.subscribe_to_shard(**start)["EventStream"]
    records = (record for event in subscription for record in event["SubscribeToShardEvent"]["Records"])
    assert [len(next(records)["Data"]) for _ in range(2)] == [9, 19]
    refused(kinesis.subscribe_to_shard, "ResourceInUseException", **start)
    found = rows(mill, stream_name=name, consumer_name="board")
    subscription.close()
    for metric, numbers in {
        "subscribe_to_shard_success": (1, 2),
        "subscribe_to_shard_rate_exceeded": (1, 2),
        "subscribe_to_shard_event_bytes": (30, 1),
        "subscribe_to_shard_event_records": (2, 1),
        "subscribe_to_shard_event_success": (1, 1),
        "subscribe_to_shard_event_millis_behind_latest": (0, 1),
    }.items():
        sums = found[f"aws_kinesis_{metric}_sum"], found[f"aws_kinesis_{metric}_count"]
        assert sums == numbers, metric
    assert rows(mill, stream_name=name, shard_id=FIRST)["aws_kinesis_shard_outgoing_bytes_sum"] == 30
