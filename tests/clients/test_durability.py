"""What is acknowledged survives: the server is killed in the middle of work and started again."""

import json
import os
import subprocess
import threading

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from harness import BINARY, REPORT, Mill, Server, balanced, eventually, free_port, stream_arn

IDLE = "def handle(event, context):\n    return None\n"


def start(*arguments, **settings):
    command = [str(BINARY), "start", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, **settings
    )


def test_functions_run_from_a_data_directory_beside_the_caller(tmp_path):
    server = Server(tmp_path, data_dir="data", cwd=tmp_path).start()
    try:
        mill = Mill(server)
        name = mill.function("def handle(event, context):\n    return 'ground'\n")
        assert mill.invoke(name)[1] == "ground"
    finally:
        server.stop()


def test_every_acknowledged_record_is_there_after_a_kill(durable):
    name = durable.stream(shards=4)
    acknowledged = {}
    stopped = threading.Event()

    def put(worker):
        client = durable.server.client("kinesis")
        for n in range(100_000):
            entries = [
                {"PartitionKey": f"{worker}-{n}-{m}", "Data": f"{worker}-{n}-{m}".encode()} for m in range(5)
            ]
            try:
                answer = client.put_records(StreamName=name, Records=entries)
            except (BotoCoreError, ClientError):
                break
            for entry, result in zip(entries, answer["Records"]):
                acknowledged[entry["PartitionKey"]] = (result["ShardId"], result["SequenceNumber"])
            if stopped.is_set():
                break

    workers = [threading.Thread(target=put, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    eventually(lambda: len(acknowledged) > 1000, "a thousand records are acknowledged")
    durable.server.kill()
    stopped.set()
    for worker in workers:
        worker.join(timeout=60)
    durable.server.start()
    found = {}
    for shard in durable.shards(name):
        place = durable.iterator(name, shard["ShardId"])
        numbers = []
        while place:
            answer = durable.kinesis.get_records(ShardIterator=place)
            for record in answer["Records"]:
                key = record["PartitionKey"]
                assert record["Data"].decode() == key
                found[key] = (shard["ShardId"], record["SequenceNumber"])
                numbers.append(int(record["SequenceNumber"]))
            at_tip = not answer["Records"] and answer["MillisBehindLatest"] == 0
            place = None if at_tip else answer.get("NextShardIterator")
        assert numbers == sorted(set(numbers))
    missing = {key: place for key, place in acknowledged.items() if found.get(key) != place}
    assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged records are missing or moved"


def test_numbers_go_on_growing_after_a_kill(durable):
    name = durable.stream()
    before = durable.put(name, ["1", "2"])
    durable.server.restart()
    after = durable.put(name, ["3"])
    assert int(after[0]) > int(before[-1])
    assert [record["Data"] for record in durable.read(durable.iterator(name), 3)] == [b"1", b"2", b"3"]


def test_an_iterator_survives(durable):
    name = durable.stream()
    durable.put(name, ["1"])
    place = durable.kinesis.get_records(ShardIterator=durable.iterator(name))["NextShardIterator"]
    durable.server.restart()
    durable.put(name, ["2"])
    assert [record["Data"] for record in durable.read(place, 1)] == [b"2"]


def test_streams_shards_settings_and_tags_survive(durable):
    name, gone = durable.stream(), durable.stream()
    kinesis = durable.kinesis
    kinesis.split_shard(
        StreamName=name, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127)
    )
    durable.active(name)
    kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    durable.active(name)
    kinesis.add_tags_to_stream(StreamName=name, Tags={"team": "mill"})
    kinesis.delete_stream(StreamName=gone)
    eventually(lambda: kinesis.list_streams()["StreamNames"] == [name], "one stream is deleted")
    before = kinesis.describe_stream(StreamName=name)["StreamDescription"]
    durable.server.restart()
    assert kinesis.describe_stream(StreamName=name)["StreamDescription"] == before
    assert kinesis.list_tags_for_stream(StreamName=name)["Tags"] == [{"Key": "team", "Value": "mill"}]
    assert kinesis.list_streams()["StreamNames"] == [name]


def test_functions_survive_with_their_code(durable):
    name = durable.function("def handle(event, context):\n    return 'still here'\n", Timeout=9)
    before = durable.functions.get_function_configuration(FunctionName=name)
    durable.server.restart()
    after = durable.functions.get_function_configuration(FunctionName=name)
    for answer in [before, after]:
        del answer["ResponseMetadata"]
    assert after == before
    assert durable.invoke(name)[1] == "still here"


def test_messages_survive_and_deleted_ones_do_not_return(durable):
    url, _ = durable.queue()
    for n in range(3):
        durable.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(n))
    first = durable.sqs.receive_message(QueueUrl=url)["Messages"][0]
    durable.sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    durable.server.restart()
    bodies = durable.drain(url, lambda bodies: len(bodies) == 2)
    assert sorted([*bodies, json.loads(first["Body"])]) == [0, 1, 2]
    assert "Messages" not in durable.sqs.receive_message(QueueUrl=url)


