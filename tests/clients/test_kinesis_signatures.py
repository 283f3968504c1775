"""Signatures that a server checks, in the header and in the query: which hold, and what is said of those that do not.

The texts of the refusals were observed of signatures in the header; one in the query is refused in the same words.
"""

import datetime
import hashlib
import json
import re
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from harness import REGION, Server

JSON_1_1 = "application/x-amz-json-1.1"
HEADERS = {"X-Amz-Target": "Kinesis_20131202.ListStreams", "Content-Type": JSON_1_1}
BODY = b"{}"
INVALID = "InvalidSignatureException"
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
MOMENT = r"\d{8}T\d{6}Z"
EXPIRED = rf"Signature expired: {MOMENT} is now earlier than {MOMENT} \({MOMENT} - 5 min\.\)"
NOT_YET = rf"Signature not yet current: {MOMENT} is still later than {MOMENT} \({MOMENT} \+ 5 min\.\)"


class InHeader(SigV4Auth):
    def __init__(self, key):
        super().__init__(key, "kinesis", REGION)


class InQuery(SigV4QueryAuth):
    """An address that is signed together with the body; botocore's own have none."""

    def __init__(self, key, expires=SigV4QueryAuth.DEFAULT_EXPIRES):
        super().__init__(key, "kinesis", REGION, expires)

    def payload(self, request):
        return hashlib.sha256(BODY).hexdigest()


in_both_places = pytest.mark.parametrize("signer", [InHeader, InQuery], ids=["header", "query"])


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server that knows whose signatures it takes."""
    folder = tmp_path_factory.mktemp("guarded")
    config = folder / "tidemill.toml"
    config.write_text('[[credentials]]\naccess_key_id = "test"\nsecret_access_key = "test"\n')
    server = Server(folder, "--limits", "none", "--config", str(config))
    server.start()
    yield server
    server.stop()


def answered(server, path, headers, body=BODY):
    """Status, and type and message of the error, of a ListStreams."""
    status, _, answer = server.send_unsigned("POST", path, headers, body)
    answer = json.loads(answer)
    return status, answer.get("__type"), answer.get("message")


def signed(server, signer, key="test", secret="test", skew=0, body=BODY, **settings):
    """The same, signed by a clock that is off by `skew` seconds."""
    request = AWSRequest("POST", server.url + "/", headers=HEADERS)
    request.data = BODY if signer is InHeader else None
    clock = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=skew)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", lambda: clock.replace(tzinfo=None))
        signer(Credentials(key, secret), **settings).add_auth(request)
    address = urlsplit(request.url)
    in_query = "X-Amz-Signature=" in address.query, "Authorization" not in request.headers
    assert in_query == (signer is InQuery, signer is InQuery)
    return answered(server, f"/?{address.query}" if address.query else "/", dict(request.headers.items()), body)


def assert_refused_in_the_words_of_production(guarded, signer):
    assert signed(guarded, signer) == (200, None, None)
    assert signed(guarded, signer, secret="wrong") == (400, INVALID, MISMATCH)
    for seconds, text in {-600: EXPIRED, 600: NOT_YET}.items():
        status, kind, found = signed(guarded, signer, skew=seconds)
        assert (status, kind) == (400, INVALID)
        assert re.fullmatch(text, found), found


@pytest.mark.parity("*", grade="exact", source="observed")
def test_a_signature_that_does_not_hold_is_refused_in_the_words_of_production(guarded):
    assert_refused_in_the_words_of_production(guarded, InHeader)


@pytest.mark.parity("*", grade="exact", source="inferred")
def test_a_signature_in_the_query_is_refused_in_the_same_words(guarded):
    assert_refused_in_the_words_of_production(guarded, InQuery)


@in_both_places
@pytest.mark.parity("*", grade="exact", source="inferred")
def test_an_access_key_that_nobody_has_is_told_before_its_signature_and_its_time(guarded, signer):
    unknown = (400, "UnrecognizedClientException", "The security token included in the request is invalid.")
    for more in [{}, {"secret": "wrong"}, {"skew": -600}]:
        assert signed(guarded, signer, key="nobody", **more) == unknown


@in_both_places
@pytest.mark.parity("*", grade="exact", source="inferred")
def test_a_signature_is_good_for_one_body(guarded, signer):
    assert signed(guarded, signer, body=b'{"Limit":1}') == (400, INVALID, MISMATCH)


@pytest.mark.parity(
    "*",
    grade="approximate",
    source="inferred",
    note="an address holds five minutes like any signature, whatever X-Amz-Expires says",
)
def test_an_address_is_good_for_five_minutes_whatever_it_says_itself(guarded):
    assert signed(guarded, InQuery, expires=1, skew=-240) == (200, None, None)
    status, kind, found = signed(guarded, InQuery, expires=86_400, skew=-360)
    assert (status, kind) == (400, INVALID) and re.fullmatch(EXPIRED, found), found


@pytest.mark.parity("*", grade="exact", source="observed")
def test_a_query_that_is_signed_by_halves_is_told_what_is_missing(guarded):
    names = [f"X-Amz-{name}" for name in ("Algorithm", "Credential", "Signature", "SignedHeaders", "Date")]
    parts = dict(zip(names, ["AWS4-HMAC-SHA256", "test/20260101/us-east-1/kinesis/aws4_request", "0", "host", "x"]))
    for missing in [names, names[3:4]]:
        query = "&".join(f"{name}={'' if name in missing else part}" for name, part in parts.items())
        told = "".join(f"AWS query-string parameters must include '{name}'. " for name in missing)
        incomplete = (400, "IncompleteSignatureException", told + "Re-examine the query-string parameters.")
        assert answered(guarded, f"/?{query}", HEADERS) == incomplete
