"""Capacity: the modes of a stream, and the metrics of single shards switched on and off."""

import pytest

from harness import refused, stream_arn, unique

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
