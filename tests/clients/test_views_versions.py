"""What is done when somebody was wrong: views are altered, compared, promoted and rolled back; records are
left out. Over REST, the command line and Postgres, against sums in Python."""

import json
import threading

import psycopg
import pytest

from harness import Mill, Server, eventually, free_port
from test_views import ask, begun, by_store, name_of, put, query, rows, sale, tidemill, told


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    folder = tmp_path_factory.mktemp("versions")
    port = free_port()
    server = Server(folder, "--limits", "none", "--sql-port", str(port), data_dir=folder / "data")
    server.start()
    server.sql_port = port
    yield Mill(server)
    server.stop()


def manifests(server, view):
    """The newest manifest of each version of a view that has one, by its folder."""
    newest = {}
    for path in (server.data_dir / "views" / "batch").glob(f"{view}-*/manifest-*.json"):
        try:
            manifest = json.loads(path.read_text())["body"]
        except FileNotFoundError:
            continue  # A newer one has taken its place.
        known = newest.get(path.parent.name)
        if known is None or known["epoch"] < manifest["epoch"]:
            newest[path.parent.name] = manifest
    return newest


def connection(server):
    return psycopg.connect(
        host="127.0.0.1", port=server.sql_port, user="anybody", dbname="tidemill", autocommit=True
    )


def altered(stream, view, where="", total="sum(amount)"):
    """What makes a next version of a view as `begun` makes it."""
    return f"""ALTER VIEW {view} AS SELECT store, count(*) AS sales, {total} AS total, max(n) AS greatest
        FROM STREAM "{stream}" {where} GROUP BY store"""


def caught_up(server, version, sales):
    """Waits until a version has as many records as `sales`."""
    whole = lambda: sum(row[0] for row in rows(query(server, f'SELECT * FROM "{version}"')).values())
    eventually(lambda: whole() == len(sales), f"{version} has {len(sales)} records")


def test_a_view_is_altered_compared_promoted_and_rolled_back(views):
    sales = [sale(n) for n in range(50)]
    stream, view = begun(views, sales)
    server = views.server
    made = told(server, "POST", "", {"sql": altered(stream, view, "WHERE store <> 'S0'", "sum(amount) * 2")}, 201)
    assert (made["done"], made["view"]["name"], made["view"]["version"]) == ("ALTER VIEW", f"{view}@2", 2)
    assert not made["view"]["is_served"]
    kept = [one for one in sales if one["store"] != "S0"]
    caught_up(server, f"{view}@2", kept)
    doubled = {store: (n, 2 * total, most) for store, (n, total, most) in by_store(kept).items()}
    assert rows(query(server, f"SELECT * FROM {view}")) == by_store(sales), "the served one goes on"
    assert rows(told(server, "GET", f"/{view}@2/rows?store=S3")) == {"S3": doubled["S3"]}
    diff = told(server, "GET", f"/{view}/diff")
    assert diff["groups"] == {"equal": 0, "differ": 4, "only_in_served": 1, "only_in_other": 0}
    assert not diff["is_equal"] and diff["compared_columns"] == ["store", "sales", "total", "greatest"]
    assert diff["first"][0]["served"]["store"] == "S0" and diff["first"][0]["other"] is None
    assert diff["first"][1]["other"]["total"] == 2 * diff["first"][1]["served"]["total"]
    told(server, "POST", "", {"sql": f"PROMOTE VIEW {view}"})
    assert rows(query(server, f"SELECT * FROM {view}")) == doubled
    names = {one["name"]: one["is_served"] for one in told(server, "GET", "")["views"] if one["view"] == view}
    assert names == {view: True, f"{view}@1": False}
    told(server, "POST", "", {"sql": f"ROLLBACK VIEW {view}"})
    assert rows(query(server, f"SELECT * FROM {view}")) == by_store(sales)
    told(server, "POST", "", {"sql": f"DROP VIEW {view} PREVIOUS"})
    answer = told(server, "POST", "", {"sql": f"ROLLBACK VIEW {view}"}, 409)
    assert "no previous version" in answer["error"]
    told(server, "POST", "", {"sql": altered("elsewhere", view)}, 409)
    told(server, "DELETE", f"/{view}")


