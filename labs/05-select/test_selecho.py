"""Checks of selecho: any number of clients, one process, and nobody waits for anybody."""

import contextlib
import signal
import socket

from harness import Failure, blocked, check, diagnosis, fail, require
from harness.kernel import netns, proc, syscalls
from harness.kernel.syscalls import ACCEPT, MULTIPLEX, READ, SLEEP, TIMER, WRITE
from harness.made_up import letters
from harness.multiplex import at_rest, why_busy
from harness.peers import steal, writable

MIB = 1 << 20
ECHOES = ("test_echoes",)
SHARED = (*ECHOES, "test_silent_clients")
# A client whose kernel takes little: the server's send buffer is soon full.
LAZY = {"rcvbuf": 4096, "mss": 536}
STARVED = (
    "its clients wait while it waits in a call that serves only one: select or poll is the only "
    "call that may wait, and all other descriptors are O_NONBLOCK"
)


def ask(program, client, why=""):
    """Send something, and require the same back."""
    data = letters(program.stage, 12) + b"\n"
    client.send(data)
    try:
        client.expect(data, why)
    except Failure as failure:
        failure.why = why_unserved(program, failure) or failure.why or why
        raise


def why_unserved(program, failure):
    """Name the mistake of a program that goes round, or that sleeps where it should not."""
    return why_busy(failure, program.stage.processes[-1]) or why_unwatched(program)


def why_unwatched(program):
    """Name the mistake of a program that sleeps in the wrong call or watches too little."""
    process = program.stage.processes[-1]
    blocked = at_rest(process, MULTIPLEX | READ | WRITE)
    if blocked is not None and blocked.call in READ | WRITE:
        return (
            f"it waits in {blocked} for one client alone, and all others wait with it: only select "
            "or poll may wait; all descriptors are O_NONBLOCK, and whatever comes is taken as it is"
        )
    if blocked is None or blocked.call in syscalls.EPOLL:
        return ""
    sockets = set(proc.socket_inodes(process.pid))
    missing = sorted(sockets - blocked.reads - blocked.writes)
    if not missing:
        return ""
    if blocked.call in syscalls.SELECT and blocked.args[0] == missing[0] == max(sockets):
        return (
            f"the first argument of select is {blocked.args[0]}, and descriptor {missing[0]} is "
            "not watched: it is the highest descriptor plus one"
        )
    return (
        f"{', '.join(map(str, missing))} not watched: select changes its sets, so fill them "
        "again before each call; and its first argument is the highest descriptor plus one"
    )


def ask_quietly(program, clients, why, what):
    """Ask each client in turn; keep a single step if all goes well."""
    start = len(program.stage.tape.steps)
    for client in clients:
        ask(program, client, why)
    names = ", ".join(client.name.removeprefix("client ") for client in clients)
    program.stage.tape.fold(start, "serve", f"{what}: clients {names}", "each got its echo")


def serve_small(program):
    """Start the program; the send buffers of its connections take a few kilobytes.

    Where the listener can't be had, they are as small as the client makes them.
    """
    borrow = program.stage.can("pidfd_getfd")
    watch = () if borrow or not program.stage.can("notify") else ("socket",)
    server = program.serve(watch=watch)
    if borrow or watch:
        with server.borrow(server.listener_fd) as listener:  # connections inherit it
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        program.stage.tape.add("set", "small send buffers for its connections")
    return server


def number(server, client):
    """Return the server's descriptor of a client, -1 if it has none."""
    held = server.holders(client)
    return next((fds[0] for fds in held.values()), -1)


def watching(program, server, due="a server asleep in select or poll, watching the listener"):
    """Wait until the server sleeps and watches its listener; return what it waits for."""
    try:
        blocked = server.wait_asleep(MULTIPLEX, due, fd=server.listener_fd)
    except Failure as failure:
        failure.why = why_busy(failure, server) or failure.why or STARVED
        raise
    program.stage.tape.add(
        "look",
        f"at what {server.process.name} waits for",
        f"{blocked.call.replace('pselect6', 'select')}: "
        f"read {sorted(blocked.reads)}, write {sorted(blocked.writes)}",
    )
    return blocked


