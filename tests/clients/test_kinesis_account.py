"""What an account may have, and what it commits to."""

import datetime

import pytest

from harness import eventually, refused



def commitment(answer):
    return answer["MinimumThroughputBillingCommitment"]


@pytest.mark.parity("DescribeLimits", grade="exact", source="model")
def test_limits_are_described_with_what_counts_against_them(limited):
    kinesis = limited.server.client("kinesis", access_key="121212121212", region="eu-central-1")
    kinesis.create_stream(StreamName="a", ShardCount=3)
    kinesis.create_stream(StreamName="b", ShardCount=2)
    kinesis.create_stream(StreamName="c", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    answer = kinesis.describe_limits()
    assert answer["ShardLimit"] == 6000 and answer["OpenShardCount"] == 5
    assert answer["OnDemandStreamCountLimit"] == 50 and answer["OnDemandStreamCount"] == 1


@pytest.mark.parity(
    "DescribeLimits", grade="approximate", source="documented", note="the text of the message is ours: AWS's is not known"
)
def test_limits_are_described_once_a_second(limited):
    kinesis = limited.server.client("kinesis", access_key="131313131313")

    def throttled():
        kinesis.describe_limits()
        try:
            kinesis.describe_limits()
        except kinesis.exceptions.LimitExceededException as error:
            return error.response["Error"]["Message"].startswith("Rate exceeded for ")
        return False

    def patient():
        try:
            return throttled()
        except kinesis.exceptions.LimitExceededException:
            return False

    eventually(patient, "the second of two calls in a row is refused")


@pytest.mark.parity("DescribeAccountSettings", "UpdateAccountSettings", grade="exact", source="model")
def test_a_commitment_is_made_and_lasts_a_day_at_least(mill):
    kinesis = mill.server.client("kinesis", access_key="141414141414")
    assert commitment(kinesis.describe_account_settings()) == {"Status": "DISABLED"}
    disabled = {"MinimumThroughputBillingCommitment": {"Status": "DISABLED"}}
    assert commitment(kinesis.update_account_settings(**disabled)) == {"Status": "DISABLED"}
    enabled = {"MinimumThroughputBillingCommitment": {"Status": "ENABLED"}}
    made = commitment(kinesis.update_account_settings(**enabled))
    assert set(made) == {"Status", "StartedAt", "EarliestAllowedEndAt"}
    assert made["Status"] == "ENABLED"
    assert made["EarliestAllowedEndAt"] - made["StartedAt"] == datetime.timedelta(days=1)
    assert commitment(kinesis.describe_account_settings()) == made
    ending = commitment(kinesis.update_account_settings(**disabled))
    assert ending == {**made, "Status": "ENABLED_UNTIL_EARLIEST_ALLOWED_END"}
    assert commitment(kinesis.update_account_settings(**enabled)) == made


@pytest.mark.parity("UpdateAccountSettings", grade="exact", source="model")
def test_a_commitment_is_enabled_or_disabled_and_nothing_else(mill):
    client = mill.server.client("kinesis", parameter_validation=False)
    message = refused(
        client.update_account_settings,
        "ValidationException",
        MinimumThroughputBillingCommitment={"Status": "ENABLED_UNTIL_EARLIEST_ALLOWED_END"},
    )
    assert "Member must satisfy enum value set: [" in message
    refused(client.update_account_settings, "ValidationException")


@pytest.mark.parity(
    "DescribeAccountSettings",
    grade="approximate",
    source="model",
    note="the text of the message is ours: AWS's is not known",
)
def test_account_settings_have_a_rate(limited):
    kinesis = limited.server.client("kinesis", access_key="151515151515")

    def throttled():
        try:
            kinesis.describe_account_settings()
        except kinesis.exceptions.LimitExceededException:
            return True
        return False

    eventually(throttled, "more than five calls in a second are refused")
