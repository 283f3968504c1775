"""Invocations: synchronous, asynchronous, dry; exception, timeout and crash; warm environments."""

import base64
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import REPORT, eventually, function_arn, refused, unique, zip_of

ECHO = "def handle(event, context):\n    return event\n"


def error_of(mill, name, payload=None):
    answer, body = mill.invoke(name, payload)
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled", body
    return answer["ResponseMetadata"]["RequestId"], body


def test_an_answer_comes_back(mill):
    name = mill.function(ECHO)
    payload = {"text": "grüezi", "list": [1, 2.5, None, True]}
    answer, body = mill.invoke(name, payload)
    assert body == payload
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer


def test_no_payload_is_an_empty_object_and_no_answer_is_null(mill, functions):
    assert mill.invoke(mill.function(ECHO))[1] == {}
    name = mill.function("def handle(event, context):\n    pass\n")
    assert functions.invoke(FunctionName=name)["Payload"].read() == b"null"


def test_the_context_tells_the_function_of_itself(mill):
    name = mill.function(
        """
import os
def handle(event, context):
    return {
        "id": context.aws_request_id, "name": context.function_name, "version": context.function_version,
        "arn": context.invoked_function_arn, "memory": context.memory_limit_in_mb,
        "left": context.get_remaining_time_in_millis(), "group": context.log_group_name,
        "environment": {key: os.environ.get(key) for key in (
            "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "AWS_REGION", "_HANDLER", "AWS_LAMBDA_INITIALIZATION_TYPE")},
    }
""",
        MemorySize=256,
        Timeout=10,
    )
    answer, body = mill.invoke(name)
    assert body["id"] == answer["ResponseMetadata"]["RequestId"]
    assert body["name"] == name and body["version"] == "$LATEST"
    assert body["arn"] == function_arn(name)
    assert str(body["memory"]) == "256"
    assert 0 < body["left"] <= 10_000
    assert body["group"] == f"/aws/lambda/{name}"
    assert body["environment"] == {
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_REGION": "us-east-1",
        "_HANDLER": "handler.handle",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    }


def test_the_end_of_the_log_comes_with_the_answer_when_asked_for(mill):
    name = mill.function("def handle(event, context):\n    print('grinding', event['n'])\n")
    answer, _ = mill.invoke(name, {"n": 7}, LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode()
    id_ = answer["ResponseMetadata"]["RequestId"]
    assert f"START RequestId: {id_} Version: $LATEST\n" in log
    assert "grinding 7\n" in log
    assert f"END RequestId: {id_}\n" in log
    assert f"REPORT RequestId: {id_}\tDuration: " in log
    assert "\tMemory Size: 128 MB\t" in log
    assert "LogResult" not in mill.invoke(name, {"n": 8})[0]


def test_an_exception_is_an_answer(mill):
    name = mill.function("def handle(event, context):\n    raise ValueError('no arrival delay')\n")
    id_, body = error_of(mill, name)
    assert body["errorType"] == "ValueError"
    assert body["errorMessage"] == "no arrival delay"
    assert body["requestId"] == id_
    assert any("raise ValueError" in line for line in body["stackTrace"])
    assert all("handler.py" in line for line in body["stackTrace"])


@pytest.mark.parametrize(
    "code, handler, kind",
    [
        (ECHO, "handler.absent", "Runtime.HandlerNotFound"),
        (ECHO, "absent.handle", "Runtime.ImportModuleError"),
        ("import no_such_module\n" + ECHO, "handler.handle", "Runtime.ImportModuleError"),
        ("def handle(event, context)\n", "handler.handle", "Runtime.UserCodeSyntaxError"),
    ],
)
def test_code_that_cannot_be_loaded_is_an_answer_too(mill, code, handler, kind):
    name = mill.function(code, handler=handler)
    for _ in range(2):
        _, body = error_of(mill, name)
        assert body["errorType"] == kind
        assert body["requestId"] == ""
        assert body["errorMessage"]


def test_a_function_that_takes_too_long_is_stopped(mill):
    name = mill.function("import time\ndef handle(event, context):\n    time.sleep(event['seconds'])\n", Timeout=1)
    id_, body = error_of(mill, name, {"seconds": 30})
    assert body == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {id_} Error: Task timed out after 1.00 seconds",
    }
    assert "FunctionError" not in mill.invoke(name, {"seconds": 0})[0], "the next one runs again"


