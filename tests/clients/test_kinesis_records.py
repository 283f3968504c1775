"""Records: put one by one and by the hundred, and read back from every kind of place."""

import datetime
import time

import pytest

from harness import ACCOUNT, eventually, hash_key, refused, stream_arn, unique

NOT_FOUND = "ResourceNotFoundException"
INVALID = "InvalidArgumentException"
THROTTLED = "ProvisionedThroughputExceededException"
MEBIBYTE = 1_048_576
FIRST = "shardId-000000000000"


def texts(records):
    return [record["Data"].decode() for record in records]


@pytest.mark.parametrize(
    "key, expected",
    [
        ("a", 16955237001963240173058271559858726497),
        ("1", 261578874264819908609102035485573088411),
        ("user-42", 157107139746365290205026809710278036035),
        ("é", 136732923097551493579404309126273812335),
    ],
)
@pytest.mark.parity("PutRecord", grade="exact", source="model")
def test_a_record_goes_where_the_digest_of_its_key_says(mill, kinesis, key, expected):
    assert hash_key(key) == expected
    name = mill.stream(shards=3)
    answer = kinesis.put_record(StreamName=name, PartitionKey=key, Data=b"x")
    ranges = {shard["ShardId"]: shard["HashKeyRange"] for shard in mill.shards(name)}
    range_of = ranges[answer["ShardId"]]
    assert int(range_of["StartingHashKey"]) <= expected <= int(range_of["EndingHashKey"])


@pytest.mark.parity("PutRecord", "GetRecords", grade="exact", source="model")
def test_a_record_comes_back_as_it_was_put(mill, kinesis):
    name = mill.stream()
    data = bytes(range(256))
    put = kinesis.put_record(StreamName=name, PartitionKey="schlüssel", Data=data)
    assert len(put["SequenceNumber"]) == 56 and "EncryptionType" not in put
    before = datetime.datetime.now(datetime.timezone.utc)
    (record,) = mill.read(mill.iterator(name), 1)
    assert record["Data"] == data
    assert record["PartitionKey"] == "schlüssel"
    assert record["SequenceNumber"] == put["SequenceNumber"]
    assert abs(record["ApproximateArrivalTimestamp"] - before) < datetime.timedelta(minutes=1)
    assert "EncryptionType" not in record


@pytest.mark.parity("PutRecord", grade="exact", source="model")
def test_a_record_may_be_empty(mill, kinesis):
    name = mill.stream()
    kinesis.put_record(StreamName=name, PartitionKey="k", Data=b"")
    assert mill.read(mill.iterator(name), 1)[0]["Data"] == b""


@pytest.mark.parity("PutRecord", grade="exact", source="model")
def test_sequence_numbers_grow_within_a_shard(mill):
    name = mill.stream()
    numbers = mill.put(name, [str(n) for n in range(20)])
    assert [int(number) for number in numbers] == sorted(int(number) for number in numbers)
    assert numbers == sorted(numbers) and len(set(numbers)) == 20
    assert texts(mill.read(mill.iterator(name), 20)) == [str(n) for n in range(20)]


@pytest.mark.parity("PutRecord", grade="exact", source="model")
def test_an_explicit_hash_key_wins_over_the_key(mill, kinesis):
    name = mill.stream(shards=2)
    for explicit, shard in [("0", FIRST), (str(2**128 - 1), "shardId-000000000001")]:
        answer = kinesis.put_record(
            StreamName=name, PartitionKey="same", ExplicitHashKey=explicit, Data=b"x"
        )
        assert answer["ShardId"] == shard
    record = mill.read(mill.iterator(name), 1)[0]
    assert record["PartitionKey"] == "same" and "ExplicitHashKey" not in record


@pytest.mark.parity("PutRecord", "PutRecords", grade="exact", source="observed")
def test_a_hash_key_beyond_the_space_is_refused(mill, kinesis):
    name = mill.stream()
    expected = (
        "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
        f"Specified value was {2**128}"
    )
    entry = {"PartitionKey": "k", "ExplicitHashKey": str(2**128), "Data": b"x"}
    assert refused(kinesis.put_record, INVALID, StreamName=name, **entry) == expected
    good = {"PartitionKey": "k", "Data": b"x"}
    assert refused(kinesis.put_records, INVALID, StreamName=name, Records=[good, entry]) == expected
    assert mill.read_all(name) == [], "the whole call has failed"


