"""Bad input over bare HTTP: each gets a clear answer, nothing breaks, and the server goes on."""

import json
import select
import socket
from http.client import HTTPResponse

import pytest

import clock
from harness import eventually, refused, unique
from parity import OPERATIONS

JSON_1_1 = "application/x-amz-json-1.1"
KINESIS = "Kinesis_20131202."
UUID_LENGTH = 36
NOT_SUPPORTED = [name for name, operation in OPERATIONS.items() if not operation["supported"]]


def kinesis_call(mill, operation, body, content_type=JSON_1_1):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    status, headers, answer = mill.server.call("kinesis", KINESIS + operation, body, content_type)
    return status, headers, answer


def error_of(answer):
    status, headers, body = answer
    assert len(headers["x-amzn-RequestId"]) == UUID_LENGTH
    parsed = json.loads(body)
    return status, parsed["__type"].split("#")[-1], parsed.get("message") or parsed.get("Message")


@pytest.fixture(autouse=True)
def still_working(mill):
    yield
    assert mill.server.process.poll() is None
    assert isinstance(mill.server.get("/_tidemill/health"), dict)


@pytest.mark.parametrize("body", [b"{", b"[1]", b'"text"', b"5", b"null", b"\xff\xfe", b"{}}", b'{"StreamName": "a'])
@pytest.mark.parity("*", grade="exact", source="observed")
def test_what_is_no_object_is_not_serialized(mill, body):
    status, kind, _ = error_of(kinesis_call(mill, "DescribeStream", body))
    assert (status, kind) == (400, "SerializationException")


@pytest.mark.parity("*", grade="exact", source="observed")
def test_an_empty_body_is_not_serialized(mill):
    status, kind, _ = error_of(kinesis_call(mill, "DescribeStream", b""))
    assert (status, kind) == (400, "SerializationException")


def test_a_thousand_brackets_do_no_harm(mill):
    body = b'{"StreamName": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    status, kind, _ = error_of(kinesis_call(mill, "DescribeStream", body))
    assert (status, kind) == (400, "SerializationException")


@pytest.mark.parametrize("operation", ["GrindStream", "", "describeStream"])
@pytest.mark.parity("*", grade="exact", source="observed")
def test_an_operation_that_there_is_not_is_unknown(mill, operation):
    status, kind, _ = error_of(kinesis_call(mill, operation, {}))
    assert (status, kind) == (400, "UnknownOperationException")


@pytest.mark.parametrize("operation", NOT_SUPPORTED)
@pytest.mark.parity("*", grade="refused", source="inferred")
def test_an_operation_that_is_not_supported_is_refused_by_name(mill, operation):
    status, kind, message = error_of(kinesis_call(mill, operation, {}))
    assert status in (400, 501)
    assert operation in (message or "") and kind


@pytest.mark.parametrize(
    "operation, body, message",
    [
        (
            "DescribeStream",
            {"StreamName": 5},
            "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String",
        ),
        ("DescribeStream", {"StreamName": True}, "class java.lang.Boolean can not be converted to an String"),
        ("DescribeStream", {"StreamName": []}, "Start of list found where not expected"),
        ("DescribeStream", {"StreamName": {}}, "Start of structure or map found where not expected."),
        (
            "CreateStream",
            {"StreamName": "x", "ShardCount": "2"},
            "class java.lang.String can not be converted to an Integer",
        ),
        ("PutRecords", {"StreamName": "x", "Records": "y"}, "Expected list or null"),
        ("AddTagsToStream", {"StreamName": "x", "Tags": "y"}, "Expected map or null"),
        (
            "GetShardIterator",
            {"StreamName": "x", "ShardId": "s", "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": "noon"},
            "class java.lang.String can not be converted to milliseconds since epoch",
        ),
        (
            "PutRecord",
            {"StreamName": "x", "PartitionKey": "k", "Data": "23456"},
            "'23456' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 5",
        ),
        (
            "PutRecord",
            {"StreamName": "x", "PartitionKey": "k", "Data": "=AAA"},
            "'=AAA' can not be converted to a Blob: Invalid Base64 character: '='",
        ),
    ],
)
@pytest.mark.parity("*", grade="exact", source="observed")
def test_a_wrong_type_is_told_in_the_words_of_the_service(mill, operation, body, message):
    assert error_of(kinesis_call(mill, operation, body)) == (400, "SerializationException", message)


@pytest.mark.parity("*", grade="exact", source="observed")
def test_members_that_there_are_not_and_nulls_are_passed_over(mill):
    name = mill.stream()
    body = {"StreamName": name, "Colour": "blue", "Limit": None}
    status, headers, answer = kinesis_call(mill, "DescribeStream", body)
    assert status == 200 and json.loads(answer)["StreamDescription"]["StreamName"] == name
    assert headers["Content-Type"] == JSON_1_1
    assert headers["x-amz-id-2"]


