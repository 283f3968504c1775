"""The master dataset and the files of a batch view as Spark and Sail read them, by their lists of files."""

import subprocess

import deltalake
import pytest

from engines import ENGINES, session
from harness import BINARY, eventually
from test_views import by_store, sale, told
from test_views_batch import absorbed, answered, begun


@pytest.fixture(params=ENGINES)
def spark(request):
    with session(request.param) as spark:
        yield spark


def test_they_come_to_the_sums_of_the_answer(short_epochs, spark):
    sales = [sale(number) for number in range(300)]
    stream, view = begun(short_epochs, sales)
    folder, manifest = absorbed(short_epochs.server, view, 0, len(sales))
    expected, as_of = answered(short_epochs.server, view)
    assert expected == by_store(sales)
    assert as_of["vector"] == manifest["positions"]

    files = [str(folder / file["name"]) for file in manifest["files"]]
    states = spark.read.parquet(*files).select("_k0", "_a0", "_a1", "_a2").collect()
    assert {row[0]: tuple(row[1:]) for row in states} == expected

    archive = told(short_epochs.server, "GET", f"/archives/{stream}")
    table = deltalake.DeltaTable(str(short_epochs.server.data_dir / archive["folder"]))
    # A table that was compacted has files that are no part of it any more, so the list is the log's.
    spark.read.parquet(*table.file_uris()).createOrReplaceTempView("sales")
    recomputed = spark.sql("SELECT store, count(*), sum(amount), max(n) FROM sales GROUP BY store").collect()
    assert {row[0]: tuple(row[1:]) for row in recomputed} == expected

    # What the command writes down is what the view computes, exclusions and all.
    told(short_epochs.server, "POST", "", {"sql": f'EXCLUDE FROM STREAM "{stream}" SHARD 0 [0, 7) REASON \'test\''})
    expected = eventually(lambda: excluded(short_epochs.server, view, expected), "the exclusion is computed")
    command = [BINARY, "views", "spark-sql", view, "--table", "sales", "--endpoint", short_epochs.server.url]
    written = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    recomputed = spark.sql(written).collect()
    assert {row["store"]: (row["sales"], row["total"], row["greatest"]) for row in recomputed} == expected


def excluded(server, view, before):
    found, _ = answered(server, view)
    return found if sum(count for count, _, _ in found.values()) < sum(count for count, _, _ in before.values()) else None