def no_writes(blocked):
    """Require a server that has nothing to send to wait for no room to send it."""
    require(
        not blocked.writes,
        "no descriptor watched for writing, for nothing is queued",
        f"{sorted(blocked.writes)}",
        "watched for writing though nothing is queued: a socket with room is always writable, so "
        "select would return at once, again and again",
    )


def no_timer(server, blocked):
    """Require a server that waits for ever when it has nothing to do."""
    due = "a server asleep without a time limit"
    why = "it wakes by a timer though nothing has happened: wait without a time limit"
    limit = server.time_limit(blocked)
    if limit is not None:
        fail(due, f"asleep in {blocked}, for {limit:g} s at most", why)
    timers = ", ".join(sorted(set(server.noted)))
    require(not timers, due, f"a call of {timers}", why)


@check(
    points=2,
    kind="contract",
    hints=(
        "A listening descriptor is readable when a client has come, a connected one when it sends.",
        "select(2): FD_ZERO, FD_SET for each descriptor, nfds is the highest plus one; then "
        "FD_ISSET.",
        "In selecho.c: set_nonblocking, wait_for_work, and work with what it calls.",
    ),
)
def test_echoes(program):
    """says LISTENING, and sends back what a client sends, as soon as it has come"""
    try:
        server = program.serve()
    except Failure as failure:
        failure.why = why_unserved(program, failure) or failure.why
        raise
    address, port = server.target
    server.expect_listening_line(f"LISTENING {address} {port}\n")
    client = server.connect()
    why = "what has come goes back at once: not when more comes, not when the client is done"
    for data in (b"a", b"bc\n", b"no newline", bytes(range(256)), letters(program.stage, 3000)):
        try:
            server.wait_quiet()
            client.send(data)
            client.expect(data, why)
        except Failure as failure:
            failure.why = why_unserved(program, failure) or failure.why
            raise


@check(
    points=3,
    kind="contract",
    after=ECHOES,
    hints=(
        "One process asks the kernel which of many descriptors is ready, and sleeps until one is.",
        "select(2) or poll(2) with the listener and all clients; fork(2) and threads are not it.",
        "In selecho.c: wait_for_work, which descriptors are in which set.",
    ),
)
def test_one_process(program):
    """one process and one thread, asleep in select with the listener and every client"""
    server = program.serve(note=TIMER if program.stage.can("notify") else ())
    clients = [server.connect() for _ in range(4)]
    ask_quietly(program, clients, "one client is served, the next is not", "four clients")
    server.wait_quiet()
    tree, tasks = server.tree(), proc.tasks(server.pid)
    program.stage.tape.add("look", "at processes and threads", f"{len(tree)}, {len(tasks)}")
    require(
        len(tree) == 1 and len(tasks) == 1,
        "one process with one thread",
        f"{len(tree)} processes, {len(tasks)} threads in the first",
        "a process or a thread for each client: here one alone serves them all, with select",
    )
    blocked = watching(program, server)
    no_timer(server, blocked)
    wanted = {server.listener_fd, *(number(server, client) for client in clients)}
    missing = sorted(wanted - blocked.reads)
    require(
        not missing,
        f"the listener {server.listener_fd} and all four clients watched for reading",
        f"not watched: {missing}",
        "select changes its sets: fill them again before each call; and nfds is the highest "
        "descriptor plus one",
    )
    no_writes(blocked)