@pytest.mark.parity("PutRecord", grade="exact", source="model")
def test_a_hash_key_that_is_no_number_breaks_a_constraint(mill, kinesis):
    message = refused(
        kinesis.put_record,
        "ValidationException",
        StreamName=mill.stream(),
        PartitionKey="k",
        ExplicitHashKey="0x10",
        Data=b"",
    )
    assert "'explicitHashKey' failed to satisfy constraint: Member must satisfy regular expression pattern" in message


@pytest.mark.parity("PutRecord", grade="exact", source="model")
def test_a_key_is_counted_in_characters(mill, kinesis):
    name = mill.stream()
    kinesis.put_record(StreamName=name, PartitionKey="é" * 256, Data=b"x")
    message = refused(
        kinesis.put_record, "ValidationException", StreamName=name, PartitionKey="é" * 257, Data=b"x"
    )
    assert "'partitionKey' failed to satisfy constraint: Member must have length less than or equal to 256" in message


@pytest.mark.parity(
    "PutRecord",
    "PutRecords",
    grade="approximate",
    source="inferred",
    note="the text of the message is ours: AWS's is not known",
)
def test_a_record_without_a_key_is_refused(mill, kinesis):
    name = mill.stream()
    refused(kinesis.put_record, ("ValidationException", INVALID), StreamName=name, Data=b"x")
    refused(
        kinesis.put_records, ("ValidationException", INVALID), StreamName=name, Records=[{"Data": b"x"}]
    )


@pytest.mark.parity("PutRecord", grade="exact", source="model")
def test_a_put_may_say_what_it_comes_after(mill, kinesis):
    name = mill.stream()
    before = kinesis.put_record(StreamName=name, PartitionKey="k", Data=b"1")["SequenceNumber"]
    after = kinesis.put_record(
        StreamName=name, PartitionKey="k", Data=b"2", SequenceNumberForOrdering=before
    )["SequenceNumber"]
    assert int(after) > int(before)


@pytest.mark.parity("PutRecord", grade="exact", source="observed")
def test_a_put_does_not_come_after_the_future(mill, kinesis):
    name = mill.stream()
    number = mill.put(name, ["1"])[0]
    future = str(int(number) + 16**20)
    message = refused(
        kinesis.put_record,
        INVALID,
        StreamName=name,
        PartitionKey="k",
        Data=b"2",
        SequenceNumberForOrdering=future,
    )
    assert message == (
        f"ExclusiveMinimumSequenceNumber {future} used in PutRecord on stream {name} "
        f"under account {ACCOUNT} is invalid."
    )


@pytest.mark.parity("PutRecord", "PutRecords", grade="exact", source="observed")
def test_nothing_is_put_into_a_stream_that_is_not_there(kinesis):
    name = unique("nowhere")
    expected = f"Stream {name} under account {ACCOUNT} not found."
    entry = {"PartitionKey": "k", "Data": b"x"}
    assert refused(kinesis.put_record, NOT_FOUND, StreamName=name, **entry) == expected
    assert refused(kinesis.put_records, NOT_FOUND, StreamName=name, Records=[entry]) == expected


@pytest.mark.parity("PutRecords", grade="exact", source="model")
def test_many_records_are_put_in_the_order_of_the_request(mill, kinesis):
    name = mill.stream(shards=4)
    entries = [{"PartitionKey": str(n), "Data": str(n).encode()} for n in range(500)]
    answer = kinesis.put_records(StreamName=name, Records=entries)
    assert answer["FailedRecordCount"] == 0 and len(answer["Records"]) == 500
    ranges = {shard["ShardId"]: shard["HashKeyRange"] for shard in mill.shards(name)}
    for entry, result in zip(entries, answer["Records"]):
        assert set(result) == {"ShardId", "SequenceNumber"}
        bounds = ranges[result["ShardId"]]
        place = hash_key(entry["PartitionKey"])
        assert int(bounds["StartingHashKey"]) <= place <= int(bounds["EndingHashKey"])
    by_number = {result["SequenceNumber"]: n for n, result in enumerate(answer["Records"])}
    for record in mill.read_all(name):
        assert record["Data"].decode() == str(by_number.pop(record["SequenceNumber"]))
    assert not by_number


@pytest.mark.parity("PutRecords", grade="exact", source="model")
def test_five_hundred_and_one_entries_are_too_many(mill, kinesis):
    name = mill.stream()
    entries = [{"PartitionKey": "k", "Data": b"x"}] * 501
    message = refused(kinesis.put_records, "ValidationException", StreamName=name, Records=entries)
    assert message.startswith("1 validation error detected: Value")
    assert message.endswith(
        "at 'records' failed to satisfy constraint: Member must have length less than or equal to 500"
    )
    assert mill.read_all(name) == []


