"""Views as Spark computes them, from the SQL that is written for it, compared with what they answer here; by
Spark itself, and by Sail, which has its dialect without a JVM.
"""

import datetime
import subprocess

import pytest

from engines import ENGINES, session
from harness import BINARY

WRITER = BINARY.parent / "examples" / "write_spark"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    assert WRITER.is_file(), "run `cargo build -p tidemill-views --examples` first"
    folder = tmp_path_factory.mktemp("spark")
    subprocess.run([WRITER, folder], check=True, timeout=120)
    return folder


@pytest.fixture(scope="module", params=ENGINES)
def spark(request, folder):
    with session(request.param) as spark:
        spark.read.parquet(str(folder / "sales.parquet")).createOrReplaceTempView("sales")
        yield spark


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