# By hand, because the SDK sends what has such a member to AWS, wherever its endpoint is.
@pytest.mark.parity("PutRecord", "GetRecords", "DescribeStreamSummary", grade="exact", source="model")
def test_the_id_of_a_stream_is_taken_and_means_nothing(mill):
    name = mill.stream()

    def called(operation, **body):
        status, _, answer = kinesis_call(mill, operation, {**body, "StreamId": "0123456789abcdefghij-xyz"})
        assert status == 200, answer
        return json.loads(answer)

    put = called("PutRecord", StreamName=name, PartitionKey="k", Data="eA==")
    (record,) = called("GetRecords", ShardIterator=mill.iterator(name))["Records"]
    assert (record["SequenceNumber"], record["Data"]) == (put["SequenceNumber"], "eA==")
    summary = called("DescribeStreamSummary", StreamName=name)["StreamDescriptionSummary"]
    assert summary["StreamName"] == name and "StreamId" not in summary


@pytest.mark.parity("*", grade="exact", source="observed")
def test_a_number_with_a_fraction_is_cut(mill):
    name = unique("stream")
    status, _, answer = kinesis_call(mill, "CreateStream", {"StreamName": name, "ShardCount": 2.9})
    assert (status, answer) == (200, b"")
    mill.active(name)
    assert mill.summary(name)["OpenShardCount"] == 2


@pytest.mark.parity("*", grade="exact", source="observed")
def test_a_missing_member_breaks_a_constraint(mill):
    status, kind, message = error_of(kinesis_call(mill, "PutRecords", {"StreamName": "x"}))
    assert (status, kind) == (400, "ValidationException")
    assert message == (
        "1 validation error detected: Value null at 'records' failed to satisfy constraint: Member must not be null"
    )


@pytest.mark.parity("*", grade="exact", source="observed")
def test_at_most_ten_broken_constraints_are_told(mill):
    entries = [{"PartitionKey": "", "Data": ""}] * 15
    status, kind, message = error_of(kinesis_call(mill, "PutRecords", {"StreamName": "x", "Records": entries}))
    assert (status, kind) == (400, "ValidationException")
    assert message.startswith("10 validation errors detected: ") and message.count("; ") == 9
    assert "at 'records.1.member.partitionKey' failed to satisfy constraint: " in message


@pytest.mark.parity("*", grade="exact", source="observed")
def test_another_method_is_not_authorized(mill):
    for method in ["PUT", "DELETE"]:
        headers = {"X-Amz-Target": KINESIS + "ListStreams", "Content-Type": JSON_1_1}
        status, _, body = mill.server.send("kinesis", method, "/", headers, b"{}")
        assert status == 403
        assert b"Unable to determine service/operation name to be authorized" in body


@pytest.mark.parity("*", grade="exact", source="observed")
def test_a_request_without_a_signature_is_told_so(mill):
    headers = {"X-Amz-Target": KINESIS + "ListStreams", "Content-Type": JSON_1_1}
    answer = mill.server.send_unsigned("POST", "/", headers, b"{}")
    assert error_of(answer) == (400, "MissingAuthenticationTokenException", "Missing Authentication Token")


@pytest.mark.parity("*", grade="exact", source="observed")
def test_half_a_signature_is_told_so(mill):
    headers = {
        "X-Amz-Target": KINESIS + "ListStreams",
        "Content-Type": JSON_1_1,
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/kinesis/aws4_request",
    }
    status, kind, message = error_of(mill.server.send_unsigned("POST", "/", headers, b"{}"))
    assert (status, kind) == (400, "IncompleteSignatureException")
    assert "Authorization header requires 'Signature' parameter. " in message
    assert "Authorization header requires 'SignedHeaders' parameter. " in message


@pytest.mark.parity("*", grade="exact", source="observed")
def test_every_answer_has_its_own_id(mill):
    ids = {kinesis_call(mill, "ListStreams", {})[1]["x-amzn-RequestId"] for _ in range(20)}
    assert len(ids) == 20


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"Timeout": "long"}', b'{"Code": "zip"}', b'{"Code": {"ZipFile": "*"}}', b""]
)
def test_a_function_of_nonsense_is_refused(mill, body):
    headers = {"Content-Type": "application/json"}
    status, answer_headers, answer = mill.server.send("lambda", "POST", "/2015-03-31/functions", headers, body)
    assert status == 400
    assert answer_headers["x-amzn-ErrorType"]
    assert isinstance(json.loads(answer), dict)
    assert len(answer_headers["x-amzn-RequestId"]) == UUID_LENGTH


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/2015-03-31/no-such-thing"),
        ("GET", "/2015-03-31/functions/%ff%fe"),
        ("GET", "/2015-03-31/functions/" + "a" * 5000),
        ("POST", "/2015-03-31/functions/..%2f..%2fetc/invocations"),
        ("GET", "/2015-03-31/event-source-mappings/not-a-uuid"),
        ("GET", "/2015-03-31/functions?MaxItems=many"),
    ],
)
def test_a_path_of_nonsense_is_refused(mill, method, path):
    status, _, _ = mill.server.send("lambda", method, path, {}, b"{}")
    assert 400 <= status < 500