@check(
    points=4,
    kind="contract",
    after=ECHOES,
    hints=(
        "A client that says nothing, or half of something, must cost the others nothing.",
        "Read only from whom select(2) names, only once, and keep what has come of each client.",
        "In selecho.c: read_some must take what is there; work must ask FD_ISSET for each client.",
    ),
)
def test_silent_clients(program):
    """a silent client, and one stopped in the middle of a line, delay nobody"""
    server = program.serve()
    silent = server.connect()
    half = server.connect()
    half.send(b"half of a li")
    why = "a server that echoes bytes does not wait for a whole line"
    try:
        half.expect(b"half of a li", why)
    except Failure as failure:
        failure.why = why_unserved(program, failure) or failure.why
        raise
    others = [server.connect() for _ in range(3)]
    for _ in range(2):
        for other in reversed(others):
            ask(
                program,
                other,
                f"{silent.name} says nothing and {half.name} has stopped in the middle of a line: "
                "the server waits for one of them instead of serving the others",
            )
    watching(program, server)
    silent.expect_nothing("a client that says nothing is left alone")
    half.send(b"ne\n")
    half.expect(b"ne\n")
    ask(program, silent)


@check(
    points=3,
    kind="contract",
    after=SHARED,
    hints=(
        "When select returns, any number of descriptors may be ready, the listener among them.",
        "Look at every descriptor with FD_ISSET; who is not served now is ready the next time too.",
        "In selecho.c: work, from which descriptor to which it looks.",
    ),
)
def test_ready_together(program):
    """serves all who are ready at once: several clients, and new ones at the listener"""
    server = program.serve()
    clients = [server.connect() for _ in range(3)]
    ask_quietly(program, clients, "", "three clients")
    why = "it was ready together with others, and was not served: ask FD_ISSET of each descriptor"
    watching(program, server)
    server.freeze()
    said = {}
    for client in [*clients, *(server.connect() for _ in range(20))]:
        said[client] = letters(program.stage, 12)
        client.send(said[client])
    server.thaw()
    for client, data in reversed(said.items()):
        try:
            client.expect(data, why)
        except Failure as failure:
            if client.ended:
                failure.why = "it was sent away, but any number of clients may come"
            raise
    ask_quietly(program, said, "a client that was served once is forgotten", "all of them, again")
    blocked = watching(program, server)
    wanted = {server.listener_fd, *(number(server, client) for client in said)}
    missing = sorted(wanted - blocked.reads)
    require(not missing, "everybody watched again", f"not watched: {missing}", why)


@check(
    points=2,
    kind="contract",
    after=SHARED,
    hints=(
        "A client that has ended is readable, always: read returns 0 again and again.",
        "read(2) returns 0: send what is queued, close(2), and never watch it again.",
        "In selecho.c: read_some at end of file, and work: when drop is called.",
    ),
)
def test_leaves(program):
    """a client that ends its input gets the rest, then end of file; and is watched no more"""
    server = serve_small(program)
    leaves = server.connect(**LAZY)
    stays = server.connect()
    ask(program, stays)
    ask(program, leaves)
    before = server.descriptors()
    was = number(server, leaves)
    data = letters(program.stage, 60_000)
    watching(program, server)
    server.freeze()
    leaves.send(data)
    leaves.half_close()
    netns.flush_loopback()
    server.thaw()
    try:
        watching(program, server)
    except Failure as failure:
        if why_busy(failure) and number(server, leaves) != -1:
            failure.why = (
                "a client whose input has ended is readable for ever: once read has returned 0 "
                "leave it out of the set for reading, also while its queue is not empty"
            )
        raise
    try:
        leaves.expect_end(
            data, "the client has ended its input, and waits for the end of the echo: close(2)"
        )
    except Failure as failure:
        if leaves.ended:
            failure.why = (
                "its connection was closed before its queue was sent: that read returns 0 ends "
                "the client's input; close when the queue is empty as well"
            )
        raise
    leaves.close()
    why = "a client that has gone is readable for ever: take it out of the set, and close it"
    try:
        blocked = watching(program, server)
    except Failure as failure:
        failure.why = f"{failure.why}; {why}"
        raise
    gone = set(before) - set(server.descriptors())
    require(gone == {was}, f"descriptor {was} closed", f"closed: {sorted(gone)}", why)
    require(was not in blocked.reads | blocked.writes, f"{was} in no set", f"{blocked}", why)
    server.connect().close()
    ask(program, stays)
    ask(program, server.connect())


