"""Functions: created, read, listed, changed, deleted, and what is refused."""

import base64
import hashlib
import re

import pytest

from harness import ACCOUNT, REGION, ROLE, eventually, function_arn, refused, unique, zip_of

HELLO = "def handle(event, context):\n    return 'hello'\n"
NOT_FOUND = "ResourceNotFoundException"
INVALID = "InvalidParameterValueException"
VALIDATION = "ValidationException"


def arguments(**changed):
    return {
        "FunctionName": unique("function"),
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "handler.handle",
        "Code": {"ZipFile": zip_of({"handler.py": HELLO})},
        **changed,
    }


def test_a_new_function_says_all_of_itself(mill, functions):
    code = zip_of({"handler.py": HELLO})
    name = unique("function")
    created = functions.create_function(
        **arguments(FunctionName=name, Code={"ZipFile": code}, Description="says hello")
    )
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    expected = {
        "FunctionName": name,
        "FunctionArn": function_arn(name),
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "handler.handle",
        "Description": "says hello",
        "Timeout": 3,
        "MemorySize": 128,
        "Version": "$LATEST",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "CodeSize": len(code),
        "CodeSha256": base64.b64encode(hashlib.sha256(code).digest()).decode(),
        "TracingConfig": {"Mode": "PassThrough"},
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }
    assert {key: created.get(key) for key in expected} == expected
    assert created["State"] in ("Pending", "Active")
    assert "Environment" not in created
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", created["LastModified"])
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", created["RevisionId"])
    mill.settled(name)
    found = functions.get_function_configuration(FunctionName=name)
    assert {key: found.get(key) for key in expected} == expected


def test_the_waiters_of_the_sdk_see_a_function_become_active(functions):
    name = functions.create_function(**arguments())["FunctionName"]
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    functions.update_function_configuration(FunctionName=name, Timeout=5)
    functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def test_a_function_is_found_with_its_code(mill, functions):
    name = mill.function(HELLO, Tags={"team": "mill"})
    found = functions.get_function(FunctionName=name)
    assert found["Configuration"]["FunctionArn"] == function_arn(name)
    assert found["Code"]["RepositoryType"] == "S3"
    assert found["Code"]["Location"].startswith("http")
    assert found["Tags"] == {"team": "mill"}


@pytest.mark.parametrize(
    "spelling",
    ["{name}", "{account}:function:{name}", "arn:aws:lambda:{region}:{account}:function:{name}"],
)
def test_a_function_goes_by_its_name_and_by_its_arn(mill, functions, spelling):
    name = mill.function(HELLO)
    spelled = spelling.format(name=name, account=ACCOUNT, region=REGION)
    assert functions.get_function_configuration(FunctionName=spelled)["FunctionName"] == name
    assert mill.invoke(spelled)[1] == "hello"


@pytest.mark.parametrize(
    "call, more",
    [
        ("get_function", {}),
        ("get_function_configuration", {}),
        ("update_function_code", {"ZipFile": zip_of({"handler.py": HELLO})}),
        ("update_function_configuration", {"Timeout": 5}),
        ("delete_function", {}),
        ("invoke", {}),
    ],
)
def test_a_function_that_is_not_there_is_not_found(functions, call, more):
    name = unique("nowhere")
    message = refused(getattr(functions, call), NOT_FOUND, FunctionName=name, **more)
    assert message == f"Function not found: {function_arn(name)}"


def test_a_name_is_taken_once(mill, functions):
    name = mill.function(HELLO)
    message = refused(functions.create_function, "ResourceConflictException", **arguments(FunctionName=name))
    assert message == f"Function already exist: {name}"


def test_functions_are_listed_in_pages(mill):
    functions = mill.server.client("lambda", access_key="777788889999")
    role = "arn:aws:iam::777788889999:role/tests"
    names = {functions.create_function(**arguments(Role=role))["FunctionName"] for _ in range(3)}
    listed = functions.list_functions()["Functions"]
    assert {each["FunctionName"] for each in listed} == names
    assert all("State" not in each for each in listed)
    first = functions.list_functions(MaxItems=2)
    assert len(first["Functions"]) == 2
    rest = functions.list_functions(Marker=first["NextMarker"])
    assert len(rest["Functions"]) == 1 and "NextMarker" not in rest
    pages = functions.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1})
    assert {each["FunctionName"] for page in pages for each in page["Functions"]} == names