@pytest.mark.parametrize(
    "crash, reason",
    [
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os._exit(1)", "Runtime exited with error: exit status 1"),
        ("os._exit(17)", "Runtime exited with error: exit status 17"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
    ],
)
def test_a_function_that_crashes_has_an_outcome(mill, crash, reason):
    name = mill.function(f"import os\ndef handle(event, context):\n    if event: {crash}\n    return 'alive'\n")
    id_, body = error_of(mill, name, {"crash": True})
    assert body == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {id_} Error: {reason}"}
    assert mill.invoke(name, {})[1] == "alive", "the next one runs again"


def test_an_environment_is_used_again_and_made_anew_after_a_crash(mill):
    name = mill.function(
        "import os\ncount = 0\ndef handle(event, context):\n    global count\n    count += 1\n"
        "    if event.get('crash'): os._exit(1)\n    return count\n"
    )
    assert [mill.invoke(name, {})[1] for _ in range(3)] == [1, 2, 3]
    error_of(mill, name, {"crash": True})
    assert mill.invoke(name, {})[1] == 1


def test_an_exception_does_not_cost_the_environment(mill):
    name = mill.function(
        "count = 0\ndef handle(event, context):\n    global count\n    count += 1\n"
        "    if event.get('fail'): raise Exception('x')\n    return count\n"
    )
    assert mill.invoke(name, {})[1] == 1
    error_of(mill, name, {"fail": True})
    assert mill.invoke(name, {})[1] == 3


def test_invocations_at_the_same_time_do_not_share_an_environment(mill):
    name = mill.function(
        "import time\nbusy = False\ndef handle(event, context):\n    global busy\n    shared, busy = busy, True\n"
        "    time.sleep(0.2)\n    busy = False\n    return [event['n'], shared]\n",
        Timeout=30,
    )
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: mill.invoke(name, {"n": n})[1], range(12)))
    assert answers == [[n, False] for n in range(12)]


def test_an_asynchronous_invocation_is_accepted_and_then_runs(mill, functions, collector):
    name = mill.function(
        REPORT + "def handle(event, context):\n    report([event, context.aws_request_id])\n",
        environment={"COLLECTOR": collector.url},
        Timeout=20,
    )
    answer = functions.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"n": 1}')
    assert answer["StatusCode"] == 202 and answer["Payload"].read() == b""
    eventually(lambda: collector.received, "the function has run")
    assert collector.received == [[{"n": 1}, answer["ResponseMetadata"]["RequestId"]]]


def test_a_dry_run_runs_nothing(mill, functions, collector):
    name = mill.function(
        REPORT + "def handle(event, context):\n    report(event)\n", environment={"COLLECTOR": collector.url}
    )
    answer = functions.invoke(FunctionName=name, InvocationType="DryRun", Payload=b'{"dry": true}')
    assert answer["StatusCode"] == 204 and answer["Payload"].read() == b""
    mill.invoke(name, {"dry": False})
    assert collector.received == [{"dry": False}]
    refused(functions.invoke, "ResourceNotFoundException", FunctionName=unique("no"), InvocationType="DryRun")


@pytest.mark.parametrize("kind", ["RequestResponse", "Event"])
def test_a_payload_that_is_no_json_is_refused(mill, functions, kind):
    name = mill.function(ECHO)
    message = refused(
        functions.invoke, "InvalidRequestContentException", FunctionName=name, InvocationType=kind, Payload=b"{no"
    )
    assert message.startswith("Could not parse request body into json: Could not parse payload into json: ")


def test_a_payload_has_six_megabytes(mill, functions):
    name = mill.function("def handle(event, context):\n    return len(event)\n", Timeout=30)
    fits = b'"' + b"x" * (6_291_456 - 2) + b'"'
    assert json.loads(functions.invoke(FunctionName=name, Payload=fits)["Payload"].read()) == 6_291_454
    message = refused(
        functions.invoke,
        ("RequestEntityTooLargeException", "RequestTooLargeException"),
        FunctionName=name,
        Payload=fits + b" ",
    )
    assert message == "Request must be smaller than 6291456 bytes for the InvokeFunction operation"


