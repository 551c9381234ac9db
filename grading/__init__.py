"""Grading a whole class: one submission in, one result file out, no server.

    plan SUBMISSIONS RUN [LAB...]   take the files in, write RUN/manifest.jsonl
    work RUN [I/N] [-j J]           grade what has no valid result yet
    status RUN                      how many are graded
    missing RUN                     the ids of the others
    collect RUN                     RUN/grades.csv, RUN/reports/, and a table
    grade SUBMISSIONS RUN [LAB...]  plan, work and collect; STUDENT and CHECK: again
    example DIR                     makes the example class; see sample.py
    demo                            grades it

There are no locks and no claims.  A result is valid if its key is the one in
the manifest, so each of these may be stopped, killed and said again: what is
graded stays.  Two workers on one submission cost time and write the same file.

    RUN/manifest.jsonl      one line for each submission; see manifest.py
    RUN/machine.json        level and abilities, for all alike; see ground.py
    RUN/intake/ID/NN-name/  copies of the files that count
    RUN/results/ID.json     a grade: the harness's document, see results.py
    RUN/results/ID.error    the grader broke twice; the next work tries again
    RUN/build/              compiled programs; may be deleted at any time
    RUN/reports/ID.txt      what a student would read, made by collect
"""