def test_no_count_goes_back_while_versions_are_exchanged_under_load(views):
    sales = [sale(n) for n in range(10)]
    stream, view = begun(views, sales)
    server = views.server
    told(server, "POST", "", {"sql": altered(stream, view)}, 201)
    caught_up(server, f"{view}@2", sales)
    seen = 0
    for number in range(10, 90):
        [record] = put(views.kinesis, stream, [sale(number)])
        sales.append(sale(number))
        if number % 10 == 5:
            verb = "PROMOTE" if number == 15 else "ROLLBACK"
            told(server, "POST", "", {"sql": f"{verb} VIEW {view}"})
        count = sum(row[0] for row in rows(query(server, f"SELECT * FROM {view}")).values())
        assert count >= seen
        seen = count
        if number % 7 == 0:
            answer = query(server, f"SELECT * FROM {view}", min_position=f"{stream}/{record['SequenceNumber']}")
            assert rows(answer) == by_store(sales)
            seen = len(sales)


def test_versions_are_compared_at_one_vector_while_records_come(views):
    sales = [sale(n) for n in range(10)]
    stream, view = begun(views, sales)
    server = views.server
    told(server, "POST", "", {"sql": altered(stream, view)}, 201)
    caught_up(server, f"{view}@2", sales)
    stop = threading.Event()

    def produce(client):
        number = 10
        while not stop.is_set():
            put(client, stream, [sale(number), sale(number + 1), sale(number + 2)])
            number += 3

    producer = threading.Thread(target=produce, args=(server.client("kinesis"),))
    producer.start()
    try:
        vectors = set()
        for _ in range(20):
            diff = told(server, "GET", f"/{view}/diff")
            assert diff["is_equal"] and diff["groups"]["equal"] == 5, diff
            vectors.add(diff["vector"])
    finally:
        stop.set()
        producer.join(30)
    assert len(vectors) > 1, "records came in between"


def test_the_command_line_alters_compares_promotes_and_rolls_back(views, tmp_path):
    sales = [sale(n) for n in range(20)]
    stream, view = begun(views, sales)
    assert tidemill(views.server, "diff", view)[0] == 3, "there is nothing to compare it with"
    file = tmp_path / "next.sql"
    file.write_text(altered(stream, view, "WHERE n >= 10"))
    status, out, error = tidemill(views.server, "alter", "--file", str(file))
    assert status == 0 and "ALTER VIEW" in out and f"{view}@2 is exact" in error
    caught_up(views.server, f"{view}@2", sales[10:])
    status, out, _ = tidemill(views.server, "diff", view)
    assert status == 1 and "5 groups differ" in out and f"0 groups are only in {view}@2" in out
    status, out, _ = tidemill(views.server, "diff", view, "--json")
    envelope = json.loads(out)
    assert (status, envelope["status"], envelope["data"]["groups"]["differ"]) == (1, "finding", 5)
    assert tidemill(views.server, "promote", view)[0] == 0
    assert rows(query(views.server, f"SELECT * FROM {view}")) == by_store(sales[10:])
    assert tidemill(views.server, "rollback", view)[0] == 0
    assert rows(query(views.server, f"SELECT * FROM {view}")) == by_store(sales)
    assert tidemill(views.server, "drop", view, "--previous")[0] == 0
    same = f"""ALTER VIEW {view} AS SELECT store, count(*) AS sales, sum(amount) AS total, max(n) AS greatest
        FROM STREAM "{stream}" GROUP BY store"""
    assert tidemill(views.server, "alter", same)[0] == 0
    caught_up(views.server, f"{view}@3", sales)
    status, out, _ = tidemill(views.server, "diff", view)
    assert status == 0 and "5 groups are equal" in out
    assert tidemill(views.server, "drop", view, "--next")[0] == 0
    assert tidemill(views.server, "promote", view)[0] == 3


def test_clients_of_postgres_alter_compare_and_promote(views):
    sales = [sale(n) for n in range(30)]
    stream, view = begun(views, sales)
    with connection(views.server) as client:
        told_here = []
        client.add_notice_handler(lambda notice: told_here.append(notice.message_primary))
        client.execute(altered(stream, view, "WHERE store = 'S1'"))
        assert told_here[0].startswith(f"{view}@2 is exact")
        caught_up(views.server, f"{view}@2", [one for one in sales if one["store"] == "S1"])
        told_here.clear()
        client.execute(f"DIFF VIEW {view}")
        assert "1 groups are equal" in told_here and f"4 groups are only in {view}" in told_here
        client.execute(f"PROMOTE VIEW {view}")
        stores = f"SELECT store FROM {view} ORDER BY store"
        assert client.execute(stores).fetchall() == [("S1",)]
        before = f'SELECT count(*) FROM "{view}@1"'
        assert client.execute(before).fetchone() == (5,)
        client.execute(f"ROLLBACK VIEW {view}")
        assert len(client.execute(stores).fetchall()) == 5
        with pytest.raises(psycopg.Error, match="no next version"):
            client.execute(f"PROMOTE VIEW {view}")


