"""Capacity: the modes of a stream, and the metrics of single shards switched on and off."""

import pytest

import clock
from harness import ACCOUNT, refused, stream_arn, unique

PROVISIONED = {"StreamMode": "PROVISIONED"}
ON_DEMAND = {"StreamMode": "ON_DEMAND"}


@pytest.mark.parity("UpdateStreamMode", grade="exact", source="model")
def test_a_stream_changes_its_mode_and_keeps_its_shards(mill, kinesis):
    name = mill.stream(shards=3)
    shards = mill.shards(name)
    kinesis.update_stream_mode(StreamARN=stream_arn(name), StreamModeDetails=ON_DEMAND)
    assert mill.summary(name)["StreamModeDetails"] == ON_DEMAND
    assert mill.shards(name) == shards
    kinesis.update_stream_mode(StreamARN=stream_arn(name), StreamModeDetails=PROVISIONED)
    assert mill.summary(name)["StreamModeDetails"] == PROVISIONED
    refused(
        kinesis.update_stream_mode,
        "InvalidArgumentException",
        StreamARN=stream_arn(name),
        StreamModeDetails=PROVISIONED,
    )


@pytest.mark.parity(
    "UpdateStreamMode",
    grade="approximate",
    source="model",
    note="the text of the message is ours: AWS's is not known",
)
def test_the_mode_is_changed_twice_a_day(limited):
    name = limited.stream()
    change = limited.kinesis.update_stream_mode
    change(StreamARN=stream_arn(name), StreamModeDetails=ON_DEMAND)
    change(StreamARN=stream_arn(name), StreamModeDetails=PROVISIONED)
    refused(change, "LimitExceededException", StreamARN=stream_arn(name), StreamModeDetails=ON_DEMAND)


@pytest.mark.parity("EnableEnhancedMonitoring", "DisableEnhancedMonitoring", grade="exact", source="model")
def test_metrics_of_shards_are_switched_on_and_off(mill, kinesis):
    name = mill.stream()
    answer = kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["IncomingBytes"])
    assert (answer["StreamName"], answer["StreamARN"]) == (name, stream_arn(name))
    assert answer["CurrentShardLevelMetrics"] == []
    assert answer["DesiredShardLevelMetrics"] == ["IncomingBytes"]
    answer = kinesis.enable_enhanced_monitoring(StreamARN=stream_arn(name), ShardLevelMetrics=["ALL"])
    assert answer["CurrentShardLevelMetrics"] == ["IncomingBytes"]
    assert len(answer["DesiredShardLevelMetrics"]) == 7
    assert len(mill.summary(name)["EnhancedMonitoring"][0]["ShardLevelMetrics"]) == 7
    answer = kinesis.disable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["ALL"])
    assert len(answer["CurrentShardLevelMetrics"]) == 7
    assert answer["DesiredShardLevelMetrics"] == []
    assert mill.summary(name)["EnhancedMonitoring"] == [{"ShardLevelMetrics": []}]


@pytest.mark.parity(
    "UpdateStreamWarmThroughput",
    grade="approximate",
    source="model",
    note="the texts of the messages are ours; the shards are there when the call returns",
)
def test_warm_throughput_is_kept_ready_by_who_has_committed(mill):
    own = mill.server.client("kinesis", access_key="555566667777")
    name = unique("warm")
    own.create_stream(StreamName=name, StreamModeDetails=ON_DEMAND)
    change = own.update_stream_warm_throughput
    refused(change, "InvalidArgumentException", StreamName=name, WarmThroughputMiBps=8)
    own.update_account_settings(MinimumThroughputBillingCommitment={"Status": "ENABLED"})
    answer = change(StreamName=name, WarmThroughputMiBps=8)
    assert answer["StreamName"] == name
    assert answer["WarmThroughput"] == {"TargetMiBps": 8, "CurrentMiBps": 8}
    summary = own.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    assert summary["WarmThroughput"] == {"TargetMiBps": 8, "CurrentMiBps": 8}
    assert summary["OpenShardCount"] == 8
    refused(change, "LimitExceededException", StreamName=name, WarmThroughputMiBps=10 * 1024 + 1)
    assert change(StreamName=name, WarmThroughputMiBps=0)["WarmThroughput"]["CurrentMiBps"] == 4


@pytest.mark.parity(
    "UpdateStreamWarmThroughput",
    grade="approximate",
    source="model",
    note="the shards are there when the call returns, and so is the throughput, though the stream is UPDATING",
)
def test_a_stream_is_updating_until_it_has_its_warm_throughput(tmp_path, clock_library):
    slow = clock.started(tmp_path, clock_library, "--limits", "none", "--state-delay", "3s")
    try:
        slow.kinesis.update_account_settings(MinimumThroughputBillingCommitment={"Status": "ENABLED"})
        slow.kinesis.create_stream(StreamName="warm", StreamModeDetails=ON_DEMAND)
        slow.clock.advance(seconds=3)
        change = slow.kinesis.update_stream_warm_throughput

        def stands():
            summary = slow.summary("warm")
            return summary["StreamStatus"], summary.get("WarmThroughput"), summary["OpenShardCount"]

        assert stands() == ("ACTIVE", None, 4)
        # Four shards are doubled in one round; eight are split and merged to six in two.
        for mibps, seconds in [(8, 3), (6, 6)]:
            throughput = {"TargetMiBps": mibps, "CurrentMiBps": mibps}
            assert change(StreamName="warm", WarmThroughputMiBps=mibps)["WarmThroughput"] == throughput
            assert stands() == ("UPDATING", throughput, mibps)
            message = refused(change, "ResourceInUseException", StreamName="warm", WarmThroughputMiBps=16)
            assert message == f"Stream warm under account {ACCOUNT} not ACTIVE, instead in state UPDATING"
            slow.clock.advance(milliseconds=1000 * seconds - 1)
            assert stands()[0] == "UPDATING"
            slow.clock.advance(milliseconds=1)
            assert stands() == ("ACTIVE", throughput, mibps)
    finally:
        slow.server.stop()
