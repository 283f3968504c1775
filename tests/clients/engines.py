"""Spark and Sail, for the tests that let them read what Tidemill writes."""

import contextlib
import os
import time

from pyspark.sql import SparkSession

ENGINES = ("spark", "sail")


@contextlib.contextmanager
def session(engine):
    """A session of `engine` in UTC."""
    # The driver gives times in the zone of this process.
    os.environ["TZ"] = "UTC"
    time.tzset()
    if engine == "spark":
        # A session of Sail in this process leaves its mode behind.
        os.environ.pop("SPARK_CONNECT_MODE_ENABLED", None)
        settings = {"spark.sql.session.timeZone": "UTC", "spark.ui.enabled": "false"}
        builder = SparkSession.builder.master("local[2]")
        for name, value in settings.items():
            builder = builder.config(name, value)
        spark = builder.getOrCreate()
        yield spark
        spark.stop()
        return
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    _, port = server.listening_address
    spark = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").create()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    yield spark
    spark.stop()
    server.stop()
