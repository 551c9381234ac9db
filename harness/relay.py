"""A network that loses, doubles, swaps, delays and cuts datagrams by a plan.

Nothing is left to chance or to the time: a plan names datagrams by their
number, from 1, in the order in which they were sent.

    drop 1,4        lost
    double 2        comes twice
    swap 5,6        the other way round: 5 is kept until 6 has come
    delay 3:2       comes after the second one after it
    cut 7:5         only its first 5 bytes

A datagram that a plan does not name comes as it was sent.
"""

import re

_WORDS = re.compile(r"(drop|double|swap|delay|cut) (\d+(?:[,:]\d+)*)")


def parse(plan: str) -> dict[int, tuple]:
    """Return what happens to which datagram: number to (word, argument).

    Raises:
        ValueError: it is no plan.
    """
    found: dict[int, tuple] = {}
    for part in filter(None, (part.strip() for part in plan.split(";"))):
        match = _WORDS.fullmatch(part)
        if not match:
            raise ValueError(f"no plan: {part}")
        word, rest = match.groups()
        if word in ("cut", "delay"):
            number, size = map(int, rest.split(":"))
            found[number] = (word, size)
            continue
        numbers = [int(number) for number in rest.split(",")]
        if word == "swap":
            first, second = numbers
            if second != first + 1:
                raise ValueError(f"only neighbours are swapped: {part}")
            found[first] = ("delay", 1)
            continue
        for number in numbers:
            found[number] = (word, None)
    return found


class Relay:
    """One direction of such a network.

    Args:
        plan: what happens to which datagram.
    """

    def __init__(self, plan: str = ""):
        self._plan = parse(plan)
        self._kept: list[tuple[int, bytes]] = []  # the number after which it comes
        self.count = 0

    def carry(self, data: bytes) -> list[bytes]:
        """Take the next datagram; return what arrives now, in order."""
        self.count += 1
        word, size = self._plan.get(self.count, ("", None))
        if word == "delay":
            arrive = []
            self._kept.append((self.count + size, data))
        else:
            whole = data[:size] if word == "cut" else data
            arrive = [whole] * {"drop": 0, "double": 2}.get(word, 1)
        due = [kept for number, kept in self._kept if number <= self.count]
        self._kept = [entry for entry in self._kept if entry[0] > self.count]
        return arrive + due

    def flush(self) -> list[bytes]:
        """Return what is still kept."""
        kept, self._kept = self._kept, []
        return [data for _number, data in kept]
