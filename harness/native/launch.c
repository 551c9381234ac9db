/* launch.c - start one program, alone and without privilege, and end all of it.
 *
 * usage: launch -c FD [-n NR,...] [-k FD,...] [-i SIG,...] [-l NAME=VALUE]...
 *               [-o N] [-3 FD] [-x] [-g] [-q FD] [-m BYTES] -- PROG [ARG]...
 *
 *   -c FD     a UNIX stream socket to the harness.  It carries, as lines, what
 *             became of the program; with the first byte, if -n is given, the
 *             listener of the filter.  End of file on it, or any byte, is the
 *             order to end everything.
 *   -n NR,... system calls to report to the listener (seccomp_unotify(2))
 *   -k FD,... descriptors that the program keeps, besides 0, 1 and 2
 *   -i SIG,...  signals that are ignored when the program starts
 *   -l N=V    a resource limit: nofile fsize core as cpu
 *   -o N      leave the program no descriptor below N: open /dev/null there
 *   -3 FD     a descriptor that the program shall have as its number 3
 *   -x        neither the program nor what it starts may execute a file; see
 *             once.c
 *
 * With WARDEN defined, for programs of strangers:
 *
 *   -g        keep the program's signals among its own processes; see scope.c
 *   -q FD     a UNIX packet socket, on which to answer what the harness may not
 *             see itself; see observe.c
 *   -m BYTES  end everything when the program takes more memory than this
 *
 * Lines: "child N" (said by the program's process itself before it becomes the
 * program; N is its own number for itself), "pid N" (it has become the program),
 * "exit N" or "signal N" (the program), "orphans N" (so many others have ended
 * here; said of powers of two), "gone".  Of a WARDEN also "memory N", the
 * megabytes that were too much, and just before "gone" what was used, "cpu N" in
 * milliseconds and "peak N" in kilobytes.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#ifdef WARDEN
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#endif

#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#ifdef WARDEN
#include <dirent.h>
#include <limits.h>
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/*
 * The program's copy of the control socket sits on this number until exec, and
 * the filter lets sendmsg through on it: otherwise a filter that reports
 * sendmsg would hold the very call that hands its listener over.
 */
#define HANDOVER 1000
static int handover = HANDOVER;

#define MAXWATCH 64
#define MAXKEEP 16
#define MAXAWAY 16

static int control = -1;
static int watch[MAXWATCH];
static int nwatch;
static int keep[MAXKEEP];
static int nkeep;
static int ignored[MAXKEEP];
static int nignored;
static struct {
	int resource;
	rlim_t value;
} limits[8];
static int nlimits;
static int occupied;
static int third = -1;
static int once;
static pid_t launcher;
static pid_t program;
#ifdef WARDEN
static int questions = -1;
static int guarded;
static long page_size;
#define WARDEN_OPTIONS "gq:m:"
#else
#define WARDEN_OPTIONS ""
#endif

static void
die(const char *what)
{
	dprintf(STDERR_FILENO, "launch: %s: %s\n", what, strerror(errno));
	_exit(127);
}

static int
number(const char *s)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(s, &end, 10);
	if (errno != 0 || end == s || *end != '\0' || n < 0 || n > 1 << 30) {
		errno = EINVAL;
		die(s);
	}
	return (int)n;
}

static int
numbers(char *list, int *out, int max)
{
	char *word, *rest = NULL;
	int n = 0;

	for (; (word = strtok_r(list, ",", &rest)) != NULL; list = NULL) {
		if (n == max) {
			errno = E2BIG;
			die("list");
		}
		out[n++] = number(word);
	}
	return n;
}

static void
limit(char *spec)
{
	static const struct {
		const char *name;
		int resource;
	} names[] = {
	    {"nofile", RLIMIT_NOFILE},
	    {"fsize", RLIMIT_FSIZE},
	    {"core", RLIMIT_CORE},
	    {"as", RLIMIT_AS},
	    {"cpu", RLIMIT_CPU},
	};
	char *value = strchr(spec, '=');
	size_t i;

	errno = EINVAL;
	if (value == NULL || nlimits == 8)
		die(spec);
	*value++ = '\0';
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, spec) == 0)
			break;
	if (i == sizeof(names) / sizeof(names[0]))
		die(spec);
	limits[nlimits].resource = names[i].resource;
	limits[nlimits++].value = strtoull(value, NULL, 10);
}