def test_a_query_says_what_it_is_as_of(views):
    sales = [sale(n) for n in range(30)]
    stream, view = begun(views, sales)
    answer = query(views.server, f"SELECT * FROM {view}")
    vector = answer["meta"]["as_of"][0]["vector"]
    sql = f"SELECT * FROM {view} AS OF POSITION '{vector}' WHERE store = 'S1'"
    assert rows(query(views.server, sql)) == {"S1": by_store(sales)["S1"]}
    with connection(views.server) as client:
        binary = client.cursor(binary=True)
        sql = f"SELECT greatest FROM {view} AS OF POSITION '{vector}' WHERE store = %s"
        assert binary.execute(sql, ("S1",)).fetchall() == [(26,)]
        with pytest.raises(psycopg.Error, match="one vector"):
            client.execute(f"SELECT * FROM {view} AS OF POSITION '0:1', {view} AS OF POSITION '0:2'")
    put(views.kinesis, stream, [sale(30)])
    wrong = told(views.server, "POST", "/query", {"sql": f"SELECT * FROM {view} AS OF POSITION 'now'"}, 400)
    assert "takes a vector" in wrong["error"]


def test_excluded_records_are_in_no_answer_and_their_exclusion_stays_known(views):
    stream = views.stream(1)
    sales = [sale(n) for n in range(40)]
    numbers = [record["SequenceNumber"] for record in put(views.kinesis, stream, sales)]
    view = stream.replace("-", "_")
    server = views.server
    sql = f"""CREATE VIEW {view} AS SELECT store, count(*) AS sales, sum(amount) AS total, max(n) AS greatest
        FROM STREAM "{stream}" GROUP BY store"""
    told(server, "POST", "", {"sql": sql}, 201)
    last = f"{stream}/{numbers[-1]}"
    answer = query(server, f"SELECT * FROM {view}", min_position=last)
    assert rows(answer) == by_store(sales)
    path = f"/query?sql=SELECT%20*%20FROM%20{view}"
    tag = ask(server, "GET", path)[1]["etag"]
    exclude = ["exclude", stream, "--shard", "0", "--from", numbers[10], "--to", "25"]
    status, out, error = tidemill(server, *exclude, "--reason", "it's the till's fault")
    assert status == 0 and "EXCLUDE" in out and "15 positions" in error and view in error
    kept = sales[:10] + sales[25:]
    without = query(server, f"SELECT * FROM {view}", min_position=last)
    assert rows(without) == by_store(kept)
    assert without["meta"]["as_of"][0]["vector"] == answer["meta"]["as_of"][0]["vector"]
    status, headers, _ = ask(server, "GET", path, headers={"if-none-match": tag})
    assert status == 200 and headers["etag"] != tag, "the same vector, and another answer"
    put(views.kinesis, stream, [sale(40)])
    server.kill()
    server.start()
    kept.append(sale(40))
    whole = lambda: rows(query(server, f"SELECT * FROM {view}")) == by_store(kept)
    eventually(whole, "what is excluded stays so")
    facts = [one for one in told(server, "GET", "/exclusions")["exclusions"] if one["stream_name"] == stream]
    assert [(one["from"], one["to"], one["reason"], one["undone"]) for one in facts] == [
        (10, 25, "it's the till's fault", None)
    ]
    number = facts[0]["exclusion"]
    again = f"EXCLUDE FROM STREAM \"{stream}\" SHARD 0 [24, 26) REASON 'x'"
    assert f"exclusion {number} has" in told(server, "POST", "", {"sql": again}, 409)["error"]
    with connection(server) as client:
        client.execute(f"UNDO EXCLUSION {number} REASON 'it was the clock'")
        with pytest.raises(psycopg.Error, match="undone already"):
            client.execute(f"UNDO EXCLUSION {number} REASON 'twice'")
        whole = lambda: rows(query(server, f"SELECT * FROM {view}")) == by_store([*sales, sale(40)])
        eventually(whole, "they count again")
        heard = []
        client.add_notice_handler(lambda notice: heard.append(notice.message_primary))
        client.execute("SHOW EXCLUSIONS")
        assert any(stream in line and "undone since" in line for line in heard)
    status, out, _ = tidemill(server, "exclusions")
    assert status == 0 and "it was the clock" in out and "it's the till's fault" in out


