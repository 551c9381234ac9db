/* confine.c - take from a program what a stranger's program must not do.
 *
 * usage: confine [-u UID] [-f FD,FD,FD] [-s FD] [-e NAME[=VALUE]]...
 *                [-l NAME=VALUE]... [-r PATH]... [-w PATH]... -- PROG [ARG]...
 *
 *   -u UID     become this user and group, without any other group
 *   -f A,B,C   the descriptors that shall be 0, 1 and 2
 *   -s FD      a descriptor to write a byte to before PROG is started, which
 *              does not get it: so nobody can say that it was not started
 *   -e N[=V]   a variable of the environment, set or without a value removed
 *   -l N=V     the most that a resource limit may be: nofile nproc fsize core
 *              cpu stack memlock
 *   -r PATH    what may be read and executed, with all that is below it
 *   -w PATH    what may be written and made, too
 *
 * With -r or -w every other file is closed to it (landlock(7)); a path that is
 * not there is passed over.  In any case it loses the system calls that serve
 * to leave a confinement or to reach parts of the kernel that no program of a
 * course has to do with (seccomp(2)), and what it execs gains no privilege.
 *
 * Exit status 125 if that is not possible; then PROG was not started.
 */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch.h"

/* Newer than many headers: landlock(7).  The numbers are the same everywhere. */
#define LANDLOCK_CREATE 444
#define LANDLOCK_ADD 445
#define LANDLOCK_RESTRICT 446
#define RULE_PATH_BENEATH 1
#define CREATE_VERSION 1
#define FS_EXECUTE (1ULL << 0)
#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_REFER (1ULL << 13)
#define FS_TRUNCATE (1ULL << 14)
#define FS_IOCTL_DEV (1ULL << 15)
#define FS_ABI1 ((1ULL << 13) - 1)
#define FS_READ (FS_EXECUTE | FS_READ_FILE | FS_READ_DIR)
/* the rights that a file has that is no folder */
#define FS_OF_A_FILE \
	(FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* ABI 4 */
	uint64_t scoped; /* ABI 6 */
};
struct path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

#define MAXPATH 128
#define MAXLIMIT 8

static struct {
	const char *path;
	uint64_t access;
} paths[MAXPATH];
static int npaths;
static struct {
	int resource;
	rlim_t value;
} limits[MAXLIMIT];
static int nlimits;

static void
die(const char *what)
{
	dprintf(STDERR_FILENO, "confine: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static unsigned long
number(const char *s, unsigned long most)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(s, &end, 10);
	if (errno != 0 || *s < '0' || *s > '9' || *end != '\0' || n > most) {
		errno = EINVAL;
		die(s);
	}
	return n;
}

static void
add_limit(char *spec)
{
	static const struct {
		const char *name;
		int resource;
	} names[] = {
	    {"nofile", RLIMIT_NOFILE},
	    {"nproc", RLIMIT_NPROC},
	    {"fsize", RLIMIT_FSIZE},
	    {"core", RLIMIT_CORE},
	    {"cpu", RLIMIT_CPU},
	    {"stack", RLIMIT_STACK},
	    {"memlock", RLIMIT_MEMLOCK},
	};
	char *value = strchr(spec, '=');
	size_t i;

	errno = EINVAL;
	if (value == NULL || nlimits == MAXLIMIT)
		die(spec);
	*value++ = '\0';
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i].name, spec) == 0) {
			limits[nlimits].resource = names[i].resource;
			limits[nlimits++].value = number(value, ~0UL);
			return;
		}
	}
	errno = EINVAL;
	die(spec);
}

static void
add_path(const char *path, uint64_t access)
{
	if (npaths == MAXPATH) {
		errno = E2BIG;
		die("paths");
	}
	paths[npaths].path = path;
	paths[npaths++].access = access;
}

/* Take other descriptors as 0, 1 and 2; whoever started us needs the old ones. */
static void
take_descriptors(char *list)
{
	char *word, *rest = NULL;
	int fds[3], i, n = 0;

	for (; (word = strtok_r(list, ",", &rest)) != NULL; list = NULL) {
		errno = E2BIG;
		if (n == 3)
			die("-f");
		fds[n++] = (int)number(word, 1 << 20);
	}
	errno = EINVAL;
	if (n != 3 || fds[0] < 3 || fds[1] < 3 || fds[2] < 3)
		die("-f");
	for (i = 0; i < 3; i++)
		if (dup2(fds[i], i) == -1)
			die("-f");
	for (i = 0; i < 3; i++)
		(void)close(fds[i]);
}

