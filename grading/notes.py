"""What stands out in a submission, in a few words for the gradebook.

Everything here comes from the manifest and from what the harness itself says in
its document: never from what a program has printed.
"""

import re

# A program's bytes are quoted where the harness shows them; see diagnosis.show.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')

# Of missing files, how many are named with what may be meant.
_HINTS = 2

# What the harness says it got, and what that is called here.
_GOT = (
    (r"was stopped by the sanitizer|was killed by SIG(SEGV|ABRT|BUS|FPE|ILL)\b", "crashes"),
    (r"^[a-z0-9]+ exited with status 0; its child (?!a zombie)", "left a process behind"),
    (r"keeps the CPU busy", "busy loop"),
    (r"MB on std(out|err)$", "prints without end"),
    (r"processes, and more all the time", "forks without end"),
    (r"has made itself unobservable", "hides from the checks"),
    (r"^[a-z0-9]+ asleep in (read|recv)", "waits for ever"),
)
# The same for its diagnosis.
_WHY = ((r"^the line is printed, but not flushed", "not flushed"),)


def notes(entry: dict, document: dict | None) -> list[str]:
    """Return what stands out, the most important first.

    Args:
        entry: the submission's entry in the manifest.
        document: its result, if it has one.
    """
    said = _files(entry)
    for lab in (document or {}).get("labs", []):
        said += _builds(entry, lab) + _failures(lab)
        said += _unavailable(lab)
    return said


def _files(entry: dict) -> list[str]:
    """Say which files are not there, and which are as they were handed out."""
    files, missing, refused = entry["files"], entry["missing"], entry["refused"]
    said = []
    if not files and not refused and entry["ignored"]:
        said.append("none of the files that were asked for; the report names what there is")
        said += _hints(missing)
    elif not files and not refused:
        said.append("nothing handed in")
    elif len(missing) == 1:
        said += missing.values()
    elif missing:
        said.append(f"{len(missing)} files missing")
        said += _hints(missing)
    said += refused.values()
    if entry["pristine"] and len(entry["pristine"]) == len(files):
        said.append("skeleton")
    elif entry["pristine"]:
        said.append(f"still skeleton: {_programs(entry['pristine'])}")
    return said


def _programs(names: list[str]) -> str:
    return " ".join(name.split("/")[-1].removesuffix(".c") for name in names)


def _hints(missing: dict[str, str]) -> list[str]:
    """Say of files that are missing which may be meant; where many are, of the first few."""
    said = [text for text in missing.values() if ";" in text]
    if len(said) > _HINTS:
        said[_HINTS:] = [f"and {len(said) - _HINTS} more like these, in the report"]
    return said


def _builds(entry: dict, lab: dict) -> list[str]:
    """Say what does not compile, though all its files are there."""
    absent = [name.split("/")[-1] for name in (*entry["missing"], *entry["refused"])]
    broken = [
        row["name"]
        for row in lab["programs"]
        if not row["build"]["ok"]
        and row["build"]["text"]
        and not any(row["build"]["text"].startswith(f"{name} is missing") for name in absent)
    ]
    return [f"does not compile: {' '.join(broken)}"] if broken else []


def _failures(lab: dict) -> list[str]:
    """Name the conspicuous ways in which programs failed, with the programs."""
    seen: dict[str, dict[str, None]] = {}
    for one in lab["checks"]:
        if one["outcome"] != "failed":
            continue
        ends = [step["saw"] for step in one["steps"] if step["verb"] == "wait"]
        got = [_QUOTED.sub('""', text) for text in (one["got"], *ends)]
        words = [word for pattern, word in _GOT if any(re.search(pattern, text) for text in got)]
        words += [word for pattern, word in _WHY if re.search(pattern, one["why"])]
        for word in words:
            seen.setdefault(word, {})[one["program"]] = None
    order = [word for _pattern, word in (*_GOT, *_WHY)]
    return [f"{word}: {' '.join(seen[word])}" for word in order if word in seen]


def _unavailable(lab: dict) -> list[str]:
    """Say what this machine could not check."""
    left_out = [
        one for one in lab["checks"] if one["outcome"] == "unavailable" and not one["challenge"]
    ]
    if not left_out:
        return []
    reasons = "; ".join(dict.fromkeys(one["why"] for one in left_out))
    return [f"{sum(one['max'] for one in left_out)} points not checked here: {reasons}"]
