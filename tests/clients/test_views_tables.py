"""Static tables over the real server: put, joined in views and in queries, and dropped."""

import json
import subprocess

from harness import BINARY
from test_views import SHARDS, ask, name_of, put, query, sale, told

STORES = [{"code": f"S{number}", "region": "north" if number < 3 else "south"} for number in range(4)]


def command(mill, *words):
    ran = subprocess.run(
        [BINARY, "views", *words, "--json", "--endpoint", mill.server.url], capture_output=True, text=True, check=False
    )
    answer = json.loads(ran.stdout)
    return ran.returncode, answer["data"] if ran.returncode == 0 else answer["error"]


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def by_region(sales, stores):
    regions = {store["code"]: store["region"] for store in stores}
    sums = {}
    for one in sales:
        region = regions.get(one["store"])
        sums[region] = sums.get(region, 0) + one["n"]
    return sums


def test_a_view_looks_its_records_up_in_a_table_and_takes_a_new_version_when_it_is_altered(short_epochs, tmp_path):
    sales = [sale(number) for number in range(100)]
    stream = short_epochs.stream(SHARDS)
    numbers = [one["SequenceNumber"] for one in put(short_epochs.kinesis, stream, sales)]
    view, table = name_of(stream), name_of(stream) + "_stores"
    file = tmp_path / "stores.ndjson"
    file.write_text(lines(STORES))
    status, answer = command(short_epochs, "put-table", table, str(file))
    assert (status, answer["version"], answer["rows"]) == (0, 1, 4)
    select = f"""SELECT s.region, sum(o.n) AS total FROM STREAM "{stream}" o
        LEFT JOIN {table} s ON s.code = o.store GROUP BY s.region"""
    made = told(short_epochs.server, "POST", "", {"sql": f"CREATE VIEW {view} AS {select}"}, 201)
    assert made["view"]["tables"] == [{"table": table, "version": 1}]
    demands = [f"{stream}/{number}" for number in numbers]

    def found():
        answer = query(short_epochs.server, f"SELECT * FROM {view}", min_position=demands)
        return {row["region"]: row["total"] for row in answer["rows"]}

    assert found() == by_region(sales, STORES)
    moved = [{**store, "region": "east"} for store in STORES]
    file.write_text(lines(moved))
    assert command(short_epochs, "put-table", table, str(file))[1]["version"] == 2
    assert found() == by_region(sales, STORES)
    told(short_epochs.server, "POST", "", {"sql": f"ALTER VIEW {view} AS {select}"}, 201)
    assert told(short_epochs.server, "GET", f"/{view}/diff")["is_equal"] is False
    told(short_epochs.server, "POST", "", {"sql": f"PROMOTE VIEW {view}"})
    assert found() == by_region(sales, moved)
    short_epochs.server.kill()
    short_epochs.server.start()
    assert found() == by_region(sales, moved)
    status, error = command(short_epochs, "drop-table", table)
    assert status == 3 and "is made over table" in json.dumps(error)


def test_a_query_joins_a_table_and_is_not_taken_for_unchanged_when_that_has_another_version(durable, tmp_path):
    sales = [sale(number) for number in range(20)]
    stream = durable.stream(SHARDS)
    put(durable.kinesis, stream, sales)
    view = name_of(stream)
    sql = f'CREATE VIEW {view} AS SELECT store, sum(n) AS total FROM STREAM "{stream}" GROUP BY store'
    told(durable.server, "POST", "", {"sql": sql}, 201)
    file = tmp_path / "stores.ndjson"
    file.write_text(lines(STORES))
    assert command(durable, "put-table", "stores", str(file))[0] == 0
    sql = f"SELECT s.region, sum(v.total) AS total FROM {view} v LEFT JOIN stores s ON s.code = v.store GROUP BY 1"
    rows = query(durable.server, sql)["rows"]
    assert {row["region"]: row["total"] for row in rows} == by_region(sales, STORES)
    told(durable.server, "PUT", "/endpoints/regions", {"sql": sql})
    path = "/endpoints/regions/rows"
    assert told(durable.server, "GET", path)["meta"]["tables"] == [{"table": "stores", "version": 1}]
    tag = {"if-none-match": ask(durable.server, "GET", path)[1]["etag"]}
    assert ask(durable.server, "GET", path, headers=tag)[0] == 304
    file.write_text(lines(STORES[:2]))
    assert command(durable, "put-table", "stores", str(file))[0] == 0
    assert ask(durable.server, "GET", path, headers=tag)[0] == 200
    assert command(durable, "tables")[1]["tables"][0]["table"] == "stores"
    file.write_text('{"code":"S1"}\n[1]\n')
    status, error = command(durable, "put-table", "stores", str(file))
    assert status == 3 and "line 2 is no row" in json.dumps(error)
    assert command(durable, "drop-table", "stores")[0] == 0
    assert command(durable, "tables")[1]["tables"] == []
