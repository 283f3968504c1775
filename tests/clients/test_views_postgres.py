"""Views for clients of Postgres over the real server: psql, and psycopg with parameters in either form."""

import json
import subprocess

import psycopg
import pytest

from harness import Mill, Server, eventually, free_port, unique


@pytest.fixture(scope="module")
def sql(tmp_path_factory):
    port = free_port()
    server = Server(tmp_path_factory.mktemp("sql"), "--limits", "none", "--sql-port", str(port))
    server.start()
    server.sql_port = port
    yield Mill(server)
    server.stop()


def psql(server, *commands):
    arguments = [argument for command in commands for argument in ("-c", command)]
    target = ["-h", "127.0.0.1", "-p", str(server.sql_port), "-U", "anybody", "-d", "tidemill"]
    done = subprocess.run(["psql", *target, "-At", *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def connection(server):
    return psycopg.connect(
        host="127.0.0.1", port=server.sql_port, user="anybody", dbname="tidemill", autocommit=True
    )


def viewed(mill, count):
    """A view with `count` records in three groups, made over Postgres."""
    stream = mill.stream(2)
    view = stream.replace("-", "_")
    with connection(mill.server) as client:
        client.execute(f'CREATE SCHEMA FOR STREAM "{stream}" (store TEXT, n BIGINT, price DECIMAL(38, 2))')
        client.execute(
            f"""CREATE VIEW {view} AS SELECT store, count(*) AS sales, sum(n) AS total, sum(price) AS money
            FROM STREAM "{stream}" GROUP BY store"""
        )
    for n in range(count):
        sale = {"store": f"S{n % 3}", "n": n, "price": f"{n}.25"}
        mill.kinesis.put_record(StreamName=stream, Data=json.dumps(sale).encode(), PartitionKey=str(n))
    return view


def test_psql_asks_a_view_and_describes_it(sql):
    view = viewed(sql, 30)
    ask = f"SELECT store, sales, total, money FROM {view} ORDER BY store"
    expected = [
        f"S{store}|10|{sum(range(store, 30, 3))}|{sum(range(store, 30, 3)) + 2.5:.2f}" for store in range(3)
    ]
    eventually(lambda: psql(sql.server, ask)[1].splitlines() == expected, "psql sees all records")
    status, out, _ = psql(sql.server, r"\d")
    assert status == 0 and view in out
    status, _, error = psql(sql.server, f"SELECT nothing FROM {view}")
    assert status == 1 and "nothing" in error


def test_psycopg_asks_with_parameters(sql):
    view = viewed(sql, 30)
    with connection(sql.server) as client:
        count = lambda: client.execute(f"SELECT sum(sales) FROM {view}").fetchone()[0]
        eventually(lambda: count() == 30, "all records are there")
        for binary in (False, True):
            cursor = client.cursor(binary=binary)
            rows = cursor.execute(f"SELECT total FROM {view} WHERE store = %s", ("S1",)).fetchall()
            assert rows == [(sum(range(1, 30, 3)),)]
        with pytest.raises(psycopg.Error):
            client.execute("SELECT * FROM nothing")
        assert count() == 30, "the connection goes on"
        client.execute(f"DROP VIEW {view}")
