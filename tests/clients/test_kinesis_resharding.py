"""Shards that are split and merged: ranges, parents, order, and what is refused."""

import pytest

from harness import ACCOUNT, hash_key, refused

INVALID = "InvalidArgumentException"
NOT_FOUND = "ResourceNotFoundException"
FIRST, SECOND, THIRD = (f"shardId-{n:012}" for n in range(3))
MIDDLE = str(2**127)
END = str(2**128 - 1)


def by_id(mill, name):
    return {shard["ShardId"]: shard for shard in mill.shards(name)}


def bounds(shard):
    return shard["HashKeyRange"]["StartingHashKey"], shard["HashKeyRange"]["EndingHashKey"]


def split(mill, name, shard=FIRST, at=MIDDLE):
    mill.kinesis.split_shard(StreamName=name, ShardToSplit=shard, NewStartingHashKey=at)
    mill.active(name)


def merge(mill, name, lower=FIRST, upper=SECOND):
    mill.kinesis.merge_shards(StreamName=name, ShardToMerge=lower, AdjacentShardToMerge=upper)
    mill.active(name)


@pytest.mark.parity("SplitShard", grade="exact", source="observed")
def test_a_split_shard_is_closed_and_has_two_children(mill):
    name = mill.stream()
    split(mill, name)
    shards = by_id(mill, name)
    assert bounds(shards[SECOND]) == ("0", str(2**127 - 1))
    assert bounds(shards[THIRD]) == (MIDDLE, END)
    parent = shards[FIRST]["SequenceNumberRange"]
    for child in [shards[SECOND], shards[THIRD]]:
        assert child["ParentShardId"] == FIRST and "AdjacentParentShardId" not in child
        start = int(child["SequenceNumberRange"]["StartingSequenceNumber"])
        assert start > int(parent["EndingSequenceNumber"]) > int(parent["StartingSequenceNumber"])
        assert "EndingSequenceNumber" not in child["SequenceNumberRange"]
    assert mill.summary(name)["OpenShardCount"] == 2


@pytest.mark.parity("MergeShards", grade="exact", source="observed")
def test_merged_shards_are_closed_and_have_one_child(mill):
    name = mill.stream(shards=2)
    merge(mill, name)
    shards = by_id(mill, name)
    assert bounds(shards[THIRD]) == ("0", END)
    assert shards[THIRD]["ParentShardId"] == FIRST
    assert shards[THIRD]["AdjacentParentShardId"] == SECOND
    assert all("EndingSequenceNumber" in shards[parent]["SequenceNumberRange"] for parent in [FIRST, SECOND])
    assert mill.summary(name)["OpenShardCount"] == 1


@pytest.mark.parity("SplitShard", "PutRecord", grade="exact", source="documented")
def test_records_go_to_the_children_and_stay_in_the_parent(mill):
    name = mill.stream()
    before = mill.put(name, ["before"], key="a")
    split(mill, name)
    answer = mill.kinesis.put_record(StreamName=name, PartitionKey="a", Data=b"after")
    child = SECOND if hash_key("a") < 2**127 else THIRD
    assert answer["ShardId"] == child
    assert int(answer["SequenceNumber"]) > int(before[0])
    assert [record["Data"] for record in mill.read(mill.iterator(name, FIRST), 1)] == [b"before"]
    assert [record["Data"] for record in mill.read(mill.iterator(name, child), 1)] == [b"after"]


