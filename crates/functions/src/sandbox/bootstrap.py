"""Runs a Python function: asks the Runtime API for work, calls the handler, posts what it returns.

Standard library only. The answer to one piece of work and the call for the next travel in one write, so
that an invocation costs one round trip. When the server is gone, so is this process.
"""

import decimal
import importlib
import json
import logging
import os
import socket
import sys
import time

PREFIX = "/2018-06-01/runtime/"


class Gone(Exception):
    """The server has closed the connection."""


class Answer:
    __slots__ = ("status", "headers", "body")

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body


class RuntimeApi:
    """One connection, kept alive; requests may be sent before earlier answers are read."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""
        self._host = address
        self._next = self._head("GET", "invocation/next") + b"\r\n"

    def _head(self, method, path):
        return f"{method} {PREFIX}{path} HTTP/1.1\r\nHost: {self._host}\r\n".encode()

    def _post(self, path, body, headers=""):
        head = self._head("POST", path)
        return head + f"Content-Type: application/json\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def send(self, message):
        try:
            self._socket.sendall(message)
        except OSError:
            raise Gone from None

    def _receive(self):
        # Small, so that the buffer comes from the heap and not from a mapping of its own.
        try:
            received = self._socket.recv(16384)
        except OSError:
            raise Gone from None
        if not received:
            raise Gone
        return received

    def _receive_rest(self, begun, length):
        whole = bytearray(length)
        count = len(begun)
        whole[:count] = begun
        with memoryview(whole) as view:
            while count < length:
                try:
                    received = self._socket.recv_into(view[count:])
                except OSError:
                    raise Gone from None
                if not received:
                    raise Gone
                count += received
        return whole

    def read(self):
        """The next answer, in the order of the requests."""
        unread = self._unread
        end = unread.find(b"\r\n\r\n")
        while end < 0:
            unread += self._receive()
            end = unread.find(b"\r\n\r\n")
        lines = unread[:end].decode("utf-8", "replace").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        body = unread[end + 4:]
        if len(body) < length:
            body, self._unread = self._receive_rest(body, length), b""
        else:
            body, self._unread = body[:length], body[length:]
        return Answer(int(lines[0].split(" ", 2)[1]), headers, body)

    def ask(self):
        self.send(self._next)

    def respond(self, request_id, body):
        self.send(self._post(f"invocation/{request_id}/response", body) + self._next)

    def fail(self, request_id, report, kind):
        header = f"Lambda-Runtime-Function-Error-Type: {kind}\r\n"
        self.send(self._post(f"invocation/{request_id}/error", report, header) + self._next)

    def fail_init(self, report, kind):
        self.send(self._post("init/error", report, f"Lambda-Runtime-Function-Error-Type: {kind}\r\n"))


class Fault(Exception):
    """A failure that the runtime itself names."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = kind
        self.trace = list(trace)


class CognitoIdentity:
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self):
        self.cognito_identity_id = None
        self.cognito_identity_pool_id = None


class Client:
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")

    def __init__(self, facts):
        for name in self.__slots__:
            setattr(self, name, facts.get(name))


class ClientContext:
    __slots__ = ("custom", "env", "client")

    def __init__(self, facts):
        self.custom = facts.get("custom")
        self.env = facts.get("env")
        self.client = Client(facts["client"]) if isinstance(facts.get("client"), dict) else None


