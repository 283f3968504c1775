"""Mappings: the five operations, their refusals, and what becomes of records, good ones and poison."""

import base64
import datetime
import json
import time

import pytest

from harness import ACCOUNT, REGION, REPORT, balanced, eventually, function_arn, refused, stream_arn, unique

INVALID = "InvalidParameterValueException"
VALIDATION = "ValidationException"
NOT_FOUND = "ResourceNotFoundException"
GONE = "The resource you requested does not exist."
NOBODY = "00000000-0000-4000-8000-000000000000"

IDLE = "def handle(event, context):\n    return None\n"

# Reports every record it is given; a record that says poison makes it fail.
NAIVE = REPORT + '''
import base64
def handle(event, context):
    texts = [base64.b64decode(record["kinesis"]["data"]).decode() for record in event["Records"]]
    report(texts)
    if any(text.startswith("poison") for text in texts):
        raise ValueError("cannot grind this")
'''

# Reports as failed every record that says poison, and has done the others.
PARTIAL = REPORT + '''
import base64
def handle(event, context):
    failed = []
    for record in event["Records"]:
        if base64.b64decode(record["kinesis"]["data"]).startswith(b"poison"):
            failed.append({"itemIdentifier": record["kinesis"]["sequenceNumber"]})
    report(len(event["Records"]))
    return {"batchItemFailures": failed}
'''


@pytest.fixture
def stream(mill):
    return mill.stream()


@pytest.fixture(scope="module")
def idle(mill):
    return mill.function(IDLE)


def create(stream, function, **settings):
    return {
        "EventSourceArn": stream_arn(stream),
        "FunctionName": function,
        "StartingPosition": "TRIM_HORIZON",
        **settings,
    }


def naive(mill, collector, code=NAIVE, **settings):
    return mill.function(code, environment={"COLLECTOR": collector.url}, Timeout=20, **settings)


# --- the operations


def test_a_new_mapping_has_exactly_the_defaults(functions, stream, idle):
    answer = functions.create_event_source_mapping(**create(stream, idle, StartingPosition="LATEST"))
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    del answer["ResponseMetadata"]
    uuid = answer["UUID"]
    assert len(uuid) == 36
    age = datetime.datetime.now(datetime.timezone.utc) - answer.pop("LastModified")
    assert abs(age) < datetime.timedelta(minutes=1)
    assert answer.pop("State") in ("Creating", "Enabled")
    assert answer == {
        "UUID": uuid,
        "StartingPosition": "LATEST",
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "ParallelizationFactor": 1,
        "EventSourceArn": stream_arn(stream),
        "FunctionArn": function_arn(idle),
        "EventSourceMappingArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{uuid}",
        "LastProcessingResult": "No records processed",
        "StateTransitionReason": "User action",
        "DestinationConfig": {"OnFailure": {}},
        "MaximumRecordAgeInSeconds": -1,
        "BisectBatchOnFunctionError": False,
        "MaximumRetryAttempts": -1,
        "TumblingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
    }


def test_a_mapping_is_found_as_it_was_made(mill, functions, stream, idle):
    _, queue = mill.queue()
    settings = {
        "BatchSize": 10_000,
        "MaximumBatchingWindowInSeconds": 300,
        "MaximumRecordAgeInSeconds": 604_800,
        "MaximumRetryAttempts": 10_000,
        "BisectBatchOnFunctionError": True,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "DestinationConfig": {"OnFailure": {"Destination": queue}},
    }
    uuid = mill.mapping(stream, idle, **settings)
    found = functions.get_event_source_mapping(UUID=uuid)
    assert {key: found[key] for key in settings} == settings
    assert found["State"] == "Enabled"


def test_mappings_are_listed_by_stream_and_by_function(mill, functions, idle):
    first, second = mill.stream(), mill.stream()
    other = mill.function(IDLE)
    pairs = [(first, idle), (first, other), (second, other)]
    uuids = {pair: mill.mapping(*pair) for pair in pairs}

    def listed(**filters):
        pages = functions.get_paginator("list_event_source_mappings").paginate(**filters)
        return {mapping["UUID"] for page in pages for mapping in page["EventSourceMappings"]}

    assert listed(EventSourceArn=stream_arn(first)) == {uuids[pairs[0]], uuids[pairs[1]]}
    assert listed(FunctionName=other) == {uuids[pairs[1]], uuids[pairs[2]]}
    assert listed(FunctionName=function_arn(other)) == {uuids[pairs[1]], uuids[pairs[2]]}
    assert listed(EventSourceArn=stream_arn(first), FunctionName=other) == {uuids[pairs[1]]}
    assert listed() >= set(uuids.values())
    page = functions.list_event_source_mappings(EventSourceArn=stream_arn(first), MaxItems=1)
    assert len(page["EventSourceMappings"]) == 1 and page["NextMarker"]


