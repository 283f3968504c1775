"""Tags and policies of streams and consumers, by their ARN."""

import json

import pytest

from harness import ACCOUNT, eventually, refused, stream_arn, unique

NOT_FOUND = "ResourceNotFoundException"
INVALID = "InvalidArgumentException"
OUR_TEXT = "the text of the message is ours: AWS's is not known"
NOT_ENFORCED = "a policy is kept and given back; nothing is allowed or refused by it"
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": ["kinesis:PutRecord", "kinesis:PutRecords"],
                "Resource": "*",
            }
        ],
    }
)


@pytest.fixture(params=["stream", "consumer"])
def arn(request, mill, kinesis):
    """The ARN of a new stream, or of a new consumer of one."""
    stream = stream_arn(mill.stream())
    if request.param == "stream":
        return stream
    consumer = kinesis.register_stream_consumer(StreamARN=stream, ConsumerName="board")["Consumer"]["ConsumerARN"]
    eventually(
        lambda: kinesis.describe_stream_consumer(ConsumerARN=consumer)["ConsumerDescription"]["ConsumerStatus"]
        == "ACTIVE",
        "the consumer is active",
    )
    return consumer


def absent():
    stream = stream_arn(unique("nowhere"))
    return [stream, f"{stream}/consumer/nobody:1", f"arn:aws:kinesis:us-east-1:{ACCOUNT}:queue/none"]


def tags(kinesis, arn):
    return {tag["Key"]: tag["Value"] for tag in kinesis.list_tags_for_resource(ResourceARN=arn)["Tags"]}


@pytest.mark.parity("TagResource", "UntagResource", "ListTagsForResource", grade="exact", source="model")
def test_a_resource_is_tagged_and_untagged(kinesis, arn):
    assert tags(kinesis, arn) == {}
    kinesis.tag_resource(ResourceARN=arn, Tags={"b": "1", "team:a": "2"})
    kinesis.tag_resource(ResourceARN=arn, Tags={"b": "3", "c": ""})
    assert tags(kinesis, arn) == {"b": "3", "c": "", "team:a": "2"}
    kinesis.untag_resource(ResourceARN=arn, TagKeys=["b", "unknown"])
    assert tags(kinesis, arn) == {"c": "", "team:a": "2"}


@pytest.mark.parity("TagResource", grade="exact", source="model")
def test_the_tags_of_a_stream_are_the_same_by_its_name(mill, kinesis):
    name = mill.stream()
    kinesis.tag_resource(ResourceARN=stream_arn(name), Tags={"a": "1"})
    assert kinesis.list_tags_for_stream(StreamName=name)["Tags"] == [{"Key": "a", "Value": "1"}]
    kinesis.add_tags_to_stream(StreamName=name, Tags={"b": "2"})
    assert tags(kinesis, stream_arn(name)) == {"a": "1", "b": "2"}


@pytest.mark.parity("RegisterStreamConsumer", "ListTagsForResource", grade="exact", source="model")
def test_a_consumer_is_registered_with_tags(mill, kinesis):
    stream = stream_arn(mill.stream())
    answer = kinesis.register_stream_consumer(StreamARN=stream, ConsumerName="board", Tags={"a": "1"})
    assert tags(kinesis, answer["Consumer"]["ConsumerARN"]) == {"a": "1"}
    assert tags(kinesis, stream) == {}


@pytest.mark.parity("TagResource", grade="approximate", source="model", note=OUR_TEXT)
def test_a_resource_has_fifty_tags_at_most(kinesis, arn):
    kinesis.tag_resource(ResourceARN=arn, Tags={f"tag{n}": "" for n in range(50)})
    refused(kinesis.tag_resource, INVALID, ResourceARN=arn, Tags={"one-more": ""})
    kinesis.tag_resource(ResourceARN=arn, Tags={"tag7": "changed"})
    assert len(tags(kinesis, arn)) == 50


