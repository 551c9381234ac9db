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

/* What only we need: it may be open to us, and is closed to the program. */
static struct sock_filter closed[] = {
    LOAD(nr),
    IS(SYS_process_vm_writev, 2, 0),
    IS(SYS_pidfd_getfd, 1, 0),
    RETURN(SECCOMP_RET_ALLOW),
    RETURN(SECCOMP_RET_ERRNO | EPERM),
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
	install(closed, sizeof(closed) / sizeof(closed[0]));
	if (!enter_domain())
		install(blockable, sizeof(blockable) / sizeof(blockable[0]));
}
