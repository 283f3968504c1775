"""What the tests with real clients stand on: the server as a process, its clients, and waiting.

What must hold: nothing waits for a fixed time, everything waits for a condition with a deadline; a
test uses names of its own, so that tests share a server without seeing each other; a server that was
started is stopped, and what it said is shown when it does not start.
"""

import hashlib
import io
import itertools
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("TIDEMILL_BINARY", ROOT / "target" / "debug" / "tidemill")).resolve()
REGION = "us-east-1"
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/tests"
START_SECONDS = 30
_numbers = itertools.count(1)


def unique(word):
    """A name that no other test has."""
    return f"{word}-{os.getpid()}-{next(_numbers)}"


def eventually(condition, what, seconds=30):
    """Asks until `condition` answers something truthy and gives that; fails at the deadline."""
    deadline = time.monotonic() + seconds
    pause = 0.01
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}; last answer {answer!r}"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def refused(call, code, **arguments):
    """Makes a call that must be refused with `code`; gives the message."""
    codes = (code,) if isinstance(code, str) else code
    try:
        answer = call(**arguments)
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] in codes, f"{found['Code']}: {found['Message']}"
        assert error.response["ResponseMetadata"].get("RequestId"), "an error has a request id too"
        return found.get("Message") or error.response.get("Message") or error.response.get("message") or ""
    raise AssertionError(f"was not refused with {codes}, but answered {answer}")


