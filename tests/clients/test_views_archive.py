"""Archived streams over the real server: what is put through boto3 is what DuckDB reads from the table.

The server is killed while a producer puts, again and again. Whatever was acknowledged is in the table
exactly once, at the position that its sequence number names, though nothing was told to anybody.
"""

import json
import threading
import urllib.error
import urllib.request
from pathlib import Path

import duckdb
import duckdb_extension_delta
from botocore.exceptions import BotoCoreError

from harness import eventually, refused, unique

SHARDS = 3
KILLS = 4


def ask(server, method, path):
    """One request to the server's own API; gives status and JSON."""
    request = urllib.request.Request(server.url + path, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def archive_of(server, stream):
    status, body = ask(server, "GET", f"/_tidemill/views/archives/{stream}")
    assert status == 200, body
    return body


def begun(mill):
    """A stream that is archived."""
    stream = unique("archived")
    mill.kinesis.create_stream(StreamName=stream, ShardCount=SHARDS)
    status, body = ask(mill.server, "PUT", f"/_tidemill/views/archives/{stream}")
    assert status == 200, body
    return stream


def in_duckdb(server, stream):
    """Shard, position, sequence number and payload of each record of the table."""
    [extension] = Path(duckdb_extension_delta.__path__[0]).rglob("delta.duckdb_extension")
    connection = duckdb.connect()
    connection.execute(f"LOAD '{extension}'")
    table = server.data_dir / archive_of(server, stream)["folder"]
    rows = f"SELECT _shard, _position, _sequence_number, _payload FROM delta_scan('{table}')"
    return connection.execute(rows).fetchall()


def is_whole(server, stream):
    archive = archive_of(server, stream)
    return archive["lag_records"] == 0 and archive


def test_records_reach_the_table_once_each_through_kills(short_epochs):
    server, stream = short_epochs.server, begun(short_epochs)
    acknowledged, calls = {}, threading.Semaphore(0)

    def produce(client, round_):
        try:
            for call in range(100_000):
                records = [
                    {"Data": f"{round_}/{call}/{n}".encode(), "PartitionKey": f"{call}-{n}"} for n in range(20)
                ]
                answer = client.put_records(StreamName=stream, Records=records)
                assert answer["FailedRecordCount"] == 0
                for record, put in zip(records, answer["Records"]):
                    acknowledged[put["SequenceNumber"]] = record["Data"]
                calls.release()
        except BotoCoreError:
            pass  # The server is gone: what this call put may be there or not.

    for round_ in range(KILLS):
        producer = threading.Thread(target=produce, args=(server.client("kinesis"), round_), daemon=True)
        producer.start()
        for _ in range(15 + 10 * round_):
            assert calls.acquire(timeout=30)
        server.kill()
        producer.join(30)
        server.start()
    archive = eventually(lambda: is_whole(server, stream), "the table has everything")
    rows = in_duckdb(server, stream)
    assert len({(shard, position) for shard, position, _, _ in rows}) == len(rows)
    assert len(rows) == sum(shard["end"] for shard in archive["shards"])
    found = {number: bytes(payload) for _, _, number, payload in rows}
    assert len(found) == len(rows)
    assert len(acknowledged) >= 15 * KILLS * 20
    assert acknowledged.items() <= found.items()


def test_an_archived_stream_is_deleted_only_when_its_archiving_has_ended(short_epochs):
    server, stream = short_epochs.server, begun(short_epochs)
    short_epochs.kinesis.put_record(StreamName=stream, Data=b"{}", PartitionKey="k")
    text = refused(short_epochs.kinesis.delete_stream, "ResourceInUseException", StreamName=stream)
    assert f"DELETE /_tidemill/views/archives/{stream}" in text
    eventually(lambda: is_whole(server, stream), "the table has everything")
    table = server.data_dir / archive_of(server, stream)["folder"]
    assert ask(server, "DELETE", f"/_tidemill/views/archives/{stream}")[0] == 200
    short_epochs.kinesis.delete_stream(StreamName=stream)
    status, body = ask(server, "GET", f"/_tidemill/views/archives/{stream}")
    assert status == 404 and "is not archived" in body["error"]
    assert list(table.glob("*.parquet")), "what was archived stays"


def test_what_is_not_there_or_not_meant_is_refused(short_epochs):
    status, body = ask(short_epochs.server, "PUT", "/_tidemill/views/archives/nobody")
    assert status == 404 and "nobody" in body["error"]
    assert ask(short_epochs.server, "PATCH", "/_tidemill/views/archives/nobody")[0] == 405
    assert ask(short_epochs.server, "GET", "/_tidemill/views/archives")[1] == {"archives": []}


def test_an_ephemeral_server_archives_and_says_what_is_held(mill):
    stream = begun(mill)
    mill.kinesis.put_record(StreamName=stream, Data=b"{}", PartitionKey="k")
    [mine] = [
        archive
        for archive in ask(mill.server, "GET", "/_tidemill/views/archives")[1]["archives"]
        if archive["stream"].endswith(f"/{stream}")
    ]
    assert mine["held"] == {"records": 0, "oldest": None}
    with urllib.request.urlopen(mill.server.url + "/_tidemill/metrics", timeout=30) as page:
        text = page.read().decode()
    assert any(
        line.startswith("tidemill_streams_held_records{") and f'"{stream}"' in line and line.endswith(" 0")
        for line in text.splitlines()
    )