def test_an_accepted_asynchronous_invocation_survives(durable, collector):
    name = durable.function(
        REPORT + "def handle(event, context):\n    report(event)\n",
        environment={"COLLECTOR": collector.url},
        Timeout=20,
    )
    for n in range(5):
        durable.functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(n).encode())
    durable.server.restart()
    eventually(lambda: set(collector.received) == set(range(5)), "every invocation has run")


def test_a_mapping_goes_on_where_it_was(durable, collector):
    name = durable.stream()
    function = durable.function(
        REPORT + "import base64\ndef handle(event, context):\n"
        "    report([base64.b64decode(r['kinesis']['data']).decode() for r in event['Records']])\n",
        environment={"COLLECTOR": collector.url},
        Timeout=20,
    )
    uuid = durable.mapping(name, function)
    durable.put(name, ["1", "2"])
    durable.account(uuid, acked=2, processed=2)
    durable.server.restart()
    account = durable.account(uuid, acked=2, processed=2, pending=0)
    assert account["totals"]["duplicates"] == 0
    durable.put(name, ["3"])
    durable.account(uuid, acked=3, processed=3)
    assert [text for batch in collector.received for text in batch] == ["1", "2", "3"]


def test_a_kill_in_the_middle_of_the_poison_story_loses_nothing(durable, collector):
    name = durable.stream(shards=2)
    function = durable.function(
        REPORT + '''
import base64, time
def handle(event, context):
    texts = [base64.b64decode(record["kinesis"]["data"]).decode() for record in event["Records"]]
    report(texts)
    if any(text.startswith("poison") for text in texts):
        raise ValueError("cannot grind this")
''',
        environment={"COLLECTOR": collector.url},
        Timeout=20,
    )
    url, queue = durable.queue()
    uuid = durable.mapping(
        name,
        function,
        BatchSize=10,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    texts = [f"poison {n}" if n % 20 == 7 else str(n) for n in range(200)]
    entries = [{"PartitionKey": text, "Data": text.encode()} for text in texts]
    durable.kinesis.put_records(StreamName=name, Records=entries)
    for kills in range(1, 4):
        eventually(lambda: len(collector.received) >= kills * 15, "work is under way")
        durable.server.restart()
    account = durable.account(uuid, acked=200, processed=190, dead_lettered=10, discarded=0, pending=0)
    assert balanced(account)
    assert {text for batch in collector.received for text in batch} == set(texts)
    messages = durable.drain(
        url, lambda bodies: sum(body["KinesisBatchInfo"]["batchSize"] for body in bodies) >= 10
    )
    told = [
        (body["KinesisBatchInfo"]["shardId"], body["KinesisBatchInfo"]["startSequenceNumber"])
        for body in messages
    ]
    assert len(told) == len(set(told)) == 10, "nothing is told twice"
    assert "Messages" not in durable.sqs.receive_message(QueueUrl=url)


def test_a_server_that_is_asked_to_end_ends_well_and_starts_again(durable):
    name = durable.stream()
    durable.put(name, ["1"])
    assert durable.server.stop() == 0
    durable.server.start()
    assert len(durable.read_all(name)) == 1


def test_an_ephemeral_server_keeps_nothing(tmp_path):
    server = Server(tmp_path, "--limits", "none").start()
    mill = Mill(server)
    mill.stream()
    assert server.stop() == 0
    server.start()
    assert mill.kinesis.list_streams()["StreamNames"] == []
    server.stop()
    assert [path.name for path in tmp_path.iterdir()] == ["stderr.txt"]


def test_a_data_folder_has_one_server(durable):
    name = durable.stream()
    done = start("--data-dir", durable.server.data_dir, "--port", free_port())
    assert done.returncode == 3
    assert "in use" in done.stderr
    assert str(durable.server.data_dir) in done.stderr
    assert "panicked" not in done.stderr
    assert says_what_to_do(done.stderr)
    assert durable.put(name, ["still working"])


def test_a_data_folder_must_be_writable(tmp_path):
    file = tmp_path / "file"
    file.write_text("no folder")
    places = [file, file / "below"]
    if os.geteuid() != 0:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o555)
        places.append(locked / "data")
    else:
        places.append("/proc/tidemill-data")
    for place in places:
        done = start("--data-dir", place, "--port", free_port())
        assert done.returncode == 3, place
        assert str(place) in done.stderr
        assert "panicked" not in done.stderr
        assert says_what_to_do(done.stderr)
    assert file.read_text() == "no folder"


