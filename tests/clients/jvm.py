"""Java programs, compiled from tests/java and run with the jars of the AWS SDK and of KCL.

The jars are those in PyPI's kclpy-ext. A machine without a Java compiler skips these tests and says so.
"""

import importlib.util
import queue
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from harness import ROOT, eventually

SOURCES = ROOT / "tests" / "java"


def jars():
    """The folder of the jars."""
    package = importlib.util.find_spec("amazon_kclpy")
    assert package, "kclpy-ext is missing: it is in tests/requirements.txt"
    return Path(package.origin).parent / "jars"


def compiled(folder):
    """Compiles the programs into `folder`; gives the class path to run them with."""
    if shutil.which("javac") is None or shutil.which("java") is None:
        pytest.skip("javac is missing: install a JDK, 17 or later")
    class_path = f"{jars()}/*"
    sources = sorted(str(source) for source in SOURCES.glob("*.java"))
    done = subprocess.run(
        ["javac", "-d", str(folder), "-cp", class_path, *sources], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return f"{folder}:{class_path}"


def run(class_path, program, *arguments, settings=()):
    """Runs a program to its end, which must be a good one."""
    words = command(class_path, program, *arguments, settings=settings)
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{done.stdout[-2000:]} {done.stderr[-4000:]}"


def command(class_path, program, *arguments, settings=()):
    own = ["-XX:TieredStopAtLevel=1", "-Xmx512m", f"-Dlogback.configurationFile={SOURCES / 'logback.xml'}"]
    return ["java", *own, *settings, "-cp", class_path, program, *arguments]


class Program:
    """A Java program that runs beside the test; `lines` is what it has said so far."""

    def __init__(self, folder, class_path, name, *arguments):
        self.lines = []
        self.diagnostics = Path(folder) / "diagnostics.txt"
        self.errors = open(self.diagnostics, "ab")
        self.process = subprocess.Popen(
            command(class_path, name, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        self._ended = queue.Queue()
        threading.Thread(target=self._pump, daemon=True).start()

    def _pump(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
        self._ended.put(True)

    def kill(self):
        """Ends it as a power cut does."""
        self._close(self.process.kill)

    def stop(self):
        """Asks it to end by closing its input."""
        self._close(self.process.stdin.close)

    def _close(self, how):
        how()
        try:
            self.process.wait(timeout=60)
        finally:
            self.process.kill()
            self.process.wait()
            self.errors.close()
        self._ended.get(timeout=10)

    def said(self):
        """The end of its diagnostics, for the message of a test that fails."""
        return self.diagnostics.read_text(errors="replace")[-4000:]
