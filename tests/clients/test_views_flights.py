"""A view of real flights is exact while epochs are absorbed and the server is killed again and again.

Flights are put in the order in which they landed, and readers ask the view meanwhile: for everything, for an
airport on a day, for an hour, for single buckets. Each answer is kept with its vector of positions; at the end
DuckDB, which shares no code with what answered, recomputes it from the first record on, out of the files of the
master dataset. What must hold besides: for no reader a vector or a count goes back, across kills too, and an
answer has the record that was demanded.

`TIDEMILL_LANDINGS` names a file of all flights, `TIDEMILL_SEED` repeats the chances of a run.
"""

import json
import os
import random
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import deltalake
import duckdb
import polars
from botocore.exceptions import BotoCoreError

from harness import eventually
from test_views import ask, name_of, told

SLICE = Path(__file__).parents[2] / "data" / "flights-2001-01-01.csv"
LANDINGS = Path(os.environ.get("TIDEMILL_LANDINGS", SLICE))
IS_SLICE = LANDINGS == SLICE
SEED = int(os.environ.get("TIDEMILL_SEED", random.SystemRandom().getrandbits(32)))
# Each ends with a kill, and one in four has two.
LIVES = 12 if IS_SLICE else 32
SHARDS, PRODUCERS, READERS, PUT = 4, 2, 2, 500
# Of so many questions one is about everything; of all flights everything is a great deal.
ALL_IN = 10 if IS_SLICE else 200
# How many answers about everything each reader keeps, chosen by chance; it keeps all others.
KEPT_WHOLE_MAX = 20
COMPARED_LEAST = 100 if IS_SLICE else 300
EPOCHS_LEAST = 3
# How long a kill waits for an absorb to be under way: absorbs come each second.
ABSORB_SECONDS = 3
HOUR = 3_600_000_000
GONE = (BotoCoreError, HTTPException, OSError)
ARROW = "application/vnd.apache.arrow.stream"
IN_JSON = {"origin": polars.String, "hour": polars.String, "flights": polars.Int64, "delay": polars.Int64}
# `flight` is the line of the file: flights may be alike, and one that is put again is the same one.
COLUMNS = """flight BIGINT, departed TIMESTAMP, delay BIGINT, distance BIGINT, origin TEXT, destination TEXT,
    landed TIMESTAMP"""


class Question(NamedTuple):
    """The buckets of these hours, all of them where there are none, and of this airport, if one is named."""

    first: int | None
    last: int | None
    origin: str | None

    def sql(self, view):
        conditions = []
        if self.first is not None:
            conditions += [f"hour >= TIMESTAMP '{written(self.first)}'", f"hour <= TIMESTAMP '{written(self.last)}'"]
        if self.origin is not None:
            conditions += [f"origin = '{self.origin}'"]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT origin, hour, flights, delay FROM {view}{where}"

    def path(self, view):
        hours = {"hour.from": written(self.first), "hour.before": written(self.last + HOUR)}
        if self.first == self.last:
            hours = {"hour": written(self.first)}
        return f"/{view}/rows?{urlencode({'origin': self.origin, **hours})}"


EVERYTHING = Question(None, None, None)


class Answer(NamedTuple):
    question: Question
    vector: dict
    buckets: polars.DataFrame


def written(micros):
    return f"{datetime.fromtimestamp(micros // 1_000_000, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def micros_of(time_text):
    return int(datetime.fromisoformat(time_text).timestamp()) * 1_000_000


