"""The wire itself: TLS beside plain connections, signatures that are checked, CBOR, and large bodies."""

import base64
import datetime
import json
import re
import socket
import ssl
import urllib.request

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import EndpointConnectionError, SSLError

from cbor import encoded
from harness import Server, refused, stream_arn, unique

CBOR = "application/x-amz-cbor-1.1"
JSON = "application/x-amz-json-1.1"
KINESIS = "Kinesis_20131202."
MEBIBYTE = 1024 * 1024
KEY, SECRET = "AKIDTESTS", "a secret of the tests"


@pytest.fixture
def encrypted(tmp_path):
    """A server with a certificate of its own, and the file to trust it by."""
    server = Server(tmp_path, "--limits", "none", "--tls").start()
    trusted = tmp_path / "trusted.pem"
    with urllib.request.urlopen(server.url + "/_tidemill/certificate.pem", timeout=10) as answer:
        trusted.write_bytes(answer.read())
    yield server, server.url.replace("http", "https").replace("127.0.0.1", "localhost"), trusted
    server.stop()


@pytest.mark.parity("*", grade="exact", source="client")
def test_encrypted_and_plain_connections_share_the_port(encrypted):
    server, url, trusted = encrypted
    name = unique("stream")
    server.client("kinesis").create_stream(StreamName=name, ShardCount=1)
    secure = server.client("kinesis", url=url, verify=str(trusted))
    assert name in secure.list_streams()["StreamNames"]
    with pytest.raises((SSLError, EndpointConnectionError)):
        server.client("kinesis", url=url).list_streams()


def test_both_versions_of_http_are_offered(encrypted):
    server, _, trusted = encrypted
    for protocols in [["h2", "http/1.1"], ["http/1.1"]]:
        context = ssl.create_default_context(cafile=str(trusted))
        context.set_alpn_protocols(protocols)
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                assert secure.selected_alpn_protocol() == protocols[0]


