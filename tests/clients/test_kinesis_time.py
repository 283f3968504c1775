"""What the passing of time does to who reads: iterators and page tokens grow old, and so do records and shards.

The server's clock is the test's, so that both sides of a limit are looked at to the millisecond.
"""

import contextlib
import datetime

import pytest

import cbor
import clock
from harness import ACCOUNT, eventually, refused, stream_arn

FIRST = "shardId-000000000000"
EXPIRED, NOT_FOUND = "ExpiredIteratorException", "ResourceNotFoundException"


def utc(*moment):
    return datetime.datetime(*moment, tzinfo=datetime.timezone.utc)


def texts(records):
    return [record["Data"].decode() for record in records]


def expired(created, now):
    """What is said of an iterator of `created` at `now`: the text of production, with its two times."""
    form = "%a %b %d %H:%M:%S UTC %Y"
    return (
        f"Iterator expired. The iterator was created at time {created.strftime(form)} while right now it is "
        f"{now.strftime(form)} which is further in the future than the tolerated delay of 300000 milliseconds."
    )


@pytest.mark.parity("GetRecords", "GetShardIterator", grade="exact", source="observed")
def test_an_iterator_is_good_for_five_minutes_and_not_a_millisecond_more(timed):
    get = timed.kinesis.get_records
    name = timed.stream()
    timed.put(name, ["1"])
    created = timed.clock.now
    place = timed.iterator(name)
    timed.clock.advance(minutes=5)
    assert texts(get(ShardIterator=place)["Records"]) == ["1"]
    timed.clock.advance(milliseconds=1)
    assert refused(get, EXPIRED, ShardIterator=place) == expired(created, timed.clock.now)
    with pytest.raises(timed.kinesis.exceptions.ExpiredIteratorException):
        get(ShardIterator=place)
    assert texts(get(ShardIterator=timed.iterator(name))["Records"]) == ["1"]


@pytest.mark.parity("GetRecords", grade="exact", source="observed")
def test_an_expired_iterator_is_told_as_it_was_in_production(timed):
    timed.clock.set(utc(2015, 1, 22, 1, 22, 2))
    place = timed.iterator(timed.stream())
    timed.clock.set(utc(2015, 1, 22, 1, 28, 2))
    text = (
        "Iterator expired. The iterator was created at time Thu Jan 22 01:22:02 UTC 2015 while right now it is Thu Jan "
        "22 01:28:02 UTC 2015 which is further in the future than the tolerated delay of 300000 milliseconds."
    )
    assert refused(timed.kinesis.get_records, EXPIRED, ShardIterator=place) == text
    request = cbor.encoded({"ShardIterator": place})
    answer = timed.server.call("kinesis", "Kinesis_20131202.GetRecords", request, "application/x-amz-cbor-1.1")
    assert (answer[0], cbor.decoded(answer[2])) == (400, {"__type": EXPIRED, "message": text})


@pytest.mark.parity("GetRecords", grade="exact", source="documented")
def test_who_reads_now_and_then_has_five_minutes_each_time_though_nothing_comes(timed):
    name = timed.stream()
    first = place = timed.iterator(name)
    for _ in range(3):
        timed.clock.advance(minutes=4)
        answer = timed.kinesis.get_records(ShardIterator=place)
        assert answer["Records"] == [] and answer["NextShardIterator"] != place
        place = answer["NextShardIterator"]
    refused(timed.kinesis.get_records, EXPIRED, ShardIterator=first)
    timed.put(name, ["1"])
    timed.clock.advance(minutes=5)
    assert texts(timed.kinesis.get_records(ShardIterator=place)["Records"]) == ["1"]