@pytest.mark.parity("TagResource", grade="approximate", source="model", note=OUR_TEXT)
def test_a_tag_of_a_resource_has_legal_letters(kinesis, arn):
    refused(kinesis.tag_resource, INVALID, ResourceARN=arn, Tags={"a": "semi;colon"})
    refused(kinesis.tag_resource, "ValidationException", ResourceARN=arn, Tags={"k" * 129: ""})
    assert tags(kinesis, arn) == {}


@pytest.mark.parity("GetResourcePolicy", grade="exact", source="observed")
def test_a_resource_without_a_policy_has_an_empty_one(kinesis, arn):
    assert kinesis.get_resource_policy(ResourceARN=arn)["Policy"] == "{}"


@pytest.mark.parity(
    "PutResourcePolicy", "GetResourcePolicy", "DeleteResourcePolicy", grade="approximate", source="model", note=NOT_ENFORCED
)
def test_a_policy_is_attached_replaced_and_removed(kinesis, arn):
    kinesis.put_resource_policy(ResourceARN=arn, Policy=POLICY)
    assert kinesis.get_resource_policy(ResourceARN=arn)["Policy"] == POLICY
    other = POLICY.replace("Allow", "Deny")
    kinesis.put_resource_policy(ResourceARN=arn, Policy=other)
    assert kinesis.get_resource_policy(ResourceARN=arn)["Policy"] == other
    kinesis.delete_resource_policy(ResourceARN=arn)
    assert kinesis.get_resource_policy(ResourceARN=arn)["Policy"] == "{}"


@pytest.mark.parity("DeleteResourcePolicy", grade="exact", source="observed")
def test_a_policy_that_is_not_there_is_not_removed(kinesis, arn):
    refused(kinesis.delete_resource_policy, NOT_FOUND, ResourceARN=arn)


@pytest.mark.parity("PutResourcePolicy", grade="approximate", source="inferred", note=OUR_TEXT)
@pytest.mark.parametrize("policy", ["", "nonsense", "[]", "{}", '{"Statement":[{"Effect":"Perhaps"}]}'])
def test_what_is_no_policy_is_refused(mill, kinesis, policy):
    refused(kinesis.put_resource_policy, INVALID, ResourceARN=stream_arn(mill.stream()), Policy=policy)


@pytest.mark.parity(
    "TagResource",
    "UntagResource",
    "ListTagsForResource",
    "PutResourcePolicy",
    "GetResourcePolicy",
    "DeleteResourcePolicy",
    grade="exact",
    source="model",
)
def test_what_is_not_there_is_not_found(kinesis):
    for arn in absent():
        refused(kinesis.tag_resource, NOT_FOUND, ResourceARN=arn, Tags={"a": ""})
        refused(kinesis.untag_resource, NOT_FOUND, ResourceARN=arn, TagKeys=["a"])
        refused(kinesis.list_tags_for_resource, NOT_FOUND, ResourceARN=arn)
        refused(kinesis.put_resource_policy, NOT_FOUND, ResourceARN=arn, Policy=POLICY)
        refused(kinesis.get_resource_policy, NOT_FOUND, ResourceARN=arn)
        refused(kinesis.delete_resource_policy, NOT_FOUND, ResourceARN=arn)


@pytest.mark.parity("TagResource", "GetResourcePolicy", grade="exact", source="model")
def test_the_resource_of_another_account_is_denied(mill, arn):
    other = mill.server.client("kinesis", access_key="161616161616")
    refused(other.tag_resource, "AccessDeniedException", ResourceARN=arn, Tags={"a": ""})
    refused(other.get_resource_policy, "AccessDeniedException", ResourceARN=arn)


def test_tags_and_policies_survive_the_end_of_the_server(durable):
    arn = stream_arn(durable.stream())
    durable.kinesis.tag_resource(ResourceARN=arn, Tags={"a": "1"})
    durable.kinesis.put_resource_policy(ResourceARN=arn, Policy=POLICY)
    durable.server.restart()
    assert tags(durable.kinesis, arn) == {"a": "1"}
    assert durable.kinesis.get_resource_policy(ResourceARN=arn)["Policy"] == POLICY