/* Lower limits, the soft and the hard one, and raise neither. */
static void
set_limits(void)
{
	struct rlimit rl;
	int i;

	for (i = 0; i < nlimits; i++) {
		if (getrlimit(limits[i].resource, &rl) == -1)
			die("getrlimit");
		/* RLIM_INFINITY is the largest value there is */
		if (limits[i].value < rl.rlim_max)
			rl.rlim_max = limits[i].value;
		if (rl.rlim_max < rl.rlim_cur)
			rl.rlim_cur = rl.rlim_max;
		if (setrlimit(limits[i].resource, &rl) == -1)
			die("setrlimit");
	}
}

/* Become another user; the change takes all capabilities along. */
static void
become(unsigned long uid)
{
	int cap;

	/* not all may be ours to drop; no_new_privs keeps them useless then */
	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (setgroups(0, NULL) == -1)
		die("setgroups");
	if (setresgid((gid_t)uid, (gid_t)uid, (gid_t)uid) == -1)
		die("setresgid");
	if (setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) == -1)
		die("setresuid");
	if (setuid(0) != -1) {
		errno = EPERM;
		die("the way back to root is open");
	}
}

/*
 * Return a ruleset for our paths.  The files are opened now, for the other
 * user need not be able to reach them by their names.
 *
 * Rights come with the ABI: 2 REFER, 3 TRUNCATE, 5 IOCTL_DEV; 6 scopes of
 * signals and of sockets with abstract names.
 */
static int
make_ruleset(void)
{
	struct ruleset_attr attr = {.handled_access_fs = FS_ABI1};
	struct path_beneath_attr rule;
	struct stat st;
	long abi, ruleset;
	size_t size = offsetof(struct ruleset_attr, handled_access_net);
	int i;

	abi = syscall(LANDLOCK_CREATE, NULL, 0, CREATE_VERSION);
	if (abi < 1)
		die("landlock");
	if (abi >= 2)
		attr.handled_access_fs |= FS_REFER;
	if (abi >= 3)
		attr.handled_access_fs |= FS_TRUNCATE;
	if (abi >= 5)
		attr.handled_access_fs |= FS_IOCTL_DEV;
	if (abi >= 6) {
		attr.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
		size = sizeof(attr);
	}
	ruleset = syscall(LANDLOCK_CREATE, &attr, size, 0);
	if (ruleset == -1)
		die("landlock_create_ruleset");
	for (i = 0; i < npaths; i++) {
		rule.parent_fd = open(paths[i].path, O_PATH | O_CLOEXEC);
		if (rule.parent_fd == -1) {
			if (errno == ENOENT || errno == ENOTDIR)
				continue;
			die(paths[i].path);
		}
		if (fstat(rule.parent_fd, &st) == -1)
			die(paths[i].path);
		rule.allowed_access = paths[i].access & attr.handled_access_fs;
		if (!S_ISDIR(st.st_mode))
			rule.allowed_access &= FS_OF_A_FILE;
		if (syscall(LANDLOCK_ADD, (int)ruleset, RULE_PATH_BENEATH,
			&rule, 0) == -1)
			die(paths[i].path);
		(void)close(rule.parent_fd);
	}
	return (int)ruleset;
}

/*
 * Calls that serve nobody here: other namespaces and mounts, the kernel's own
 * configuration, other processes' memory and descriptors, what survives its
 * maker (System V IPC), and large parts of the kernel that are seldom used.
 */
static const int refused[] = {
    SYS_unshare,
    SYS_setns,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    428, /* open_tree */
    429, /* move_mount */
    430, /* fsopen */
    431, /* fsconfig */
    432, /* fsmount */
    433, /* fspick */
    442, /* mount_setattr */
    467, /* open_tree_attr */
    SYS_swapon,
    SYS_swapoff,
    SYS_reboot,
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_acct,
    SYS_quotactl,
    443, /* quotactl_fd */
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_syslog,
    SYS_vhangup,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_userfaultfd,
    SYS_fanotify_init,
    SYS_open_by_handle_at,
    SYS_kcmp,
    SYS_move_pages,
    SYS_migrate_pages,
    440, /* process_madvise */
    425, /* io_uring_setup */
    426, /* io_uring_enter */
    427, /* io_uring_register */
    SYS_shmget,
    SYS_msgget,
    SYS_semget,
    SYS_mq_open,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_iopl
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
#endif
};
#define NREFUSED (sizeof(refused) / sizeof(refused[0]))

/* What the leak checker asks of ptrace(2): see a stopped thread's registers. */
static const int traces[] = {7 /* CONT */, 8 /* KILL */, 12 /* GETREGS */,
    14 /* GETFPREGS */, 16 /* ATTACH */, 17 /* DETACH */,
    0x4204 /* GETREGSET */};
#define NTRACES (sizeof(traces) / sizeof(traces[0]))

/* What a course on sockets uses; NETLINK is how the C library lists interfaces. */
static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
#define NFAMILIES (sizeof(families) / sizeof(families[0]))

