"""The Kinesis Client Library, unmodified: two workers share a stream that is resharded, and one of them dies.

In the first test it is the one that follows, in the second the one that leads: it assigns the leases and finds
new shards. Leases and metrics are in a moto server. What must hold: every record is seen, those of a key in their
order; what is seen again, because a worker died behind its last checkpoint, was seen before.
"""

import threading

import pytest
from aws_kinesis_agg.aggregator import RecordAggregator

import jvm
from harness import Mill, Server, eventually, stream_arn, unique

SHARDS = 8
PLAIN_KEYS = [f"plain-{n}" for n in range(16)]
AGGREGATED_KEYS = [f"aggregated-{n}" for n in range(8)]
IN_ONE = 3


class Producer:
    """Puts records of all keys until it is stopped; `counts` is how many of each key were acknowledged."""

    def __init__(self, kinesis, stream):
        self.kinesis, self.stream = kinesis, stream
        self.counts = dict.fromkeys([*PLAIN_KEYS, *AGGREGATED_KEYS], 0)
        self.failure = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            while not self._stopped.wait(0.05):
                self._round()
        except Exception as failure:
            self.failure = failure

    def _round(self):
        entries = []
        for key in PLAIN_KEYS:
            entries.append({"PartitionKey": key, "Data": str(self.counts[key]).encode()})
        for key in AGGREGATED_KEYS:
            aggregator = RecordAggregator()
            for n in range(self.counts[key], self.counts[key] + IN_ONE):
                aggregator.add_user_record(key, str(n).encode())
            _, _, data = aggregator.clear_and_get().get_contents()
            entries.append({"PartitionKey": key, "Data": data})
        answer = self.kinesis.put_records(StreamName=self.stream, Records=entries)
        assert answer["FailedRecordCount"] == 0, answer
        for key in self.counts:
            self.counts[key] += IN_ONE if key in AGGREGATED_KEYS else 1

    def stop(self):
        self._stopped.set()
        self._thread.join(timeout=30)
        assert self.failure is None, self.failure


class Workers:
    """The workers of one application, and what they have said together."""

    def __init__(self, folder, class_path, arguments):
        self.folder, self.class_path, self.arguments = folder, class_path, arguments
        self.all = {}

    def start(self, name, reading):
        folder = self.folder / name
        folder.mkdir()
        program = jvm.Program(folder, self.class_path, "Worker", *self.arguments, name, reading)
        self.all[name] = program

    def said(self, what, name=None):
        """What was said of `what`, by one worker or by all, in the order of the machine's clock."""
        programs = [self.all[name]] if name else self.all.values()
        lines = [line.split(" ") for program in programs for line in list(program.lines)]
        return sorted((int(words[0]), words[2:]) for words in lines if words[1] == what)

    def shards(self, what, name=None):
        return {words[0] for _, words in self.said(what, name)}

    def wait(self, condition, what, seconds=60):
        try:
            return eventually(condition, what, seconds)
        except AssertionError as error:
            told = {name: (program.lines[-3:], program.said()) for name, program in self.all.items()}
            raise AssertionError(f"{error}; {told}") from None

    def end(self):
        for program in self.all.values():
            if program.process.poll() is None:
                program.kill()


@pytest.fixture(scope="module")
def mill(tmp_path_factory):
    """A server as KCL finds the service: durable, and with its limits."""
    folder = tmp_path_factory.mktemp("mill")
    server = Server(folder, "--limits", "aws", data_dir=folder / "data")
    server.start()
    yield Mill(server)
    server.stop()


@pytest.fixture
def workers(tmp_path, class_path, mill, moto):
    stream, application = mill.stream(shards=SHARDS), unique("application")
    workers = Workers(tmp_path, class_path, [mill.server.url, moto.url, stream, application])
    yield workers
    workers.end()


def items(moto, table):
    return moto.client("dynamodb").scan(TableName=table)["Items"]


def leader(moto, application):
    """The worker that assigns the leases."""
    owners = [item["ownerName"]["S"] for item in items(moto, f"{application}-CoordinatorState") if "ownerName" in item]
    return owners[0] if owners else None


def break_lock(moto, application):
    """Takes away what says who leads: of a worker that is gone it would hold for two minutes more."""
    table = f"{application}-CoordinatorState"
    [lock] = [item for item in items(moto, table) if "ownerName" in item]
    moto.client("dynamodb").delete_item(TableName=table, Key={"key": lock["key"]})


def workers_at_work(moto, application):
    """The workers that can be given leases."""
    return {item["wid"]["S"] for item in items(moto, f"{application}-WorkerMetricStats")}


def holders(moto, application):
    """For each shard that has not been read to its end, the worker that has its lease."""
    open_leases = [item for item in items(moto, application) if item["checkpoint"]["S"] != "SHARD_END"]
    return {item["leaseKey"]["S"]: item.get("leaseOwner", {}).get("S") for item in open_leases}