/* Say one line; a harness that has gone is noticed by poll, not here. */
static void
say(const char *word, int n)
{
	char line[64];
	int len;

	len = n < 0 ? snprintf(line, sizeof(line), "%s\n", word)
		    : snprintf(line, sizeof(line), "%s %d\n", word, n);
	(void)send(control, line, (size_t)len, MSG_NOSIGNAL);
}

/*
 * Give up every capability, for good.  As uid 0, exec would bring back what is
 * left in the bounding set; no_new_privs stops that too where the bounding set
 * can't be changed.
 */
static void
drop_capabilities(void)
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2];
	int cap;

	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	memset(none, 0, sizeof(none));
	if (syscall(SYS_capset, &head, none) == -1)
		die("capset");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		die("no_new_privs");
}

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(k, yes, no) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(k), (yes), (no))
#define RETURN(k) BPF_STMT(BPF_RET | BPF_K, (k))

#include "launch/guard.c"
#include "launch/once.c"
#ifdef WARDEN
#include "launch/scope.c"
#include "launch/family.c"
#include "launch/memory.c"
#include "launch/observe.c"
#endif

/* Report the watched calls; every other call runs as ever. */
static int
install_filter(void)
{
	struct sock_filter code[MAXWATCH + 16];
	struct sock_fprog prog = {.filter = code};
	unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER |
	    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	size_t n = 0;
	long fd;
	int i;

	code[n++] = (struct sock_filter)LOAD(arch);
	code[n++] = (struct sock_filter)IS(ARCH, 1, 0);
	code[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)LOAD(nr);
	code[n++] = (struct sock_filter)IS(SYS_sendmsg, 0, 4);
	code[n++] = (struct sock_filter)LOAD(args[0]);
	code[n++] = (struct sock_filter)IS(handover, 0, 1);
	code[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)LOAD(nr);
	for (i = 0; i < nwatch; i++)
		code[n++] = (struct sock_filter)IS(watch[i], nwatch - i, 0);
	code[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)RETURN(SECCOMP_RET_USER_NOTIF);
	prog.len = (unsigned short)n;
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (fd == -1 && errno == EINVAL) {
		/* before Linux 5.19 */
		flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
		fd =
		    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	}
	return (int)fd;
}

static void
hand_over(int fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control_data;
	char byte = 'L';
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control_data,
	    .msg_controllen = sizeof(control_data)};
	struct cmsghdr *cmsg;

	memset(&control_data, 0, sizeof(control_data));
	cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	if (sendmsg(handover, &msg, MSG_NOSIGNAL) != 1)
		die("handing the listener over");
}

/*
 * Give every signal its default.  The kernel is asked itself: sigaction(2)
 * refuses the two signals that the C library keeps for its threads, and whoever
 * started us may have left them ignored.
 */
static void
default_signals(void)
{
	/* larger than any architecture's struct; SIG_DFL, no flags, no mask */
	unsigned long dfl[8] = {0};
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		(void)syscall(SYS_rt_sigaction, sig, dfl, NULL, (NSIG - 1) / 8);
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		die("sigprocmask");
}

/*
 * Leave no number below that of -o free.  What exec will close goes on under a
 * higher number until then, out of the way of the filter's listener.
 */
static void
occupy(void)
{
	int i, flags, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int high = occupied + MAXAWAY;

	if (null == -1 || (null = fcntl(null, F_DUPFD_CLOEXEC, high)) == -1)
		die("-o");
	for (i = 3; i < occupied; i++) {
		flags = fcntl(i, F_GETFD);
		if (flags != -1 && (flags & FD_CLOEXEC) == 0)
			continue;
		if ((flags != -1 && fcntl(i, F_DUPFD_CLOEXEC, high) == -1) ||
		    dup2(null, i) == -1)
			die("-o");
	}
}

