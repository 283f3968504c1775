"""Views as Spark computes them, from the SQL that is written for it, compared with what they answer here.

Spark is large, so it is not among the requirements: `pip install pyspark==4.3.0` and a JVM, and this runs.
"""

import datetime
import os
import subprocess
import time

import pytest

from harness import BINARY

WRITER = BINARY.parent / "examples" / "write_spark"
sql = pytest.importorskip("pyspark.sql", reason="pyspark is missing: pip install pyspark==4.3.0")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    assert WRITER.is_file(), "run `cargo build -p tidemill-views --examples` first"
    folder = tmp_path_factory.mktemp("spark")
    subprocess.run([WRITER, folder], check=True, timeout=120)
    return folder


@pytest.fixture(scope="module")
def spark(folder):
    # The driver gives times in the zone of this process.
    os.environ["TZ"] = "UTC"
    time.tzset()
    settings = {"spark.sql.session.timeZone": "UTC", "spark.ui.enabled": "false"}
    builder = sql.SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.read.parquet(str(folder / "sales.parquet")).createOrReplaceTempView("sales")
    yield spark
    spark.stop()


def text(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    if isinstance(value, float):
        return repr(value).replace("e+", "e")
    return str(value)


def test_spark_comes_to_the_same_answers(folder, spark):
    queries = sorted(folder.glob("*.sql"))
    assert len(queries) >= 6
    for query in queries:
        written = query.read_text()
        rows = [[text(value) for value in row] for row in spark.sql(written).collect()]
        expected = [line.split("\t") for line in query.with_suffix(".tsv").read_text().splitlines()]
        if "ORDER BY" not in written:
            rows.sort()
            expected.sort()
        assert rows == expected, written
