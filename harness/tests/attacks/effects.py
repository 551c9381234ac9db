"""Each attack, and how its effect is seen from outside.

A public function here is an attack.  It returns whether the attack worked: what
was to be kept was read, changed, killed, taken.  Its name, with hyphens, and
the first line of its docstring stand in the table of docs/threat-model.md.
"""

import contextlib
import os
import resource
import secrets
import select
import shutil
import socket
from pathlib import Path

from harness import strange, warden
from harness.failure import Broken, Failure
from harness.kernel import cgroup, proc, sockdiag

from .scene import BARE, Scene

# Megabytes, processes, descriptors, files: nobody's program of a lab needs more.
_MEMORY = 550
_PROCESSES = 270
_DESCRIPTORS = 10_000
_DISK = 256
_FILES = 4500


# -- files ----------------------------------------------------------------------


def read_files(scene: Scene) -> bool:
    """reads the checks, the solutions, somebody's submission, a file in the home folder"""
    names = ("test_incsrv.py", "solution.c", "submission.c", "id_rsa")
    return scene.word in scene.attack("reads", *map(scene.file, names)).out


def link_files(scene: Scene) -> bool:
    """makes a hard link to a file that it may not read, and reads that"""
    if os.stat(scene.folder).st_dev != os.stat(scene.work).st_dev:
        return False
    return scene.word in scene.attack("links", scene.file("solution.c")).out


def see_files(scene: Scene) -> bool:
    """learns the size of a file that it may not read"""
    size = scene.file("solution.c").stat().st_size
    return f"{size} bytes" in scene.attack("stats", scene.folder / "solution.c").out


def read_users(scene: Scene) -> bool:
    """reads the list of this machine's users"""
    return "root:" in scene.attack("reads", "/etc/passwd").out


def write_result(scene: Scene) -> bool:
    """writes a grade of its own into the result"""
    result = scene.file("result.json")
    scene.attack("writes", result)
    return result.read_text(encoding="ascii") != scene.word


def truncate_result(scene: Scene) -> bool:
    """empties the result without opening it"""
    result = scene.file("result.json")
    scene.attack("truncates", result)
    return result.stat().st_size == 0


def close_result(scene: Scene) -> bool:
    """takes the permission to write the result away"""
    result = scene.file("result.json")
    scene.attack("closes-file", result)
    return result.stat().st_mode & 0o777 == 0


def replace_result(scene: Scene) -> bool:
    """puts a symbolic link in the place of the result"""
    result = scene.file("result.json")
    scene.attack("replaces", result)
    return result.is_symlink()


def replace_binary(scene: Scene) -> bool:
    """replaces the compiled program that the next check will run"""
    binary = scene.file("incsrv-check", 0o755)
    scene.attack("writes", binary)
    scene.attack("replaces", binary)
    return binary.is_symlink() or binary.read_text(encoding="ascii") != scene.word


def plant_link(scene: Scene) -> bool:
    """leaves a symbolic link in its folder where the harness will have a file"""
    result = scene.file("result.json")
    out = scene.work / "out"
    scene.attack("plants", out, result).end()
    with contextlib.suppress(Failure):
        scene.attack("stats", result, stdout=str(out)).end()
    return result.read_text(encoding="ascii") != scene.word


def plant_question(scene: Scene) -> bool:
    """leaves a symbolic link to the solution where the harness will read an answer"""
    secret = scene.file("solution.c")
    answer = scene.work / "answer"
    scene.attack("plants", answer, secret).end()
    if scene.level == BARE:
        return scene.word in answer.read_text(encoding="ascii")
    try:
        return scene.word.encode() in strange.read(str(answer))
    except Failure:
        return False


def leave_files(scene: Scene) -> bool:
    """leaves files in /tmp, /var/tmp and /dev/shm for the next program"""
    name = f"left-{secrets.token_hex(8)}"
    left = [Path(where) / name for where in ("/tmp", "/var/tmp", "/dev/shm")]
    scene.attack("leaves", *left).end()
    found = [path for path in left if path.exists()]
    for path in found:
        path.unlink()
    again = scene.attack("stats", left[0])
    return bool(found) or "bytes" in again.out


def fill_disk(scene: Scene) -> bool:
    """fills the disk from its own folder, with half a gigabyte"""
    scene.attack("fills")
    used = sum(path.stat().st_blocks * 512 for path in scene.work.iterdir())
    return used > _DISK << 20


def fill_inodes(scene: Scene) -> bool:
    """makes five thousand files"""
    scene.attack("inodes")
    return len(os.listdir(scene.work)) > _FILES


def burrow(scene: Scene) -> bool:
    """leaves folders, a thousand deep and closed, that nobody can remove"""
    folder = scene.work
    scene.attack("burrows").end()
    if scene.level == BARE:
        with contextlib.suppress(RecursionError):
            shutil.rmtree(folder, ignore_errors=True)
    else:
        scene.leave()
    return bool(list(folder.parent.glob(f"{folder.name}*")))