/* Become the program. */
static void
become(char **argv)
{
	char *path = argv[0];
	struct rlimit rl;
	int i;

	say("child", (int)getpid());
	if (setsid() == -1)
		die("setsid");
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		die("getrlimit");
	if (occupied > 0) {
		rl.rlim_cur = rl.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
			die("setrlimit");
		handover = occupied + MAXAWAY - 1;
	} else if (rl.rlim_cur <= HANDOVER)
		handover = (int)rl.rlim_cur - 1;
	if (dup3(control, handover, O_CLOEXEC) == -1)
		die("dup3");
	if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == -1)
		for (i = 3; i < 4096; i++)
			(void)fcntl(i, F_SETFD, FD_CLOEXEC);
	for (i = 0; i < nkeep; i++)
		if (fcntl(keep[i], F_SETFD, 0) == -1)
			die("-k");
	if (third == 3 && fcntl(3, F_SETFD, 0) == -1)
		die("-3");
	if (third > 3) {
		/* what exec will close goes on under a higher number */
		(void)fcntl(3, F_DUPFD_CLOEXEC, 4);
		if (dup2(third, 3) == -1)
			die("-3");
	}
	default_signals();
	for (i = 0; i < nignored; i++)
		if (signal(ignored[i], SIG_IGN) == SIG_ERR)
			die("-i");
	if (occupied > 0)
		occupy();
	for (i = 0; i < nlimits; i++) {
		if (getrlimit(limits[i].resource, &rl) == -1)
			die("getrlimit");
		/* lower both, raise neither above what we have */
		rl.rlim_cur = rl.rlim_max;
		if (rl.rlim_max == RLIM_INFINITY ||
		    limits[i].value < rl.rlim_max)
			rl.rlim_cur = limits[i].value;
		/* the hard limit of CPU time ends without a word */
		if (limits[i].resource != RLIMIT_CPU)
			rl.rlim_max = rl.rlim_cur;
		if (setrlimit(limits[i].resource, &rl) == -1)
			die("setrlimit");
	}
	drop_capabilities();
	guard_others();
#ifdef WARDEN
	if (guarded)
		keep_signals_in();
#endif
	if (nwatch > 0) {
		int fd = install_filter();

		if (fd == -1)
			die("seccomp filter");
		hand_over(fd);
	}
	if (once)
		path = only_once(path);
	execv(path, argv);
	die(argv[0]);
}

/*
 * Kill every child and its process group; a group of many, once.  Without /proc,
 * as a compiler is run, only the program and its group are known.
 */
static void
sweep(void)
{
	char path[64], word[32];
	FILE *fp;
	pid_t pid, group, last = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children",
	    (int)getpid());
	fp = fopen(path, "re");
	if (fp != NULL) {
		while (fscanf(fp, "%31s", word) == 1) {
			pid = (pid_t)atoi(word);
			group = getpgid(pid);
			if (group > 1 && group != getpgrp() && group != last)
				(void)kill(-group, SIGKILL);
			last = group;
			(void)kill(pid, SIGKILL);
		}
		fclose(fp);
	} else {
		(void)kill(program, SIGKILL);
		(void)kill(-program, SIGKILL);
	}
}

/*
 * End all descendants.  We are their subreaper: whoever loses its parent
 * becomes our child, so going on until there is no child leaves nobody.
 */
static void
end_all(void)
{
	do {
		sweep();
		/* to look again for each of them would take minutes for many */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		/* all that were there are dying; wait for the next of them */
	} while (waitpid(-1, NULL, 0) > 0);
#ifdef WARDEN
	say_usage();
#endif
	say("gone", -1);
	_exit(0);
}

