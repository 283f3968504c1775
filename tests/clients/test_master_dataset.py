"""The master dataset as other programs read it: DuckDB, Polars and delta-rs, each through the Delta log.

What they find is compared with sums over the flights themselves, which share no code with what wrote
the table. Replaced files are still in the folder, so who does not read through the log counts twice.
"""

import csv
import json
import shutil
import subprocess
from collections import Counter
from decimal import Decimal
from pathlib import Path

import deltalake
import duckdb
import duckdb_extension_delta
import polars
import pytest

from harness import BINARY

FLIGHTS = Path(__file__).parents[2] / "data" / "nyc-flights-2013-01.csv"
WRITER = BINARY.parent / "examples" / "write_master"
CHECKPOINT = 40


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    assert WRITER.is_file(), "run `cargo build -p tidemill-views --examples` first"
    folder = tmp_path_factory.mktemp("master")
    subprocess.run([WRITER, folder, FLIGHTS], check=True, timeout=120)
    return folder / "master" / "flights"


@pytest.fixture(scope="module")
def shortened(table, tmp_path_factory):
    """The same table without the commits that its checkpoint stands for."""
    copy = tmp_path_factory.mktemp("shortened") / "flights"
    shutil.copytree(table, copy)
    for version in range(CHECKPOINT):
        (copy / "_delta_log" / f"{version:020}.json").unlink()
    return copy


@pytest.fixture(scope="module")
def flights():
    with FLIGHTS.open(newline="") as file:
        return list(csv.DictReader(file))


def expected(flights):
    """Flights, those whose delay is no number, and the sums over the others; and flights by airport and hour."""
    good = [flight for flight in flights if flight["arr_delay"] != ""]
    delay = sum(int(flight["arr_delay"]) for flight in good)
    distance = sum(Decimal(flight["distance"]) for flight in good)
    hours = Counter((flight["origin"], flight["time_hour"]) for flight in good)
    return len(flights), len(flights) - len(good), delay, distance, hours


def in_duckdb(table):
    [extension] = Path(duckdb_extension_delta.__path__[0]).rglob("delta.duckdb_extension")
    connection = duckdb.connect()
    connection.execute(f"LOAD '{extension}'")
    connection.execute("SET TimeZone = 'UTC'")
    scan = f"delta_scan('{table}')"
    sums = f"SELECT count(*), count(_bad), sum(arr_delay), sum(distance) FROM {scan}"
    hours = f"""SELECT origin, strftime(hour, '%Y-%m-%dT%H:%M:%SZ'), count(*) FROM {scan}
        WHERE _bad IS NULL GROUP BY ALL"""
    rows = connection.execute(hours).fetchall()
    return *connection.execute(sums).fetchone(), Counter({(origin, hour): n for origin, hour, n in rows})


def in_polars(table):
    frame = polars.scan_delta(str(table)).collect()
    hour = polars.col("hour").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    good = frame.filter(polars.col("_bad").is_null())
    hours = good.group_by("origin", hour).len().rows()
    return (
        frame.height,
        frame["_bad"].count(),
        frame["arr_delay"].sum(),
        frame["distance"].sum(),
        Counter({(origin, hour): n for origin, hour, n in hours}),
    )


def in_delta_rs(table):
    builder = deltalake.QueryBuilder().register("flights", deltalake.DeltaTable(str(table)))

    def rows(query):
        columns = builder.execute(query).read_all().to_struct_array().to_pylist()
        return [tuple(row.values()) for row in columns]

    [sums] = rows("SELECT count(*) a, count(_bad) b, sum(arr_delay) c, sum(distance) d FROM flights")
    hours = rows(
        """SELECT origin, to_char(hour, '%Y-%m-%dT%H:%M:%SZ') AS at, count(*) AS n FROM flights
        WHERE _bad IS NULL GROUP BY origin, at"""
    )
    return *sums, Counter({(origin, hour): n for origin, hour, n in hours})


@pytest.mark.parametrize("reader", [in_duckdb, in_polars, in_delta_rs])
def test_other_programs_find_the_same_sums(table, flights, reader):
    assert reader(table) == expected(flights)


@pytest.mark.parametrize("reader", [in_duckdb, in_polars, in_delta_rs])
def test_other_programs_read_the_checkpoint(shortened, flights, reader):
    assert reader(shortened) == expected(flights)


def test_payloads_and_positions_are_those_that_were_put(table, flights):
    frame = polars.scan_delta(str(table)).sort("_shard", "_position").collect()
    for shard, airport in enumerate(["EWR", "JFK", "LGA"]):
        rows = frame.filter(polars.col("_shard") == shard)
        put = [flight for flight in flights if flight["origin"] == airport]
        assert rows["_position"].to_list() == list(range(len(put)))
        payloads = [json.loads(payload) for payload in rows["_payload"]]
        assert [str(payload["arr_delay"]) for payload in payloads] == [row["arr_delay"] for row in put]
        assert rows["_partition_key"].to_list() == [flight["tailnum"] for flight in put]


def test_positions_stand_in_the_log(table):
    log = deltalake.DeltaTable(str(table))
    frame = polars.scan_delta(str(table)).group_by("_shard").len().collect()
    for shard, count in frame.rows():
        assert log.transaction_version(f"tidemill.shard.{shard}") == count


def test_the_table_takes_additions_only(table, tmp_path):
    copy = tmp_path / "flights"
    shutil.copytree(table, copy)
    with pytest.raises(Exception, match="append"):
        deltalake.DeltaTable(str(copy)).delete()