def test_a_certificate_that_was_made_outlives_a_restart_and_can_be_given(tmp_path):
    kept = Server(tmp_path, "--tls", data_dir=tmp_path / "data").start()
    made = tmp_path / "data" / "tls"
    before = (made / "certificate.pem").read_bytes()
    kept.restart()
    assert (made / "certificate.pem").read_bytes() == before
    kept.stop()
    files = ["--tls-cert", str(made / "certificate.pem"), "--tls-key", str(made / "key.pem")]
    given = Server(tmp_path, *files).start()
    secure = given.client("kinesis", url=f"https://localhost:{given.port}", verify=str(made / "certificate.pem"))
    assert secure.list_streams()["StreamNames"] == []
    given.stop()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server that knows one key, and asks for it."""
    folder = tmp_path_factory.mktemp("guarded")
    file = folder / "tidemill.toml"
    file.write_text(f'[[credentials]]\naccess_key_id = "{KEY}"\nsecret_access_key = "{SECRET}"\n')
    server = Server(folder, "--config", str(file)).start()
    yield server
    server.stop()


@pytest.mark.parity("*", grade="exact", source="observed")
def test_a_signature_must_be_made_with_the_secret_of_its_key(guarded):
    known = guarded.client("kinesis", access_key=KEY, secret=SECRET)
    assert known.list_streams()["StreamNames"] == []
    wrong = guarded.client("kinesis", access_key=KEY, secret="another")
    assert refused(wrong.list_streams, "InvalidSignatureException").startswith(
        "The request signature we calculated does not match the signature you provided."
    )


@pytest.mark.parity("*", grade="exact", source="inferred")
def test_a_key_that_nobody_has_is_refused(guarded):
    unknown = guarded.client("kinesis", access_key="AKIDOTHER", secret=SECRET)
    message = refused(unknown.list_streams, "UnrecognizedClientException")
    assert message == "The security token included in the request is invalid."


@pytest.mark.parametrize("minutes, text", [(-6, "Signature expired: "), (6, "Signature not yet current: ")])
@pytest.mark.parity("*", grade="exact", source="observed")
def test_a_signing_time_lies_within_five_minutes(guarded, monkeypatch, minutes, text):
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    signed = now + datetime.timedelta(minutes=minutes)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: signed)
    message = refused(guarded.client("kinesis", access_key=KEY, secret=SECRET).list_streams, "InvalidSignatureException")
    assert message.startswith(text + signed.strftime("%Y%m%dT%H%M%SZ"))


@pytest.mark.parity("*", grade="exact", source="inferred")
def test_a_signature_for_another_service_is_refused(guarded):
    request = AWSRequest("POST", guarded.url + "/", data=b"{}")
    request.headers["X-Amz-Target"] = KINESIS + "ListStreams"
    request.headers["Content-Type"] = JSON
    SigV4Auth(Credentials(KEY, SECRET), "sqs", "us-east-1").add_auth(request)
    status, _, body = guarded.send_unsigned("POST", "/", dict(request.headers.items()), b"{}")
    assert (status, json.loads(body)["__type"]) == (400, "InvalidSignatureException")


def put_in_cbor(name, data):
    return encoded({"StreamName": name, "PartitionKey": "k", "Data": data})


@pytest.mark.parity("PutRecord", "GetRecords", grade="exact", source="observed")
def test_cbor_has_bytes_and_milliseconds(mill):
    name = mill.stream()
    status, headers, body = mill.server.call("kinesis", KINESIS + "PutRecord", put_in_cbor(name, b"\x00x"), CBOR)
    assert (status, headers["Content-Type"], body[:1], body[-1:]) == (200, CBOR, b"\xbf", b"\xff")
    iterator = mill.iterator(name)
    request = encoded({"ShardIterator": iterator})
    status, _, body = mill.server.call("kinesis", KINESIS + "GetRecords", request, CBOR)
    assert status == 200 and b"dData\x42\x00x" in body
    [record] = mill.read(iterator, 1)
    at = re.search(encoded("ApproximateArrivalTimestamp") + b"\xc1\x1b(.{8})", body, re.DOTALL)[1]
    assert int.from_bytes(at) == round(record["ApproximateArrivalTimestamp"].timestamp() * 1000)


@pytest.mark.parity("*", grade="exact", source="observed")
def test_errors_in_cbor_are_maps_and_empty_outputs_are_empty(mill):
    name = mill.stream()
    absent = mill.server.call("kinesis", KINESIS + "PutRecord", put_in_cbor("absent", b"x"), CBOR)
    assert (absent[0], absent[1]["Content-Type"]) == (400, CBOR)
    assert absent[2].startswith(b"\xbf" + encoded("__type") + encoded("ResourceNotFoundException") + encoded("message"))
    delete = encoded({"StreamName": name})
    status, headers, body = mill.server.call("kinesis", KINESIS + "DeleteStream", delete, CBOR)
    assert (status, headers["Content-Type"], body) == (200, CBOR, b"")


@pytest.mark.parity("PutRecord", grade="exact", source="model")
def test_a_record_of_ten_mebibytes_goes_through_in_both_encodings(mill, kinesis):
    name = mill.stream()
    kinesis.update_max_record_size(StreamARN=stream_arn(name), MaxRecordSizeInKiB=10240)
    mill.active(name)
    data = bytes(range(256)) * (10 * MEBIBYTE // 256)
    data = data[:-1]
    in_json = {"StreamName": name, "PartitionKey": "k", "Data": base64.b64encode(data).decode()}
    in_json["Padding"] = "x" * (16 * MEBIBYTE - len(json.dumps(in_json)) - 20)
    body = json.dumps(in_json).encode()
    assert 15.9 * MEBIBYTE < len(body) <= 16 * MEBIBYTE
    assert mill.server.call("kinesis", KINESIS + "PutRecord", body, JSON)[0] == 200
    assert mill.server.call("kinesis", KINESIS + "PutRecord", put_in_cbor(name, data), CBOR)[0] == 200
    records = mill.read(mill.iterator(name), 2)
    assert [record["Data"] == data for record in records] == [True, True]
