"""What a written plan does to the datagrams of one direction."""

import pytest

from harness.relay import Relay, parse


@pytest.mark.parametrize(
    ("plan", "arrive"),
    [
        ("", ["1", "2", "3", "4"]),
        ("drop 1,4", ["", "2", "3", ""]),
        ("double 2; drop 3", ["1", "22", "", "4"]),
        ("swap 2,3", ["1", "", "32", "4"]),
        ("delay 1:2", ["", "2", "31", "4"]),
        ("delay 1:1; drop 2", ["", "1", "3", "4"]),
        ("delay 1:2; delay 2:1", ["", "", "312", "4"]),
        ("cut 3:0", ["1", "2", "", "4"]),
    ],
)
def test_plan(plan, arrive):
    """Each datagram arrives as often, and when, as the plan says."""
    relay = Relay(plan)
    got = [b"".join(relay.carry(b"%d" % number)).decode() for number in range(1, 5)]
    assert got == arrive
    assert relay.count == 4


def test_cut_and_flush():
    """A cut datagram is shorter, and even an empty one arrives; what waits can be had."""
    relay = Relay("cut 1:2; cut 2:0; delay 3:9")
    assert relay.carry(b"abcd") == [b"ab"]
    assert relay.carry(b"abcd") == [b""]
    assert relay.carry(b"late") == []
    assert relay.flush() == [b"late"]
    assert relay.flush() == []


@pytest.mark.parametrize("plan", ["lose 1", "drop", "swap 1,3", "drop x"])
def test_no_plan(plan):
    """A slip in a plan is an error, and not an honest network."""
    with pytest.raises(ValueError):
        parse(plan)