class Context:
    """What a handler is told about its invocation."""

    function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
    function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
    memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
    log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")

    def __init__(self, headers):
        self.aws_request_id = headers.get("lambda-runtime-aws-request-id")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.identity = CognitoIdentity()
        self.client_context = None
        self.tenant_id = None
        facts = headers.get("lambda-runtime-client-context")
        if facts:
            facts = json.loads(facts)
            self.client_context = ClientContext(facts) if isinstance(facts, dict) else None
        self._deadline_ms = int(headers.get("lambda-runtime-deadline-ms", "0"))

    def get_remaining_time_in_millis(self):
        return max(self._deadline_ms - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        names = ("aws_request_id", "function_name", "function_version", "invoked_function_arn")
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"LambdaContext([{shown}])"


class RequestIdFilter(logging.Filter):
    request_id = ""

    def filter(self, record):
        record.aws_request_id = RequestIdFilter.request_id
        return True


def set_up_logging():
    """The root logger as functions expect it: one handler, with the request id in each line."""
    handler = logging.StreamHandler(sys.stdout)
    layout = logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    layout.converter = time.gmtime
    handler.setFormatter(layout)
    handler.addFilter(RequestIdFilter())
    logging.root.addHandler(handler)


def find_handler(name):
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        message = f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)"
        raise Fault("Runtime.MalformedHandlerName", message)
    module_path = module_name.replace("/", ".")
    if module_path.split(".")[0] in sys.builtin_module_names:
        message = f"Cannot use built-in module {module_name} as a handler module"
        raise Fault("Runtime.BuiltInModuleConflict", message)
    try:
        module = importlib.import_module(module_path)
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from None
    except SyntaxError as error:
        place = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        message = f"Syntax error in module '{module_name}': {error}"
        raise Fault("Runtime.UserCodeSyntaxError", message, [place]) from None
    try:
        return getattr(module, function_name)
    except AttributeError:
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        raise Fault("Runtime.HandlerNotFound", message) from None


def report_of(error, request_id):
    """The report of an exception, and the type that the Runtime API is told."""
    if isinstance(error, Fault):
        kind, trace, told = error.kind, error.trace, error.kind
    else:
        import traceback

        frames = traceback.extract_tb(error.__traceback__)
        own = [index for index, frame in enumerate(frames) if frame.filename == __file__]
        frames = frames[own[-1] + 1:] if own else frames
        while frames and frames[0].filename.startswith("<frozen importlib"):
            frames = frames[1:]
        trace = traceback.format_list([(f.filename, f.lineno, f.name, f.line) for f in frames])
        kind, told = type(error).__name__, "Function.Unknown"
    report = {"errorMessage": str(error), "errorType": kind, "requestId": request_id, "stackTrace": trace}
    return report, told


def write_report(report):
    """One event in the function's log, whose lines are kept together by carriage returns."""
    lines = [f"[ERROR] {report['errorType']}: {report['errorMessage']}", "Traceback (most recent call last):"]
    for element in report["stackTrace"]:
        for line in element.splitlines():
            bare = line.lstrip(" ")
            lines.append("\u00a0" * (len(line) - len(bare)) + bare)
    sys.stdout.write("\r".join(lines) + "\n")


def encode_other(value):
    if isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def to_json(value):
    try:
        return json.dumps(value, default=encode_other, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        # A lone surrogate has no UTF-8 form, but it has an escape.
        return json.dumps(value, default=encode_other).encode()


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass


def run(api, handler):
    api.ask()
    answers_before = 0
    while True:
        for _ in range(answers_before):
            api.read()
        work = api.read()
        if work.status != 200:
            raise Gone
        answers_before = 1
        request_id = work.headers.get("lambda-runtime-aws-request-id", "")
        RequestIdFilter.request_id = request_id
        os.environ["_X_AMZN_TRACE_ID"] = work.headers.get("lambda-runtime-trace-id", "")
        try:
            result = handler(json.loads(work.body), Context(work.headers))
            try:
                body = to_json(result)
            except Exception as error:
                raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None
        except Exception as error:
            report, told = report_of(error, request_id)
            write_report(report)
            flush()
            api.fail(request_id, to_json(report), told)
        else:
            flush()
            api.respond(request_id, body)


def main():
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.stderr.reconfigure(line_buffering=True, errors="backslashreplace")
    root = os.environ["LAMBDA_TASK_ROOT"]
    runtime = os.path.dirname(os.path.abspath(__file__))
    # The code comes first, our own directory last.
    sys.path[:] = [root] + [path for path in sys.path if path not in (root, runtime)] + [runtime]
    set_up_logging()
    api = RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        try:
            handler = find_handler(os.environ["_HANDLER"])
        except Exception as error:
            report, told = report_of(error, "")
            write_report(report)
            flush()
            api.fail_init(to_json(report), told)
            api.read()
            return 1
        run(api, handler)
    except Gone:
        # Threads of the function must not keep a process alive that nobody talks to.
        flush()
        os._exit(0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