def test_new_code_is_run_from_the_next_invocation_on(mill, functions):
    name = mill.function(HELLO)
    before = functions.get_function_configuration(FunctionName=name)
    assert mill.invoke(name)[1] == "hello"
    code = zip_of({"handler.py": "def handle(event, context):\n    return 'good evening'\n"})
    updated = functions.update_function_code(FunctionName=name, ZipFile=code)
    assert updated["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
    mill.settled(name)
    assert functions.get_function_configuration(FunctionName=name)["RevisionId"] != before["RevisionId"]
    assert mill.invoke(name)[1] == "good evening"


def test_a_dry_run_of_new_code_changes_nothing(mill, functions):
    name = mill.function(HELLO)
    code = zip_of({"handler.py": "def handle(event, context):\n    return 'no'\n"})
    functions.update_function_code(FunctionName=name, ZipFile=code, DryRun=True)
    assert mill.invoke(name)[1] == "hello"


def test_a_change_may_insist_on_the_revision_it_was_made_for(mill, functions):
    name = mill.function(HELLO)
    stale = "00000000-0000-4000-8000-000000000000"
    expected = (
        "The Revision Id provided does not match the latest Revision Id. "
        "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
    )
    code = zip_of({"handler.py": HELLO})
    for call, more in [
        (functions.update_function_code, {"ZipFile": code}),
        (functions.update_function_configuration, {"Timeout": 5}),
    ]:
        message = refused(call, "PreconditionFailedException", FunctionName=name, RevisionId=stale, **more)
        assert message == expected
    current = functions.get_function_configuration(FunctionName=name)["RevisionId"]
    functions.update_function_configuration(FunctionName=name, RevisionId=current, Timeout=5)


def test_settings_change_and_others_stay(mill, functions):
    name = mill.function("import os\ndef handle(event, context):\n    return os.environ.get('COLOUR')\n", Timeout=7)
    assert mill.invoke(name)[1] is None
    functions.update_function_configuration(
        FunctionName=name, MemorySize=256, Environment={"Variables": {"COLOUR": "blue"}}, Description="new"
    )
    mill.settled(name)
    found = functions.get_function_configuration(FunctionName=name)
    assert (found["Timeout"], found["MemorySize"], found["Description"]) == (7, 256, "new")
    assert found["Environment"] == {"Variables": {"COLOUR": "blue"}}
    assert mill.invoke(name)[1] == "blue"


def test_an_empty_environment_is_not_an_absent_one(mill, functions):
    name = mill.function(HELLO, environment={})
    assert functions.get_function_configuration(FunctionName=name)["Environment"] == {"Variables": {}}


def test_a_deleted_function_is_gone_and_its_name_is_free(mill, functions):
    name = mill.function(HELLO)
    answer = functions.delete_function(FunctionName=name)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] in (200, 204)
    refused(functions.get_function, NOT_FOUND, FunctionName=name)
    refused(functions.invoke, NOT_FOUND, FunctionName=name)
    mill.function(HELLO.replace("hello", "again"), FunctionName=name)
    assert mill.invoke(name)[1] == "again"


@pytest.mark.parametrize("content", [b"not a zip", b"", zip_of({"handler.py": HELLO})[:-30]])
def test_a_broken_zip_is_refused(mill, functions, content):
    expected = "Could not unzip uploaded file. Please check your file, then try to upload again."
    if content:
        name = unique("function")
        message = refused(
            functions.create_function, INVALID, **arguments(FunctionName=name, Code={"ZipFile": content})
        )
        assert message == expected
        refused(functions.get_function, NOT_FOUND, FunctionName=name)
    else:
        refused(functions.create_function, (INVALID, VALIDATION), **arguments(Code={"ZipFile": content}))
    existing = mill.function(HELLO)
    refused(functions.update_function_code, (INVALID, VALIDATION), FunctionName=existing, ZipFile=content)
    assert mill.invoke(existing)[1] == "hello"


def test_a_path_that_leaves_the_folder_of_the_code_is_refused(functions, tmp_path):
    escaped = f"../../../../../../{tmp_path}/escaped.py"
    code = zip_of({"handler.py": HELLO, escaped: "x = 1\n"})
    refused(functions.create_function, INVALID, **arguments(Code={"ZipFile": code}))
    assert not (tmp_path / "escaped.py").exists()


def test_a_zip_function_needs_a_handler_and_a_runtime(functions):
    for missing in ["Handler", "Runtime"]:
        incomplete = arguments()
        del incomplete[missing]
        refused(functions.create_function, (INVALID, VALIDATION), **incomplete)


def test_a_function_needs_code(functions):
    refused(functions.create_function, (INVALID, VALIDATION), **arguments(Code={}))


def test_a_role_looks_like_one(functions):
    message = refused(functions.create_function, VALIDATION, **arguments(Role="r1"))
    assert message == (
        "1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy "
        r"regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
    )


def test_a_runtime_that_there_is_not_is_refused(functions):
    message = refused(functions.create_function, INVALID, **arguments(Runtime="cobol85"))
    assert message.startswith(
        "Value cobol85 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: ["
    )
    assert message.endswith("] or be a valid ARN")


@pytest.mark.parametrize(
    "unsupported", [{"Runtime": "nodejs22.x"}, {"Layers": [f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:l:1"]}]
)
def test_what_is_not_supported_yet_is_refused_by_name(functions, unsupported):
    message = refused(functions.create_function, (INVALID, VALIDATION), **arguments(**unsupported))
    (name, value), = unsupported.items()
    assert name.lower() in message.lower() or str(value) in message


@pytest.mark.parametrize("settings", [{"Timeout": 901}, {"Timeout": 0}, {"MemorySize": 127}])
def test_settings_have_bounds(mill, settings):
    client = mill.server.client("lambda", parameter_validation=False)
    refused(client.create_function, (INVALID, VALIDATION), **arguments(**settings))


def test_reserved_variables_are_not_for_the_user(functions):
    message = refused(
        functions.create_function, INVALID, **arguments(Environment={"Variables": {"AWS_REGION": "moon"}})
    )
    assert message == (
        "Lambda was unable to configure your environment variables because the environment variables you have "
        "provided contains reserved keys that are currently not supported for modification. "
        "Reserved keys used in this request: AWS_REGION"
    )


def test_variables_have_four_kilobytes(functions):
    message = refused(
        functions.create_function, INVALID, **arguments(Environment={"Variables": {"KEY": "x" * 5000}})
    )
    assert message.startswith(
        "Lambda was unable to configure your environment variables because the environment variables "
        "you have provided exceeded the 4KB limit. String measured: "
    )


def test_many_functions_are_created_at_once(mill, functions):
    from concurrent.futures import ThreadPoolExecutor

    name = unique("function")
    wanted = [arguments(FunctionName=name) for _ in range(8)]

    def create(each):
        try:
            functions.create_function(**each)
        except functions.exceptions.ResourceConflictException:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, wanted)) == 1
    mill.settled(name)
    assert eventually(lambda: mill.invoke(name)[1], "it answers") == "hello"
