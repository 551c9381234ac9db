"""What strikes from outside: a full disk, a clock that goes back, ctrl-C."""

import os
import re
import signal
import subprocess
import sys

import pytest

from grading import gradebook, manifest, results
from grading.tests.helper import command, environment, small, verb
from grading.tests.test_archives import tarred
from harness import labs

# Grades on a disk of 100 MB that is filled up but for $1, then makes room.
FULL = """
set -eu
mkdir -p "$RUN" && mount -t tmpfs -o size=100m tmpfs "$RUN"
"$@" || exit 90
first=$(cat "$RUN/results/anna.json")
head -c "$FILL" /dev/zero >"$RUN/filler" || true
cp -r "$MORE" "$SUBMISSIONS/ben"
status=0; "$@" 2>"$SAID" || status=$?
echo "status $status" >>"$SAID"
[ "$first" = "$(cat "$RUN/results/anna.json")" ] || exit 91
rm "$RUN/filler"
"$@" || exit 92
[ "$first" = "$(cat "$RUN/results/anna.json")" ] || exit 93
cat "$RUN/grades.csv" >"$BOOK"
"""


@pytest.mark.parametrize(
    "fill, words",
    [
        (70 << 20, "There is too little space left in {run}: free 64 MB"),
        (200 << 20, "No space left on device. Make room; what was graded stays"),
    ],
)
def test_full_disk(build, tmp_path, fill, words):
    """One sentence; what was graded stays; when there is room, the same command does the rest."""
    within = ["unshare", "-m" if os.getuid() == 0 else "-Urm"]
    if subprocess.run([*within, "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounts are refused here")
    small(tmp_path / "class", "anna")
    run, said, book = tmp_path / "run", tmp_path / "said", tmp_path / "book"
    env = environment(
        build,
        RUN=str(run),
        FILL=str(fill),
        MORE=str(small(tmp_path, "more")),
        SUBMISSIONS=str(tmp_path / "class"),
        SAID=str(said),
        BOOK=str(book),
        ALLOW_WEAK="1",
    )
    script = [*within, "sh", "-c", FULL, "sh", *command("grade", tmp_path / "class", run, "03")]
    done = subprocess.run(
        script, cwd=labs.ROOT, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    text = said.read_text(encoding="utf-8") if said.exists() else ""
    assert done.returncode == 0, done.stdout + done.stderr + text
    assert words.format(run=run) in text
    assert text.endswith("status 2\n") and "Traceback" not in text
    assert [line.split(",")[:2] for line in book.read_text().splitlines()[1:]] == [
        ["anna", "8"],
        ["ben", "8"],
    ]


def test_no_room_to_unpack(tmp_path):
    """A class's archive is not said to be damaged when there is no room to unpack it."""
    archive = tmp_path / "class.tgz"
    archive.write_bytes(tarred({"anna/bindto.c": os.urandom(1 << 19)}))
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, 1 << 18)); "
        "from grading.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    args = [sys.executable, "-c", script, "plan", str(archive), str(tmp_path / "run"), "03"]
    done = subprocess.run(args, cwd=labs.ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "File too large. Make room; what was graded stays" in done.stderr
    assert done.stderr.count("\n") == 1


BACK = r"""
/* back.c - a clock that goes back a day whenever somebody looks at it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <sys/time.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static time_t now = 2000000000;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	if (id == CLOCK_REALTIME) {
		ts->tv_sec = now -= 86400;
		ts->tv_nsec = 0;
		return 0;
	}
	return (int)syscall(SYS_clock_gettime, id, ts);
}

time_t
time(time_t *t)
{
	now -= 86400;
	if (t != NULL)
		*t = now;
	return now;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	(void)tz;
	tv->tv_sec = time(NULL);
	tv->tv_usec = 0;
	return 0;
}
"""


def test_clock_that_goes_back(build, tmp_path, monkeypatch):
    """Neither a grade nor what is graded again depends on the time of day."""
    (tmp_path / "back.c").write_text(BACK)
    library = tmp_path / "back.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "back.c")], check=True
    )
    # the harness's environment is built from nothing: its python is this one
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\nLD_PRELOAD={library} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    script = (
        f"import sys, time; assert time.time() > time.time(); sys.executable = {str(python)!r}; "
        "from grading.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    folder = small(tmp_path / "class", "anna")
    run = tmp_path / "run"
    env = environment(build, ALLOW_WEAK="1")

    def grade() -> str:
        done = subprocess.run(
            [str(python), "-c", script, "grade", str(folder.parent), str(run), "03"],
            cwd=labs.ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "1/1  anna  8/100" in grade()
    for path in [*folder.iterdir(), *run.rglob("*")]:
        os.utime(path, (0, 4_000_000_000))
    assert "1/1" not in grade()


# A compiler that does not come to an end with one submission, until it is ended.
_HANGS = """#!/bin/sh
case "$*" in
*./*.c*) grep -q HANGS ./*.c && exec sleep 600 ;;
esac
exec cc "$@"
"""


def test_control_c(build, tmp_path):
    """One sentence, exit status 130, nothing is lost, and the same command does the rest."""
    for name in ("anna", "ben", "carl"):
        small(tmp_path / "class", name)
    with open(tmp_path / "class" / "ben" / "bindto.c", "a", encoding="utf-8") as source:
        source.write("/* HANGS */\n")
    compiler = tmp_path / "bin" / "cc"
    compiler.parent.mkdir()
    compiler.write_text(_HANGS)
    compiler.chmod(0o755)
    run = tmp_path / "run"
    grade = subprocess.Popen(
        command("grade", tmp_path / "class", run, "03", "-j", "1"),
        cwd=labs.ROOT,
        env=environment(build, ALLOW_WEAK="1", CC=str(compiler)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # who runs the tests in the background may ignore it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with grade:
        while not grade.stdout.readline().startswith("1/3"):
            assert grade.poll() is None
        os.killpg(grade.pid, signal.SIGINT)
        _out, err = grade.communicate()
    assert grade.returncode == 130
    assert err == "\nStopped. What was graded stays; the same command does the rest.\n"
    entries = manifest.read(run)
    kept = [one["id"] for one in entries if results.grade(run, one)]
    assert kept == ["anna"]
    done = verb(build, "grade", tmp_path / "class", run, "03", ALLOW_WEAK="1")
    assert done.returncode == 0
    graded = re.findall(r"^\d/\d  (\w+)", done.stdout, re.M)
    assert sorted([*kept, *graded]) == ["anna", "ben", "carl"]
    assert gradebook.path(run).read_text().count(",graded,") == 3