def test_a_mapping_can_be_changed_and_keeps_the_rest(mill, functions, stream, idle):
    uuid = mill.mapping(stream, idle, MaximumRetryAttempts=5)
    answer = functions.update_event_source_mapping(UUID=uuid, BatchSize=7, BisectBatchOnFunctionError=True)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["State"] in ("Updating", "Enabled")
    mill.in_state(uuid, "Enabled")
    found = functions.get_event_source_mapping(UUID=uuid)
    assert (found["BatchSize"], found["BisectBatchOnFunctionError"], found["MaximumRetryAttempts"]) == (7, True, 5)


def test_a_mapping_can_be_given_another_function(mill, functions, stream, idle, collector):
    uuid = mill.mapping(stream, idle)
    mill.put(stream, ["1"])
    mill.account(uuid, processed=1)
    functions.update_event_source_mapping(UUID=uuid, FunctionName=naive(mill, collector))
    mill.in_state(uuid, "Enabled")
    mill.put(stream, ["2"])
    mill.account(uuid, processed=2)
    assert collector.received == [["2"]]


def test_a_deleted_mapping_stops_and_is_gone(mill, functions, stream, collector):
    uuid = mill.mapping(stream, naive(mill, collector))
    answer = functions.delete_event_source_mapping(UUID=uuid)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["State"] == "Deleting" and answer["UUID"] == uuid

    def gone():
        try:
            functions.get_event_source_mapping(UUID=uuid)
        except functions.exceptions.ResourceNotFoundException:
            return True
        return False

    eventually(gone, "the mapping is gone")
    mill.put(stream, ["unread"])
    again = mill.mapping(stream, mill.function(IDLE))
    mill.account(again, processed=1)
    assert collector.received == []


def test_a_mapping_that_is_not_there_is_not_found(functions):
    for call, more in [
        (functions.get_event_source_mapping, {}),
        (functions.update_event_source_mapping, {"BatchSize": 1}),
        (functions.delete_event_source_mapping, {}),
    ]:
        assert refused(call, NOT_FOUND, UUID=NOBODY, **more) == GONE


def test_a_stream_and_a_function_are_mapped_once(mill, functions, stream, idle):
    uuid = mill.mapping(stream, idle)
    message = refused(
        functions.create_event_source_mapping, "ResourceConflictException", **create(stream, idle)
    )
    assert message == (
        f'The event source arn (" {stream_arn(stream)} ") and function (" {idle} ") provided mapping already '
        f"exists. Please update or delete the existing mapping with UUID {uuid}"
    )


# --- what is refused


def test_a_mapping_needs_a_source_a_function_and_a_start(functions, stream, idle):
    call = functions.create_event_source_mapping
    assert refused(call, INVALID, FunctionName=idle, StartingPosition="LATEST") == "Unrecognized event source."
    message = refused(call, INVALID, **create(stream, unique("nowhere")))
    assert message == "Function does not exist"
    message = refused(call, INVALID, EventSourceArn=stream_arn(stream), FunctionName=idle)
    assert message == (
        "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
        "Member must not be null."
    )
    message = refused(call, VALIDATION, **create(stream, idle, StartingPosition="invalid"))
    assert message == (
        "1 validation error detected: Value 'invalid' at 'startingPosition' failed to satisfy constraint: "
        "Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"
    )
    absent = unique("nowhere")
    assert refused(call, INVALID, **create(absent, idle)) == f"Stream not found: {stream_arn(absent)}"