@pytest.mark.parity("PutRecord", grade="exact", source="model")
def test_a_record_has_at_most_a_mebibyte_with_its_key(mill, kinesis):
    name = mill.stream()
    kinesis.put_record(StreamName=name, PartitionKey="k", Data=b"x" * (MEBIBYTE - 1))
    refused(
        kinesis.put_record, "ValidationException", StreamName=name, PartitionKey="k", Data=b"x" * MEBIBYTE
    )
    assert len(mill.read_all(name)) == 1


@pytest.mark.parity("PutRecords", grade="exact", source="observed")
def test_one_record_that_is_too_large_refuses_them_all(mill, kinesis):
    name = mill.stream()
    entries = [
        {"PartitionKey": "k", "Data": b"small"},
        {"PartitionKey": "k", "Data": b"x" * (MEBIBYTE + 1)},
    ]
    message = refused(kinesis.put_records, "ValidationException", StreamName=name, Records=entries)
    assert message.rstrip(".") == (
        "1 validation error detected: Value at 'records.2.member.data' failed to satisfy constraint: "
        "Member must have length less than or equal to 1048576"
    )
    assert mill.read_all(name) == []


@pytest.mark.parity(
    "PutRecords",
    grade="approximate",
    source="model",
    note="the text of the message is ours: AWS's for this size is not known",
)
def test_a_request_has_at_most_ten_mebibytes(mill, kinesis):
    name = mill.stream(shards=1)
    entries = [{"PartitionKey": "k", "Data": b"x" * (MEBIBYTE - 1)}] * 10
    assert kinesis.put_records(StreamName=name, Records=entries)["FailedRecordCount"] == 0
    entries.append({"PartitionKey": "k", "Data": b"x"})
    refused(kinesis.put_records, (INVALID, "ValidationException"), StreamName=name, Records=entries)


@pytest.mark.parity("PutRecords", grade="exact", source="observed")
def test_a_shard_over_its_limit_refuses_entries_and_not_the_request(limited):
    name = limited.stream(shards=1)
    entries = [{"PartitionKey": str(n), "Data": bytes([n]) * 900_000} for n in range(3)]
    answer = limited.kinesis.put_records(StreamName=name, Records=entries)
    first, *others = answer["Records"]
    assert set(first) == {"ShardId", "SequenceNumber"}
    assert answer["FailedRecordCount"] == 2
    for result in others:
        assert result == {
            "ErrorCode": THROTTLED,
            "ErrorMessage": f"Rate exceeded for shard {FIRST} in stream {name} under account {ACCOUNT}.",
        }
    assert [record["Data"][0] for record in limited.read(limited.iterator(name), 1)] == [0]


@pytest.mark.parity("PutRecords", grade="exact", source="observed")
def test_every_entry_gets_in_when_only_the_refused_are_tried_again(limited):
    name = limited.stream(shards=2)
    entries = [{"PartitionKey": str(n), "Data": str(n).encode() + b" " * 30_000} for n in range(150)]
    refusals = 0
    waiting = entries

    def put():
        nonlocal refusals, waiting
        answer = limited.kinesis.put_records(StreamName=name, Records=waiting)
        pairs = list(zip(waiting, answer["Records"]))
        waiting = [entry for entry, result in pairs if "ErrorCode" in result]
        assert answer["FailedRecordCount"] == len(waiting)
        assert all(result["ErrorCode"] == THROTTLED for _, result in pairs if "ErrorCode" in result)
        refusals += len(waiting)
        return not waiting

    eventually(put, "all entries are in")
    assert refusals > 0, "4.5 MB at once are more than two shards take"
    found = []
    for shard in limited.shards(name):
        place = limited.iterator(name, shard["ShardId"])
        answer = limited.kinesis.get_records(ShardIterator=place)
        found += [int(record["Data"]) for record in answer["Records"]]
    assert sorted(found) == list(range(150))


def rate_exceeded(name):
    return f"Rate exceeded for shard {FIRST} in stream {name} under account {ACCOUNT}."


@pytest.mark.parity("PutRecord", grade="exact", source="observed")
def test_one_record_over_the_limit_is_refused_as_a_whole(limited):
    name = limited.stream(shards=1)
    put = {"StreamName": name, "PartitionKey": "k", "Data": b"x" * 900_000}
    limited.kinesis.put_record(**put)
    message = refused(limited.kinesis.put_record, THROTTLED, **put)
    assert message == rate_exceeded(name)
    eventually(lambda: accepted(limited.kinesis.put_record, **put), "the shard takes records again")