def test_a_port_that_is_taken_is_told(mill):
    done = start("--ephemeral", "--port", mill.server.port)
    assert done.returncode == 3
    assert str(mill.server.port) in done.stderr and "panicked" not in done.stderr
    assert says_what_to_do(done.stderr)


@pytest.mark.parametrize(
    "arguments", [["--port", "no"], ["--limits", "some"], ["--pace", "slow"], ["--no-such-option"], ["--account-id", "12"]]
)
def test_wrong_usage_is_told(arguments):
    done = start("--ephemeral", *arguments)
    assert done.returncode == 2
    assert done.stderr and "panicked" not in done.stderr


def test_damaged_data_is_refused_and_not_served(durable):
    name = durable.stream()
    durable.put(name, [f"record {n} " + "x" * 2000 for n in range(200)])
    durable.server.stop()
    files = [path for path in durable.server.data_dir.rglob("*") if path.is_file()]
    damaged = 0
    for path in files:
        content = path.read_bytes()
        at = content.find(b"record 100 ")
        if at >= 0:
            path.write_bytes(content[:at] + b"RECORD" + content[at + 6 :])
            damaged += 1
    assert damaged, "the record is somewhere on disk"
    done = start("--data-dir", durable.server.data_dir, "--port", free_port())
    assert done.returncode == 3
    assert "panicked" not in done.stderr
    assert says_what_to_do(done.stderr)


def test_a_torn_end_is_cut_off_and_everything_before_it_is_there(durable):
    name = durable.stream()
    durable.put(name, ["grain 1", "grain 2", "grain 3"])
    durable.server.kill()
    files = [path for path in durable.server.data_dir.rglob("*") if path.is_file()]
    (log,) = [path for path in files if b"grain 3" in path.read_bytes()]
    with log.open("ab") as file:
        file.write(b"\x01\x02\x03torn")
    durable.server.start()
    records = durable.read(durable.iterator(name), 3)
    assert [record["Data"] for record in records] == [b"grain 1", b"grain 2", b"grain 3"]
    assert stream_arn(name) == durable.summary(name)["StreamARN"]


def says_what_to_do(stderr):
    """The last line of an error is a hint, as a sentence that begins with what to do."""
    last = stderr.strip().splitlines()[-1].strip().lower()
    words = ["stop", "use", "choose", "give", "check", "run", "start", "make", "move", "hint", "try", "restore", "free", "pass"]
    return any(last.startswith(word) or f" {word} " in last or f"{word}:" in last for word in words)