@pytest.mark.parametrize("age", [0, 59])
def test_an_age_is_forever_or_a_minute_to_a_week(functions, stream, idle, age):
    message = refused(
        functions.create_event_source_mapping, INVALID, **create(stream, idle, MaximumRecordAgeInSeconds=age)
    )
    assert message == (
        "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800 (inclusive)"
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"BatchSize": 0},
        {"BatchSize": 10_001},
        {"MaximumBatchingWindowInSeconds": 301},
        {"MaximumRetryAttempts": -2},
        {"MaximumRetryAttempts": 10_001},
        {"MaximumRecordAgeInSeconds": 604_801},
        {"ParallelizationFactor": 11},
        {"TumblingWindowInSeconds": 901},
        {"FunctionResponseTypes": ["ReportEverything"]},
    ],
)
def test_settings_have_bounds(mill, stream, idle, settings):
    client = mill.server.client("lambda", parameter_validation=False)
    refused(client.create_event_source_mapping, (VALIDATION, INVALID), **create(stream, idle, **settings))


def test_on_success_is_not_for_streams(mill, functions, stream, idle):
    _, queue = mill.queue()
    destinations = {"OnSuccess": {"Destination": queue}}
    message = refused(
        functions.create_event_source_mapping, INVALID, **create(stream, idle, DestinationConfig=destinations)
    )
    assert message == "Unsupported DestinationConfig parameter for given event source mapping type."


def test_a_time_to_start_at_is_given_with_its_type_only_and_not_in_the_future(functions, stream, idle):
    call = functions.create_event_source_mapping
    now = datetime.datetime.now(datetime.timezone.utc)
    hour = datetime.timedelta(hours=1)
    refused(call, (INVALID, VALIDATION), **create(stream, idle, StartingPosition="AT_TIMESTAMP"))
    refused(call, (INVALID, VALIDATION), **create(stream, idle, StartingPositionTimestamp=now - hour))
    late = create(stream, idle, StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=now + hour)
    refused(call, (INVALID, VALIDATION), **late)


@pytest.mark.parametrize(
    "name, value",
    [
        ("ParallelizationFactor", 2),
        ("TumblingWindowInSeconds", 30),
        ("FilterCriteria", {"Filters": [{"Pattern": '{"partitionKey": ["1"]}'}]}),
        ("DestinationConfig", {"OnFailure": {"Destination": f"arn:aws:sns:{REGION}:{ACCOUNT}:topic"}}),
        ("DestinationConfig", {"OnFailure": {"Destination": "arn:aws:s3:::bucket"}}),
        ("ScalingConfig", {"MaximumConcurrency": 5}),
    ],
)
def test_what_is_not_supported_is_refused_by_name(functions, stream, idle, name, value):
    message = refused(functions.create_event_source_mapping, INVALID, **create(stream, idle, **{name: value}))
    assert name in message or str(value) in message or "arn:aws" in message, message
    listed = functions.list_event_source_mappings(EventSourceArn=stream_arn(stream))
    assert listed["EventSourceMappings"] == [], "what was refused does not exist"


def test_the_defaults_may_be_given_by_name(mill, stream, idle):
    mill.mapping(stream, idle, ParallelizationFactor=1, TumblingWindowInSeconds=0, MaximumRetryAttempts=-1)


@pytest.mark.parametrize("pattern", ["text", "null", "{broken", '{"eventSource":"aws:sqs"}', '{"eventSource":[]}'])
def test_a_filter_that_is_none_is_refused(functions, stream, idle, pattern):
    criteria = {"Filters": [{"Pattern": pattern}]}
    message = refused(
        functions.create_event_source_mapping, INVALID, **create(stream, idle, FilterCriteria=criteria)
    )
    assert message == "Invalid filter pattern definition."


# --- records on their way