class Landing:
    """Flights that land on a stream with a view, on a server that is killed meanwhile."""

    def __init__(self, mill, flights, folder):
        self.server, self.flights = mill.server, flights
        self.stream = mill.stream(SHARDS)
        self.view = name_of(self.stream)
        told(self.server, "POST", "", {"sql": f'CREATE SCHEMA FOR STREAM "{self.stream}" ({COLUMNS})'})
        sql = f"""CREATE VIEW {self.view} WITH (absorb = '1 second') AS
            SELECT origin, date_bin(INTERVAL '1 hour', departed) AS hour, count(*) AS flights, sum(delay) AS delay
            FROM STREAM "{self.stream}" GROUP BY origin, hour"""
        told(self.server, "POST", "", {"sql": sql}, 201)
        self.acknowledged = (folder / "acknowledged.csv").open("w")
        self.changed = threading.Condition()
        self.firsts = iter(range(0, flights.height, PUT))
        self.allowed = self.calls = 0
        self.newest = None
        # Odd while the server is killed and started.
        self.life = 0
        # How many kills there were, and how many of them cut an absorb short.
        self.kills = self.cut = 0
        self.over = False
        # Of each shard, one past the last position that anybody has seen in an answer.
        self.seen = {}
        # The last state of the batch view that anybody has seen.
        self.epoch = 0

    def change(self, **values):
        with self.changed:
            vars(self).update(values)
            self.changed.notify_all()

    def until(self, condition, what, seconds=120):
        """Waits until the condition holds, or all is over because something went wrong."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.over or condition(), seconds), f"after {seconds} s not: {what}"

    def through_kills(self, call):
        """What `call` gives; it is made again when the server was killed meanwhile."""
        while True:
            life = self.life
            try:
                return call()
            except GONE:
                if self.over or (life % 2 == 0 and life == self.life):
                    raise
            self.until(lambda: self.life % 2 == 0, "the server is there again")

    def put_on(self):
        """Puts flights as they are allowed to land, until there are no more."""
        client = self.server.client("kinesis")
        while True:
            with self.changed:
                first = next(self.firsts, None)
            if first is None:
                return
            self.until(lambda: first < self.allowed * PUT, f"flight {first} may land")
            if self.over:
                return
            flights = self.flights[first : first + PUT]
            records = [
                {"Data": json.dumps(flight).encode(), "PartitionKey": str(flight["flight"])}
                for flight in flights.iter_rows(named=True)
            ]
            answer = self.through_kills(lambda: client.put_records(StreamName=self.stream, Records=records))
            assert answer["FailedRecordCount"] == 0, answer
            numbers = [record["SequenceNumber"] for record in answer["Records"]]
            with self.changed:
                self.acknowledged.writelines(f"{first + at},{number}\n" for at, number in enumerate(numbers))
                self.calls += 1
                self.newest = (first + len(numbers) - 1, numbers[-1])
                self.changed.notify_all()

    def kill(self):
        """Kills the server and starts it again."""
        self.change(life=self.life + 1)
        self.server.kill()
        self.kills += 1
        self.cut += bool(self.unnamed())
        self.server.start()
        self.change(life=self.life + 1)

    def batch_view(self):
        """The files of the batch view, and the name and the content of its newest manifest."""
        for folder in (self.server.data_dir / "views" / "batch").glob(f"{self.view}-*"):
            names = set(os.listdir(folder))
            manifests = [name for name in names if name.startswith("manifest-") and name.endswith(".json")]
            try:
                newest = max(manifests, default=None)
                return names, newest, json.loads((folder / newest).read_text())["body"] if newest else None
            except FileNotFoundError:
                pass  # A newer one has taken its place.
        return set(), None, None

    def unnamed(self):
        """Files of the batch view that its newest manifest does not name: an absorb is under way."""
        names, newest, manifest = self.batch_view()
        return names - {newest} - {file["name"] for file in manifest["files"]} if manifest else names

    def absorbed(self):
        """How many records the batch view has."""
        _, _, manifest = self.batch_view()
        return manifest["counts"]["rows_in"] if manifest else 0

    def archive(self):
        return told(self.server, "GET", f"/archives/{self.stream}")

    def records(self):
        """How many records the stream has been given."""
        return sum(shard["end"] for shard in self.archive()["shards"])


class Sample:
    """At most so many of the things that it is given, each with the same chance."""

    def __init__(self, most, chance):
        self.most, self.chance = most, chance
        self.given, self.things = 0, []

    def add(self, thing):
        self.given += 1
        if len(self.things) < self.most:
            self.things.append(thing)
        elif (place := self.chance.randrange(self.given)) < self.most:
            self.things[place] = thing


class Reader:
    """Asks, one question after the other, and knows what it has seen."""

    def __init__(self, landing, chance):
        self.landing, self.chance = landing, chance
        self.parts, self.wholes = [], Sample(KEPT_WHOLE_MAX, chance)
        self.demands, self.epochs = [], set()
        # How many flights each bucket had, by hour and airport.
        self.known = defaultdict(dict)

    def ask_on(self):
        while not self.landing.over:
            newest = self.landing.newest
            demanded = newest if newest and self.chance.random() < 0.3 else None
            self.ask(self.question(demanded), demanded)

    def question(self, demanded):
        if self.chance.randrange(ALL_IN) == 0:
            return EVERYTHING
        landed = min(self.landing.calls * PUT, self.landing.flights.height - 1)
        # What has landed last is asked for as often as all the rest.
        least = max(0, landed - 10 * PUT) if self.chance.random() < 0.5 else 0
        flight = demanded[0] if demanded else self.chance.randint(least, landed)
        _, departed, _, _, origin, *_ = self.landing.flights.row(flight)
        hour = micros_of(departed) // HOUR * HOUR
        day = micros_of(departed[:10] + "T00:00:00Z")
        return self.chance.choice(
            [Question(day, day + 23 * HOUR, origin), Question(hour, hour, None), Question(hour, hour, origin)]
        )

    def ask(self, question, demanded=None):
        seen = dict(self.landing.seen)
        as_of, buckets = eventually(lambda: self.answer(question, demanded), f"{question} is answered", seconds=90)
        if buckets is None:
            return
        ends = [end.split(":") for end in as_of["vector"].split(",") if end]
        vector = {int(shard): int(end) for shard, end in ends}
        self.not_back(question, seen, vector, buckets)
        with self.landing.changed:
            for shard, end in vector.items():
                self.landing.seen[shard] = max(end, self.landing.seen.get(shard, 0))
            self.landing.epoch = max(as_of["epoch"], self.landing.epoch)
            self.landing.changed.notify_all()
        self.epochs.add(as_of["epoch"])
        if demanded:
            self.demands.append((demanded[1], *(vector.get(shard, 0) for shard in range(SHARDS))))
        keep = self.wholes.add if question == EVERYTHING else self.parts.append
        keep(Answer(question, vector, buckets))

    def answer(self, question, demanded):
        """What the answer is as of, and its buckets; none while the view is being rebuilt."""
        demand = f"{self.landing.stream}/{demanded[1]}" if demanded else None
        if question.origin and self.chance.random() < 0.5:
            path = question.path(self.landing.view) + (f"&{urlencode({'min_position': demand})}" if demand else "")
            request = ("GET", path)
        else:
            body = {"sql": question.sql(self.landing.view)} | ({"min_position": demand} if demand else {})
            request = ("POST", "/query", body, {"accept": ARROW})
        try:
            status, headers, body = self.landing.through_kills(lambda: ask(self.landing.server, *request))
        except GONE:
            if self.landing.over:
                return None, None
            raise
        if status == 503 and b"is being rebuilt" in body:
            return None
        assert status == 200, (question, demanded, body)
        if request[0] == "GET":
            answer = json.loads(body)
            meta, buckets = answer["meta"], polars.DataFrame(answer["rows"], IN_JSON, orient="row")
            hour = polars.col("hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us")
        else:
            meta, buckets = json.loads(headers["x-tidemill-meta"]), polars.read_ipc_stream(body)
            hour = polars.col("hour")
        return meta["as_of"][0], buckets.select("origin", hour.dt.epoch("us"), "flights", "delay")

    def not_back(self, question, seen, vector, buckets):
        back = {shard: (end, vector.get(shard, 0)) for shard, end in seen.items() if vector.get(shard, 0) < end}
        assert not back, f"the vector went back: {back}"
        counts = {(hour, origin): flights for origin, hour, flights, _ in buckets.iter_rows()}
        assert len(counts) == buckets.height, f"a bucket came twice: {question}"
        asked = self.known if question == EVERYTHING else range(question.first, question.last + 1, HOUR)
        for hour in asked:
            for origin, flights in self.known.get(hour, {}).items():
                if question.origin in (None, origin):
                    found = counts.get((hour, origin), 0)
                    assert found >= flights, f"{origin} at {written(hour)} went back from {flights} to {found}"
        for (hour, origin), flights in counts.items():
            self.known[hour][origin] = flights


def land(landing, chance):
    """Lets all flights land, and kills meanwhile."""
    puts = -(-landing.flights.height // PUT)
    # Two puts apart at least, so that something lands in each life.
    deaths = sorted(chance.sample(range(2, puts, 2), LIVES))
    moments = [at_once, amid_an_absorb, after_an_absorb, amid_the_start] * (LIVES // 4)
    chance.shuffle(moments)
    for moment, death, next_death in zip(moments, deaths, [*deaths[1:], puts]):
        epoch = landing.epoch
        landing.change(allowed=death + (next_death - death) // 2)
        landing.until(lambda: landing.calls >= death, f"{death} puts are acknowledged")
        moment(landing, epoch)
        if landing.over:
            return
        landing.kill()
    landing.change(allowed=puts)
    landing.until(lambda: landing.calls == puts, "all flights have landed")
    eventually(lambda: landing.over or landing.archive()["lag_records"] == 0, "everything is archived", seconds=120)
    absorbed = lambda: landing.over or landing.absorbed() == landing.records()
    eventually(absorbed, "everything is absorbed", seconds=120)


def at_once(landing, epoch):
    """Flights are being put."""


def amid_an_absorb(landing, epoch):
    """The batch view is being written. Looks without a pause: files that no manifest names are gone soon."""
    deadline = time.monotonic() + ABSORB_SECONDS
    while not landing.unnamed() and time.monotonic() < deadline and not landing.over:
        pass


def after_an_absorb(landing, epoch):
    """The batch view has been swapped in this life."""
    landing.until(lambda: landing.epoch > epoch, "the batch view is swapped")


def amid_the_start(landing, epoch):
    """The view is being rebuilt after another kill."""
    landing.kill()


class Oracle:
    """What DuckDB finds in the files of the master dataset."""

    def __init__(self, landing):
        table = landing.server.data_dir / landing.archive()["folder"]
        files = deltalake.DeltaTable(str(table)).file_uris()
        self.connection = duckdb.connect()
        self.connection.execute(
            f"""CREATE TABLE landed AS SELECT _shard AS shard, _position AS position, _sequence_number AS number,
                flight, epoch_us(departed) AS departed, delay, distance, origin, destination,
                epoch_us(landed) AS landed, epoch_us(departed) // {HOUR} * {HOUR} AS hour
            FROM read_parquet({files}) WHERE _bad IS NULL ORDER BY hour"""
        )
        self.records = landing.records()

    def one(self, sql):
        return self.connection.execute(sql).fetchone()

    def differences(self, answers):
        """Buckets of these answers that a recompute does not come to, and what it comes to instead."""
        if not answers:
            return []
        least, greatest = self.one("SELECT min(hour), max(hour) FROM landed")
        asked, answered = [], []
        for place, (question, vector, buckets) in enumerate(answers):
            first, last = (least, greatest) if question == EVERYTHING else question[:2]
            ends = [vector.get(shard, 0) for shard in range(SHARDS)]
            asked.append((place, first, last, question.origin, ends))
            answered.append(buckets.with_columns(polars.lit(place).cast(polars.Int64).alias("answer")))
        columns = {"answer": polars.Int64, "first": polars.Int64, "last": polars.Int64, "airport": polars.String}
        columns["ends"] = polars.List(polars.Int64)
        self.connection.register("asked", polars.DataFrame(asked, columns, orient="row"))
        self.connection.register("answered", polars.concat(answered))
        return self.connection.execute(
            f"""WITH hours AS (SELECT *, unnest(range(first, last + 1, {HOUR})) AS hour FROM asked), recomputed AS (
                SELECT origin, hour, count(*) AS flights, sum(delay)::BIGINT AS delay, answer
                FROM landed JOIN hours USING (hour)
                WHERE position < ends[shard + 1] AND (airport IS NULL OR airport = origin)
                GROUP BY origin, hour, answer)
            (SELECT 'recomputed' AS how, * FROM (FROM recomputed EXCEPT ALL FROM answered)) UNION ALL
            (SELECT 'answered', * FROM (FROM answered EXCEPT ALL FROM recomputed)) ORDER BY answer, hour, origin, how"""
        ).fetchall()


def wrong_among(oracle, answers):
    """Those of the answers that DuckDB does not come to: question, vector, and the first differing buckets."""
    wrong = defaultdict(list)
    for how, origin, hour, flights, delay, place in oracle.differences(answers):
        wrong[place].append((how, origin, written(hour), flights, delay))
    return [(*answers[place][:2], buckets[:10]) for place, buckets in wrong.items()]


def check_the_table(oracle, landing):
    """Every record is there once, every acknowledged one among them, and all flights as they are in the file."""
    landing.acknowledged.close()
    records, places, flights = oracle.one(
        "SELECT count(*), count(DISTINCT (shard, position)), count(DISTINCT flight) FROM landed"
    )
    assert records == places == oracle.records >= landing.flights.height == flights
    path = landing.acknowledged.name
    columns = "{'flight': 'BIGINT', 'number': 'VARCHAR'}"
    oracle.connection.execute(
        f"CREATE TABLE acknowledged AS FROM read_csv('{path}', header = false, columns = {columns})"
    )
    assert oracle.one("SELECT count(*) FROM acknowledged") == (landing.flights.height,)
    missing = oracle.one("SELECT count(*), min(flight) FROM acknowledged ANTI JOIN landed USING (number, flight)")
    assert missing == (0, None), f"acknowledged records are missing, and their first flight: {missing}"
    oracle.connection.register("file", landing.flights)
    times = "epoch_us(departed::TIMESTAMP), delay, distance, origin, destination, epoch_us(landed::TIMESTAMP)"
    in_file = f"SELECT flight, {times} FROM file"
    in_table = "SELECT DISTINCT flight, departed, delay, distance, origin, destination, landed FROM landed"
    for one, other in [(in_file, in_table), (in_table, in_file)]:
        assert oracle.one(f"SELECT count(*) FROM ({one} EXCEPT ALL {other})") == (0,)
    return records


def check_the_demands(oracle, readers):
    """An answer has the record that was demanded: its vector lies behind it."""
    ends = [f"end_{shard}" for shard in range(SHARDS)]
    demands = [demand for reader in readers for demand in reader.demands]
    frame = polars.DataFrame(demands, ["number", *ends], orient="row")
    oracle.connection.register("demanded", frame)
    found = oracle.one(
        f"""SELECT count(*), count(*) FILTER (WHERE position >= [{', '.join(ends)}][shard + 1])
        FROM demanded JOIN landed USING (number)"""
    )
    assert found == (len(demands), 0), "demanded records that are there, and answers without them"
    return len(demands)


def test_answers_over_flights_are_what_duckdb_recomputes_through_absorbs_and_kills(short_epochs, tmp_path):
    print(f"TIDEMILL_SEED={SEED}")
    flights = polars.read_csv(LANDINGS).with_row_index("flight").with_columns(polars.col("flight").cast(polars.Int64))
    landing = Landing(short_epochs, flights, tmp_path)
    readers = [Reader(landing, random.Random(f"{SEED} {n}")) for n in range(READERS)]
    with ThreadPoolExecutor() as pool:
        tasks = [*(reader.ask_on for reader in readers), *[landing.put_on] * PRODUCERS]
        jobs = [pool.submit(ended_by_failure, landing, task) for task in tasks]
        try:
            land(landing, random.Random(SEED))
        finally:
            landing.change(over=True)
    for job in jobs:
        job.result()
    landing.over = False
    readers[0].ask(EVERYTHING, landing.newest)

    oracle = Oracle(landing)
    records = check_the_table(oracle, landing)
    demands = check_the_demands(oracle, readers)
    parts = [answer for reader in readers for answer in reader.parts]
    wholes = [answer for reader in readers for answer in reader.wholes.things]
    given = len(parts) + sum(reader.wholes.given for reader in readers)
    epochs = len(set().union(*(reader.epochs for reader in readers)))
    wrong = [*wrong_among(oracle, parts), *(one for whole in wholes for one in wrong_among(oracle, [whole]))]
    print(
        f"{flights.height:,} flights, {records:,} records; {landing.kills} kills, {landing.cut} of them amid an absorb; "
        f"{epochs} epochs; {given:,} answers, {demands:,} of them on demand; "
        f"{len(parts) + len(wholes):,} compared with DuckDB, {len(wholes)} of them of everything: {len(wrong)} wrong"
    )
    for one in wrong[:5]:
        print(one)
    assert not wrong, f"{len(wrong)} of {len(parts) + len(wholes)} answers are wrong"
    assert len(parts) >= COMPARED_LEAST and wholes and epochs >= EPOCHS_LEAST


def ended_by_failure(landing, task):
    """Does the task; when it fails nobody has to wait for what it would have done."""
    try:
        task()
    except BaseException:
        landing.change(over=True)
        raise