def zip_of(files):
    """A zip archive of `files`, a map of names to texts or bytes; all of them executable."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, text)
    return content.getvalue()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A `tidemill start` process."""

    def __init__(self, folder, *options, data_dir=None, cwd=None, environment=None):
        self.folder = Path(folder)
        self.environment = {**os.environ, **(environment or {})}
        self.cwd = cwd
        self.data_dir = data_dir
        self.options = list(options)
        self.port = free_port()
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        """Starts it and waits for `Ready.`"""
        place = ["--data-dir", str(self.data_dir)] if self.data_dir else ["--ephemeral"]
        command = [str(BINARY), "start", *place, "--port", str(self.port), *self.options]
        self.diagnostics = open(self.folder / "stderr.txt", "ab")
        self.process = subprocess.Popen(
            command,
            cwd=self.cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.diagnostics,
            text=True,
        )
        lines = queue.Queue()
        threading.Thread(target=_pump, args=(self.process.stdout, lines), daemon=True).start()
        deadline = time.monotonic() + START_SECONDS
        said = []
        while True:
            try:
                line = lines.get(timeout=max(deadline - time.monotonic(), 0.001))
            except queue.Empty:
                line = None
            if line is None:
                self.kill()
                diagnostics = (self.folder / "stderr.txt").read_text(errors="replace")
                raise AssertionError(f"{' '.join(command)} was not ready: {said} {diagnostics[-3000:]}")
            said.append(line.rstrip("\n"))
            if said[-1] == "Ready.":
                return self

    def stop(self):
        """Asks it to end, as a service manager does; gives the exit status."""
        return self._end(signal.SIGTERM)

    def kill(self):
        """Ends it as a power cut does."""
        return self._end(signal.SIGKILL)

    def _end(self, how):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            status = self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"did not end within 20 s of {how.name}") from None
        finally:
            self.diagnostics.close()
        self.process = None
        return status

    def restart(self):
        """Kills it and starts it on the same data and port."""
        self.kill()
        return self.start()

    def memory(self, row="VmRSS"):
        """What the process holds of memory, in bytes, or another row of what the system knows of it."""
        line = next(line for line in self.status().splitlines() if line.startswith(f"{row}:"))
        return int(line.split()[1]) * 1024

    def status(self):
        """What the system says of the process."""
        return Path(f"/proc/{self.process.pid}/status").read_text()

    def client(self, service, access_key="test", region=REGION, secret="test", url=None, verify=None, **config):
        """A boto3 client that shows every error at once instead of trying again."""
        settings = {
            "retries": {"total_max_attempts": 1, "mode": "standard"},
            "connect_timeout": 5,
            "read_timeout": 60,
            "max_pool_connections": 50,
            **config,
        }
        return boto3.client(
            service,
            endpoint_url=url or self.url,
            verify=verify,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            config=Config(**settings),
        )

    def get(self, path):
        """Fetches one of the server's own JSON pages."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def ledger(self, uuid):
        """The ledger's account of one mapping."""
        found = [mapping for mapping in self.get("/_tidemill/ledger")["mappings"] if mapping["uuid"] == uuid]
        return found[0] if found else None

    def send(self, service, method, path, headers, body):
        """One signed request with exactly these bytes; gives status, headers and body."""
        request = AWSRequest(method, self.url + path, data=body, headers=headers)
        SigV4Auth(Credentials("test", "test"), service, REGION).add_auth(request)
        return self.send_unsigned(method, path, dict(request.headers.items()), body)

    def send_unsigned(self, method, path, headers, body):
        """One request as it stands."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def call(self, service, target, body, content_type="application/x-amz-json-1.1"):
        """One signed request of an RPC service, its body given as bytes."""
        headers = {"Content-Type": content_type, "X-Amz-Target": target}
        return self.send(service, "POST", "/", headers, body)


def _pump(output, lines):
    for line in output:
        lines.put(line)
    lines.put(None)


class Collector:
    """A web server of the test's own, to which functions report what they were given."""

    def __init__(self):
        self.received = []
        reports = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                reports.append(json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


REPORT = '''
import json, os, urllib.request

def report(value):
    body = json.dumps(value).encode()
    request = urllib.request.Request(os.environ["COLLECTOR"], data=body, method="POST")
    urllib.request.urlopen(request, timeout=10).read()
'''


class Mill:
    """A server with its three clients, and the short forms that tests are written in."""

    def __init__(self, server, clock=None):
        self.server = server
        self.clock = clock
        self.kinesis = server.client("kinesis")
        self.functions = server.client("lambda")
        self.sqs = server.client("sqs")

    def elapse(self, **duration):
        """Lets time pass. The server closes connections over it, so the clients begin with new ones."""
        for client in [self.kinesis, self.functions, self.sqs]:
            client.close()
        self.clock.elapse(**duration)

    def stream(self, shards=1, name=None):
        """A new active stream; gives its name."""
        name = name or unique("stream")
        self.kinesis.create_stream(StreamName=name, ShardCount=shards)
        self.active(name)
        return name

    def summary(self, name):
        return self.kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]

    def active(self, name):
        return eventually(
            lambda: self.summary(name)["StreamStatus"] == "ACTIVE", f"stream {name} is active"
        )

    def shards(self, name):
        return self.kinesis.list_shards(StreamName=name)["Shards"]

    def iterator(self, name, shard="shardId-000000000000", kind="TRIM_HORIZON", **start):
        return self.kinesis.get_shard_iterator(
            StreamName=name, ShardId=shard, ShardIteratorType=kind, **start
        )["ShardIterator"]

    def read(self, iterator, count):
        """Reads on from `iterator` until `count` records are there; gives them."""
        records = []
        place = [iterator]

        def enough():
            answer = self.kinesis.get_records(ShardIterator=place[0])
            records.extend(answer["Records"])
            place[0] = answer.get("NextShardIterator")
            return len(records) >= count or place[0] is None

        eventually(enough, f"{count} records are read")
        return records

    def read_all(self, name):
        """Every record of every shard, until the tip of each."""
        records = []
        for shard in self.shards(name):
            place = self.iterator(name, shard["ShardId"])
            while place:
                answer = self.kinesis.get_records(ShardIterator=place)
                records.extend(answer["Records"])
                at_tip = not answer["Records"] and answer["MillisBehindLatest"] == 0
                place = None if at_tip else answer.get("NextShardIterator")
        return records

    def put(self, name, texts, key="key"):
        """Puts one record after the other; gives their sequence numbers."""
        put = self.kinesis.put_record
        return [
            put(StreamName=name, PartitionKey=key, Data=text.encode())["SequenceNumber"] for text in texts
        ]

    def function(self, code, handler="handler.handle", environment=None, **settings):
        """A new active function of the Python text `code`; gives its name."""
        name = settings.pop("FunctionName", None) or unique("function")
        arguments = {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Role": ROLE,
            "Handler": handler,
            "Code": {"ZipFile": zip_of({"handler.py": code})},
            **settings,
        }
        if environment is not None:
            arguments["Environment"] = {"Variables": environment}
        self.functions.create_function(**arguments)
        self.settled(name)
        return name

    def settled(self, name):
        """Waits until a function is active and its last update is through."""

        def done():
            configuration = self.functions.get_function_configuration(FunctionName=name)
            return configuration["State"] == "Active" and configuration["LastUpdateStatus"] == "Successful"

        eventually(done, f"function {name} is active")

    def invoke(self, name, payload=None, **settings):
        """Invokes a function synchronously; gives the answer and its parsed payload."""
        body = b"" if payload is None else json.dumps(payload).encode()
        answer = self.functions.invoke(FunctionName=name, Payload=body, **settings)
        return answer, json.loads(answer["Payload"].read() or b"null")

    def queue(self):
        """A new queue; gives its URL and ARN."""
        url = self.sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, attributes["Attributes"]["QueueArn"]

    def drain(self, url, enough):
        """Receives and deletes messages until `enough` says so of their parsed bodies; gives these."""
        bodies = []

        def more():
            answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                bodies.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return enough(bodies)

        eventually(more, "the queue has given enough messages", seconds=60)
        return bodies

    def mapping(self, stream, function, **settings):
        """A new enabled mapping from the start of the stream; gives its UUID."""
        arguments = {
            "EventSourceArn": stream_arn(stream),
            "FunctionName": function,
            "StartingPosition": "TRIM_HORIZON",
            **settings,
        }
        uuid = self.functions.create_event_source_mapping(**arguments)["UUID"]
        self.in_state(uuid, "Enabled" if arguments.get("Enabled", True) else "Disabled")
        return uuid

    def in_state(self, uuid, state):
        eventually(
            lambda: self.functions.get_event_source_mapping(UUID=uuid)["State"] == state,
            f"mapping {uuid} is {state}",
        )

    def account(self, uuid, **expected):
        """Waits until the ledger's totals of a mapping are as expected; gives its account."""

        def as_expected():
            account = self.server.ledger(uuid)
            assert account is None or balanced(account), account
            if account and all(account["totals"][word] == count for word, count in expected.items()):
                return account
            return None

        try:
            return eventually(as_expected, f"the ledger says {expected}", seconds=60)
        except AssertionError as error:
            raise AssertionError(f"{error}; the ledger says {self.server.ledger(uuid)}") from None


ENDS = ["processed", "filtered", "dead_lettered", "discarded", "expired", "pending"]


def balanced(account):
    """Whether the ledger's equation holds in every shard and in the totals, and these are the sums."""
    rows = [*account["shards"], account["totals"]]
    equation = all(row["acked"] == sum(row[word] for word in ENDS) for row in rows)
    words = ["acked", "duplicates", *ENDS]
    sums = all(account["totals"][word] == sum(row[word] for row in account["shards"]) for word in words)
    return equation and sums


def stream_arn(name):
    return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"


def function_arn(name):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def hash_key(partition_key):
    """Where Kinesis places a partition key."""
    return int.from_bytes(hashlib.md5(partition_key.encode()).digest(), "big")


class Moto:
    """A moto server: the services of AWS that Tidemill is not."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._diagnostics = open(Path(folder) / "diagnostics.txt", "ab")
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        said = self._diagnostics
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        eventually(self._answers, "moto answers")

    def client(self, service):
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
        )

    def _answers(self):
        try:
            return self.client("dynamodb").list_tables() is not None
        except Exception:
            return False

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._diagnostics.close()