def accepted(call, **arguments):
    try:
        return call(**arguments)
    except call.__self__.exceptions.ProvisionedThroughputExceededException:
        return None


@pytest.mark.parity("GetRecords", grade="exact", source="documented")
def test_a_shard_is_read_five_times_a_second(timed):
    name, other = timed.stream(), timed.stream()
    get, place = timed.kinesis.get_records, timed.iterator(name)

    def read(calls):
        for _ in range(calls):
            get(ShardIterator=place)
        assert refused(get, THROTTLED, ShardIterator=place) == rate_exceeded(name)

    read(5)
    assert refused(get, THROTTLED, ShardIterator=timed.iterator(name, kind="LATEST")) == rate_exceeded(name)
    get(ShardIterator=timed.iterator(other))
    timed.clock.advance(milliseconds=199)
    read(0)
    timed.clock.advance(milliseconds=1)
    read(1)
    timed.clock.advance(seconds=1)
    read(5)


def with_records(timed, count, size):
    """A stream of one shard whose records have `size` bytes each, and full buckets again; gives its name."""
    name = timed.stream()
    if size > MEBIBYTE:
        timed.kinesis.update_max_record_size(StreamARN=stream_arn(name), MaxRecordSizeInKiB=10 * 1024)
    for _ in range(count):
        timed.kinesis.put_record(StreamName=name, PartitionKey="k", Data=b"x" * (size - 1))
        timed.clock.advance(seconds=10)
    return name


@pytest.mark.parity("GetRecords", grade="exact", source="documented")
def test_a_shard_gives_two_mebibytes_a_second_to_all_its_readers(timed):
    name = with_records(timed, 3, MEBIBYTE)
    get, place = timed.kinesis.get_records, timed.iterator(name)
    for _ in range(2):
        assert len(get(ShardIterator=place, Limit=1)["Records"]) == 1
    for another in [place, timed.iterator(name), timed.iterator(name, kind="LATEST")]:
        assert refused(get, THROTTLED, ShardIterator=another) == rate_exceeded(name)
    timed.clock.advance(milliseconds=1)
    assert len(get(ShardIterator=place)["Records"]) == 3
    timed.clock.advance(milliseconds=1500)
    assert refused(get, THROTTLED, ShardIterator=place) == rate_exceeded(name)
    timed.clock.advance(milliseconds=1)
    assert len(get(ShardIterator=place)["Records"]) == 3


@pytest.mark.parity("GetRecords", grade="exact", source="documented")
def test_a_page_of_ten_mebibytes_shuts_the_shard_for_five_seconds_to_all_its_readers(timed):
    name = with_records(timed, 2, 10 * MEBIBYTE)
    get, first, latest = timed.kinesis.get_records, timed.iterator(name), timed.iterator(name, kind="LATEST")
    page = get(ShardIterator=first)
    assert [len(record["Data"]) for record in page["Records"]] == [10 * MEBIBYTE - 1]
    second = page["NextShardIterator"]

    def assert_shut():
        for place in [second, latest, first]:
            assert refused(get, THROTTLED, ShardIterator=place) == rate_exceeded(name)

    assert_shut()
    timed.clock.advance(seconds=5)
    assert_shut()
    timed.clock.advance(milliseconds=1)
    assert len(get(ShardIterator=second)["Records"]) == 1


@pytest.mark.parity("GetShardIterator", grade="exact", source="model")
def test_trim_horizon_begins_at_the_oldest_record(mill):
    name = mill.stream()
    mill.put(name, ["1", "2", "3"])
    assert texts(mill.read(mill.iterator(name), 3)) == ["1", "2", "3"]


@pytest.mark.parity("GetShardIterator", grade="exact", source="model")
def test_latest_begins_behind_the_newest_record_of_that_moment(mill):
    name = mill.stream()
    mill.put(name, ["before"])
    place = mill.iterator(name, kind="LATEST")
    mill.put(name, ["between", "after"])
    assert texts(mill.read(place, 2)) == ["between", "after"]


