"""The batch view over the real server: it is absorbed while records come, other engines read its files, and
a damaged one is computed again."""

import datetime
import json
import subprocess

import deltalake
import duckdb
import polars
import pytest

from harness import BINARY, eventually
from test_views import by_store, name_of, put, query, rows, sale, told

SHARDS = 3


def begun(mill, sales, mode=""):
    """A view over a stream with these sales that absorbs each second."""
    stream = mill.stream(SHARDS)
    put(mill.kinesis, stream, sales)
    view = name_of(stream)
    sql = f"""CREATE VIEW {view} WITH (absorb = '1 second'{mode}) AS
        SELECT store, count(*) AS sales, sum(amount) AS total, max(n) AS greatest
        FROM STREAM "{stream}" GROUP BY store"""
    told(mill.server, "POST", "", {"sql": sql}, 201)
    return stream, view


def answered(server, view, **demands):
    answer = query(server, f"SELECT * FROM {view}", **demands)
    return rows(answer), answer["meta"]["as_of"][0]


def absorbed(server, view, epoch, count):
    """Waits until the batch view of a later epoch has `count` records; gives its manifest."""

    def newest():
        for path in (server.data_dir / "views" / "batch").glob(f"{view}-*/manifest-*.json"):
            try:
                manifest = json.loads(path.read_text())["body"]
            except FileNotFoundError:
                continue  # A newer one has taken its place.
            if manifest["epoch"] > epoch and manifest["counts"]["rows_in"] == count:
                return path.parent, manifest
        return None

    return eventually(newest, f"{count} records are in the batch view")


def test_answers_hold_while_epochs_are_absorbed_and_after_a_kill(short_epochs):
    sales = [sale(number) for number in range(200)]
    stream, view = begun(short_epochs, sales)
    seen, epochs = 0, set()
    for batch in range(60):
        more = [sale(1000 + 10 * batch + number) for number in range(10)]
        numbers = [one["SequenceNumber"] for one in put(short_epochs.kinesis, stream, more)]
        sales += more
        found, as_of = answered(short_epochs.server, view, min_position=[f"{stream}/{number}" for number in numbers])
        assert found == by_store(sales)
        epochs.add(as_of["epoch"])
        assert len(sales) > seen
        seen = len(sales)
    _, manifest = absorbed(short_epochs.server, view, 0, len(sales))
    assert answered(short_epochs.server, view)[0] == by_store(sales)
    short_epochs.server.kill()
    short_epochs.server.start()
    found, as_of = eventually(lambda: answered(short_epochs.server, view), "the view is answered")
    assert found == by_store(sales)
    assert as_of["epoch"] >= manifest["epoch"] > 0


def test_an_answer_is_repeated_at_its_vector(short_epochs):
    sales = [sale(number) for number in range(50)]
    stream, view = begun(short_epochs, sales)
    first, as_of = answered(short_epochs.server, view)
    assert first == by_store(sales)
    put(short_epochs.kinesis, stream, [sale(number) for number in range(50, 90)])
    eventually(lambda: answered(short_epochs.server, view)[0] != first, "more is there")
    assert answered(short_epochs.server, view, as_of=as_of["vector"])[0] == first
    absorbed(short_epochs.server, view, 0, 90)
    short_epochs.server.kill()
    short_epochs.server.start()
    eventually(lambda: answered(short_epochs.server, view), "the view is answered")
    again, then = answered(short_epochs.server, view, as_of=as_of["vector"])
    assert (again, then["vector"]) == (first, as_of["vector"])


@pytest.mark.parametrize("reader", ["duckdb", "polars"])
def test_other_engines_read_the_files_of_a_batch_view(short_epochs, reader):
    sales = [sale(number) for number in range(300)]
    stream, view = begun(short_epochs, sales)
    folder, manifest = absorbed(short_epochs.server, view, 0, len(sales))
    files = [str(folder / file["name"]) for file in manifest["files"]]
    columns = ["_k0", "_a0", "_a1", "_a2"]
    if reader == "duckdb":
        found = duckdb.sql(f"SELECT {', '.join(columns)} FROM read_parquet({files})").fetchall()
    else:
        found = polars.read_parquet(files, columns=columns).rows()
    assert {row[0]: tuple(row[1:]) for row in found} == by_store(sales)
    at = answered(short_epochs.server, view, as_of=manifest["positions"])
    assert at[0] == by_store(sales)


def test_a_damaged_batch_view_is_computed_again(short_epochs):
    sales = [sale(number) for number in range(120)]
    stream, view = begun(short_epochs, sales)
    folder, manifest = absorbed(short_epochs.server, view, 0, len(sales))
    short_epochs.server.kill()
    path = folder / manifest["files"][0]["name"]
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    short_epochs.server.start()
    found, _ = eventually(lambda: answered(short_epochs.server, view), "the view is answered")
    assert found == by_store(sales)
    absorbed(short_epochs.server, view, manifest["epoch"], len(sales))


def test_an_audit_computes_the_whole_batch_view_again(short_epochs):
    sales = [sale(number) for number in range(200)]
    _, view = begun(short_epochs, sales)
    absorbed(short_epochs.server, view, 0, len(sales))
    command = [BINARY, "views", "audit", view, "--json", "--endpoint", short_epochs.server.url]
    told_of = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert told_of["data"]["audited"] == {"records": 200, "groups": 5}