@pytest.mark.parity("GetRecords", "GetShardIterator", grade="exact", source="client")
def test_who_pauses_for_too_long_goes_on_behind_the_last_record(timed):
    name = timed.stream()
    timed.put(name, ["1", "2", "3", "4"])
    page = timed.kinesis.get_records(ShardIterator=timed.iterator(name), Limit=2)
    timed.clock.advance(minutes=6)
    refused(timed.kinesis.get_records, EXPIRED, ShardIterator=page["NextShardIterator"])
    last = page["Records"][-1]["SequenceNumber"]
    place = timed.iterator(name, kind="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=last)
    assert texts(timed.kinesis.get_records(ShardIterator=place)["Records"]) == ["3", "4"]


# Operation of boto3, where the page is, and whether its next page is asked for with the stream.
PAGES = {
    "list_shards": ("Shards", {"MaxResults": 1}, False),
    "list_streams": ("StreamNames", {"Limit": 1}, None),
    "list_stream_consumers": ("Consumers", {"MaxResults": 1}, True),
}


@pytest.mark.parity("ListShards", "ListStreams", "ListStreamConsumers", grade="exact", source="model")
@pytest.mark.parametrize("operation", PAGES)
def test_a_page_token_is_good_for_five_minutes(timed, operation):
    members, size, with_stream = PAGES[operation]
    name = timed.stream(shards=2)
    timed.stream()
    for consumer in ["one", "two"]:
        timed.kinesis.register_stream_consumer(StreamARN=stream_arn(name), ConsumerName=consumer)
    of_stream = {} if with_stream is None else {"StreamARN": stream_arn(name)}
    call = getattr(timed.kinesis, operation)
    page = call(**of_stream, **size)
    assert len(page[members]) == 1
    again = {"NextToken": page["NextToken"], **(of_stream if with_stream else {})}
    timed.clock.advance(minutes=5)
    assert len(call(**again)[members]) == 1
    timed.clock.advance(milliseconds=1)
    refused(call, "ExpiredNextTokenException", **again)


@pytest.mark.parity("GetRecords", "GetShardIterator", grade="exact", source="documented")
def test_records_are_kept_for_a_day_and_passed_over_in_silence_afterwards(timed):
    name = timed.stream()
    first, _ = timed.put(name, ["1", "2"])
    timed.clock.advance(hours=23)
    timed.put(name, ["3"])
    timed.clock.advance(minutes=59)
    assert texts(timed.kinesis.get_records(ShardIterator=timed.iterator(name))["Records"]) == ["1", "2", "3"]
    place = timed.iterator(name)
    timed.clock.advance(minutes=1, milliseconds=1)
    later = timed.iterator(name, kind="AT_SEQUENCE_NUMBER", StartingSequenceNumber=first)
    for oldest in [place, later, timed.iterator(name)]:
        assert texts(timed.kinesis.get_records(ShardIterator=oldest)["Records"]) == ["3"]


@pytest.mark.parity("ListShards", "GetShardIterator", "SplitShard", grade="exact", source="documented")
def test_a_closed_shard_is_listed_until_nothing_of_it_can_be_read(timed):
    name = timed.stream()
    timed.put(name, ["1"])
    timed.clock.advance(hours=12)
    timed.kinesis.split_shard(StreamName=name, ShardToSplit=FIRST, NewStartingHashKey=str(2**127))
    timed.active(name)
    timed.clock.advance(hours=11, minutes=59)
    assert len(timed.shards(name)) == 3
    assert texts(timed.kinesis.get_records(ShardIterator=timed.iterator(name))["Records"]) == ["1"]
    timed.clock.advance(hours=13)
    children = timed.shards(name)
    assert [shard["ShardId"] for shard in children] == ["shardId-000000000001", "shardId-000000000002"]
    message = refused(
        timed.kinesis.get_shard_iterator, NOT_FOUND, StreamName=name, ShardId=FIRST, ShardIteratorType="TRIM_HORIZON"
    )
    assert message == f"Shard {FIRST} in stream {name} under account {ACCOUNT} does not exist"


@pytest.mark.parity(
    "GetRecords", "IncreaseStreamRetentionPeriod", "DecreaseStreamRetentionPeriod", grade="exact", source="documented"
)
def test_what_is_on_disk_is_kept_for_as_long_as_its_stream_says_and_no_longer(tmp_path, clock_library):
    config = tmp_path / "tidemill.toml"
    # So that what is put is soon sorted into chunks and these are merged, as much larger logs are.
    config.write_text("[log]\nfile_bytes = 65536\nsort_after_files = 1\n")
    options = ["--limits", "none", "--config", str(config)]
    durable = clock.started(tmp_path, clock_library, *options, data_dir=tmp_path / "data")

    def put(day):
        for name in ["short", "long"]:
            durable.put(name, [f"{day} {number}".ljust(10_000) for number in range(10)])

    def days(name):
        found = [text.split()[0] for text in texts(durable.read_all(name))]
        assert found == sorted(found) and len(found) == 10 * len(set(found))
        return sorted(set(found))

    def sorted_bytes():
        sizes = []
        for file in (tmp_path / "data" / "chunk").iterdir():
            with contextlib.suppress(FileNotFoundError):
                sizes.append(file.stat().st_size)
        return sum(sizes)

    def assert_kept(short, long):
        """At once, about when the server sweeps, and when it has been killed and started again."""
        assert (days("short"), days("long")) == (short, long)
        durable.elapse(minutes=1)
        assert (days("short"), days("long")) == (short, long)
        durable.server.restart()
        assert (days("short"), days("long")) == (short, long)

    try:
        for name in ["short", "long"]:
            durable.stream(name=name)
        durable.kinesis.increase_stream_retention_period(StreamName="long", RetentionPeriodHours=8760)
        put("1")
        durable.clock.advance(hours=23)
        put("2")
        assert_kept(["1", "2"], ["1", "2"])
        durable.clock.advance(hours=1)
        assert_kept(["2"], ["1", "2"])
        durable.clock.advance(hours=8_000)
        assert_kept([], ["1", "2"])
        put("3")
        assert_kept(["3"], ["1", "2", "3"])
        durable.clock.advance(hours=8_760 - 8_000 - 24)
        assert_kept([], ["2", "3"])
        assert sorted_bytes() > 100_000
        durable.kinesis.decrease_stream_retention_period(StreamName="long", RetentionPeriodHours=24)
        assert_kept([], [])

        def is_given_back():
            durable.elapse(minutes=1)
            return sorted_bytes() < 20_000

        eventually(is_given_back, "the room on the disk is given back")
    finally:
        durable.server.stop()
