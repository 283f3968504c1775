"""Queues: as much of SQS as a destination for failures and its consumer need."""

import hashlib

import pytest

from harness import ACCOUNT, REGION, eventually, unique

BODY = "something to grind"


@pytest.fixture
def url(sqs):
    return sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]


def receive(sqs, url, **arguments):
    answer = sqs.receive_message(QueueUrl=url, **{"WaitTimeSeconds": 0, **arguments})
    return answer.get("Messages", [])


def received(sqs, url, **arguments):
    return eventually(lambda: receive(sqs, url, **arguments), "a message is received")


def attributes(sqs, url, *names):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names) or ["All"])["Attributes"]


def test_a_queue_is_found_by_its_name(mill, sqs):
    name = unique("queue")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    assert url == f"{mill.server.url}/{ACCOUNT}/{name}"
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url


def test_a_queue_that_is_not_there_is_told_in_the_words_of_the_service(sqs, url):
    absent = url + "-absent"
    for call, arguments in [
        (sqs.get_queue_url, {"QueueName": unique("nowhere")}),
        (sqs.send_message, {"QueueUrl": absent, "MessageBody": BODY}),
        (sqs.receive_message, {"QueueUrl": absent}),
        (sqs.delete_message, {"QueueUrl": absent, "ReceiptHandle": "x"}),
        (sqs.get_queue_attributes, {"QueueUrl": absent}),
        (sqs.purge_queue, {"QueueUrl": absent}),
        (sqs.delete_queue, {"QueueUrl": absent}),
    ]:
        with pytest.raises(sqs.exceptions.QueueDoesNotExist) as caught:
            call(**arguments)
        error = caught.value.response["Error"]
        assert error["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
        assert "does not exist" in error["Message"]


def test_queues_are_listed_by_the_beginning_of_their_names(sqs):
    prefix = unique("listed")
    urls = [sqs.create_queue(QueueName=f"{prefix}-{n}")["QueueUrl"] for n in range(3)]
    assert sqs.list_queues(QueueNamePrefix=prefix)["QueueUrls"] == urls
    assert set(urls) <= set(sqs.list_queues()["QueueUrls"])
    first = sqs.list_queues(QueueNamePrefix=prefix, MaxResults=2)
    assert first["QueueUrls"] == urls[:2]
    rest = sqs.list_queues(QueueNamePrefix=prefix, MaxResults=2, NextToken=first["NextToken"])
    assert rest["QueueUrls"] == urls[2:]
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=unique("nothing"))


def test_a_queue_may_be_created_again_only_as_it_is(sqs):
    name = unique("queue")
    settings = {"VisibilityTimeout": "7"}
    url = sqs.create_queue(QueueName=name, Attributes=settings)["QueueUrl"]
    assert sqs.create_queue(QueueName=name, Attributes=settings)["QueueUrl"] == url
    with pytest.raises(sqs.exceptions.QueueNameExists):
        sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "8"})


def test_a_queue_tells_its_attributes(sqs):
    name = unique("queue")
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "7"})["QueueUrl"]
    found = attributes(sqs, url)
    assert found["QueueArn"] == f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    assert found["VisibilityTimeout"] == "7"
    assert found["ApproximateNumberOfMessages"] == "0"
    assert found["MessageRetentionPeriod"] == "345600"
    assert int(found["CreatedTimestamp"]) > 1_700_000_000
    assert attributes(sqs, url, "QueueArn") == {"QueueArn": found["QueueArn"]}


def test_a_name_has_few_kinds_of_letters(sqs):
    for name in ["with space", "a" * 81]:
        with pytest.raises(sqs.exceptions.ClientError) as caught:
            sqs.create_queue(QueueName=name)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_an_attribute_that_there_is_not_is_refused(sqs, url):
    for call in [
        lambda: sqs.create_queue(QueueName=unique("queue"), Attributes={"Colour": "blue"}),
        lambda: attributes(sqs, url, "Colour"),
    ]:
        with pytest.raises(sqs.exceptions.InvalidAttributeName):
            call()


def test_a_message_is_sent_received_and_deleted(sqs, url):
    digest = hashlib.md5(BODY.encode()).hexdigest()
    sent = sqs.send_message(QueueUrl=url, MessageBody=BODY)
    assert sent["MD5OfMessageBody"] == digest
    (message,) = received(sqs, url, AttributeNames=["All"])
    assert message["MessageId"] == sent["MessageId"]
    assert message["Body"] == BODY and message["MD5OfBody"] == digest
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert int(message["Attributes"]["SentTimestamp"]) > 1_700_000_000_000
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert receive(sqs, url) == []
    assert attributes(sqs, url)["ApproximateNumberOfMessages"] == "0"


