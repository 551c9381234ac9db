"""``make rubric``: every check with its points, printed from the checks."""

from .. import labs, plugin
from . import say, variable


def main(argv: list[str]) -> int:
    """Print the rubric of the labs named, or of all."""
    found = [labs.find(name) for name in argv or variable("LABS").split() or labs.all_names()]
    checks = plugin.collect(found)
    for lab in found:
        mine = checks.get(lab.name, [])
        say(f"{lab.name}: {lab.title}")
        for program in dict.fromkeys(one.program for one in mine):
            rows = [one for one in mine if one.program == program]
            total = sum(one.points for one in rows if not one.challenge)
            say(f"\n  {program}  {total}")
            width = max(len(one.name) for one in rows)
            for one in rows:
                kind = "challenge" if one.challenge else one.kind
                say(f"    {one.points}  {kind:<9}  {one.name:<{width}}  {one.title}")
        kinds = {
            kind: sum(one.points for one in mine if one.kind == kind and not one.challenge)
            for kind in dict.fromkeys(one.kind for one in mine)
        }
        total = sum(kinds.values())
        extra = sum(one.points for one in mine if one.challenge)
        shares = ", ".join(f"{kind} {points}" for kind, points in kinds.items())
        say(f"\n  total {total} ({shares})" + (f", challenge {extra}" if extra else "") + "\n")
    return 0
