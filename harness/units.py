"""Calling a student's functions: one file, with a driver of the harness's.

A check with ``build="check+bo"`` gets, instead of its program, ``bo.c``
compiled with ``drivers/bo.c`` of the lab's folder.  The driver reads one
command per line, calls one function for it, and prints one line.  It knows no
right answer: those are compared here, in another process.  So a file that
takes the driver over wins nothing: to answer well it must compute well.

A file with a ``main`` can be called too: while it is compiled, ``main`` has
another name (``-Dmain=program_main``; the driver undoes that for itself).
"""

from . import diagnosis
from .failure import Failure


def unfit(kind: str, text: str) -> dict:
    """Return the verdict on a file that can't be linked with its driver.

    Args:
        kind: how it was built, such as "check+bo".
        text: what the compiler said.
    """
    source = f"{kind.partition('+')[2]}.c"
    lines = [line for line in text.splitlines() if "undefined" in line or "error" in line]
    why = "a function that the checker calls is missing, static, or declared otherwise than given"
    return {
        "outcome": "failed",
        "expected": f"{source} with all its functions, as the handout declares them",
        "got": (lines or text.splitlines() or ["no program"])[0][:300],
        "why": why,
    }


def ask(program, source: str, commands: list[str], calls: list[str] | None = None) -> list[str]:
    """Have a driver call the student's functions; return its answers.

    Args:
        program: what the check got.
        source: the student's file, in the words of a report.
        commands: one line for each call.
        calls: the same calls as a C programmer would write them.

    Raises:
        Failure: the driver did not come to its end, for a function crashed,
            ended the program, or never returned.
    """
    calls = calls or commands
    program.name = source
    tape = program.stage.tape
    since = len(tape.steps)
    process = program.start(stdin=True)
    try:
        process.write("".join(f"{one}\n" for one in commands).encode("ascii"))
        process.close_stdin()
        process.expect_exit(0)
    except Failure as failure:
        process.service()
        done = process.stdout.count(b"\n")
        call = calls[min(done, len(calls) - 1)]
        got = process.how_it_ended() or failure.got
        why = process.why_it_ended() or failure.why
        tape.fold(since, "call", f"the functions of {source}, {len(calls)} times", "")
        raise Failure(f"that {call} returns", got, why) from None
    tape.fold(since, "call", f"the functions of {source}, {len(calls)} times", "all returned")
    answers = process.stdout.decode("ascii", "replace").splitlines()
    if len(answers) < len(commands):
        call = calls[len(answers)]
        got = process.how_it_ended()
        raise Failure(f"that {call} returns", got, "a function ends the program: it shall return")
    if len(answers) > len(commands):
        got = f"{len(answers)} lines: {diagnosis.show(process.stdout)}"
        why = f"{source} prints something itself: its functions only compute"
        raise Failure(f"{len(commands)} answers", got, why)
    return answers