@pytest.mark.parity(
    "PutRecords",
    "DescribeStreamSummary",
    "ListShards",
    "GetShardIterator",
    "GetRecords",
    "RegisterStreamConsumer",
    "DescribeStreamConsumer",
    "SubscribeToShard",
    "SplitShard",
    "MergeShards",
    grade="exact",
    source="client",
)
@pytest.mark.parametrize("reading", ["polling", "fan-out"])
def test_two_workers_see_every_record_in_order_though_shards_split_and_merge_and_one_worker_dies(
    mill, moto, workers, reading
):
    stream, application = workers.arguments[2:]
    first = [shard["ShardId"] for shard in mill.shards(stream)]
    producer = Producer(mill.server.client("kinesis"), stream)
    for name in ["one", "two"]:
        workers.start(name, reading)

    def both_have_shards():
        return all(len(workers.shards("record", name)) >= 2 for name in workers.all)

    workers.wait(both_have_shards, "both workers have records of two shards or more", 120)
    workers.wait(lambda: workers.shards("record") >= set(first), "all shards are read")

    ranges = mill.shards(stream)[0]["HashKeyRange"]
    middle = (int(ranges["StartingHashKey"]) + int(ranges["EndingHashKey"])) // 2
    mill.kinesis.split_shard(StreamName=stream, ShardToSplit=first[0], NewStartingHashKey=str(middle))
    mill.active(stream)
    mill.kinesis.merge_shards(StreamName=stream, ShardToMerge=first[2], AdjacentShardToMerge=first[3])
    mill.active(stream)
    parents, children = {first[0], first[2], first[3]}, set(shard["ShardId"] for shard in mill.shards(stream)[SHARDS:])
    assert len(children) == 3
    workers.wait(lambda: workers.shards("ended") >= parents, "the parents have ended")
    workers.wait(lambda: workers.shards("record") >= children, "the children are read")

    chief = workers.wait(lambda: leader(moto, application), "a worker leads")
    (other,) = set(workers.all) - {chief}
    orphans = workers.shards("start", other) - workers.shards("ended", other) - workers.shards("lost", other)
    workers.all[other].kill()
    workers.wait(lambda: workers.shards("start", chief) >= orphans, "the other worker has taken over")

    producer.stop()
    expected = {key: list(range(count)) for key, count in producer.counts.items()}
    workers.wait(lambda: seen_first(workers.said("record")) == expected, "every record is seen in order", 30)
    held = dict.fromkeys([first[1], *first[4:], *children], chief)
    workers.wait(lambda: holders(moto, application) == held, "the survivor has all leases")
    workers.all[chief].stop()
    assert_each_lease_was_in_order(workers)
    consumers = mill.kinesis.list_stream_consumers(StreamARN=stream_arn(stream))["Consumers"]
    names = [consumer["ConsumerName"] for consumer in consumers]
    assert names == ([application] if reading == "fan-out" else [])
    if reading == "polling":
        metrics = moto.client("cloudwatch").list_metrics(Namespace=application)["Metrics"]
        assert "RecordsProcessed" in {metric["MetricName"] for metric in metrics}


@pytest.mark.parity(
    "DescribeStreamSummary",
    "ListShards",
    "GetShardIterator",
    "GetRecords",
    "SplitShard",
    "MergeShards",
    grade="exact",
    source="client",
)
def test_when_the_worker_that_leads_dies_the_other_takes_its_leases_and_finds_new_shards(mill, moto, workers):
    stream, application = workers.arguments[2:]
    first = [shard["ShardId"] for shard in mill.shards(stream)]
    producer = Producer(mill.server.client("kinesis"), stream)
    for name in ["one", "two"]:
        workers.start(name, "polling")
    workers.wait(lambda: workers.shards("record") >= set(first), "all shards are read", 120)
    workers.wait(lambda: workers_at_work(moto, application) == set(workers.all), "both workers are at work")
    chief = workers.wait(lambda: leader(moto, application), "a worker leads")
    (heir,) = set(workers.all) - {chief}

    workers.all[chief].kill()
    break_lock(moto, application)
    mill.kinesis.merge_shards(StreamName=stream, ShardToMerge=first[0], AdjacentShardToMerge=first[1])
    mill.active(stream)
    middle = int(mill.shards(stream)[7]["HashKeyRange"]["StartingHashKey"]) + 2**124
    mill.kinesis.split_shard(StreamName=stream, ShardToSplit=first[7], NewStartingHashKey=str(middle))
    mill.active(stream)
    children = {shard["ShardId"] for shard in mill.shards(stream)[SHARDS:]}
    assert len(children) == 3
    workers.wait(lambda: workers.shards("record", heir) >= children, "the survivor reads the new shards")
    producer.stop()

    expected = {key: list(range(count)) for key, count in producer.counts.items()}
    workers.wait(lambda: seen_first(workers.said("record")) == expected, "every record is seen in order", 30)
    held = dict.fromkeys([*first[2:7], *children], heir)
    workers.wait(lambda: holders(moto, application) == held, "the survivor has all leases")
    assert leader(moto, application) == heir
    assert workers.shards("ended") == {first[0], first[1], first[7]}
    workers.all[heir].stop()
    assert_each_lease_was_in_order(workers)


def seen_first(said):
    """For each key, what was seen of it, each record where it was seen first."""
    found = {}
    for _, (_, _, _, key, number) in said:
        found.setdefault(key, {}).setdefault(int(number))
    return {key: list(numbers) for key, numbers in found.items()}


def assert_each_lease_was_in_order(workers):
    """Whatever was read twice: a worker that holds a shard sees its records once and in order."""
    for name in workers.all:
        starts = workers.said("start", name)
        last = {}
        for time, (shard, sequence, sub, _, _) in workers.said("record", name):
            lease = (shard, sum(1 for started, words in starts if words[0] == shard and started < time))
            place = (int(sequence), int(sub))
            assert last.get(lease, (0, 0)) < place, (name, shard, sequence, sub)
            last[lease] = place