@check(
    points=4,
    kind="contract",
    after=SHARED,
    hints=(
        "A kernel takes only so much for a client that does not read; then a write would wait.",
        "fcntl(2) with O_NONBLOCK: write(2) takes what it can, or fails with EAGAIN. Keep the "
        "rest, and watch that client for writing until it is gone.",
        "In selecho.c: write_some, and wait_for_work: who is in the set of writers, and when.",
    ),
)
def test_never_reads(program):
    """a client that does not read delays nobody, and finds every byte when it does"""
    server = serve_small(program)
    early = server.connect()
    ask(program, early)
    lazy = server.connect(**LAZY)
    late = server.connect()
    ask(program, late)
    data = letters(program.stage, 200_000)
    why = f"{lazy.name} does not read: a write to it waits, and all others too"
    try:
        lazy.send(data)
    except Failure as failure:  # the write waits already, and so does this client
        failure.why = why_unserved(program, failure) or failure.why or why
        raise
    for other in (late, early):
        ask(program, other, why)
    blocked = watching(program, server)
    no_timer(server, blocked)
    fd = number(server, lazy)
    require(
        blocked.writes == {fd},
        f"the client that does not read, descriptor {fd}, watched for writing, and no other",
        f"watched for writing: {sorted(blocked.writes)}",
        f"a write to {lazy.name} has taken only a part: the rest must be kept, and that client "
        "watched for writing until it is gone"
        if fd not in blocked.writes
        else "watched for writing though nothing is queued: a socket with room is always writable",
    )
    # Now much more is queued than there is room for, so the write that follows
    # when there is some takes a part or waits, however little came at a time before.
    kept = "what a write did not take must be kept, and sent later"
    lazy.expect(data[:100_000], kept)
    for other in (late, early):
        ask(program, other, f"{lazy.name} has stopped reading: {why.partition(': ')[2]}")
    lazy.expect(data[100_000:], kept)
    no_writes(watching(program, server))
    ask(program, lazy)