def test_what_cannot_be_excluded_is_refused(views):
    stream, _ = begun(views, [sale(n) for n in range(10)])
    for records, status, text in [
        ("SHARD 9 [0, 1) REASON 'x'", 404, "has no shardId-000000000009"),
        ("SHARD 0 [0, 1000) REASON 'x'", 400, "only what is there can be excluded"),
        ("SHARD 0 [5, 5) REASON 'x'", 400, "has no positions"),
        ("SHARD 0 [0, 1]", 400, "[first, end)"),
        ("SHARD 0 [0, 1)", 400, "REASON"),
    ]:
        answer = told(views.server, "POST", "", {"sql": f'EXCLUDE FROM STREAM "{stream}" {records}'}, status)
        assert text in answer["error"], answer
    told(views.server, "POST", "", {"sql": "UNDO EXCLUSION 999 REASON 'x'"}, 404)
    assert tidemill(views.server, "undo", "999", "--reason", "x")[0] == 3


def absorbed_view(mill, sales, more=""):
    """A view with these sales that absorbs each second, and the sequence number of the last."""
    stream = mill.stream(1)
    last = put(mill.kinesis, stream, sales)[-1]["SequenceNumber"]
    view = name_of(stream)
    sql = f"""CREATE VIEW {view} WITH (absorb = '1 second') AS
        SELECT store, count(*) AS sales, sum(amount) AS total, max(n) AS greatest
        FROM STREAM "{stream}" {more} GROUP BY store"""
    told(mill.server, "POST", "", {"sql": sql}, 201)
    return stream, view, sql, f"{stream}/{last}"


def counted(server, view, rows_in, excluded, views=1):
    """Waits until all batch views of a view, as many as there are to be, have counted so many records."""

    def whole():
        found = manifests(server, view)
        counts = [(one["counts"]["rows_in"], one["counts"]["excluded"]) for one in found.values()]
        return found if len(found) >= views and set(counts) == {(rows_in, excluded)} else None

    return eventually(whole, f"{rows_in} records are in the batch view, and {excluded} are left out")


def test_excluded_records_leave_the_batch_view_and_come_back(short_epochs):
    sales = [sale(n) for n in range(100)]
    stream, view, _, last = absorbed_view(short_epochs, sales)
    server = short_epochs.server
    ask_all = lambda: rows(query(server, f"SELECT * FROM {view}", min_position=last))
    assert ask_all() == by_store(sales)
    counted(server, view, 100, 0)
    told(server, "POST", "", {"sql": f"EXCLUDE FROM STREAM \"{stream}\" SHARD 0 [20, 55) REASON 'x'"})
    kept = sales[:20] + sales[55:]
    assert ask_all() == by_store(kept)
    counted(server, view, 65, 35)
    assert ask_all() == by_store(kept)
    server.kill()
    server.start()
    assert ask_all() == by_store(kept)
    [fact] = told(server, "GET", "/exclusions")["exclusions"]
    told(server, "POST", "", {"sql": f"UNDO EXCLUSION {fact['exclusion']} REASON 'y'"})
    assert ask_all() == by_store(sales)
    counted(server, view, 100, 0)


def test_versions_have_batch_views_of_their_own_through_a_kill(short_epochs):
    sales = [sale(n) for n in range(60)]
    stream, view, sql, last = absorbed_view(short_epochs, sales)
    server = short_epochs.server
    told(server, "POST", "", {"sql": sql.replace("CREATE", "ALTER").replace("sum(amount)", "sum(amount) * 2")}, 201)
    doubled = {store: (n, 2 * total, most) for store, (n, total, most) in by_store(sales).items()}
    ask_all = lambda name: rows(query(server, f'SELECT * FROM "{name}"', min_position=last))
    assert ask_all(f"{view}@2") == doubled
    told(server, "POST", "", {"sql": f"PROMOTE VIEW {view}"})
    assert len(counted(server, view, 60, 0, views=2)) == 2
    server.kill()
    server.start()
    assert ask_all(view) == doubled
    assert ask_all(f"{view}@1") == by_store(sales)
    diff = told(server, "GET", f"/{view}/diff")
    assert (diff["served"], diff["other"], diff["groups"]["differ"]) == (view, f"{view}@1", 5)
    told(server, "POST", "", {"sql": f"ROLLBACK VIEW {view}"})
    assert ask_all(view) == by_store(sales)
    told(server, "POST", "", {"sql": f"DROP VIEW {view} PREVIOUS"})
    assert len(manifests(server, view)) == 1
    told(server, "DELETE", f"/{view}")
    assert manifests(server, view) == {}