def test_a_function_gets_records_in_the_form_of_the_service(mill, stream, collector):
    function = naive(mill, collector, REPORT + "def handle(event, context):\n    report(event)\n")
    put = mill.kinesis.put_record(StreamName=stream, PartitionKey="schlüssel", Data=b"\x00\xffbytes")
    uuid = mill.mapping(stream, function)
    mill.account(uuid, processed=1)
    ((record,),) = [event["Records"] for event in collector.received]
    arrival = record["kinesis"].pop("approximateArrivalTimestamp")
    assert abs(time.time() - arrival) < 60
    assert record.pop("invokeIdentityArn").startswith("arn:aws:iam::")
    assert record == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "schlüssel",
            "sequenceNumber": put["SequenceNumber"],
            "data": base64.b64encode(b"\x00\xffbytes").decode(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{put['ShardId']}:{put['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "awsRegion": REGION,
        "eventSourceARN": stream_arn(stream),
    }


def test_records_arrive_in_order_and_in_batches_of_the_size(mill, stream, collector):
    mill.put(stream, [str(n) for n in range(25)])
    uuid = mill.mapping(stream, naive(mill, collector), BatchSize=10)
    account = mill.account(uuid, acked=25, processed=25, pending=0)
    assert account["totals"]["duplicates"] == 0
    assert [text for batch in collector.received for text in batch] == [str(n) for n in range(25)]
    assert [len(batch) for batch in collector.received] == [10, 10, 5]
    found = mill.functions.get_event_source_mapping(UUID=uuid)
    assert found["LastProcessingResult"] == "OK"


def test_a_batching_window_gathers_records(mill, stream, collector):
    uuid = mill.mapping(stream, naive(mill, collector), BatchSize=3, MaximumBatchingWindowInSeconds=300)
    mill.put(stream, ["1", "2"])
    mill.account(uuid, acked=2, pending=2)
    assert collector.received == []
    mill.put(stream, ["3"])
    mill.account(uuid, processed=3)
    assert collector.received == [["1", "2", "3"]]


def test_a_batching_window_ends(mill, stream, collector):
    uuid = mill.mapping(stream, naive(mill, collector), MaximumBatchingWindowInSeconds=1)
    mill.put(stream, ["1", "2", "3"])
    mill.account(uuid, processed=3)
    assert [text for batch in collector.received for text in batch] == ["1", "2", "3"]


def test_every_shard_is_read(mill, collector):
    name = mill.stream(shards=4)
    entries = [{"PartitionKey": str(n), "Data": str(n).encode()} for n in range(200)]
    mill.kinesis.put_records(StreamName=name, Records=entries)
    uuid = mill.mapping(name, naive(mill, collector))
    account = mill.account(uuid, acked=200, processed=200, pending=0)
    assert len(account["shards"]) == 4 and all(shard["processed"] > 0 for shard in account["shards"])
    assert sorted(int(text) for batch in collector.received for text in batch) == list(range(200))


def test_children_are_read_after_their_parents(mill, stream, collector):
    mill.put(stream, ["before"], key="a")
    mill.kinesis.split_shard(
        StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127)
    )
    mill.active(stream)
    mill.put(stream, ["after"], key="a")
    uuid = mill.mapping(stream, naive(mill, collector))
    mill.account(uuid, acked=2, processed=2)
    assert collector.received == [["before"], ["after"]]


def test_a_shard_that_is_split_under_a_mapping_loses_nothing(mill, stream, collector):
    uuid = mill.mapping(stream, naive(mill, collector), StartingPosition="LATEST")
    mill.put(stream, ["1"], key="a")
    mill.account(uuid, processed=1)
    mill.kinesis.split_shard(
        StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127)
    )
    mill.active(stream)
    mill.put(stream, ["2"], key="a")
    mill.account(uuid, acked=2, processed=2, pending=0)


def test_latest_begins_with_what_comes_after_the_mapping(mill, stream, collector):
    mill.put(stream, ["before"])
    uuid = mill.mapping(stream, naive(mill, collector), StartingPosition="LATEST")
    mill.put(stream, ["after"])
    mill.account(uuid, acked=1, processed=1)
    assert collector.received == [["after"]]


def test_a_time_begins_with_what_came_at_or_after_it(mill, stream, collector):
    mill.put(stream, ["before"])
    put_at = time.time()
    eventually(lambda: time.time() > put_at + 1.1, "a second has passed")
    since = datetime.datetime.fromtimestamp(int(time.time()), datetime.timezone.utc)
    mill.put(stream, ["after"])
    uuid = mill.mapping(
        stream, naive(mill, collector), StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=since
    )
    mill.account(uuid, acked=1, processed=1)
    assert collector.received == [["after"]]
    found = mill.functions.get_event_source_mapping(UUID=uuid)
    assert found["StartingPositionTimestamp"] == since