# -- processes -------------------------------------------------------------------


def see_processes(scene: Scene) -> bool:
    """reads the command line of the harness"""
    return scene.word in scene.attack("looks", "cmdline", scene.victim().pid).out


def read_environment(scene: Scene) -> bool:
    """reads the environment of the harness"""
    return scene.word in scene.attack("looks", "environ", scene.victim().pid).out


def read_memory(scene: Scene) -> bool:
    """reads the harness's memory, by process_vm_readv and /proc/PID/mem"""
    victim = scene.victim()
    return scene.word in scene.attack("peeks", victim.pid, victim.address).out


def trace_harness(scene: Scene) -> bool:
    """attaches to the harness by ptrace and writes into its memory"""
    victim = scene.victim()
    scene.attack("traces", victim.pid, victim.address)
    return victim.end() != scene.word


def _kill(scene: Scene, how: str) -> bool:
    victim = scene.victim()
    scene.attack("kills", how, victim.pid).end()
    return victim.end() != scene.word


def kill_harness(scene: Scene) -> bool:
    """kills the harness by kill"""
    return _kill(scene, "kill")


def kill_harness_otherwise(scene: Scene) -> bool:
    """kills the harness by tkill, rt_sigqueueinfo, a pidfd, or as owner of a socket"""
    return any([_kill(scene, how) for how in ("threads", "queue", "pidfd", "owner")])


def hamper_harness(scene: Scene) -> bool:
    """takes descriptors, priority or processors from the harness"""
    pid = scene.victim().pid

    def state():
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        scheduled = (os.getpriority(os.PRIO_PROCESS, pid), os.sched_getscheduler(pid))
        return limits, scheduled, os.sched_getaffinity(pid)

    before = state()
    scene.attack("hampers", pid)
    return state() != before


def kill_everybody(scene: Scene) -> bool:
    """kills everybody by kill(-1)"""
    if scene.level == BARE:
        # in a namespace of its own, whose first process is spared
        script = 'sleep 60 & "$0"; kill $!; wait $!; [ $? != 137 ] || echo killed'
        prefix = ("unshare", "--user", "--pid", "--fork", "--kill-child", "sh", "-c", script)
        attack = scene.attack("everybody", prefix=prefix)
        attack.process.wait()
        attack.wait()
        return "killed" in attack.out
    victim = scene.victim()
    scene.attack("everybody").end()
    return victim.end() != scene.word


def _kill_launcher(scene: Scene, how: str) -> bool:
    if scene.level == BARE:
        script = '"$0" "$@"; exit 0'
        attack = scene.attack("kills", how, 0, prefix=("sh", "-c", script))
        died = attack.process.wait() == -9
        attack.end()
        return died
    try:
        attack = scene.attack("kills", how, 0)
    except Broken:  # it was gone before it could say a word
        return True
    attack.end()
    return attack.process.lost


def kill_launcher(scene: Scene) -> bool:
    """kills its parent, which would end what it leaves behind, by kill"""
    return _kill_launcher(scene, "kill")


def kill_launcher_otherwise(scene: Scene) -> bool:
    """kills its parent by tkill, rt_sigqueueinfo, a pidfd, or as owner of a socket"""
    return any([_kill_launcher(scene, how) for how in ("threads", "queue", "pidfd", "owner")])


def _left(name: str) -> bool:
    """Whether a process of an attack that was ended is still there, be it for a moment.

    Whoever has lost its parent has become our child.
    """
    found = [proc.stat(pid) for pid in proc.descendants(os.getpid())]
    return any(one is not None and one.comm == name for one in found)


def stay_behind(scene: Scene) -> bool:
    """becomes a daemon that outlives the check"""
    scene.attack("daemon", 0).end()
    return _left("daemon")


def keep_port(scene: Scene) -> bool:
    """keeps the port that the next check needs"""
    port = scene.stage.port() if scene.level != BARE else _free_port()
    scene.attack("daemon", port).end()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def hop(scene: Scene) -> bool:
    """outlives the check as a chain of processes, each of which ends at once"""
    scene.attack("hops").end()
    return _left("hops")


def fork_on(scene: Scene) -> bool:
    """has three hundred processes at a time"""
    return len(scene.attack("forks").pids()) > _PROCESSES


def open_on(scene: Scene) -> bool:
    """opens twenty thousand files"""
    return max(map(len, scene.attack("descriptors").descriptors())) > _DESCRIPTORS


def _resident(pids) -> int:
    """Return the memory of processes, in MB."""
    pages = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
        except OSError:
            continue
        pages += int(fields[1]) - int(fields[2])
    return pages * resource.getpagesize() >> 20


def fill_memory(scene: Scene) -> bool:
    """takes 600 MB of memory, and keeps it"""
    return _fill(scene, 1, 600)


def fill_memory_together(scene: Scene) -> bool:
    """takes 600 MB of memory in eight processes, and keeps it"""
    return _fill(scene, 8, 75)


