"""The servers and clients that the tests share.

`mill` has the limits lifted, so that tests do not throttle each other; `limited` has them as AWS has;
`timed` has them too, and a clock that stands still until the test advances it; `durable` keeps its data in a
folder of the test's own and can be killed and started again.
"""

import pytest

import clock
import jvm
from harness import BINARY, Collector, Mill, Moto, Server

pytest_plugins = ["parity"]


def pytest_sessionstart(session):
    if session.config.option.collectonly:
        return
    if not BINARY.is_file():
        pytest.exit(f"{BINARY} is missing: run `cargo build` first, or set TIDEMILL_BINARY", returncode=3)


def running(server):
    server.start()
    yield Mill(server)
    server.stop()


@pytest.fixture(scope="session")
def mill(tmp_path_factory):
    yield from running(Server(tmp_path_factory.mktemp("mill"), "--limits", "none"))


@pytest.fixture(scope="session")
def limited(tmp_path_factory):
    yield from running(Server(tmp_path_factory.mktemp("limited"), "--limits", "aws"))


@pytest.fixture(scope="session")
def clock_library(tmp_path_factory):
    return clock.library(tmp_path_factory.mktemp("clock"))


@pytest.fixture
def timed(tmp_path, clock_library):
    timed = clock.started(tmp_path, clock_library, "--limits", "aws")
    yield timed
    timed.server.stop()


@pytest.fixture
def durable(tmp_path):
    server = Server(tmp_path, "--limits", "none", data_dir=tmp_path / "data")
    server.start()
    yield Mill(server)
    if server.process is not None:
        server.kill()


@pytest.fixture
def short_epochs(tmp_path):
    """A durable server that archives at once, so that batch views can be swapped all the time."""
    config = tmp_path / "tidemill.toml"
    config.write_text("[views]\nepoch_millis = 100\n")
    server = Server(tmp_path, "--limits", "none", "--config", str(config), data_dir=tmp_path / "data")
    server.start()
    yield Mill(server)
    if server.process is not None:
        server.kill()


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture(scope="session")
def class_path(tmp_path_factory):
    return jvm.compiled(tmp_path_factory.mktemp("classes"))


@pytest.fixture(scope="session")
def moto(tmp_path_factory):
    moto = Moto(tmp_path_factory.mktemp("moto"))
    yield moto
    moto.stop()


@pytest.fixture
def kinesis(mill):
    return mill.kinesis


@pytest.fixture
def functions(mill):
    return mill.functions


@pytest.fixture
def sqs(mill):
    return mill.sqs