def test_a_mapping_stops_when_disabled_and_goes_on_where_it_was(mill, functions, stream, collector):
    uuid = mill.mapping(stream, naive(mill, collector))
    mill.put(stream, ["1"])
    mill.account(uuid, processed=1)
    functions.update_event_source_mapping(UUID=uuid, Enabled=False)
    mill.in_state(uuid, "Disabled")
    mill.put(stream, ["2"])
    mill.account(uuid, acked=2, processed=1, pending=1)
    assert collector.received == [["1"]]
    functions.update_event_source_mapping(UUID=uuid, Enabled=True)
    mill.in_state(uuid, "Enabled")
    mill.account(uuid, processed=2, pending=0)
    assert collector.received == [["1"], ["2"]]


def test_a_mapping_may_begin_disabled(mill, stream, collector):
    mill.put(stream, ["1"])
    uuid = mill.mapping(stream, naive(mill, collector), Enabled=False)
    mill.account(uuid, acked=1, pending=1)
    mill.functions.update_event_source_mapping(UUID=uuid, Enabled=True)
    mill.account(uuid, processed=1)


def test_two_mappings_of_one_stream_do_not_know_each_other(mill, stream, collector):
    mill.put(stream, ["poison", "good"])
    stuck = mill.mapping(stream, naive(mill, collector), BatchSize=1)
    free = mill.mapping(stream, mill.function(IDLE), BatchSize=1)
    mill.account(free, acked=2, processed=2)
    mill.account(stuck, acked=2, pending=2)


# --- poison


def test_with_the_defaults_a_poison_record_stops_its_shard(mill, collector):
    name = mill.stream(shards=2)
    low, high = "0", str(2**128 - 1)
    put = mill.kinesis.put_record
    for hash_key, text in [(low, "1"), (low, "poison"), (low, "2"), (high, "3")]:
        put(StreamName=name, PartitionKey="k", ExplicitHashKey=hash_key, Data=text.encode())
    uuid = mill.mapping(name, naive(mill, collector))
    mill.account(uuid, acked=4, processed=1, pending=3)
    batch = ["1", "poison", "2"]
    eventually(lambda: collector.received.count(batch) >= 3, "the batch is tried again and again")
    account = mill.account(uuid, acked=4, processed=1, pending=3)
    first, second = account["shards"]
    assert (first["shard_id"], first["pending"]) == ("shardId-000000000000", 3)
    assert (second["shard_id"], second["processed"]) == ("shardId-000000000001", 1)
    found = mill.functions.get_event_source_mapping(UUID=uuid)
    assert found["State"] == "Enabled"
    assert found["LastProcessingResult"] == "PROBLEM: Function call failed"


