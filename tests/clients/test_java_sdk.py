"""The AWS SDK for Java 2, unmodified: both of its clients, in CBOR as it speaks by itself and in JSON.

What is checked stands in tests/java/Sdk.java.
"""

import pytest

import jvm
from harness import unique


@pytest.mark.parity("*", grade="exact", source="client")
@pytest.mark.parametrize("encoding", ["cbor", "json"])
@pytest.mark.parametrize("check", ["records", "streams", "synchronous", "exceptions", "subscription"])
def test_the_sdk_for_java_gets_what_it_expects_in_cbor_and_in_json(mill, class_path, check, encoding):
    settings = [f"-Daws.cborEnabled={str(encoding == 'cbor').lower()}"]
    jvm.run(class_path, "Sdk", mill.server.url, check, unique("stream"), settings=settings)
