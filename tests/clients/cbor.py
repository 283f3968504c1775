"""CBOR as Kinesis speaks it: what the Java SDK sends, and what the service may answer.

What must hold: maps and lists are sent without a length, as that SDK does; a time is tag 1 with epoch
milliseconds, where RFC 8949 has seconds; an answer is read to its last byte.
"""

import datetime
import enum
import struct

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
BREAK = b"\xff"
SIMPLES = {20: False, 21: True, 22: None}
FLOATS = {25: ">e", 26: ">f", 27: ">d"}


class Kind(enum.IntEnum):
    """What the first three bits of an item say."""

    UNSIGNED, NEGATIVE, BYTES, TEXT, LIST, MAP, TAG, SIMPLE = range(8)


def encoded(value):
    """The bytes of a value."""
    match value:
        case None:
            return b"\xf6"
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return _head(Kind.UNSIGNED, value) if value >= 0 else _head(Kind.NEGATIVE, -1 - value)
        case bytes():
            return _head(Kind.BYTES, len(value)) + value
        case str():
            return _head(Kind.TEXT, len(value.encode())) + value.encode()
        case datetime.datetime():
            return b"\xc1" + encoded(round((value - EPOCH) / datetime.timedelta(milliseconds=1)))
        case list():
            return b"\x9f" + b"".join(map(encoded, value)) + BREAK
        case dict():
            return b"\xbf" + b"".join(encoded(key) + encoded(value[key]) for key in value) + BREAK
    raise TypeError(value)


def _head(kind, number):
    for size, marker in [(1, 24), (2, 25), (4, 26), (8, 27)]:
        if number < 24:
            return bytes([kind << 5 | number])
        if number < 256**size:
            return bytes([kind << 5 | marker]) + number.to_bytes(size)
    raise ValueError(number)


def decoded(body):
    """The value that stands in `body`, and nothing behind it."""
    value, end = _read(body, 0)
    assert end == len(body), f"{len(body) - end} bytes are left of {body}"
    return value


def _read(body, at):
    kind, low, at = body[at] >> 5, body[at] & 31, at + 1
    if low == 31:
        return _read_until_break(kind, body, at)
    if kind == Kind.SIMPLE and low in SIMPLES:
        return SIMPLES[low], at
    size = 1 << low - 24 if low >= 24 else 0
    argument, at = body[at : at + size], at + size
    number = int.from_bytes(argument) if size else low
    match kind:
        case Kind.UNSIGNED:
            return number, at
        case Kind.NEGATIVE:
            return -1 - number, at
        case Kind.BYTES:
            return body[at : at + number], at + number
        case Kind.TEXT:
            return body[at : at + number].decode(), at + number
        case Kind.LIST:
            return _read_many(body, at, number)
        case Kind.MAP:
            found, at = _read_many(body, at, 2 * number)
            return _as_map(found), at
        case Kind.TAG:
            assert number == 1, f"tag {number}"
            millis, at = _read(body, at)
            return EPOCH + datetime.timedelta(milliseconds=millis), at
    return struct.unpack(FLOATS[low], argument)[0], at


def _read_many(body, at, count):
    found = []
    for _ in range(count):
        value, at = _read(body, at)
        found.append(value)
    return found, at


def _read_until_break(kind, body, at):
    found = []
    while body[at : at + 1] != BREAK:
        value, at = _read(body, at)
        found.append(value)
    whole = {Kind.BYTES: b"".join, Kind.TEXT: "".join, Kind.LIST: list, Kind.MAP: _as_map}[kind]
    return whole(found), at + 1


def _as_map(flat):
    found = dict(zip(flat[::2], flat[1::2], strict=True))
    assert 2 * len(found) == len(flat), f"a key twice: {flat}"
    return found