def test_windows_overlap_and_a_record_counts_in_each(short_epochs):
    sales = [sale(number) for number in range(100)]
    stream = short_epochs.stream(SHARDS)
    put(short_epochs.kinesis, stream, sales)
    view = name_of(stream)
    told(short_epochs.server, "POST", "", {"sql": f'CREATE SCHEMA FOR STREAM "{stream}" (n BIGINT, at TIMESTAMP)'})
    sql = f"""CREATE VIEW {view} WITH (absorb = '1 second') AS
        SELECT hop(INTERVAL '6 hours', INTERVAL '1 day', at) AS begins, count(*) AS sales, sum(n) AS total
        FROM STREAM "{stream}" GROUP BY begins"""
    told(short_epochs.server, "POST", "", {"sql": sql}, 201)
    expected = {}
    for one in sales:
        at = datetime.datetime.fromisoformat(one["at"])
        newest = at.replace(hour=at.hour // 6 * 6, minute=0)
        for back in range(4):
            begins = (newest - datetime.timedelta(hours=6 * back)).strftime("%Y-%m-%dT%H:%M:%SZ")
            count, total = expected.get(begins, (0, 0))
            expected[begins] = (count + 1, total + one["n"])

    def found():
        answer = query(short_epochs.server, f"SELECT * FROM {view}")
        return {row["begins"]: (row["sales"], row["total"]) for row in answer["rows"]}

    eventually(lambda: found() == expected, "all sales are in the answer")
    absorbed(short_epochs.server, view, 0, len(sales))
    assert found() == expected
    assert told(short_epochs.server, "GET", f"/{view}")["counts"]["rows_in"] == len(sales)


def test_a_column_that_is_declared_later_changes_no_view_and_is_read_out_of_what_was_put_before(short_epochs):
    columns = "store TEXT, amount DOUBLE, n BIGINT"
    stream = short_epochs.stream(SHARDS)
    view = name_of(stream)
    told(short_epochs.server, "POST", "", {"sql": f'CREATE SCHEMA FOR STREAM "{stream}" ({columns})'})
    sql = f"""CREATE VIEW {view} WITH (absorb = '1 second') AS
        SELECT store, count(*) AS sales, sum(amount) AS total, max(n) AS greatest FROM STREAM "{stream}" GROUP BY store"""
    told(short_epochs.server, "POST", "", {"sql": sql}, 201)
    sales = [{**sale(number), "bonus": number} for number in range(50)]
    put(short_epochs.kinesis, stream, sales)
    absorbed(short_epochs.server, view, 0, 50)
    told(short_epochs.server, "POST", "", {"sql": f'CREATE SCHEMA FOR STREAM "{stream}" ({columns}, bonus BIGINT)'})
    # A bonus that is none makes the whole payload bad for the table, and is nothing to a view that has no such column.
    more = [{**sale(number), "bonus": "none"} for number in range(50, 80)]
    put(short_epochs.kinesis, stream, more)
    absorbed(short_epochs.server, view, 0, 80)
    assert answered(short_epochs.server, view)[0] == by_store([*sales, *more])
    sql = f"""CREATE VIEW {view}_bonus WITH (absorb = '1 second') AS
        SELECT sum(bonus) AS total FROM STREAM "{stream}" """
    told(short_epochs.server, "POST", "", {"sql": sql}, 201)
    absorbed(short_epochs.server, f"{view}_bonus", 0, 80)
    assert query(short_epochs.server, f"SELECT total FROM {view}_bonus")["rows"] == [{"total": sum(range(50))}]


def test_a_dropped_view_leaves_no_files(short_epochs):
    sales = [sale(number) for number in range(20)]
    stream, view = begun(short_epochs, sales)
    folder, _ = absorbed(short_epochs.server, view, 0, len(sales))
    told(short_epochs.server, "DELETE", f"/{view}")
    assert not list(folder.glob("*"))


def test_kappa_keeps_nothing_and_answers_the_same(short_epochs):
    sales = [sale(number) for number in range(120)]
    stream, view = begun(short_epochs, sales, ", mode = 'kappa'")
    assert told(short_epochs.server, "GET", f"/{view}")["kept_by"] == "replay"
    eventually(lambda: answered(short_epochs.server, view)[0] == by_store(sales), "all is there")
    short_epochs.server.kill()
    short_epochs.server.start()
    found, as_of = eventually(lambda: answered(short_epochs.server, view), "the view is answered")
    assert (found, as_of["epoch"]) == (by_store(sales), 0)
    assert not (short_epochs.server.data_dir / "views" / "batch").exists()


def test_duckdb_recomputes_the_answers_that_were_given_meanwhile(short_epochs):
    sales = [sale(number) for number in range(100)]
    stream, view = begun(short_epochs, sales)
    answers, batch = [], 0
    while len({as_of["epoch"] for _, as_of in answers}) < 3:
        batch += 1
        more = [sale(1000 + 10 * batch + number) for number in range(10)]
        put(short_epochs.kinesis, stream, more)
        sales += more
        answers.append(answered(short_epochs.server, view))
    absorbed(short_epochs.server, view, 0, len(sales))
    archive = told(short_epochs.server, "GET", f"/archives/{stream}")
    files = deltalake.DeltaTable(str(short_epochs.server.data_dir / archive["folder"])).file_uris()
    table = duckdb.read_parquet(files)
    for found, as_of in answers[:: max(1, len(answers) // 100)]:
        ends = [end.split(":") for end in as_of["vector"].split(",")]
        before = [f"(_shard = {shard} AND _position < {end})" for shard, end in ends]
        recomputed = table.filter(" OR ".join(before)).aggregate("store, count(*), sum(amount), max(n)")
        assert {row[0]: tuple(row[1:]) for row in recomputed.fetchall()} == found
