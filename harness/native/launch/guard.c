/* guard.c - a part of launch.c: what keeps the program from harming us.
 *
 * The launcher blocks every signal that can be blocked, so only SIGKILL and
 * SIGSTOP could hurt it; besides signals, so could limits and priorities that
 * somebody of the same user sets for it.  It may own a descriptor (F_SETOWN):
 * the signal of that is never one of the two.
 */

/* LOAD takes the low half of an argument: our machines are little-endian. */
#define BELOW(k, yes, no) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (k), (no), (yes))
/* Refuse a call one of whose arguments is one of two values. */
#define REFUSE(nr_, argument, value, other)                                    \
	IS(nr_, 0, 5), LOAD(args[argument]), IS(value, 1, 0), IS(other, 0, 1), \
	    RETURN(SECCOMP_RET_ERRNO | EPERM), LOAD(nr)
/* The same for one command of fcntl. */
#define REFUSE_FCNTL(command, value, other)                                   \
	IS(SYS_fcntl, 0, 7), LOAD(args[1]), IS(command, 0, 4), LOAD(args[2]), \
	    IS(value, 1, 0), IS(other, 0, 1),                                 \
	    RETURN(SECCOMP_RET_ERRNO | EPERM), LOAD(nr)
/* Stand for a process's number and its group until they are known. */
#define US 0x7ffffffe
#define OUR_GROUP 0x7fffffff
/* A call told by a number whom it concerns: not us, and not our group. */
#define NOT_US(nr, argument) REFUSE(nr, argument, US, OUR_GROUP)

/*
 * End by SIGSYS whoever sends a signal to everybody: kill of the -1 that a call
 * has returned is a mistake that ends more than the program.  Nobody may name
 * the launcher in a call that could harm it.  Where filters are refused there is
 * no such guard.
 */
static struct sock_filter guard[] = {
    LOAD(arch),
    IS(ARCH, 1, 0),
    RETURN(SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
    BELOW(FOREIGN, 1, 0),
    RETURN(SECCOMP_RET_ERRNO | ENOSYS),
    IS(SYS_kill, 0, 4),
    LOAD(args[0]),
    IS(-1, 0, 1),
    RETURN(SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
    NOT_US(SYS_kill, 0),
    NOT_US(SYS_tkill, 0),
    NOT_US(SYS_tgkill, 1),
    NOT_US(SYS_rt_sigqueueinfo, 0),
    NOT_US(SYS_rt_tgsigqueueinfo, 1),
    NOT_US(SYS_pidfd_open, 0),
    NOT_US(SYS_prlimit64, 0),
    NOT_US(SYS_setpriority, 1),
    NOT_US(SYS_sched_setaffinity, 0),
    NOT_US(SYS_sched_setattr, 0),
    NOT_US(SYS_sched_setparam, 0),
    NOT_US(SYS_sched_setscheduler, 0),
    REFUSE(SYS_setpriority, 0, PRIO_USER, PRIO_USER),
    REFUSE_FCNTL(F_SETSIG, SIGKILL, SIGSTOP),
    RETURN(SECCOMP_RET_ALLOW),
};

static void
install(struct sock_filter *filter, size_t length)
{
	struct sock_fprog prog = {.len = (unsigned short)length,
	    .filter = filter};

	(void)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

static void
guard_others(void)
{
	size_t i, length = sizeof(guard) / sizeof(guard[0]);

	for (i = 0; i < length; i++) {
		if (guard[i].k == US)
			guard[i].k = (uint32_t)launcher;
		else if (guard[i].k == OUR_GROUP)
			guard[i].k = (uint32_t)-launcher;
	}
	install(guard, length);
}