def test_with_bisect_and_a_queue_only_the_poison_is_given_up(mill, stream, collector):
    texts = [f"poison {n}" if n % 10 == 3 else str(n) for n in range(40)]
    numbers = mill.put(stream, texts)
    url, queue = mill.queue()
    function = naive(mill, collector)
    uuid = mill.mapping(
        stream,
        function,
        BatchSize=20,
        BisectBatchOnFunctionError=True,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumRetryAttempts=2,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    mill.account(uuid, acked=40, processed=36, dead_lettered=4, discarded=0, pending=0)
    messages = mill.drain(url, lambda bodies: sum(b["KinesisBatchInfo"]["batchSize"] for b in bodies) == 4)
    ranges = sorted(
        (b["KinesisBatchInfo"]["startSequenceNumber"], b["KinesisBatchInfo"]["endSequenceNumber"])
        for b in messages
    )
    assert ranges == [(numbers[n], numbers[n]) for n in (3, 13, 23, 33)]
    for body in messages:
        assert body["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert body["requestContext"]["approximateInvokeCount"] == 3
        assert body["requestContext"]["functionArn"] == function_arn(function)
    for n, text in enumerate(texts):
        if n % 10 == 3:
            assert collector.received.count([text]) == 3, "alone, it is tried once and retried twice"


def test_the_whole_poison_story_with_partial_failures(mill, collector):
    name = mill.stream(shards=4)
    entries = [
        {"PartitionKey": str(n), "Data": f"poison {n}".encode() if n % 25 == 0 else str(n).encode()}
        for n in range(400)
    ]
    mill.kinesis.put_records(StreamName=name, Records=entries)
    url, queue = mill.queue()
    uuid = mill.mapping(
        name,
        naive(mill, collector, PARTIAL),
        BisectBatchOnFunctionError=True,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumRetryAttempts=2,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    account = mill.account(uuid, acked=400, processed=384, dead_lettered=16, discarded=0, pending=0)
    assert balanced(account)
    messages = mill.drain(url, lambda bodies: sum(b["KinesisBatchInfo"]["batchSize"] for b in bodies) >= 16)
    told = []
    for body in messages:
        info = body["KinesisBatchInfo"]
        place = mill.iterator(
            name, info["shardId"], "AT_SEQUENCE_NUMBER", StartingSequenceNumber=info["startSequenceNumber"]
        )
        told += [record["Data"].decode() for record in mill.read(place, info["batchSize"])[: info["batchSize"]]]
    assert sorted(told) == sorted(f"poison {n}" for n in range(0, 400, 25))


def test_the_notice_of_a_failure_says_everything_but_the_records(mill, stream, collector):
    mill.put(stream, ["1", "poison", "2"])
    url, queue = mill.queue()
    function = naive(mill, collector)
    uuid = mill.mapping(
        stream, function, MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": queue}}
    )
    mill.account(uuid, acked=3, dead_lettered=3, pending=0)
    (message,) = mill.drain(url, lambda bodies: bodies)
    first, _, last = mill.read(mill.iterator(stream), 3)
    assert list(message) == ["requestContext", "responseContext", "version", "timestamp", "KinesisBatchInfo"]
    assert len(message["requestContext"].pop("requestId")) == 36
    assert message["requestContext"] == {
        "functionArn": function_arn(function),
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 2,
    }
    assert message["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert message["version"] == "1.0"
    info = message["KinesisBatchInfo"]

    def spelled(record):
        arrival = record["ApproximateArrivalTimestamp"].astimezone(datetime.timezone.utc)
        return arrival.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    assert info == {
        "shardId": "shardId-000000000000",
        "startSequenceNumber": first["SequenceNumber"],
        "endSequenceNumber": last["SequenceNumber"],
        "approximateArrivalOfFirstRecord": spelled(first),
        "approximateArrivalOfLastRecord": spelled(last),
        "batchSize": 3,
        "streamArn": stream_arn(stream),
    }
    assert len(collector.received) == 2


def test_without_a_queue_what_is_given_up_is_discarded_and_says_so(mill, stream, collector):
    mill.put(stream, ["poison", "good"])
    uuid = mill.mapping(stream, naive(mill, collector), BatchSize=1, MaximumRetryAttempts=0)
    mill.account(uuid, acked=2, discarded=1, processed=1, dead_lettered=0, pending=0)
    assert collector.received == [["poison"], ["good"]]


def test_a_queue_that_is_gone_does_not_hide_the_loss(mill, stream, collector):
    mill.put(stream, ["poison"])
    url, queue = mill.queue()
    uuid = mill.mapping(
        stream,
        naive(mill, collector),
        Enabled=False,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    mill.sqs.delete_queue(QueueUrl=url)
    mill.functions.update_event_source_mapping(UUID=uuid, Enabled=True)
    mill.account(uuid, acked=1, discarded=1, dead_lettered=0, pending=0)


def test_bisect_without_a_limit_of_retries_still_stops_at_the_poison(mill, stream, collector):
    mill.put(stream, ["1", "2", "poison", "3"])
    uuid = mill.mapping(stream, naive(mill, collector), BisectBatchOnFunctionError=True)
    mill.account(uuid, acked=4, processed=2, pending=2)
    eventually(lambda: collector.received.count(["poison"]) >= 3, "the poison is tried alone")
    mill.account(uuid, acked=4, processed=2, pending=2)


def test_a_timeout_and_a_crash_are_failures_like_any_other(mill):
    for body in ["time.sleep(30)", "os._exit(1)"]:
        function = mill.function(f"import os, time\ndef handle(event, context):\n    {body}\n", Timeout=1)
        name = mill.stream()
        mill.put(name, ["1"])
        uuid = mill.mapping(name, function, MaximumRetryAttempts=0)
        mill.account(uuid, acked=1, discarded=1, pending=0)


def test_a_function_that_is_deleted_stops_its_mapping_and_loses_nothing(mill, functions, stream, idle):
    function = mill.function(IDLE)
    uuid = mill.mapping(stream, function, MaximumRetryAttempts=0)
    functions.delete_function(FunctionName=function)
    mill.put(stream, ["1"])
    mill.account(uuid, acked=1, pending=1, discarded=0)
    assert functions.get_event_source_mapping(UUID=uuid)["State"] == "Enabled"
    mill.function(IDLE, FunctionName=function)
    mill.account(uuid, processed=1, pending=0)


# --- partial answers

ANSWER = '''
import json, os
def handle(event, context):
    text = os.environ["ANSWER"]
    for n, record in enumerate(event["Records"]):
        text = text.replace(f"<{n}>", record["kinesis"]["sequenceNumber"])
    return json.loads(text)
'''

SUCCESSES = ['{"batchItemFailures":[]}', '{"batchItemFailures":null}', "{}", "null", '""', "[]", '"text"', "5", '{"foo":1}']
FAILURES = [
    '{"batchItemFailures":[{"itemIdentifier":"123"}]}',
    '{"batchItemFailures":[{"itemIdentifier":""}]}',
    '{"batchItemFailures":[{"itemIdentifier":null}]}',
    '{"batchItemFailures":[{"foo":123}]}',
    '{"batchItemFailures":[{"foo":null}]}',
    '{"batchItemFailures":[{"itemIdentifier":"<1>"},{"itemIdentifier":"123"}]}',
    '{"batchItemFailures":"<1>"}',
    '{"batchItemFailures":[{"itemIdentifier":<1>}]}',
]


def partial(mill, stream, answer, **settings):
    mill.put(stream, ["1", "2", "3"])
    url, queue = mill.queue()
    function = mill.function(ANSWER, environment={"ANSWER": answer})
    uuid = mill.mapping(
        stream,
        function,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": queue}},
        **{"FunctionResponseTypes": ["ReportBatchItemFailures"], **settings},
    )
    return uuid, url


@pytest.mark.parametrize("answer", SUCCESSES)
def test_an_answer_without_failures_is_a_success(mill, stream, answer):
    uuid, _ = partial(mill, stream, answer)
    mill.account(uuid, acked=3, processed=3, dead_lettered=0)


@pytest.mark.parametrize("answer", FAILURES)
def test_a_malformed_report_fails_the_whole_batch(mill, stream, answer):
    uuid, url = partial(mill, stream, answer)
    mill.account(uuid, acked=3, processed=0, dead_lettered=3, pending=0)
    (message,) = mill.drain(url, lambda bodies: bodies)
    assert message["KinesisBatchInfo"]["batchSize"] == 3
    assert message["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": None,
    }


def test_what_stands_before_the_lowest_reported_record_is_done(mill, stream):
    code = PARTIAL.replace("report(len(event[\"Records\"]))", "failed.reverse()").split("def handle", 1)
    function = mill.function("import base64\ndef handle" + code[1])
    numbers = mill.put(stream, ["1", "2", "poison a", "3", "poison b"])
    url, queue = mill.queue()
    uuid = mill.mapping(
        stream,
        function,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    mill.account(uuid, acked=5, processed=2, dead_lettered=3, pending=0)
    (message,) = mill.drain(url, lambda bodies: bodies)
    info = message["KinesisBatchInfo"]
    assert (info["startSequenceNumber"], info["endSequenceNumber"]) == (numbers[2], numbers[4])


def test_progress_gives_a_batch_its_retries_back(mill, stream, collector):
    function = naive(mill, collector, PARTIAL)
    numbers = mill.put(stream, ["0", "1", "2", "3", "4", "poison"])
    url, queue = mill.queue()
    uuid = mill.mapping(
        stream,
        function,
        BatchSize=3,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumRetryAttempts=3,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    mill.account(uuid, acked=6, processed=5, dead_lettered=1, pending=0)
    (message,) = mill.drain(url, lambda bodies: bodies)
    assert message["requestContext"]["approximateInvokeCount"] == 4
    info = message["KinesisBatchInfo"]
    assert (info["batchSize"], info["startSequenceNumber"]) == (1, numbers[5])
    assert collector.received == [3, 3, 1, 1, 1, 1]


def test_a_report_that_was_not_asked_for_is_ignored(mill, stream):
    answer = json.dumps({"batchItemFailures": [{"itemIdentifier": "<0>"}]})
    uuid, _ = partial(mill, stream, answer, FunctionResponseTypes=[])
    mill.account(uuid, acked=3, processed=3, dead_lettered=0)
