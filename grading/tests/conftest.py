"""The example class, graded once for all tests, with two accidents on the way."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from grading import sample
from grading.tests.helper import Class, accident, inodes, verb


@pytest.fixture(scope="session", autouse=True)
def temporary():
    """A short place for temporary files: a killed ``work`` leaves some."""
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = where = tempfile.mkdtemp(prefix="slt-")
    os.chmod(where, 0o711)  # as /tmp, other users get through
    yield
    shutil.rmtree(where)
    del os.environ["TMPDIR"]
    if before is not None:
        os.environ["TMPDIR"] = before


@pytest.fixture(scope="session")
def build(tmp_path_factory) -> Path:
    """A folder for what all the tests compile."""
    return tmp_path_factory.mktemp("build")


@pytest.fixture(scope="session")
def graded(tmp_path_factory, build) -> Class:
    """The example class, graded: one work killed, one stopped, one shard, the rest."""
    top = tmp_path_factory.mktemp("class")
    made = Class(top / "submissions", top / "run", build)
    sample.make(made.submissions)
    verb(build, "plan", made.submissions, made.run, sample.LAB)
    _status, _stderr, made.ended = accident(made, signal.SIGKILL)
    made.kept = inodes(made.run)
    made.stopped = accident(made, signal.SIGTERM)[:2]
    made.shard = verb(build, "work", made.run, "1/2")
    made.missing = verb(build, "missing", made.run).stdout.split()
    made.finished = verb(build, "grade", made.submissions, made.run, sample.LAB)
    return made