def test_an_sqs_request_of_nonsense_is_refused(mill):
    content_type = "application/x-amz-json-1.0"
    for operation, body in [
        ("CreateQueue", b"{"),
        ("CreateQueue", b"{}"),
        ("SendMessage", b'{"QueueUrl": 5}'),
        ("GrindQueue", b"{}"),
    ]:
        status, _, answer = mill.server.call("sqs", "AmazonSQS." + operation, body, content_type)
        assert status == 400, (operation, body)
        assert json.loads(answer)["__type"]


def test_a_body_that_is_too_large_is_refused_and_not_kept(mill):
    status, _, _ = kinesis_call(mill, "PutRecord", b'{"Data": "' + b"A" * (80 * 1024 * 1024) + b'"}')
    assert status in (400, 413)


def test_a_client_that_hangs_up_does_no_harm(mill):
    for beginning in [
        b"",
        b"POST / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{",
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 50,
    ]:
        with connected(mill.server) as connection:
            connection.sendall(beginning)


def connected(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def head(length, *more):
    """The head of a PutRecord whose body has `length` bytes, or comes in chunks."""
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    headers = ["Host: tidemill", f"Content-Type: {JSON_1_1}", f"X-Amz-Target: {KINESIS}PutRecord", framing, *more]
    return "\r\n".join(["POST / HTTP/1.1", *headers, "", ""]).encode()


def status_of(connection):
    """The status of the one answer that comes, which has the ids that every answer has."""
    answer = HTTPResponse(connection)
    answer.begin()
    assert len(answer.headers["x-amzn-RequestId"]) == 36 and answer.headers["x-amz-id-2"]
    return answer.status


@pytest.mark.parametrize("length", [1000, None], ids=["counted", "in chunks"])
def test_a_body_that_is_cut_is_told_so(mill, length):
    begun = b'{"StreamName": "' if length else b'3e8\r\n{"StreamName": "'
    with connected(mill.server) as connection:
        connection.sendall(head(length) + begun)
        connection.shutdown(socket.SHUT_WR)
        assert status_of(connection) == 400


BODY_MOST = 70_167_211  # CreateFunction's
BODIES_MOST = 256 * 1024 * 1024  # of all connections together
# What a server needs besides, and what it keeps for the next: less than one such body.
SLACK = 60 * 10**6


@pytest.fixture
def own(tmp_path, clock_library):
    """A server that nothing else uses, so that its memory says something."""
    own = clock.started(tmp_path, clock_library, "--limits", "none", data_dir=tmp_path / "data")
    own.server.get("/_tidemill/health")
    yield own
    own.server.get("/_tidemill/health")
    own.server.stop()


def assert_given_back(own, before):
    """At rest, which comes after some seconds, a server holds as much memory as before; it has never held too much."""

    def is_given_back():
        own.elapse(seconds=5)
        return own.server.memory() - before < SLACK

    assert own.server.memory("VmHWM") - before < BODIES_MOST + SLACK
    eventually(is_given_back, "the memory is given back")


def test_bodies_that_are_too_large_leave_no_memory_behind(own):
    before, body = own.server.memory(), b"A" * (BODY_MOST + 1)
    for _ in range(64):
        with connected(own.server) as connection:
            connection.sendall(head(len(body)) + body)
            assert status_of(connection) == 413
    assert_given_back(own, before)


def test_clients_that_hang_up_in_the_middle_of_large_bodies_leave_no_memory_behind(own):
    before, half, connections = own.server.memory(), b"A" * 5_000_000, []
    for _ in range(48):
        connections.append(connected(own.server))
        connections[-1].sendall(head(2 * len(half)) + half)
    eventually(lambda: own.server.memory() - before > 47 * len(half), "the halves have arrived")
    for connection in connections:
        connection.close()
    assert_given_back(own, before)


def test_a_body_that_never_comes_is_waited_for_for_two_minutes(timed):
    with connected(timed.server) as silent, connected(timed.server) as waiting:
        waiting.sendall(head(1000, "Expect: 100-continue"))
        assert waiting.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        waiting.sendall(b"{")
        timed.elapse(seconds=119)
        # Who says nothing at all is let go after half a minute: so much has passed for the server, too.
        assert silent.recv(1000) == b""
        assert select.select([waiting], [], [], 0)[0] == []
        timed.elapse(seconds=1)
        assert status_of(waiting) == 408


def test_no_part_of_a_refused_call_happens(mill):
    name = mill.stream()
    good = {"PartitionKey": "k", "Data": b"x"}
    client = mill.server.client("kinesis", parameter_validation=False)
    for bad in [{"PartitionKey": "", "Data": b"x"}, {"PartitionKey": "k"}, {"PartitionKey": "k" * 257, "Data": b"x"}]:
        refused(client.put_records, "ValidationException", StreamName=name, Records=[good, bad, good])
    assert mill.read_all(name) == []