static void
reap(void)
{
	static int orphans;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (WIFSTOPPED(status)) {
			/* it has made us its tracer (PTRACE_TRACEME): let it go */
			(void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
			continue;
		}
		if (pid != program) {
			orphans++;
			if ((orphans & (orphans - 1)) == 0 && orphans >= 64)
				say("orphans", orphans);
			continue;
		}
		if (WIFEXITED(status))
			say("exit", WEXITSTATUS(status));
		else
			say("signal", WTERMSIG(status));
	}
}

/*
 * Wait until the child has become the program, or has failed to: exec closes
 * the other end of this pipe, and so does the child's end.  But if the harness
 * has died meanwhile, the child can't hand its listener over, and its own filter
 * holds it for ever in the call that would say so.
 */
static void
wait_for_start(int started)
{
	struct pollfd fds[] = {
	    {.fd = started, .events = POLLIN},
	    {.fd = control, .events = POLLIN},
	};

	while (fds[0].revents == 0) {
		if (poll(fds, 2, -1) == -1 && errno != EINTR)
			end_all();
		if (fds[0].revents == 0 && fds[1].revents != 0)
			end_all();
	}
}

/* Wait for the program's end, its orphans' ends, and the order to end them. */
static void
watch_over(int sigfd)
{
	struct pollfd fds[] = {
	    {.fd = control, .events = POLLIN},
	    {.fd = sigfd, .events = POLLIN},
#ifdef WARDEN
	    {.fd = ticks, .events = POLLIN},
	    {.fd = questions, .events = POLLIN},
#endif
	};
	struct signalfd_siginfo info;

	for (;;) {
		if (poll(fds, sizeof(fds) / sizeof(fds[0]), -1) == -1 &&
		    errno != EINTR)
			end_all();
		if (fds[0].revents != 0)
			end_all();
		if (fds[1].revents != 0) {
			(void)read(sigfd, &info, sizeof(info));
			reap();
		}
#ifdef WARDEN
		if (fds[2].revents != 0)
			look_at_memory();
		if (fds[3].revents != 0) {
			answer_question();
			fds[3].fd = questions;
		}
#endif
	}
}

int
main(int argc, char **argv)
{
	sigset_t all;
	int opt, sigfd, null, started[2];

	while ((opt = getopt(argc, argv, "+c:n:k:i:l:o:3:x" WARDEN_OPTIONS)) !=
	    -1) {
		switch (opt) {
		case 'c':
			control = number(optarg);
			break;
		case 'n':
			nwatch = numbers(optarg, watch, MAXWATCH);
			break;
		case 'k':
			nkeep = numbers(optarg, keep, MAXKEEP);
			break;
		case 'i':
			nignored = numbers(optarg, ignored, MAXKEEP);
			break;
		case 'l':
			limit(optarg);
			break;
		case 'o':
			occupied = number(optarg);
			break;
		case '3':
			third = number(optarg);
			break;
		case 'x':
			once = 1;
			break;
#ifdef WARDEN
		case 'g':
			guarded = 1;
			break;
		case 'q':
			questions = number(optarg);
			break;
		case 'm':
			most_memory = strtoull(optarg, NULL, 10);
			break;
#endif
		default:
			return 2;
		}
	}
	argv += optind;
	if (control == -1 || argv[0] == NULL)
		return 2;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == -1)
		die("subreaper");
	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, NULL) == -1)
		die("sigprocmask");
	sigfd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sigfd == -1 || pipe2(started, O_CLOEXEC) == -1)
		die("signalfd");
	launcher = getpid();
	/* whoever runs as the same user shall not look into us; exec ends that */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	program = fork();
	if (program == -1)
		die("fork");
	if (program == 0)
		become(argv);
	close(started[1]);
	/* The program's pipes must be its own: they end when it ends. */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null == -1 || dup2(null, 0) == -1 || dup2(null, 1) == -1 ||
	    dup2(null, 2) == -1)
		die("/dev/null");
	for (opt = 0; opt < nkeep; opt++)
		close(keep[opt]);
	if (third != -1)
		close(third);
	wait_for_start(started[0]);
	say("pid", program);
#ifdef WARDEN
	if (most_memory > 0)
		start_looking();
#endif
	watch_over(sigfd);
	return 0;
}
