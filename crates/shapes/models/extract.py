"""Takes the facts that code generation needs out of an unpacked botocore wheel.

Usage: python3 extract.py DIRECTORY_OF_BOTOCORE_DATA

Names, types, required members, bounds, patterns, enum values, errors and HTTP bindings are kept; prose
is not. For operations that are not listed in SERVICES only the name and the HTTP binding are kept, so that
they can be refused by name.
"""

import gzip
import json
import pathlib
import sys

SERVICES = {
    "kinesis": (
        "kinesis/2013-12-02",
        "EnableEnhancedMonitoring DisableEnhancedMonitoring UpdateStreamMode UpdateStreamWarmThroughput"
        " CreateStream DeleteStream DescribeStream DescribeStreamSummary ListStreams ListShards PutRecord"
        " PutRecords GetShardIterator GetRecords SplitShard MergeShards IncreaseStreamRetentionPeriod"
        " DecreaseStreamRetentionPeriod AddTagsToStream RemoveTagsFromStream ListTagsForStream"
        " RegisterStreamConsumer DeregisterStreamConsumer DescribeStreamConsumer ListStreamConsumers"
        " UpdateShardCount UpdateMaxRecordSize DescribeLimits DescribeAccountSettings UpdateAccountSettings"
        " PutResourcePolicy GetResourcePolicy DeleteResourcePolicy TagResource UntagResource ListTagsForResource"
        " StartStreamEncryption StopStreamEncryption UpdateStreamRecordDistributionStrategy SubscribeToShard",
    ),
    "lambda": (
        "lambda/2015-03-31",
        "CreateFunction GetFunction GetFunctionConfiguration ListFunctions UpdateFunctionCode"
        " UpdateFunctionConfiguration DeleteFunction Invoke CreateEventSourceMapping"
        " GetEventSourceMapping ListEventSourceMappings UpdateEventSourceMapping DeleteEventSourceMapping",
    ),
    "sqs": (
        "sqs/2012-11-05",
        "CreateQueue GetQueueUrl ListQueues SendMessage ReceiveMessage DeleteMessage GetQueueAttributes"
        " PurgeQueue DeleteQueue",
    ),
}
# A refusal lists the values of an enumeration, and the service not in the order of its model. Observed by the tests of
# https://github.com/mhart/kinesalite.
ORDER_OF_VALUES = {
    "ShardIteratorType": [
        "AFTER_SEQUENCE_NUMBER",
        "LATEST",
        "AT_TIMESTAMP",
        "AT_SEQUENCE_NUMBER",
        "TRIM_HORIZON",
    ],
}
SHAPE_KEYS = ("type", "required", "min", "max", "pattern", "enum", "exception", "fault", "error", "payload", "sensitive", "eventstream")
MEMBER_KEYS = ("shape", "location", "locationName")


def facts_of_shape(name, shape):
    facts = {key: shape[key] for key in SHAPE_KEYS if key in shape}
    if name in ORDER_OF_VALUES:
        assert sorted(facts["enum"]) == sorted(ORDER_OF_VALUES[name]), name
        facts["enum"] = ORDER_OF_VALUES[name]
    for key in ("member", "key", "value"):
        if key in shape:
            facts[key] = shape[key]["shape"]
    if "members" in shape:
        facts["members"] = {
            name: {key: member[key] for key in MEMBER_KEYS if key in member}
            for name, member in shape["members"].items()
        }
    return facts


def reach(shapes, name, found):
    if name in found:
        return
    found[name] = facts_of_shape(name, shapes[name])
    shape = shapes[name]
    for key in ("member", "key", "value"):
        if key in shape:
            reach(shapes, shape[key]["shape"], found)
    for member in shape.get("members", {}).values():
        reach(shapes, member["shape"], found)


def main(data):
    here = pathlib.Path(__file__).parent
    for service, (folder, supported) in SERVICES.items():
        with gzip.open(pathlib.Path(data) / folder / "service-2.json.gz") as file:
            model = json.load(file)
        supported, shapes, operations = supported.split(), {}, {}
        for name, operation in sorted(model["operations"].items()):
            facts = {"http": operation["http"], "supported": name in supported}
            if facts["supported"]:
                for side in ("input", "output"):
                    if side in operation:
                        facts[side] = operation[side]["shape"]
                        reach(model["shapes"], facts[side], shapes)
                facts["errors"] = [error["shape"] for error in operation.get("errors", [])]
                for error in facts["errors"]:
                    reach(model["shapes"], error, shapes)
            operations[name] = facts
        kept = {
            "metadata": {key: model["metadata"][key] for key in ("apiVersion", "protocol", "targetPrefix") if key in model["metadata"]},
            "operations": operations,
            "shapes": dict(sorted(shapes.items())),
        }
        (here / f"{service}.json").write_text(json.dumps(kept, indent=1, sort_keys=False) + "\n")


main(sys.argv[1])
