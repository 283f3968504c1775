"""Minutes that flights made good in the air, summed over one batch."""

import base64
import json


def handler(event, context):
    gained = 0
    for record in event["Records"]:
        flight = json.loads(base64.b64decode(record["kinesis"]["data"]))
        gained += flight["dep_delay"] - flight["arr_delay"]
    return {"flights": len(event["Records"]), "minutes_gained": gained}
