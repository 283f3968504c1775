"""Views as the clients of Postgres see them: psql, psycopg and the JDBC driver, against a few sales.

What the server serves is in crates/views/tests/support/sales.rs; its own tests look closer. Here it is
shown that real clients work: their dialects of the protocol, their types, their questions to the catalogue.
"""

import datetime
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

import jvm
from harness import BINARY

SERVER = BINARY.parent / "examples" / "serve_sales"
DRIVER = Path("/usr/share/java/postgresql.jar")
HOUR = datetime.datetime(2026, 3, 1, 10, tzinfo=datetime.timezone.utc)
AS_OF = "view=by_hour as_of={0:6,1:6} epoch=3 lag=42ms class=exact"


@pytest.fixture(scope="module")
def address():
    assert SERVER.is_file(), "run `cargo build -p tidemill-views --examples` first"
    server = subprocess.Popen([SERVER, "127.0.0.1:0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    host, port = server.stdout.readline().strip().split(":")
    yield host, port
    server.stdin.close()
    assert server.wait(timeout=60) == 0


@pytest.fixture
def connection(address):
    host, port = address
    with psycopg.connect(host=host, port=port, dbname="tidemill", user="me") as connection:
        yield connection


def psql(address, command):
    host, port = address
    words = ["psql", "-X", "-A", "-t", "-h", host, "-p", port, "-U", "me", "-v", "ON_ERROR_STOP=1", "tidemill", "-c", command]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


@pytest.fixture
def has_psql():
    if shutil.which("psql") is None:
        pytest.skip("psql is missing: install postgresql-client")


@pytest.mark.usefixtures("has_psql")
def test_psql_lists_views_as_materialised_views(address):
    done = psql(address, r"\d")
    assert done.returncode == 0, done.stderr
    listed = [f"public|{view}|materialized view|postgres" for view in ("by_hour", "everything", "top")]
    assert done.stdout.splitlines() == listed
    for listing in (r"\dm", r"\d+", r"\d by_hour", r"\l", r"\dn", r"\dt", r"\conninfo"):
        done = psql(address, listing)
        assert done.returncode == 0 and "ERROR" not in done.stderr, f"{listing}: {done.stderr}"


@pytest.mark.usefixtures("has_psql")
def test_psql_shows_what_an_answer_is_as_of_and_what_to_type_next(address):
    done = psql(address, "SELECT store, total FROM by_hour WHERE hour = '2026-04-01T00:00:00Z'")
    assert done.stdout == "ZRH|99999999999999999999.99\n"
    assert done.stderr == f"NOTICE:  {AS_OF}\n"
    done = psql(address, "SELECT * FROM by_huor")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "ERROR:  there is no view `by_huor`",
        "HINT:  there are by_hour, everything, top",
    ]


@pytest.mark.parametrize("is_binary", [False, True])
def test_psycopg_gets_values_of_the_right_types(connection, is_binary):
    cursor = connection.cursor(binary=is_binary)
    cursor.execute("SELECT store, hour, n, total, mean FROM by_hour WHERE store = %s AND n > %s", ("BLR", 1))
    [(store, hour, count, total, mean)] = cursor.fetchall()
    assert (store, hour, count, total, mean) == ("BLR", HOUR, 3, Decimal("10.75"), 3.3333333333333335e299)


def test_psycopg_binds_parameters_of_every_type(connection):
    notices = []
    connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    query = "SELECT n FROM by_hour WHERE hour >= %s AND total < %s AND mean < %s AND store = ANY (ARRAY[%s, 'x'])"
    parameters = (HOUR, Decimal("100.5"), 0.5, "ZRH")
    for _ in range(7):
        assert connection.execute(query, parameters, prepare=True).fetchall() == [(1,), (1,)]
    assert notices == [AS_OF] * 7
    with psycopg.ClientCursor(connection) as cursor:
        assert cursor.execute(query, parameters).fetchall() == [(1,), (1,)]


def test_psycopg_goes_on_after_an_error(connection):
    with pytest.raises(psycopg.errors.UndefinedColumn, match="there is no column `stroe`"):
        connection.execute("SELECT stroe FROM by_hour")
    connection.rollback()
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="COPY is not supported"):
        connection.execute("COPY top TO STDOUT")
    connection.rollback()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_psycopg_sends_several_at_once(address):
    host, port = address
    with psycopg.connect(host=host, port=port, dbname="tidemill", user="me", autocommit=True) as connection:
        with connection.pipeline():
            cursors = [connection.execute("SELECT %s::int", (number,)) for number in range(10)]
        assert [cursor.fetchone() for cursor in cursors] == [(number,) for number in range(10)]


def test_the_jdbc_driver_reads_rows_and_the_catalogue(address, tmp_path):
    if shutil.which("javac") is None:
        pytest.skip("javac is missing: install a JDK, 17 or later")
    if not DRIVER.is_file():
        pytest.skip(f"{DRIVER} is missing: install libpostgresql-jdbc-java")
    source = jvm.SOURCES.parent / "java-postgres" / "ReadViews.java"
    subprocess.run(["javac", "-d", tmp_path, source], check=True, timeout=120)
    words = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{tmp_path}:{DRIVER}", "ReadViews", ":".join(address)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "BLR 2026-03-01T10:00:00Z 3 10.75 3.3333333333333335E299",
        AS_OF,
        "table by_hour MATERIALIZED VIEW",
        "table everything MATERIALIZED VIEW",
        "table top MATERIALIZED VIEW",
        "column store text",
        "column hour timestamptz",
        "column n int8",
        "column total numeric",
        "column mean float8",
        "database tidemill",
        "keys 0",
        "a key has 32 columns",
        "by twos 8",
        "refused 22000",
        "and goes on 1",
    ]
