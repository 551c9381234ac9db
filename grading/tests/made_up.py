"""A manifest entry and a result, made up."""

ENTRY = {
    "id": "anna",
    "labs": ["03-stream-server"],
    "files": ["03-stream-server/incsrv.c"],
    "missing": {},
    "refused": {},
    "ignored": [],
    "pristine": [],
    "checks": "c",
    "contents": "f",
    "key": "k",
}


def document(**changes) -> dict:
    """Return a result with one check, changed."""
    check = {"program": "incsrv", "outcome": "failed", "got": "", "why": "", "steps": [], "max": 4}
    program = {"name": "incsrv", "points": 0, "max": 4, "build": {"ok": True, "text": ""}}
    lab = {"name": "03-stream-server", "points": 0, "max": 4, "challenge": {"points": 0, "max": 0}}
    lab |= {"programs": [program], "checks": [{**check, "challenge": False, **changes}]}
    top = {"schema": "socklab/result/1", "state": "complete", "level": "namespaces"}
    top |= {"machine": {"compiler": "cc 1", "system": "Linux 6", "lacks": {}}}
    return {**top, "labs": [lab]}
