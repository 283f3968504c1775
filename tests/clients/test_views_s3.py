"""Master datasets and batch views in a bucket: other engines read them there, a store that is away loses
nothing, and a data directory keeps to the place of its tables."""

import json
import socket
import threading

import deltalake
import duckdb
import pytest

from harness import Mill, Server, eventually, free_port, unique
from test_views import by_store, put, sale, told
from test_views_batch import answered, begun

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


class Path:
    """The way to a server, which can be cut."""

    def __init__(self, port):
        self._to = port
        self._sockets = []
        self._listener = None
        self.port = free_port()
        self.open()

    def open(self):
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self):
        for one in [self._listener, *self._sockets]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It has ended by itself.
            one.close()
        self._sockets = []

    def _accept(self, listener):
        while True:
            try:
                here, _ = listener.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self._to))
            self._sockets += [here, there]
            for pair in [(here, there), (there, here)]:
                threading.Thread(target=_copy, args=pair, daemon=True).start()


def _copy(source, target):
    try:
        while content := source.recv(65536):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # It was cut.


class Bucket:
    """A bucket of moto's, and a server that keeps its views there."""

    def __init__(self, moto, folder):
        self.objects = moto.client("s3")
        self.moto = moto
        self.name = unique("lake")
        self.objects.create_bucket(Bucket=self.name)
        self.path = Path(moto.port)
        self.url = f"s3://{self.name}/some/where"
        self.config = folder / "tidemill.toml"
        self.write(self.url)
        # That clients are pointed at Tidemill is not to point Tidemill at itself.
        environment = {**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
        options = ["--limits", "none", "--config", str(self.config)]
        self.server = Server(folder, *options, data_dir=folder / "data", environment=environment)

    def write(self, url):
        endpoint = f"http://127.0.0.1:{self.path.port}"
        self.config.write_text(f'[views]\nepoch_millis = 100\nstore = "{url}"\nstore_endpoint = "{endpoint}"\n')

    def names(self, below):
        listed = self.objects.list_objects_v2(Bucket=self.name, Prefix=f"some/where/views/{below}")
        return [one["Key"] for one in listed.get("Contents", [])]

    def read(self, name):
        return self.objects.get_object(Bucket=self.name, Key=name)["Body"].read()

    def absorbed(self, view, count):
        """Waits until the batch view has `count` records; gives its manifest."""

        def newest():
            for name in self.names(f"batch/{view}-"):
                if "/manifest-" in name:
                    manifest = json.loads(self.read(name))["body"]
                    if manifest["counts"]["rows_in"] == count:
                        return name.rsplit("/", 1)[0], manifest
            return None

        return eventually(newest, f"{count} records are in the batch view")


@pytest.fixture
def bucket(moto, tmp_path):
    bucket = Bucket(moto, tmp_path)
    bucket.server.start()
    yield bucket
    if bucket.server.process is not None:
        bucket.server.kill()
    bucket.path.cut()


def test_tables_and_batch_views_are_in_the_bucket_and_nowhere_else(bucket):
    mill = Mill(bucket.server)
    sales = [sale(number) for number in range(300)]
    stream, view = begun(mill, sales)
    folder, manifest = bucket.absorbed(view, len(sales))
    assert answered(bucket.server, view)[0] == by_store(sales)
    views = bucket.server.data_dir / "views"
    assert [path.name for path in views.iterdir()] == ["store"]

    archive = told(bucket.server, "GET", f"/archives/{stream}")
    assert archive["folder"].startswith(f"{bucket.url}/views/master/{stream}-")
    options = {"AWS_ENDPOINT_URL": bucket.moto.url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1", **KEYS}
    options["AWS_EC2_METADATA_DISABLED"] = "true"
    table = deltalake.DeltaTable(archive["folder"], storage_options=options)
    arrow = table.to_pyarrow_table()
    sums = duckdb.sql("SELECT store, count(*), sum(amount), max(n) FROM arrow GROUP BY store").fetchall()
    assert {row[0]: tuple(row[1:]) for row in sums} == by_store(sales)

    bucket.server.kill()
    bucket.server.start()
    found, as_of = eventually(lambda: answered(bucket.server, view), "the view is answered")
    assert found == by_store(sales)
    assert as_of["epoch"] >= manifest["epoch"]
    told(bucket.server, "DELETE", f"/{view}")
    assert not bucket.names(folder.removeprefix("some/where/views/"))


def test_a_store_that_is_away_loses_nothing(bucket):
    mill = Mill(bucket.server)
    sales = [sale(number) for number in range(100)]
    stream, view = begun(mill, sales)
    bucket.absorbed(view, len(sales))
    bucket.path.cut()
    for batch in range(20):
        more = [sale(1000 + 10 * batch + number) for number in range(10)]
        numbers = [one["SequenceNumber"] for one in put(mill.kinesis, stream, more)]
        sales += more
        demands = [f"{stream}/{number}" for number in numbers]
        assert answered(bucket.server, view, min_position=demands)[0] == by_store(sales)
    assert told(bucket.server, "GET", f"/archives/{stream}")["lag_records"] >= 200
    bucket.path.open()
    bucket.absorbed(view, len(sales))
    assert answered(bucket.server, view)[0] == by_store(sales)


def test_a_data_directory_keeps_to_the_place_of_its_tables(bucket):
    sales = [sale(number) for number in range(10)]
    _, view = begun(Mill(bucket.server), sales)
    bucket.absorbed(view, len(sales))
    bucket.server.stop()
    bucket.write("s3://elsewhere")
    with pytest.raises(AssertionError, match=f"are in {bucket.url}, and the configuration file names s3://elsewhere"):
        bucket.server.start()
    bucket.write(bucket.url)
    bucket.server.start()
    assert eventually(lambda: answered(bucket.server, view), "the view is answered")[0] == by_store(sales)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('store = "lake"', "lake is not of the form s3://BUCKET"),
        ('store_region = "eu-west-1"', 'add store = "s3://BUCKET"'),
    ],
)
def test_a_store_that_cannot_be_is_refused(tmp_path, section, said):
    config = tmp_path / "tidemill.toml"
    config.write_text(f"[views]\n{section}\n")
    server = Server(tmp_path, "--config", str(config), data_dir=tmp_path / "data")
    with pytest.raises(AssertionError, match=said):
        server.start()