#define NAMESPACES                                                   \
	(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | \
	    CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

#define LOAD(field)                                             \
	(struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
	    offsetof(struct seccomp_data, field))
#define JUMP(how, k, yes, no)                                                 \
	(struct sock_filter) BPF_JUMP(BPF_JMP | (how) | BPF_K, (uint32_t)(k), \
	    (uint8_t)(yes), (uint8_t)(no))
#define IS(k, yes, no) JUMP(BPF_JEQ, k, yes, no)
#define HAS(k, yes, no) JUMP(BPF_JSET, k, yes, no)
#define RETURN(k) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, (k))
#define ALLOW RETURN(SECCOMP_RET_ALLOW)
#define REFUSE(error) RETURN(SECCOMP_RET_ERRNO | (error))

static struct sock_filter code[NREFUSED + NTRACES + NFAMILIES + 64];
static unsigned short length;

static void
add(struct sock_filter statement)
{
	code[length++] = statement;
}

/* Refuse a call unless one of its arguments is in a list. */
static void
only(int call, struct sock_filter load, const int *list, size_t n, int error)
{
	size_t i;

	add(IS(call, 0, n + 3));
	add(load);
	for (i = 0; i < n; i++)
		add(IS(list[i], n - i, 0));
	add(REFUSE((uint32_t)error));
	add(ALLOW);
}

/*
 * Refuse calls with EPERM, as a container does.  clone3 is not there at all:
 * its flags can't be seen, and the C library then uses clone.
 */
static void
refuse_calls(void)
{
	struct sock_fprog prog = {.filter = code};
	size_t i;

	add(LOAD(arch));
	add(IS(ARCH, 1, 0));
	add(REFUSE(ENOSYS));
	add(LOAD(nr));
	add(HAS(FOREIGN, 0, 1));
	add(REFUSE(ENOSYS));
	add(IS(SYS_clone3, 0, 1));
	add(REFUSE(ENOSYS));
	for (i = 0; i < NREFUSED; i++)
		add(IS(refused[i], NREFUSED - i, 0));
	add(JUMP(BPF_JA, 1, 0, 0));
	add(REFUSE(EPERM));
	add(IS(SYS_clone, 0, 4));
	add(LOAD(args[0]));
	add(HAS(NAMESPACES, 0, 1));
	add(REFUSE(EPERM));
	add(ALLOW);
	add(IS(SYS_kill, 0, 4));
	add(LOAD(args[0]));
	add(IS(-1, 0, 1));
	add(REFUSE(EPERM));
	add(ALLOW);
	/* put input into a terminal: TIOCSTI, TIOCLINUX */
	add(IS(SYS_ioctl, 0, 5));
	add(LOAD(args[1]));
	add(IS(0x5412, 1, 0));
	add(IS(0x541c, 0, 1));
	add(REFUSE(EPERM));
	add(ALLOW);
	only(SYS_ptrace, LOAD(args[0]), traces, NTRACES, EPERM);
	only(SYS_socket, LOAD(args[0]), families, NFAMILIES, EAFNOSUPPORT);
	add(ALLOW);
	prog.len = length;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == -1)
		die("seccomp");
}

int
main(int argc, char **argv)
{
	unsigned long uid = 0;
	int opt, started = -1, ruleset = -1;

	while ((opt = getopt(argc, argv, "+u:f:s:e:l:r:w:")) != -1) {
		switch (opt) {
		case 'u':
			uid = number(optarg, 0xfffffffeUL);
			if (uid == 0) {
				errno = EINVAL;
				die("-u");
			}
			break;
		case 'f':
			take_descriptors(optarg);
			break;
		case 's':
			started = (int)number(optarg, 1 << 20);
			if (fcntl(started, F_SETFD, FD_CLOEXEC) == -1)
				die("-s");
			break;
		case 'e':
			if (strchr(optarg, '=') != NULL
				? putenv(optarg) != 0
				: unsetenv(optarg) == -1)
				die("-e");
			break;
		case 'l':
			add_limit(optarg);
			break;
		case 'r':
			add_path(optarg, FS_READ);
			break;
		case 'w':
			add_path(optarg, ~0ULL);
			break;
		default:
			return 125;
		}
	}
	argv += optind;
	if (argv[0] == NULL) {
		errno = EINVAL;
		die("no program");
	}
	if (npaths > 0)
		ruleset = make_ruleset();
	if (uid != 0)
		become(uid);
	set_limits();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		die("no_new_privs");
	if (ruleset != -1 && syscall(LANDLOCK_RESTRICT, ruleset, 0) == -1)
		die("landlock_restrict_self");
	if (ruleset != -1)
		(void)close(ruleset);
	refuse_calls();
	if (started != -1 && write(started, "s", 1) != 1)
		die("-s");
	execv(argv[0], argv);
	die(argv[0]);
}