@pytest.mark.parity("GetShardIterator", grade="exact", source="model")
def test_a_sequence_number_begins_at_or_after_its_record(mill):
    name = mill.stream()
    numbers = mill.put(name, ["1", "2", "3"])
    at = mill.iterator(name, kind="AT_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1])
    assert texts(mill.read(at, 2)) == ["2", "3"]
    after = mill.iterator(name, kind="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1])
    assert texts(mill.read(after, 1)) == ["3"]


@pytest.mark.parametrize("kind", ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"])
@pytest.mark.parity("GetShardIterator", grade="exact", source="inferred")
def test_a_shards_own_starting_number_can_be_read_from(mill, kind):
    name = mill.stream()
    mill.put(name, ["1"])
    start = mill.shards(name)[0]["SequenceNumberRange"]["StartingSequenceNumber"]
    place = mill.iterator(name, kind=kind, StartingSequenceNumber=start)
    assert texts(mill.read(place, 1)) == ["1"]


@pytest.mark.parity("GetShardIterator", grade="exact", source="model")
def test_a_time_begins_at_the_first_record_not_older(mill):
    name = mill.stream()
    mill.put(name, ["old"])
    put_at = time.time()
    eventually(lambda: time.time() > put_at + 0.05, "the clock has moved on")
    between = datetime.datetime.fromtimestamp(time.time(), datetime.timezone.utc)
    eventually(lambda: time.time() > between.timestamp() + 0.05, "the clock has moved on")
    mill.put(name, ["new", "newer"])
    assert texts(mill.read(mill.iterator(name, kind="AT_TIMESTAMP", Timestamp=between), 2)) == ["new", "newer"]
    ancient = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    assert len(mill.read(mill.iterator(name, kind="AT_TIMESTAMP", Timestamp=ancient), 3)) == 3


@pytest.mark.parity("GetShardIterator", grade="exact", source="model")
def test_the_exact_time_of_a_record_includes_it(mill):
    name = mill.stream()
    mill.put(name, ["1"])
    put_at = time.time()
    eventually(lambda: time.time() > put_at + 0.01, "the clock has moved on")
    mill.put(name, ["2"])
    second = mill.read(mill.iterator(name), 2)[1]
    place = mill.iterator(name, kind="AT_TIMESTAMP", Timestamp=second["ApproximateArrivalTimestamp"])
    assert texts(mill.read(place, 1)) == ["2"]


@pytest.mark.parity("GetShardIterator", grade="exact", source="observed")
def test_an_iterator_says_where_it_begins_exactly_as_its_type_needs(mill, kinesis):
    name = mill.stream()
    number = mill.put(name, ["1"])[0]
    place = {"StreamName": name, "ShardId": FIRST}
    either = (
        "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
        "(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified {} and {} StartingSequenceNumber."
    )
    for kind in ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"]:
        message = refused(kinesis.get_shard_iterator, INVALID, ShardIteratorType=kind, **place)
        assert message == either.format(kind, "no")
    for kind in ["TRIM_HORIZON", "LATEST"]:
        message = refused(
            kinesis.get_shard_iterator, INVALID, ShardIteratorType=kind, StartingSequenceNumber=number, **place
        )
        assert message == either.format(kind, "also a")
    message = refused(kinesis.get_shard_iterator, INVALID, ShardIteratorType="AT_TIMESTAMP", **place)
    assert message == (
        "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. "
        "Current request has no timestamp parameter."
    )
    future = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    message = refused(
        kinesis.get_shard_iterator, INVALID, ShardIteratorType="AT_TIMESTAMP", Timestamp=future, **place
    )
    assert message.startswith(
        "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: "
    )


@pytest.mark.parity("GetShardIterator", grade="exact", source="observed")
def test_a_number_of_another_shard_is_told_apart(mill, kinesis):
    name = mill.stream(shards=2)
    number = kinesis.put_record(
        StreamName=name, PartitionKey="k", ExplicitHashKey=str(2**128 - 1), Data=b"x"
    )["SequenceNumber"]
    message = refused(
        kinesis.get_shard_iterator,
        INVALID,
        StreamName=name,
        ShardId=FIRST,
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        StartingSequenceNumber=number,
    )
    assert message == (
        "Invalid StartingSequenceNumber. It encodes shardId-000000000001, "
        f"while it was used in a call to a shard with {FIRST}"
    )


@pytest.mark.parity("GetShardIterator", grade="exact", source="observed")
def test_an_iterator_needs_a_shard_that_exists(mill, kinesis):
    name = mill.stream()
    message = refused(
        kinesis.get_shard_iterator,
        NOT_FOUND,
        StreamName=name,
        ShardId="shardId-000000000005",
        ShardIteratorType="LATEST",
    )
    assert message == f"Shard shardId-000000000005 in stream {name} under account {ACCOUNT} does not exist"
    message = refused(
        kinesis.get_shard_iterator, NOT_FOUND, StreamName=name, ShardId="nonsense", ShardIteratorType="LATEST"
    )
    assert message == f"Could not find shard nonsense in stream {name} under account {ACCOUNT}."
    refused(
        kinesis.get_shard_iterator,
        NOT_FOUND,
        StreamName=unique("nowhere"),
        ShardId=FIRST,
        ShardIteratorType="LATEST",
    )


@pytest.mark.parity("GetRecords", grade="exact", source="model")
def test_reading_goes_on_from_page_to_page(mill, kinesis):
    name = mill.stream()
    mill.put(name, [str(n) for n in range(5)])
    first = kinesis.get_records(ShardIterator=mill.iterator(name), Limit=2)
    assert texts(first["Records"]) == ["0", "1"]
    assert "ChildShards" not in first
    second = kinesis.get_records(ShardIterator=first["NextShardIterator"], Limit=2)
    assert texts(second["Records"]) == ["2", "3"]
    third = kinesis.get_records(ShardIterator=second["NextShardIterator"], Limit=2)
    assert texts(third["Records"]) == ["4"] and third["MillisBehindLatest"] == 0
    empty = kinesis.get_records(ShardIterator=third["NextShardIterator"])
    assert empty["Records"] == [] and empty["MillisBehindLatest"] == 0
    assert empty["NextShardIterator"] != third["NextShardIterator"]


@pytest.mark.parity("GetRecords", grade="exact", source="model")
def test_a_reader_knows_how_far_it_is_behind(mill, kinesis):
    name = mill.stream()
    mill.put(name, ["1", "2"])
    put_at = time.time()
    eventually(lambda: time.time() > put_at + 0.1, "the records have aged")
    behind = kinesis.get_records(ShardIterator=mill.iterator(name), Limit=1)["MillisBehindLatest"]
    assert 50 <= behind < 60_000


@pytest.mark.parity("GetRecords", grade="exact", source="observed")
def test_an_iterator_can_be_used_again(mill, kinesis):
    name = mill.stream()
    mill.put(name, ["1"])
    place = mill.iterator(name)
    assert texts(mill.read(place, 1)) == texts(mill.read(place, 1)) == ["1"]
    assert texts(kinesis.get_records(ShardIterator=f'"{place}"')["Records"]) == ["1"]


@pytest.mark.parity("GetRecords", grade="exact", source="model")
def test_a_page_is_at_most_ten_thousand_records(mill, kinesis):
    place = mill.iterator(mill.stream())
    refused(kinesis.get_records, (INVALID, "ValidationException"), ShardIterator=place, Limit=10_001)
    kinesis.get_records(ShardIterator=place, Limit=10_000)


@pytest.mark.parity("GetRecords", grade="exact", source="model")
def test_a_page_is_at_most_ten_megabytes(mill, kinesis):
    name = mill.stream()
    for _ in range(12):
        kinesis.put_record(StreamName=name, PartitionKey="k", Data=b"x" * 1_000_000)
    page = kinesis.get_records(ShardIterator=mill.iterator(name))
    assert 0 < sum(len(record["Data"]) for record in page["Records"]) <= 10 * MEBIBYTE
    assert page["MillisBehindLatest"] > 0 or len(page["Records"]) == 12
    assert len(mill.read(mill.iterator(name), 12)) == 12


@pytest.mark.parametrize("place", ["nonsense", "A" * 512, "AAAAAAAAAAHSywljv0zEgPX4NyKdZ5wryMzP9yALs8NeKbUjp1IxtZs1Sp"])
@pytest.mark.parity("GetRecords", grade="exact", source="observed")
def test_an_iterator_that_was_never_given_is_refused(kinesis, place):
    assert refused(kinesis.get_records, INVALID, ShardIterator=place) == "Invalid ShardIterator."


@pytest.mark.parity("GetRecords", "DeleteStream", grade="exact", source="observed")
def test_an_iterator_does_not_outlive_its_stream(mill, kinesis):
    name = mill.stream()
    place = mill.iterator(name)
    kinesis.delete_stream(StreamName=name)

    def is_gone():
        try:
            kinesis.get_records(ShardIterator=place)
        except kinesis.exceptions.ResourceNotFoundException:
            return True
        return False

    eventually(is_gone, "the iterator is of no use")
    mill.stream(name=name)
    refused(kinesis.get_records, NOT_FOUND, ShardIterator=place)
