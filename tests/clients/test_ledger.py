"""The ledger and the server's own pages."""

import json
import subprocess

import pytest

from harness import BINARY, ENDS, balanced, eventually, function_arn, stream_arn

IDLE = "def handle(event, context):\n    return None\n"


@pytest.mark.parametrize("path", ["/_tidemill/health", "/_localstack/health"])
def test_the_server_says_that_it_is_well(mill, path):
    assert isinstance(mill.server.get(path), dict)


def test_the_ledger_has_its_form(mill):
    name, function = mill.stream(shards=2), mill.function(IDLE)
    uuid = mill.mapping(name, function)
    entries = [{"PartitionKey": str(n), "Data": b"x"} for n in range(20)]
    mill.kinesis.put_records(StreamName=name, Records=entries)
    account = mill.account(uuid, acked=20, processed=20, pending=0)
    assert balanced(account)
    assert account["stream"] in (name, stream_arn(name))
    assert account["function"] in (function, function_arn(function))
    words = {"acked", "duplicates", *ENDS}
    assert words <= set(account["totals"])
    assert [shard["shard_id"] for shard in account["shards"]] == [
        "shardId-000000000000",
        "shardId-000000000001",
    ]
    assert all(words <= set(shard) for shard in account["shards"])


def test_the_equation_holds_at_every_instant(mill):
    name = mill.stream(shards=2)
    uuid = mill.mapping(name, mill.function(IDLE), BatchSize=3)
    seen = []
    for round_ in range(20):
        entries = [{"PartitionKey": str(n), "Data": b"x"} for n in range(10)]
        mill.kinesis.put_records(StreamName=name, Records=entries)
        account = mill.server.ledger(uuid)
        assert balanced(account), account
        assert account["totals"]["acked"] >= 10 * (round_ + 1), "what was acknowledged is on the books at once"
        seen.append(account["totals"]["acked"])
    assert seen == sorted(seen)
    mill.account(uuid, acked=200, processed=200, pending=0)


def test_a_mapping_from_the_latest_does_not_answer_for_what_came_before(mill):
    name = mill.stream()
    mill.put(name, ["before"])
    uuid = mill.mapping(name, mill.function(IDLE), StartingPosition="LATEST")
    mill.account(uuid, acked=0, pending=0)
    mill.put(name, ["after"])
    mill.account(uuid, acked=1, processed=1)


def test_the_command_says_what_the_page_says(mill):
    name = mill.stream()
    uuid = mill.mapping(name, mill.function(IDLE))
    mill.put(name, ["1", "2"])
    account = mill.account(uuid, acked=2, processed=2)
    command = [str(BINARY), "ledger", "--json", "--endpoint", mill.server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    envelope = json.loads(done.stdout)
    assert envelope["schema_version"] == 1 and envelope["command"] == "ledger"
    assert set(envelope) == {"schema_version", "command", "status", "data", "warnings", "error"}
    found = [mapping for mapping in envelope["data"]["mappings"] if mapping["uuid"] == uuid]
    assert found and found[0]["totals"] == account["totals"]


def test_the_command_without_a_server_says_what_to_do():
    command = [str(BINARY), "ledger", "--endpoint", "http://127.0.0.1:9"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert done.returncode == 3
    assert "tidemill start" in done.stderr


def test_the_account_of_a_deleted_mapping_does_not_disturb(mill):
    name = mill.stream()
    uuid = mill.mapping(name, mill.function(IDLE))
    mill.put(name, ["1"])
    mill.account(uuid, processed=1)
    mill.functions.delete_event_source_mapping(UUID=uuid)

    def settled():
        account = mill.server.ledger(uuid)
        return account is None or balanced(account)

    eventually(settled, "the ledger is in order")