def test_an_asynchronous_payload_has_one_megabyte(mill, functions):
    name = mill.function(ECHO)
    payload = b'"' + b"x" * 1_048_575 + b'"'
    message = refused(
        functions.invoke,
        ("RequestEntityTooLargeException", "RequestTooLargeException"),
        FunctionName=name,
        InvocationType="Event",
        Payload=payload,
    )
    assert message == "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)"


def test_an_answer_has_six_megabytes(mill):
    name = mill.function("def handle(event, context):\n    return 'x' * event['n']\n", Timeout=30)
    _, body = error_of(mill, name, {"n": 6_291_556})
    assert body["errorType"] == "Function.ResponseSizeTooLarge"
    assert body["errorMessage"] == (
        "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
    )
    assert len(mill.invoke(name, {"n": 6_000_000})[1]) == 6_000_000


def test_an_answer_that_is_no_json_is_a_failure(mill):
    name = mill.function("def handle(event, context):\n    return {1, 2}\n")
    _, body = error_of(mill, name)
    assert body["errorType"] == "Runtime.MarshalError"


def test_a_qualifier_names_the_version(mill, functions):
    name = mill.function(ECHO)
    assert mill.invoke(name, 1, Qualifier="$LATEST")[1] == 1
    assert mill.invoke(f"{name}:$LATEST", 2)[1] == 2
    message = refused(
        functions.invoke, "ResourceNotFoundException", FunctionName=name, Qualifier="7", Payload=b"{}"
    )
    assert message == f"Function not found: {function_arn(name)}:7"


BOOTSTRAP = f"""#!{sys.executable}
import json, os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(api + "next") as answer:
        id_, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], json.load(answer)
    assert answer.headers["Lambda-Runtime-Deadline-Ms"] and answer.headers["Lambda-Runtime-Invoked-Function-Arn"]
    if event == "error":
        path, body = "/error", {{"errorMessage": "as asked", "errorType": "Own.Error"}}
    else:
        path, body = "/response", {{"handler": os.environ["_HANDLER"], "event": event}}
    urllib.request.urlopen(urllib.request.Request(api + id_ + path, json.dumps(body).encode(), method="POST")).read()
"""


@pytest.mark.parametrize("runtime", ["provided.al2023", "provided.al2"])
def test_a_bootstrap_of_ones_own_speaks_the_runtime_api(mill, runtime):
    code = {"ZipFile": zip_of({"bootstrap": BOOTSTRAP})}
    name = mill.function("", handler="any.thing", Runtime=runtime, Code=code)
    assert mill.invoke(name, [1])[1] == {"handler": "any.thing", "event": [1]}
    _, body = error_of(mill, name, "error")
    assert body == {"errorMessage": "as asked", "errorType": "Own.Error"}
    assert mill.invoke(name, [2])[1]["event"] == [2]


def test_a_bootstrap_that_is_none_is_an_answer(mill):
    code = {"ZipFile": zip_of({"other": "x"})}
    name = mill.function("", Runtime="provided.al2023", Code=code, Timeout=5)
    _, body = error_of(mill, name)
    assert body["errorType"] == "Runtime.InvalidEntrypoint"


@pytest.mark.parametrize("version", ["python3.9", "python3.10", "python3.11", "python3.13", "python3.14"])
def test_every_supported_python_runs_on_the_machines_own(mill, version):
    assert mill.invoke(mill.function(ECHO, Runtime=version), 1)[1] == 1


def test_files_beside_the_handler_can_be_imported_and_read(mill):
    code = zip_of({
        "app/main.py": "import json, os\nfrom app.rate import RATE\n"
        "def handle(event, context):\n    with open('data.json') as file:\n        return json.load(file) * RATE\n",
        "app/__init__.py": "",
        "app/rate.py": "RATE = 3\n",
        "data.json": "14",
    })
    for handler in ["app.main.handle", "app/main.handle"]:
        name = mill.function("", handler=handler, Code={"ZipFile": code})
        assert mill.invoke(name)[1] == 42
