"""Makes flights-2001-01-01.csv again, or the like of all flights, out of the npm package vega-datasets.

The package has, for each of 3,000,000 flights, the scheduled departure, the delay on arrival, the
distance, and the two airports. It does not have when the airline reported the flight, so that is derived:

    landed = departed + 25 min + max(delay, -30 min) + distance / 430 mph + a draw of Exp(3 min)

The draws come from a generator with a fixed seed, one for each flight in the package's order. The rows are
sorted by landed, which is the order in which they arrive on a stream. What must hold: the counts below, so
that a changed package is noticed here.

    npm pack vega-datasets@3.2.1 && tar xzf vega-datasets-3.2.1.tgz
    python3 data/extract_landings.py package/data/flights-3m.parquet                the slice in this folder
    python3 data/extract_landings.py package/data/flights-3m.parquet all.csv        all of them
"""

import hashlib
import random
import sys
from datetime import date, timedelta
from pathlib import Path

import polars

SLICE = Path(__file__).with_name("flights-2001-01-01.csv")
DAY = date(2001, 1, 1)
SEED = 2001
ALL, IN_SLICE = 3_000_000, 14_828
SHA256_OF_SLICE = "9d833bfd7451196511b09310225f23f489d1041ded962808cb246d3e9b06e752"


def landings(parquet):
    """Every flight with when it landed, in the package's order."""
    chance = random.Random(SEED)
    for departed, delay, distance, origin, destination in polars.read_parquet(parquet).iter_rows():
        reported = timedelta(minutes=25 + max(delay, -30) + distance / 430 * 60 + chance.expovariate(1 / 3))
        landed = (departed + reported).replace(microsecond=0)
        yield landed, departed, delay, distance, origin, destination


def written(flights):
    """As comma-separated values, sorted by landed."""
    lines = ["departed,delay,distance,origin,destination,landed"]
    for landed, departed, delay, distance, origin, destination in sorted(flights):
        lines.append(
            f"{departed:%Y-%m-%dT%H:%M:%SZ},{delay},{distance},{origin},{destination},{landed:%Y-%m-%dT%H:%M:%SZ}"
        )
    return ("\n".join(lines) + "\n").encode()


def main(arguments):
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    flights = list(landings(arguments[0]))
    if len(flights) != ALL:
        print(f"the package holds {len(flights)} flights, expected were {ALL}: nothing written", file=sys.stderr)
        return 1
    if len(arguments) == 2:
        Path(arguments[1]).write_bytes(written(flights))
        return 0
    flights = [flight for flight in flights if flight[1].date() == DAY]
    content = written(flights)
    digest = hashlib.sha256(content).hexdigest()
    if (len(flights), digest) != (IN_SLICE, SHA256_OF_SLICE):
        print(f"{len(flights)} flights with sha256 {digest}: not the slice, nothing written", file=sys.stderr)
        return 1
    SLICE.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