@check(
    points=2,
    kind="contract",
    after=(*SHARED, "test_never_reads"),
    hints=(
        "A queue without a bound lets one client take all memory; a bound needs an answer when "
        "it is reached.",
        "A full queue: take the client out of the read set; TCP tells it to stop sending.",
        "In selecho.c: wait_for_work, the condition under which a client is watched for reading.",
    ),
)
def test_queue(program):
    """keeps up to 1 MiB for a client that does not read, then stops reading from it"""
    server = program.serve()
    other = server.connect()
    ask(program, other)
    lazy = server.connect(**LAZY)
    data = letters(program.stage, MIB + MIB // 2)
    lazy.send(data[:MIB])
    program.stage.tape.steps[-1].text = f"{lazy.name}: 1 MiB, and does not read"

    def unread():
        return sum(s.rqueue for s in ends(program, server, lazy)[:1])

    def taken():
        return unread() == 0

    try:
        server.until(taken, "a server that takes 1 MiB from a client that does not read")
    except Failure as failure:
        failure.got = f"{unread()} bytes of it left unread; {failure.got}"
        failure.why = failure.why or (
            "its queue is smaller than 1 MiB: the client may send so much before it reads"
        )
        raise
    more = stuff(server, lazy, data[MIB:])
    program.stage.tape.add("send", f"{lazy.name}: another half, so far as they are taken")
    ask(program, other, "a client whose queue is full delays the others")
    blocked = watching(program, server)
    one, two = ends(program, server, lazy)
    kept = MIB + more - one.rqueue - one.wqueue - two.rqueue - two.wqueue
    program.stage.tape.add("look", "at the queue", f"{kept} bytes read and not yet sent")
    require(
        kept <= MIB,
        f"at most {MIB} bytes kept for a client",
        f"{kept}",
        "the queue has no bound: a client that sends and never reads makes it grow and grow",
    )
    fd = number(server, lazy)
    require(
        fd in blocked.writes and fd not in blocked.reads,
        f"descriptor {fd}, whose queue is full, watched for writing and not for reading",
        f"read {sorted(blocked.reads)}, write {sorted(blocked.writes)}",
        "the queue of that client is full, or it was given up: no more of it may be read until "
        "there is room, and it must not be disconnected",
    )
    lazy.send(data[MIB + more :], quiet=True)
    lazy.half_close()
    lazy.expect_end(data, "a byte that was taken from the client must come back to it")


def ends(program, server, client):
    """Return the two ends of a client's connection, the server's first."""
    port = client.sock.getsockname()[1]
    found = program.stage.connections()
    pair = (server.target[1], port)
    ours = [s for s in found if (s.port, s.peer_port) == pair]
    theirs = [s for s in found if (s.peer_port, s.port) == pair]
    if not ours or not theirs:
        fail(
            "a client that stays connected",
            "the server has closed its connection",
            "a client whose queue is full is not read from, but it must not be disconnected",
        )
    return ours[0], theirs[0]


def stuff(server, client, data):
    """Send what the server and the kernel take; return how much that was."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[client.sock.send(rest, socket.MSG_NOSIGNAL) :]
        except BlockingIOError:
            server.wait_quiet()
            if not writable(client.sock):
                break
    server.wait_quiet()
    return len(data) - len(rest)


@check(
    points=1,
    kind="robust",
    after=(*SHARED, "test_leaves"),
    hints=(
        "What select said is old news as soon as the program has done something.",
        "close(2) frees a number, and accept(2) takes the lowest: it may mean another client now.",
        "In selecho.c: work, the order of what is done in one round, and EAGAIN in read_some.",
    ),
)
def test_number_reused(program):
    """a client that takes a leaver's number in the same round is not taken for it"""
    server = serve_small(program)
    other = server.connect()
    ask(program, other)
    why = (
        "the new client has the number of the one that left, and what select said of that number "
        "was meant for the other: a read of the new one finds nothing (EAGAIN), or waits for ever"
    )
    for leave in ("close", "reset"):
        leaver = server.connect(**LAZY)
        ask(program, leaver)
        leaver.send(letters(program.stage, 60_000))
        watching(program, server)
        fd = number(server, leaver)
        server.freeze()
        leaver.send(b"more")
        getattr(leaver, leave)()
        newcomer = server.connect()
        data = letters(program.stage, 12)
        other.send(data)
        netns.flush_loopback()
        server.thaw()
        try:
            other.expect(data, why)
            watching(program, server)
            newcomer.expect_nothing(why)
            now = number(server, newcomer)
            program.stage.tape.add("look", "at the numbers", f"{fd} has left, {now} has come")
            ask(program, newcomer, why)
        except Failure as failure:
            failure.why = f"{failure.why}; {why}" if failure.why not in ("", why) else why
            raise


@check(
    points=1,
    kind="robust",
    after=SHARED,
    hints=(
        "Between select and accept the connection may vanish: readiness is a hint.",
        "fcntl(2) with O_NONBLOCK on the listener too; accept(2) then fails with EAGAIN.",
        "In selecho.c: set_nonblocking of the listener, and add_client when accept returns -1.",
    ),
    needs="notify",
)
def test_stolen(program):
    """goes on when the connection that select promised is gone before accept"""
    server = program.serve(watch=("socket", *ACCEPT))
    client = server.connect()
    ask(program, client)
    found = []

    def keep(held):
        if not found:
            found.append(held)
            return "keep"
        return None

    server.breakpoints.on(ACCEPT, keep)  # first, for connect lets the program go on
    victim = server.connect()
    server.until(lambda: found, "a call of accept")
    program.stage.tape.add("hold", "selecho, which is about to call accept")
    with server.borrow(server.listener_fd) as listener:
        stolen = steal(listener)
    program.stage.tape.add("steal", f"{victim.name}, as a process with the same listener would")
    assert stolen
    program.stage.closers.append(stolen.close)
    found[0].let_go()
    why = (
        "select said that a client was there, and now there is none: accept waits for the next "
        "one, and all clients with it. The listener must be O_NONBLOCK; EAGAIN is no error then"
    )
    try:
        ask(program, client)
        watching(program, server)
        ask(program, server.connect())
        ask(program, client)
    except Failure as failure:
        failure.why = why
        raise


@check(
    points=1,
    kind="robust",
    after=(*SHARED, "test_leaves"),
    hints=(
        "A client that can't be accepted stays in the queue, so the listener stays readable.",
        "accept(2) fails with EMFILE: leave the listener out of the read set for a while.",
        "In selecho.c: add_client when accept has failed, and full in wait_for_work.",
    ),
    needs=("notify", "many_descriptors"),
)
def test_no_descriptor_left(program):
    """without a descriptor for the next client, sleeps, serves the others, and goes on later"""
    server = program.serve(occupied=1014, limits={"nofile": 1024}, watch=MULTIPLEX | SLEEP)
    program.stage.tape.add("limit", "it has ten descriptors that it can use, 1014 to 1023")
    clients, waiting = [], None
    calls, cuts = [], []
    why = (
        "accept fails with EMFILE, the client stays in the queue, and so select returns at once, "
        "again and again: take the listener out of the set until a client has left, or close a "
        "descriptor kept in reserve, or wait for a time (a timeout that select has counted down "
        "to 0 is none)"
    )

    def rest(held):
        if waiting is None:
            return
        calls.append(held.call)
        if len(calls) > 100:
            raise Failure("a server that sleeps", f"{len(calls)} calls of select in a row", why)
        pause = held.pause()
        if pause and len(cuts) < 3:
            cuts.append(pause)
            held.cut()

    def sleeps(held):
        raise Failure(
            "a server that waits in select or poll",
            f"one that pauses in {held.call}",
            "nobody is served while it pauses: wait in select, without the listener",
        )

    server.breakpoints.on(MULTIPLEX, rest)
    server.breakpoints.on(SLEEP, sleeps)
    try:
        while waiting is None:
            client = server.connect()
            client.send(b"x")
            if len(clients) == 9:  # nine and the listener: this one can't come in
                waiting = client
                break
            server.wait_quiet()
            client._pull()
            if client.received:
                client.expect(b"x", why)
                clients.append(client)
            else:
                waiting = client
        require(clients, "some of ten descriptors used for clients", "none")
        # from here on no client can be accepted
        calls.clear()
        ask_quietly(program, clients, why, "all who have come in")
        blocked = server.wait_asleep(MULTIPLEX, "asleep", fd=number(server, clients[0]))
        program.stage.tape.add("look", "where selecho is", f"asleep in {blocked}")
        require(
            blocked.timeout is None or blocked.timeout >= 0.1,
            "asleep without a timer, or with one of at least 100 ms",
            f"{blocked.timeout} s",
            why,
        )
        assert not cuts or min(cuts) > 0
        waiting._pull()
        clients.pop().close()
        server.wait_asleep(MULTIPLEX, "asleep", fd=number(server, clients[0]))
        calls.clear()
        if waiting.ended:  # sent away by means of a reserve
            waiting = server.connect()
            waiting.send(b"x")
        waiting.expect(b"x", "a client has left, so there is a descriptor for the next")
        ask_quietly(program, [waiting, *clients], why, "and the one who had to wait")
    except Failure as failure:
        if any(word in failure.got for word in ("exited", "reset", "refused")):
            failure.why = (
                "accept fails with EMFILE: that is no reason to exit, descriptors come back"
            )
        elif not failure.why.startswith(("a client", "nobody")):
            failure.why = why
        raise


def beyond_fd_setsize(program):
    """Connect clients until their descriptors don't fit into an fd_set."""
    why = (
        "FD_SETSIZE is 1024: FD_SET of a larger descriptor writes past the end of the set. "
        "Whoever uses select closes such a client at once; poll has no such limit"
    )
    server = program.serve(occupied=1017, limits={"nofile": 1100})
    program.stage.tape.add("note", "descriptors below 1017 are taken")
    served, closed, left = [], [], 0
    try:
        for _ in range(10):
            client = server.connect()
            data = letters(program.stage, 12)
            client.send(data)

            def answered(client=client):
                return client._pull()

            server.until(answered, f"an echo, or the end, for {client.name}")
            if client.received:
                client.expect(data)
                served.append(client)
            else:
                closed.append(client)
        program.stage.tape.add("note", f"{len(served)} served, {len(closed)} closed at once")
        require(served, "clients below 1024 are served", "none is")
        ask_quietly(program, served, "", "the others")
        watching(program, server)
        left = len(server.descriptors())
        for client in [served.pop(0), *closed]:
            client.close()
        watching(program, server)
        newcomer = server.connect()
        ask(program, newcomer)
        ask_quietly(program, [newcomer, *served], "", "all, and one with a lower number")
    except Failure as failure:
        if left and not server.end_status and len(server.descriptors()) >= left:
            why = "the descriptors of clients that have left are still open: close(2)"
            failure.why = ""
        failure.why = f"{failure.why}: {why}" if failure.why not in ("", why) else why
        raise


SETSIZE_HINTS = (
    "An fd_set is an array of bits of a fixed size; a descriptor is an index into it.",
    "Compare with FD_SETSIZE before FD_SET: close(2) the client; or use poll(2).",
    "In selecho.c: add_client, before anybody is told of the new descriptor.",
)


@check(points=1, kind="robust", after=SHARED, hints=SETSIZE_HINTS, needs="many_descriptors")
def test_fd_setsize(program):
    """a client whose descriptor can't be watched is closed at once, the others go on"""
    beyond_fd_setsize(program)


@check(
    points=1,
    kind="robust",
    after=SHARED,
    hints=SETSIZE_HINTS,
    needs="many_descriptors",
    build="plain",
)
def test_fd_setsize_plain(program):
    """the same without sanitizers: no memory is overwritten in silence, nothing aborts"""
    beyond_fd_setsize(program)


@check(
    points=1,
    kind="robust",
    after=SHARED,
    hints=(
        "A connection can break at any moment: that is the end of one client, not of the server.",
        "send(2) with MSG_NOSIGNAL, or SIGPIPE ignored; EPIPE and ECONNRESET drop the client.",
        "In selecho.c: read_some and write_some when they fail, and work after that.",
    ),
)
def test_gone(program):
    """survives clients that reset, or leave before they have read"""
    server = serve_small(program)
    other = server.connect()
    ask(program, other)
    before = set(server.descriptors())
    why = "a client whose connection broke took the server, or another client, with it"
    lazy = server.connect(**LAZY)
    lazy.send(letters(program.stage, 60_000))
    watching(program, server)
    lazy.reset()
    ask(program, other, why)
    server.freeze()
    gone = server.connect()
    gone.send(b"abc")
    gone.half_close()
    gone.reset()
    leaver = server.connect()
    leaver.send(b"abc")
    leaver.close()
    netns.flush_loopback()
    server.thaw()
    try:
        ask(program, other, why)
        ask(program, server.connect(), why)
        watching(program, server)
    except Failure as failure:
        with contextlib.suppress(Failure):
            server.wait_quiet()
        failure.why = program.stage.diagnose(()) or failure.why or why
        raise
    left = set(server.descriptors()) - before
    require(
        len(left) == 1,
        "one more descriptor: a new client's",
        f"{len(left)}",
        "the descriptors of clients that have left are still open: close(2), whichever way they go",
    )


def says_clients(program, server, count, why):
    """Wait for the line that SIGUSR1 asks for."""
    line = f"selecho: {count} clients\n".encode()
    step = program.stage.tape.add("expect", f"{diagnosis.show(line)} on stderr")
    try:
        server.until(lambda: b"clients\n" in server.stderr, f"{diagnosis.show(line)} on stderr")
    except Failure as failure:
        step.saw = failure.got
        if not server.end_status and int(proc.status(server.pid)["ShdPnd"], 16) >> 9 & 1:
            why = failure.why = (
                "SIGUSR1 is blocked while the program sleeps, and so stays pending: the mask that "
                "pselect is given, which holds while it waits, must not block it"
            )
        failure.why = failure.why or why
        raise
    got = server.stderr
    step.saw = diagnosis.show(got)
    require(got == line, f"{diagnosis.show(line)} on stderr", diagnosis.show(got), why)


@check(
    points=1,
    kind="robust",
    after=SHARED,
    hints=(
        "A signal ends the waiting: select fails with EINTR, and the sets then mean nothing.",
        "select(2), errno EINTR: look at the flag, fill the sets again, wait again.",
        "In selecho.c: what main does when wait_for_work has returned -1.",
    ),
)
def test_signal(program):
    """SIGUSR1 while it sleeps: says how many clients it has, and goes on"""
    server = program.serve()
    clients = [server.connect() for _ in range(3)]
    for client in clients:
        ask(program, client)
    why = "select was interrupted (EINTR): that is no failure, and its sets say nothing then"
    watching(program, server)
    server.signal(signal.SIGUSR1)
    says_clients(program, server, 3, why)
    try:
        watching(program, server)
        ask_quietly(program, clients, why, "all of them")
    except Failure as failure:
        failure.why = why
        raise


@check(
    points=1,
    kind="robust",
    after=(*SHARED, "test_signal"),
    hints=(
        "A signal may come after the flag was looked at and before the program sleeps.",
        "pselect(2): the signal is blocked but for the time that it waits; or a pipe to oneself.",
        "In selecho.c: the last argument of pselect in wait_for_work.",
    ),
    needs="notify",
)
def test_signal_before_sleep(program):
    """SIGUSR1 an instant before it sleeps is not lost"""
    server = program.serve(watch=MULTIPLEX)
    client = server.connect()
    ask(program, client)
    watching(program, server)
    client.send(b"x")

    def sleeps(held):
        return not blocked.describe(held.tid, held.call, held.args).writes

    held = server.breakpoints.hold(MULTIPLEX, "a call of select with nothing to send", sleeps)
    program.stage.tape.add("hold", "selecho, which is about to wait in select")
    server.signal(signal.SIGUSR1)
    held.interrupt()
    says_clients(
        program,
        server,
        1,
        "the signal came after the flag was looked at and before select waited, so nobody "
        "looks until something else happens: block it, and let pselect unblock it",
    )
    client.expect(b"x")


@check(
    points=2,
    kind="clean",
    after=(*SHARED, "test_leaves"),
    hints=(
        "Whatever a client was given is taken back when it has gone, whichever way it went.",
        "close(2) and free(3), each once for each client.",
        "In selecho.c: drop, and every place where a client ends.",
    ),
    build="plain",
)
def test_nothing_left(program):
    """has as many descriptors, and as much memory, after a hundred clients as before"""
    server = program.serve()
    stays = server.connect()
    ask(program, stays)
    start = len(program.stage.tape.steps)

    def visits(count):
        for k in range(count):
            client = server.connect()
            client.send(b"x" * 1000)
            client.expect(b"x" * 1000)
            if k % 3 == 0:
                client.half_close()
                client.expect_end()
            elif k % 3 == 1:
                client.reset()
            client.close()
        ask(program, stays)
        server.wait_quiet()
        return int(proc.status(server.pid)["VmData"].split()[0])

    memory = visits(12)
    before = server.descriptors()
    for _ in range(5):  # an allocator may keep a block that was freed, but not one each time
        now = visits(100)
        memory, grown = now, now - memory
        if grown < 200:
            break
    after = server.descriptors()
    program.stage.tape.fold(start, "serve", "hundreds of clients, to their end or reset")
    program.stage.tape.add("look", "at descriptors and memory", f"{len(after)}, {grown:+} KiB")
    require(
        len(after) <= len(before),
        f"{len(before)} descriptors, as before",
        f"{len(after)}",
        "the descriptors of clients that have gone stay open",
    )
    require(
        grown < 200,
        "no more memory than before",
        f"{grown} KiB more for every hundred clients",
        "what was allocated for a client is not freed when it has gone",
    )