def test_a_message_that_is_not_deleted_comes_back(sqs, url):
    sqs.send_message(QueueUrl=url, MessageBody=BODY)
    (first,) = received(sqs, url, VisibilityTimeout=1)
    assert receive(sqs, url) == [], "it is with its consumer"
    assert attributes(sqs, url)["ApproximateNumberOfMessagesNotVisible"] == "1"
    (second,) = received(sqs, url, MessageSystemAttributeNames=["ApproximateReceiveCount"])
    assert second["MessageId"] == first["MessageId"]
    assert second["Attributes"] == {"ApproximateReceiveCount": "2"}
    assert second["ReceiptHandle"] != first["ReceiptHandle"]


def test_a_visibility_of_zero_leaves_the_message_for_others(sqs, url):
    sqs.send_message(QueueUrl=url, MessageBody=BODY)
    assert received(sqs, url, VisibilityTimeout=0) and received(sqs, url, VisibilityTimeout=0)


def test_ten_messages_at_most_come_at_once(sqs, url):
    for n in range(12):
        sqs.send_message(QueueUrl=url, MessageBody=str(n))
    assert len(received(sqs, url)) == 1
    bodies = []

    def all_of_them():
        messages = receive(sqs, url, MaxNumberOfMessages=10)
        assert len(messages) <= 10
        bodies.extend(message["Body"] for message in messages)
        return len(bodies) == 11

    eventually(all_of_them, "the other messages are received")
    assert len(set(bodies)) == 11
    for count in [0, 11]:
        with pytest.raises(sqs.exceptions.ClientError) as caught:
            sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=count)
        assert "MaxNumberOfMessages" in caught.value.response["Error"]["Message"]


def test_a_consumer_may_wait_for_a_message(mill, sqs, url):
    from concurrent.futures import ThreadPoolExecutor

    waiting = mill.server.client("sqs")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(receive, waiting, url, WaitTimeSeconds=20)
        sqs.send_message(QueueUrl=url, MessageBody=BODY)
        (message,) = answer.result(timeout=20)
    assert message["Body"] == BODY


def test_a_message_may_carry_attributes(sqs, url):
    given = {
        "colour": {"DataType": "String", "StringValue": "blue"},
        "count": {"DataType": "Number", "StringValue": "7"},
    }
    sqs.send_message(QueueUrl=url, MessageBody=BODY, MessageAttributes=given)
    (message,) = received(sqs, url, MessageAttributeNames=["All"])
    assert message["MessageAttributes"] == given


def test_a_message_may_be_sent_for_later(sqs, url):
    sqs.send_message(QueueUrl=url, MessageBody=BODY, DelaySeconds=1)
    assert receive(sqs, url) == []
    assert attributes(sqs, url)["ApproximateNumberOfMessagesDelayed"] == "1"
    assert received(sqs, url)[0]["Body"] == BODY


def test_a_message_has_an_end_and_a_body(sqs, url):
    for body in ["", "x" * (1_048_576 + 1)]:
        with pytest.raises(sqs.exceptions.ClientError) as caught:
            sqs.send_message(QueueUrl=url, MessageBody=body)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    sqs.send_message(QueueUrl=url, MessageBody="x" * 262_144)


def test_a_receipt_that_was_never_given_is_refused(sqs, url):
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.delete_message(QueueUrl=url, ReceiptHandle="nonsense")


def test_a_message_is_deleted_once_and_asking_again_does_no_harm(sqs, url):
    sqs.send_message(QueueUrl=url, MessageBody=BODY)
    (message,) = received(sqs, url)
    for _ in range(2):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def test_a_purged_queue_is_empty(sqs, url):
    for n in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(n))
    received(sqs, url, VisibilityTimeout=0)
    sqs.purge_queue(QueueUrl=url)
    eventually(lambda: attributes(sqs, url)["ApproximateNumberOfMessages"] == "0", "the queue is empty")
    assert receive(sqs, url) == []


def test_a_deleted_queue_is_gone(sqs, url):
    sqs.send_message(QueueUrl=url, MessageBody=BODY)
    sqs.delete_queue(QueueUrl=url)
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.receive_message(QueueUrl=url)
    assert url not in sqs.list_queues().get("QueueUrls", [])


def test_two_consumers_do_not_get_the_same_message(mill, sqs, url):
    from concurrent.futures import ThreadPoolExecutor

    for n in range(60):
        sqs.send_message(QueueUrl=url, MessageBody=str(n))

    def consume(_):
        client = mill.server.client("sqs")
        bodies = []
        while messages := receive(client, url, MaxNumberOfMessages=10):
            bodies += [message["Body"] for message in messages]
        return bodies

    with ThreadPoolExecutor(4) as pool:
        bodies = [body for some in pool.map(consume, range(4)) for body in some]
    assert sorted(bodies, key=int) == [str(n) for n in range(60)]


def test_queues_belong_to_their_account(mill, sqs):
    name = unique("queue")
    sqs.create_queue(QueueName=name)
    elsewhere = mill.server.client("sqs", access_key="123412341234")
    with pytest.raises(elsewhere.exceptions.QueueDoesNotExist):
        elsewhere.get_queue_url(QueueName=name)
    assert "/123412341234/" in elsewhere.create_queue(QueueName=name)["QueueUrl"]
