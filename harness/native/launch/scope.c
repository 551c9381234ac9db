/* scope.c - a part of launch.c: no signal of the program gets out.
 *
 * Source: landlock(7).  The headers of many systems are older than the sixth
 * version of the interface, so what is needed of it stands here.
 */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif
#define LANDLOCK_VERSION 1U
#define LANDLOCK_SIGNAL 2U

/*
 * What only we need, it may be open to us, is closed to the program.  So are
 * memory that nobody has mapped, for it would be counted as nobody's, and the
 * limits of others: a check may run two programs, with a launcher each.
 */
static struct sock_filter closed[] = {
    LOAD(nr),
    IS(SYS_process_vm_writev, 7, 0),
    IS(SYS_pidfd_getfd, 6, 0),
    IS(SYS_memfd_create, 5, 0),
    IS(SYS_prlimit64, 0, 3),
    LOAD(args[0]),
    IS(0, 1, 0),
    IS(US, 0, 1),
    RETURN(SECCOMP_RET_ALLOW),
    RETURN(SECCOMP_RET_ERRNO | EPERM),
};

/*
 * Priorities: a program sets its own, which has the number 0.  It stays on the
 * CPU of its check: on another one it would be in the way of other checks, which
 * stay on theirs.
 */
#define OWN(nr_, argument)                                \
	IS(nr_, 0, 4), LOAD(args[argument]), IS(0, 1, 0), \
	    RETURN(SECCOMP_RET_ERRNO | EPERM), LOAD(nr)
/* ioprio_set(2): of a user */
#define IO_USER 3

static struct sock_filter own[] = {
    LOAD(nr),
    OWN(SYS_setpriority, 1),
    IS(SYS_sched_setaffinity, 0, 1),
    RETURN(SECCOMP_RET_ERRNO | EPERM),
    OWN(SYS_sched_setattr, 0),
    OWN(SYS_sched_setparam, 0),
    OWN(SYS_sched_setscheduler, 0),
    OWN(SYS_ioprio_set, 1),
    REFUSE(SYS_ioprio_set, 0, IO_USER, IO_USER),
    RETURN(SECCOMP_RET_ALLOW),
};

/*
 * A descriptor of /proc/PID serves as one of pidfd_open(2), and no filter sees
 * whose it is: so without a domain, none may send what we can't block.
 */
static struct sock_filter blockable[] = {
    LOAD(nr),
    REFUSE(SYS_pidfd_send_signal, 1, SIGKILL, SIGSTOP),
    RETURN(SECCOMP_RET_ALLOW),
};

/* Return whether the kernel has kept all signals in: Linux 6.12, Landlock on. */
static int
enter_domain(void)
{
	struct {
		uint64_t files, network, scoped;
	} ruleset = {0, 0, LANDLOCK_SIGNAL};
	int fd, done;

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION) < 6)
		return 0;
	fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset,
	    sizeof(ruleset), 0);
	if (fd == -1)
		return 0;
	done = syscall(SYS_landlock_restrict_self, fd, 0) == 0;
	close(fd);
	return done;
}

/* Keep the signals of the program, and of all that it starts, among them. */
static void
keep_signals_in(void)
{
	size_t i;

	for (i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
		if (closed[i].k == US)
			closed[i].k = (uint32_t)getpid();
	install(closed, sizeof(closed) / sizeof(closed[0]));
	install(own, sizeof(own) / sizeof(own[0]));
	if (!enter_domain())
		install(blockable, sizeof(blockable) / sizeof(blockable[0]));
}