@pytest.mark.parity("GetRecords", grade="exact", source="documented")
def test_the_end_of_a_closed_shard_names_its_children(mill, kinesis):
    name = mill.stream()
    mill.put(name, ["1", "2"])
    open_place = mill.iterator(name)
    split(mill, name)
    for place in [open_place, mill.iterator(name), mill.iterator(name, kind="LATEST")]:
        for _ in range(20):
            answer = kinesis.get_records(ShardIterator=place)
            place = answer.get("NextShardIterator")
            assert (place is None) == bool(answer.get("ChildShards"))
            if place is None:
                break
        children = answer["ChildShards"]
        assert [child["ShardId"] for child in children] == [SECOND, THIRD]
        assert all(child["ParentShards"] == [FIRST] for child in children)
        assert children[0]["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(2**127 - 1)}


@pytest.mark.parity("GetRecords", "MergeShards", grade="exact", source="documented")
def test_the_child_of_a_merge_names_both_parents(mill, kinesis):
    name = mill.stream(shards=2)
    merge(mill, name)
    for parent in [FIRST, SECOND]:
        answer = kinesis.get_records(ShardIterator=mill.iterator(name, parent, kind="LATEST"))
        (child,) = answer["ChildShards"]
        assert child["ShardId"] == THIRD and sorted(child["ParentShards"]) == [FIRST, SECOND]
        assert "NextShardIterator" not in answer


@pytest.mark.parity("SplitShard", "MergeShards", "ListShards", grade="exact", source="documented")
def test_the_ranges_of_the_open_shards_cover_the_space_after_any_resharding(mill):
    name = mill.stream(shards=3)
    split(mill, name, SECOND, str(2**127))
    merge(mill, name, FIRST, "shardId-000000000003")
    shards = mill.kinesis.list_shards(StreamName=name, ShardFilter={"Type": "AT_LATEST"})["Shards"]
    ranges = sorted(tuple(int(bound) for bound in bounds(shard)) for shard in shards)
    assert ranges[0][0] == 0 and ranges[-1][1] == 2**128 - 1
    assert all(left[1] + 1 == right[0] for left, right in zip(ranges, ranges[1:]))


@pytest.mark.parity("ListShards", grade="exact", source="model")
def test_shards_are_listed_as_of_a_moment(mill, kinesis):
    name = mill.stream()
    split(mill, name)

    def listed(**shard_filter):
        shards = kinesis.list_shards(StreamName=name, ShardFilter=shard_filter)["Shards"]
        return [shard["ShardId"] for shard in shards]

    assert listed(Type="AT_LATEST") == [SECOND, THIRD]
    assert listed(Type="AT_TRIM_HORIZON") == [FIRST]
    assert listed(Type="FROM_TRIM_HORIZON") == [FIRST, SECOND, THIRD]
    assert listed(Type="AFTER_SHARD_ID", ShardId=FIRST) == [SECOND, THIRD]
    created = mill.summary(name)["StreamCreationTimestamp"]
    assert listed(Type="FROM_TIMESTAMP", Timestamp=created) == [FIRST, SECOND, THIRD]
    assert listed(Type="AT_TIMESTAMP", Timestamp=created) == [FIRST]
    place = {"StreamName": name}
    refused(kinesis.list_shards, INVALID, ShardFilter={"Type": "AFTER_SHARD_ID"}, **place)
    refused(kinesis.list_shards, INVALID, ShardFilter={"Type": "AT_LATEST", "ShardId": FIRST}, **place)
    refused(kinesis.list_shards, INVALID, ShardFilter={"Type": "AT_TIMESTAMP"}, **place)


@pytest.mark.parametrize("at", ["0", "1", END])
@pytest.mark.parity("SplitShard", grade="exact", source="observed")
def test_a_split_leaves_room_on_both_sides(mill, kinesis, at):
    name = mill.stream()
    message = refused(
        kinesis.split_shard, INVALID, StreamName=name, ShardToSplit=FIRST, NewStartingHashKey=at
    )
    assert message == (
        f"NewStartingHashKey {at} used in SplitShard() on shard {FIRST} in stream {name} under account "
        f"{ACCOUNT} is not both greater than one plus the shard's StartingHashKey 0 and less than the "
        f"shard's EndingHashKey {END}."
    )


@pytest.mark.parity("SplitShard", "MergeShards", grade="exact", source="observed")
def test_a_shard_is_resharded_once(mill, kinesis):
    name = mill.stream()
    split(mill, name)
    expected = (
        f"Shard {FIRST} in stream {name} under account {ACCOUNT} has already been merged or split, "
        "and thus is not eligible for merging or splitting."
    )
    message = refused(
        kinesis.split_shard, INVALID, StreamName=name, ShardToSplit=FIRST, NewStartingHashKey=str(2**126)
    )
    assert message == expected
    message = refused(
        kinesis.merge_shards, INVALID, StreamName=name, ShardToMerge=FIRST, AdjacentShardToMerge=SECOND
    )
    assert message == expected


@pytest.mark.parametrize("lower, upper", [(SECOND, FIRST), (FIRST, THIRD), (FIRST, FIRST)])
@pytest.mark.parity("MergeShards", grade="exact", source="observed")
def test_only_neighbours_are_merged_the_lower_first(mill, kinesis, lower, upper):
    name = mill.stream(shards=3)
    message = refused(
        kinesis.merge_shards, INVALID, StreamName=name, ShardToMerge=lower, AdjacentShardToMerge=upper
    )
    assert message == (
        f"Shards {lower} and {upper} in stream {name} under account {ACCOUNT} "
        "are not an adjacent pair of shards eligible for merging"
    )


@pytest.mark.parity("SplitShard", "MergeShards", grade="exact", source="observed")
def test_a_shard_that_is_not_there_is_not_resharded(mill, kinesis):
    name = mill.stream()
    absent = "shardId-000000000009"
    expected = f"Could not find shard {absent} in stream {name} under account {ACCOUNT}."
    message = refused(
        kinesis.split_shard, NOT_FOUND, StreamName=name, ShardToSplit=absent, NewStartingHashKey=MIDDLE
    )
    assert message == expected
    message = refused(
        kinesis.merge_shards, NOT_FOUND, StreamName=name, ShardToMerge=FIRST, AdjacentShardToMerge=absent
    )
    assert message == expected


@pytest.mark.parity("SplitShard", "MergeShards", grade="exact", source="documented")
def test_shard_ids_are_never_used_twice(mill):
    name = mill.stream()
    split(mill, name)
    merge(mill, name, SECOND, THIRD)
    split(mill, name, "shardId-000000000003")
    assert sorted(by_id(mill, name)) == [f"shardId-{n:012}" for n in range(6)]
