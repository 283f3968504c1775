"""Views over the real server: records are put with boto3, and answers are compared with sums in Python."""

import json
import random
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict

import polars
import pytest
from botocore.exceptions import BotoCoreError

from harness import BINARY, Mill, Server, eventually, refused, unique

API = "/_tidemill/views"
SHARDS = 3


def ask(server, method, path, body=None, headers=None):
    """One request to the server's own API; gives status, headers and body."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(server.url + API + path, method=method, data=data, headers=headers or {})
    if data is not None:
        request.add_header("content-type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def told(server, method, path, body=None, status=200):
    """The JSON of an answer that must have this status."""
    code, _, text = ask(server, method, path, body)
    assert code == status, text
    return json.loads(text)


def query(server, sql, **demands):
    return told(server, "POST", "/query", {"sql": sql, **demands})


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("views"), "--limits", "none")
    server.start()
    yield Mill(server)
    server.stop()


@pytest.fixture
def durable_views(tmp_path):
    config = tmp_path / "tidemill.toml"
    config.write_text("[views]\nepoch_millis = 200\n")
    server = Server(tmp_path, "--limits", "none", "--config", str(config), data_dir=tmp_path / "data")
    server.start()
    yield Mill(server)
    if server.process is not None:
        server.kill()


def sale(number):
    return {
        "store": f"S{number % 5}",
        "amount": number * 0.25,
        "n": number,
        "at": f"2026-03-{number % 28 + 1:02}T{number % 24:02}:15:00Z",
        "tags": [number],
    }


def put(client, stream, sales):
    """Puts sales in one call; gives what PutRecords says of each."""
    records = [{"Data": json.dumps(one).encode(), "PartitionKey": str(one["n"])} for one in sales]
    answer = client.put_records(StreamName=stream, Records=records)
    assert answer["FailedRecordCount"] == 0
    return answer["Records"]


def by_store(sales):
    sums = defaultdict(lambda: [0, 0.0, 0])
    for one in sales:
        group = sums[one["store"]]
        group[0] += 1
        group[1] += one["amount"]
        group[2] = max(group[2], one["n"])
    return {store: tuple(group) for store, group in sums.items()}


def viewed(mill, stream, name, having=""):
    sql = f"""CREATE VIEW {name} AS SELECT store, count(*) AS sales, sum(amount) AS total, max(n) AS greatest
        FROM STREAM "{stream}" GROUP BY store {having}"""
    return told(mill.server, "POST", "", {"sql": sql}, 201)


def rows(answer):
    return {row["store"]: (row["sales"], row["total"], row["greatest"]) for row in answer["rows"]}


def name_of(stream):
    return stream.replace("-", "_")


def begun(mill, sales):
    """A stream with these sales and a view over it, which has them all."""
    stream = mill.stream(SHARDS)
    numbers = [one["SequenceNumber"] for one in put(mill.kinesis, stream, sales)]
    viewed(mill, stream, name_of(stream))
    demands = [f"{stream}/{number}" for number in numbers]
    answer = query(mill.server, f"SELECT * FROM {name_of(stream)}", min_position=demands)
    assert rows(answer) == by_store(sales)
    return stream, name_of(stream)


def test_a_view_says_what_it_is_and_what_was_inferred(views):
    stream = views.stream(SHARDS)
    put(views.kinesis, stream, [sale(n) for n in range(20)])
    answer = viewed(views, stream, name_of(stream))
    assert answer["done"] == "CREATE VIEW"
    assert answer["inferred_columns"] == ["amount", "at", "n", "store"]
    assert any("field tags is no column" in notice for notice in answer["notices"])
    view = answer["view"]
    assert (view["class"], view["stream_name"], view["kept_by"]) == ("exact", stream, "layers")
    assert [(column["name"], column["type"]) for column in view["columns"]] == [
        ("store", "TEXT"),
        ("sales", "BIGINT"),
        ("total", "DOUBLE"),
        ("greatest", "BIGINT"),
    ]
    approximate = told(
        views.server,
        "POST",
        "",
        {"sql": f'CREATE VIEW {name_of(stream)}_users AS SELECT approx_distinct(n) AS users FROM STREAM "{stream}"'},
        201,
    )["view"]
    assert approximate["class"] == "exact-approximate"
    assert "within 1.6 %" in approximate["reason"]
    assert name_of(stream) in [view["name"] for view in told(views.server, "GET", "")["views"]]


def test_what_was_put_is_in_the_next_answer(views):
    sales = [sale(n) for n in range(10)]
    stream, view = begun(views, sales)
    for number in range(10, 60):
        [record] = put(views.kinesis, stream, [sale(number)])
        sales.append(sale(number))
        sql = f"SELECT * FROM {view}"
        answer = query(views.server, sql, min_position=f"{stream}/{record['SequenceNumber']}")
        assert rows(answer) == by_store(sales)
        [as_of] = answer["meta"]["as_of"]
        assert sum(as_of["positions"].values()) == len(sales)
        assert (as_of["view"], as_of["class"], as_of["lag_millis"]) == (view, "exact", 0)


def test_rows_are_found_by_the_values_of_their_columns(views):
    sales = [sale(n) for n in range(50)]
    stream, view = begun(views, sales)
    answer = told(views.server, "GET", f"/{view}/rows?store=S3")
    assert rows(answer) == {"S3": by_store(sales)["S3"]}
    answer = told(views.server, "GET", f"/{view}/rows?greatest.from=47&greatest.before=49")
    assert sorted(rows(answer)) == ["S2", "S3"]
    quoted = urllib.parse.quote("S3' OR ''='")
    assert told(views.server, "GET", f"/{view}/rows?store={quoted}")["rows"] == []
    [record] = put(views.kinesis, stream, [sale(53)])
    path = f"/{view}/rows?store=S3&min_position={record['SequenceNumber']}"
    assert rows(told(views.server, "GET", path)) == {"S3": by_store([*sales, sale(53)])["S3"]}
    assert "there are store" in told(views.server, "GET", f"/{view}/rows?shop=S3", status=400)["hint"]
    assert "no number" in told(views.server, "GET", f"/{view}/rows?greatest=many", status=400)["error"]


def test_an_answer_has_a_tag_and_is_not_sent_twice(views):
    stream, view = begun(views, [sale(n) for n in range(10)])
    path = f"/query?sql={urllib.parse.quote(f'SELECT * FROM {view}')}"
    status, headers, _ = ask(views.server, "GET", path)
    tag = headers["etag"]
    assert status == 200 and view in tag
    status, headers, body = ask(views.server, "GET", path, headers={"if-none-match": tag})
    assert (status, headers["etag"], body) == (304, tag, b"")
    [record] = put(views.kinesis, stream, [sale(10)])
    path += f"&min_position={stream}/{record['SequenceNumber']}"
    status, headers, _ = ask(views.server, "GET", path, headers={"if-none-match": tag})
    assert status == 200 and headers["etag"] != tag
    timed = f"/query?sql={urllib.parse.quote(f'SELECT now() AS t, * FROM {view}')}"
    assert "etag" not in ask(views.server, "GET", timed)[1], "the time is no vector"


def test_an_answer_comes_as_lines_and_as_an_arrow_stream(views):
    sales = [sale(n) for n in range(30)]
    _, view = begun(views, sales)
    path = f"/query?sql={urllib.parse.quote(f'SELECT * FROM {view}')}"
    _, headers, body = ask(views.server, "GET", path, headers={"accept": "application/x-ndjson"})
    lines = [json.loads(line) for line in body.decode().splitlines()]
    assert rows({"rows": lines}) == by_store(sales)
    assert json.loads(headers["x-tidemill-meta"])["as_of"][0]["view"] == view
    accept = {"accept": "application/vnd.apache.arrow.stream"}
    _, headers, body = ask(views.server, "GET", path, headers=accept)
    frame = polars.read_ipc_stream(body)
    assert rows({"rows": frame.to_dicts()}) == by_store(sales)
    assert json.loads(headers["x-tidemill-meta"])["as_of"][0]["view"] == view


def test_a_named_query_takes_parameters_and_nothing_else(views):
    sales = [sale(n) for n in range(50)]
    _, view = begun(views, sales)
    name = f"{view}_q"
    sql = f"SELECT * FROM {view} WHERE store = {{{{store}}}} AND sales >= {{{{least:number}}}}"
    made = told(views.server, "PUT", f"/endpoints/{name}", {"sql": sql})
    assert made["parameters"] == ["store", "least"]
    answer = told(views.server, "GET", f"/endpoints/{name}/rows?store=S1&least=1")
    assert rows(answer) == {"S1": by_store(sales)["S1"]}
    injected = urllib.parse.quote("S1' OR '1'='1")
    assert told(views.server, "GET", f"/endpoints/{name}/rows?store={injected}&least=1")["rows"] == []
    for wrong in ["store=S1", "store=S1&least=1;DROP", "store=S1&least=1&more=2"]:
        told(views.server, "GET", f"/endpoints/{name}/rows?{wrong}", status=400)
    told(views.server, "DELETE", f"/endpoints/{name}")
    told(views.server, "GET", f"/endpoints/{name}/rows?store=S1&least=1", status=404)
    quoted = {"sql": f"SELECT * FROM {view} WHERE store = '{{{{store}}}}'"}
    told(views.server, "PUT", f"/endpoints/{name}", quoted, status=400)


def test_what_cannot_be_is_refused_with_the_way_on(views):
    stream = views.stream(1)
    create = f'CREATE VIEW {name_of(stream)} AS SELECT {{}} FROM STREAM "{stream}"'
    no_columns = told(views.server, "POST", "", {"sql": create.format("count(*) AS n")}, 400)
    assert "CREATE SCHEMA FOR STREAM" in no_columns["hint"]
    declare = f'CREATE SCHEMA FOR STREAM "{stream}" (store TEXT, n BIGINT)'
    assert told(views.server, "POST", "", {"sql": declare})["done"] == "CREATE SCHEMA"
    for select, text in [
        ("median(n) AS m", "batch-only"),
        ("count(*) AS n, random() AS r", "random"),
        ("sum(missing) AS s", "missing"),
        ("sum(store) AS s", "has to be a number"),
    ]:
        answer = told(views.server, "POST", "", {"sql": create.format(select)}, 400)
        assert text in answer["error"], answer
    nowhere = 'CREATE VIEW nowhere AS SELECT count(*) AS n FROM STREAM "not-there"'
    assert told(views.server, "POST", "", {"sql": nowhere}, 404)["error"].startswith("there is no stream")
    told(views.server, "POST", "", {"sql": create.format("count(*) AS n")}, 201)
    assert "already" in told(views.server, "POST", "", {"sql": create.format("count(*) AS n")}, 409)["error"]
    widened = f'CREATE SCHEMA FOR STREAM "{stream}" (store TEXT)'
    assert "added behind" in told(views.server, "POST", "", {"sql": widened}, 409)["error"]
    told(views.server, "GET", "/nothing", status=404)
    told(views.server, "DELETE", "/nothing", status=404)
    told(views.server, "POST", "/query", {"sql": "SELECT * FROM nothing"}, 404)
    told(views.server, "POST", "/query", {"sql": "SELEC 1"}, 400)
    told(views.server, "POST", "/query", {"sql": f"DROP VIEW {name_of(stream)}"}, 400)
    told(views.server, "POST", "/query", {"sql": "SELECT 1", "min_position": "12"}, 400)


def test_a_stream_with_views_stays(views):
    stream, view = begun(views, [sale(1)])
    refused(views.kinesis.delete_stream, "ResourceInUseException", StreamName=stream)
    answer = told(views.server, "DELETE", f"/archives/{stream}", status=409)
    assert f"drop {view} first" in answer["error"]
    told(views.server, "DELETE", f"/{view}")
    told(views.server, "DELETE", f"/archives/{stream}")
    views.kinesis.delete_stream(StreamName=stream)


def test_a_wrong_view_is_dropped_and_made_anew_over_all_records(views):
    sales = [sale(n) for n in range(40)]
    stream, view = begun(views, sales)
    told(views.server, "DELETE", f"/{view}")
    told(views.server, "POST", "/query", {"sql": f"SELECT * FROM {view}"}, 404)
    put(views.kinesis, stream, [sale(40)])
    viewed(views, stream, view, having="HAVING count(*) > 0")
    [record] = put(views.kinesis, stream, [sale(41)])
    everything = by_store([*sales, sale(40), sale(41)])
    sql = f"SELECT * FROM {view}"
    is_whole = lambda: rows(query(views.server, sql)) == everything
    eventually(is_whole, "what was put before and while there was no view is in it")
    assert rows(query(views.server, sql, min_position=f"{stream}/{record['SequenceNumber']}")) == everything


def test_records_that_fail_or_are_no_objects_are_left_out_and_take_no_other_with_them(views):
    stream = views.stream(1)
    declare = f'CREATE SCHEMA FOR STREAM "{stream}" (store TEXT, amount DOUBLE, n BIGINT)'
    told(views.server, "POST", "", {"sql": declare})
    view = name_of(stream)
    sql = f"""CREATE VIEW {view} AS SELECT store, count(*) AS sales, sum(10 / n) AS total, max(n) AS greatest
        FROM STREAM "{stream}" GROUP BY store"""
    told(views.server, "POST", "", {"sql": sql}, 201)
    bodies = [b'{"store":"a","n":5}', b'{"store":"a","n":0}', b"not JSON", b'{"store":"a","n":2}']
    for body in bodies:
        number = views.kinesis.put_record(StreamName=stream, Data=body, PartitionKey="k")["SequenceNumber"]
    answer = query(views.server, f"SELECT * FROM {view} WHERE store = 'a'", min_position=f"{stream}/{number}")
    assert rows(answer) == {"a": (2, 7, 5)}
    assert sum(answer["meta"]["as_of"][0]["positions"].values()) == len(bodies)


def tidemill(server, *arguments):
    command = [str(BINARY), "views", *arguments, "--endpoint", server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_the_command_line_makes_lists_shows_queries_and_drops(views, tmp_path):
    stream = views.stream(1)
    sales = [sale(n) for n in range(10)]
    last = put(views.kinesis, stream, sales)[-1]["SequenceNumber"]
    name = name_of(stream)
    file = tmp_path / "view.sql"
    file.write_text(f'CREATE VIEW {name} AS SELECT store, sum(n) AS total FROM STREAM "{stream}" GROUP BY store')
    status, _, _ = tidemill(views.server, "create", "--file", str(file))
    assert status == 0
    status, out, _ = tidemill(views.server, "create", "--file", str(file), "--json")
    envelope = json.loads(out)
    assert (status, envelope["status"], envelope["command"]) == (3, "error", "views create")
    assert "already" in envelope["error"]["message"]
    status, out, _ = tidemill(views.server, "list")
    assert status == 0 and name in out and "exact" in out
    status, out, _ = tidemill(views.server, "show", name, "--json")
    assert status == 0 and json.loads(out)["data"]["statement"] == file.read_text()
    sql = f"SELECT store, total FROM {name} ORDER BY store"
    status, out, _ = tidemill(views.server, "query", sql, "--min-position", f"{stream}/{last}", "--json")
    envelope = json.loads(out)
    assert (status, envelope["status"], envelope["schema_version"]) == (0, "ok", 1)
    expected = defaultdict(int)
    for one in sales:
        expected[one["store"]] += one["n"]
    assert {row["store"]: row["total"] for row in envelope["data"]["rows"]} == expected
    status, out, err = tidemill(views.server, "query", sql)
    assert status == 0 and "S4" in out and "as of" in err
    assert tidemill(views.server, "query")[0] == 2
    assert tidemill(views.server, "query", "SELECT * FROM nothing")[0] == 3
    assert tidemill(views.server, "drop", name)[0] == 0
    assert tidemill(views.server, "drop", name)[0] == 3


def test_the_command_line_says_how_columns_are_declared(views):
    stream = views.stream(1)
    sql = f'CREATE VIEW {name_of(stream)} AS SELECT store, count(*) AS n FROM STREAM "{stream}" GROUP BY store'
    status, _, err = tidemill(views.server, "create", sql)
    assert status == 3
    assert f"CREATE SCHEMA FOR STREAM {stream}" in err


def everything_put(mill, stream):
    """All records of a stream as GetRecords gives them."""
    sales = []
    for shard in mill.shards(stream):
        iterator = mill.kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            answer = mill.kinesis.get_records(ShardIterator=iterator, Limit=10_000)
            sales += [json.loads(record["Data"]) for record in answer["Records"]]
            iterator = answer.get("NextShardIterator")
            if not answer["Records"] or iterator is None:
                break
    return sales


def test_totals_hold_through_kills_under_load_and_never_go_back(durable_views):
    mill, server = durable_views, durable_views.server
    stream = mill.stream(SHARDS)
    put(mill.kinesis, stream, [sale(0)])
    view = name_of(stream)
    viewed(mill, stream, view)
    chance = random.Random(7)
    numbers = iter(range(1, 10_000_000))
    calls = threading.Semaphore(0)

    def produce(client):
        try:
            while True:
                put(client, stream, [sale(next(numbers)) for _ in range(chance.randint(1, 40))])
                calls.release()
        except (BotoCoreError, AssertionError):
            pass  # The server is gone.

    seen = 0
    for round_ in range(3):
        producer = threading.Thread(target=produce, args=(server.client("kinesis"),), daemon=True)
        producer.start()
        for _ in range(20 + 15 * round_):
            assert calls.acquire(timeout=30)
            count = sum(row[0] for row in rows(query(server, f"SELECT * FROM {view}")).values())
            assert count >= seen, "a count never goes back"
            seen = count
        server.kill()
        producer.join(30)
        server.start()
        sales = everything_put(mill, stream)
        expected = by_store(sales)
        is_whole = lambda: rows(query(server, f"SELECT * FROM {view}")) == expected
        eventually(is_whole, f"the view has the {len(sales)} records that GetRecords gives")