def _fill(scene: Scene, processes: int, size: int) -> bool:
    # whoever looks at memory now and then may be late
    seconds = 0 if scene.level in (BARE, "none") else 20
    return _resident(scene.attack("memory", processes, size, seconds).pids()) > _MEMORY


def fill_sockets(scene: Scene) -> bool:
    """fills the buffers of sockets with 600 MB"""
    pids = scene.attack("sockets", 600).pids()
    inodes = {inode for pid in pids for inode in proc.socket_inodes(pid).values()}
    with contextlib.closing(sockdiag.SockDiag()) as kernel:
        unread = sum(one.rqueue for one in kernel.unix() if one.inode in inodes)
    return unread >> 20 > _MEMORY


def leave_cgroup(scene: Scene) -> bool:
    """moves into another cgroup, where nobody counts what it takes"""
    if cgroup.enter()[1]:
        return False
    with contextlib.closing(warden.group()) as other:
        attack = scene.attack("moves", os.path.join(other.path, "cgroup.procs"))
        found = [cgroup.of(pid) for pid in attack.pids()]
        attack.end()
    return os.path.basename(other.path) in map(os.path.basename, found)


def print_on(scene: Scene) -> bool:
    """prints fifty megabytes, which the harness keeps"""
    return len(scene.attack("prints").out) >= 50 << 20


def make_namespaces(scene: Scene) -> bool:
    """becomes root of a user namespace of its own"""
    # nobody has written the map of a new one
    return "" in [_uid_map(pid) for pid in scene.attack("namespaces").pids()]


def _uid_map(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/uid_map").read_text(encoding="ascii")
    except OSError:
        return "it has gone"


def type_commands(scene: Scene) -> bool:
    """types a command into the instructor's terminal, by TIOCSTI"""
    terminal = scene.terminal()
    scene.attack("types", os.ttyname(terminal))
    return bool(select.select([terminal], [], [], 0)[0])


def leave_shared_memory(scene: Scene) -> bool:
    """leaves a System V shared memory segment for the next program"""
    key = secrets.randbelow(1 << 30) + 1
    scene.attack("shares", key).end()
    table = Path("/proc/sysvipc/shm").read_text(encoding="ascii").splitlines()[1:]
    left = [row.split()[1] for row in table if int(row.split()[0]) == key]
    _remove_segments(left)
    return bool(left)


def _remove_segments(ids: list[str]) -> None:
    import ctypes

    for one in ids:
        ctypes.CDLL(None).shmctl(int(one), 0, None)  # IPC_RMID


def leave_key(scene: Scene) -> bool:
    """leaves a key in its user's keyring for the next program"""
    name = f"left-{secrets.token_hex(8)}"
    scene.attack("keys", name).end()
    return name in Path("/proc/keys").read_text(encoding="ascii")


def interpret(scene: Scene) -> bool:
    """lets an interpreter of this machine do the work"""
    return "42" in scene.attack("interprets").out


# -- network and kernel ----------------------------------------------------------


def _reached(service: socket.socket) -> bool:
    return bool(select.select([service], [], [], 0)[0])


def reach_tcp(scene: Scene) -> bool:
    """connects to another service on loopback or elsewhere, by TCP"""
    service = scene.listener(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
    scene.attack("connects", "tcp", service.getsockname()[1])
    return _reached(service)


def reach_udp(scene: Scene) -> bool:
    """sends to another service on loopback or elsewhere, by UDP"""
    service = scene.listener(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))
    scene.attack("connects", "udp", service.getsockname()[1])
    return _reached(service)


def reach_abstract(scene: Scene) -> bool:
    """connects to an abstract UNIX socket, as a session bus has one"""
    name = secrets.token_hex(8)
    service = scene.listener(socket.AF_UNIX, socket.SOCK_STREAM, f"\0{name}")
    scene.attack("connects", "abstract", name)
    return _reached(service)


def _reach_path(scene: Scene, mode: int) -> bool:
    path = str(scene.folder / "sock")
    service = scene.listener(socket.AF_UNIX, socket.SOCK_STREAM, path)
    os.chmod(path, mode)
    scene.attack("connects", "unix", path)
    return _reached(service)


def reach_docker(scene: Scene) -> bool:
    """connects to a UNIX socket of the harness's user, as that of Docker or of an SSH agent"""
    return _reach_path(scene, 0o660)


def reach_path(scene: Scene) -> bool:
    """connects to a UNIX socket that is open to everybody, as a system bus"""
    return _reach_path(scene, 0o666)


def open_families(scene: Scene) -> bool:
    """opens sockets of VSOCK, ALG or KEY, which no namespace confines"""
    found = scene.attack("families").descriptors()
    return any("socket:" in one for held in found for one in held.values())


def call_oddly(scene: Scene) -> bool:
    """gets something from io_uring, bpf, perf_event_open or userfaultfd"""
    found = scene.attack("odd").descriptors()
    return any(one.startswith("anon_inode:") for held in found for one in held.values())
