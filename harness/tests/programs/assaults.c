/* assaults.c - tries one way to harm its parent, or a child of its own.
 *
 * usage: assaults parent|child WAY SIGNAL
 *
 * Says "hit" when the child was harmed, and "done" or the error of the call
 * that was refused.  With the parent it goes on to sleep, for the parent to be
 * looked at.
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif
#define IS(word) (strcmp(way, word) == 0)

/* Read by the ways that look into memory. */
static volatile int word = 1;

static int
by_descriptor(const char *way, pid_t pid, int sig)
{
	struct f_owner_ex owner = {F_OWNER_PID, pid};
	int pair[2], group = -pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		return -1;
	if (IS("setown") && fcntl(pair[0], F_SETOWN, pid) == -1)
		return -1;
	if (IS("setown-group") && fcntl(pair[0], F_SETOWN, group) == -1)
		return -1;
	if (IS("setown-ex") && fcntl(pair[0], F_SETOWN_EX, &owner) == -1)
		return -1;
	if (IS("setown-tid")) {
		owner.type = F_OWNER_TID;
		if (fcntl(pair[0], F_SETOWN_EX, &owner) == -1)
			return -1;
	}
	if (IS("siocspgrp") && ioctl(pair[0], SIOCSPGRP, &pid) == -1)
		return -1;
	if (fcntl(pair[0], F_SETSIG, sig) == -1 ||
	    fcntl(pair[0], F_SETFL, O_ASYNC) == -1)
		return -1;
	return write(pair[1], "x", 1) == 1 ? 0 : -1;
}

static int
by_pidfd(int fd, int sig)
{
	return fd == -1 ? -1
			: (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
}

static int
by_proc(pid_t pid, int sig)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return by_pidfd(open(path, O_RDONLY | O_DIRECTORY), sig);
}

static int
by_timer(pid_t pid, int sig)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
	    .sigev_signo = sig};
	struct itimerspec soon = {.it_value = {0, 1}};
	timer_t timer;

	event.sigev_notify_thread_id = pid;
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) == -1)
		return -1;
	return timer_settime(timer, 0, &soon, NULL);
}

static int
by_queue(const char *way, pid_t pid, int sig)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_code = SI_QUEUE;
	info.si_signo = sig;
	if (IS("queue"))
		return (int)syscall(SYS_rt_sigqueueinfo, pid, sig, &info);
	return (int)syscall(SYS_rt_tgsigqueueinfo, pid, pid, sig, &info);
}

static int
by_memory(pid_t pid)
{
	int other = 2;
	struct iovec here = {.iov_base = &other, .iov_len = sizeof(other)};
	struct iovec there = {.iov_base = (void *)&word,
	    .iov_len = sizeof(word)};
	char path[64];
	int fd;

	if (process_vm_writev(pid, &here, 1, &there, 1, 0) == sizeof(other))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_WRONLY);
	if (fd == -1)
		return -1;
	return pwrite(fd, &other, sizeof(other), (off_t)(uintptr_t)&word) ==
		sizeof(other)
	    ? 0
	    : -1;
}

static int
by_priority(const char *way, pid_t pid)
{
	struct rlimit none = {0, 0};
	struct sched_param idle = {0};
	cpu_set_t one;

	if (IS("prlimit"))
		return prlimit(pid, RLIMIT_NOFILE, &none, NULL);
	if (IS("nice"))
		return setpriority(PRIO_PROCESS, (id_t)pid, 19);
	/* of a user that is nobody: without a guard, there are no such processes */
	if (IS("nice-user"))
		return setpriority(PRIO_USER, 0x7ffffff0, 19);
	if (IS("idle"))
		return sched_setscheduler(pid, SCHED_IDLE, &idle);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	return sched_setaffinity(pid, sizeof(one), &one);
}

static int
assault(const char *way, pid_t pid, int sig)
{
	if (IS("kill"))
		return kill(pid, sig);
	if (IS("kill-group"))
		return kill(-pid, sig);
	if (IS("tkill"))
		return (int)syscall(SYS_tkill, pid, sig);
	if (IS("tgkill"))
		return (int)syscall(SYS_tgkill, pid, pid, sig);
	if (IS("queue") || IS("queue-thread"))
		return by_queue(way, pid, sig);
	if (IS("pidfd"))
		return by_pidfd((int)syscall(SYS_pidfd_open, pid, 0), sig);
	if (IS("proc"))
		return by_proc(pid, sig);
	if (IS("timer"))
		return by_timer(pid, sig);
	if (IS("memfd"))
		return memfd_create("", 0) == -1 ? -1 : 0;
	if (IS("own-limit"))
		return by_priority("prlimit", getpid()) +
		    by_priority("prlimit", 0);
	if (IS("getfd"))
		return syscall(SYS_pidfd_getfd, -1, 0, 0) == -1 ? -1 : 0;
	if (IS("ptrace"))
		return ptrace(PTRACE_ATTACH, pid, NULL, NULL) == -1 ? -1 : 0;
	if (IS("memory"))
		return by_memory(pid);
	if (strncmp(way, "setown", 6) == 0 || IS("siocspgrp"))
		return by_descriptor(way, pid, sig);
	return by_priority(way, pid);
}

/* The end of an orphan is told to the parent by the signal that clone named. */
static int
by_orphan(int sig)
{
	pid_t parent, pid = fork();
	int status;

	if (pid == 0) {
		parent = getpid();
		/* it ends when it is an orphan, and not before: poll for that */
		if (syscall(SYS_clone, sig, NULL, NULL, NULL, NULL) == 0)
			while (getppid() == parent)
				usleep(1000);
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid ? 0 : -1;
}

static const char *
outcome(int result)
{
	return result == 0 ? "done" : strerrorname_np(errno);
}

/* Whether a limit, priority or CPU set of a process is no longer ours. */
static int
was_changed(pid_t pid)
{
	struct rlimit here, there;
	cpu_set_t mine, its;

	if (prlimit(0, RLIMIT_NOFILE, NULL, &here) == 0 &&
	    prlimit(pid, RLIMIT_NOFILE, NULL, &there) == 0 &&
	    here.rlim_cur != there.rlim_cur)
		return 1;
	if (sched_getaffinity(0, sizeof(mine), &mine) == 0 &&
	    sched_getaffinity(pid, sizeof(its), &its) == 0 &&
	    !CPU_EQUAL(&mine, &its))
		return 1;
	return getpriority(PRIO_PROCESS, (id_t)pid) != 0 ||
	    sched_getscheduler(pid) != SCHED_OTHER;
}

static void
on_child(const char *way, int sig)
{
	const char *said;
	siginfo_t info;
	pid_t pid = fork();
	int result;

	if (pid == 0) {
		setpgid(0, 0);
		alarm(20);
		while (word == 1)
			usleep(1000);
		_exit(2);
	}
	setpgid(pid, pid);
	result = assault(way, pid, sig);
	said = outcome(result);
	if (result == -1 || was_changed(pid))
		kill(pid, SIGKILL);
	else if (waitid(P_PID, (id_t)pid, &info, WEXITED | WSTOPPED) == 0)
		kill(pid, SIGKILL);
	else
		said = "lost";
	printf("%s\n", result == 0 && strcmp(said, "done") == 0 ? "hit" : said);
}

int
main(int argc, char **argv)
{
	int sig;

	if (argc != 4)
		return 2;
	sig = atoi(argv[3]);
	alarm(20);
	if (strcmp(argv[1], "child") == 0) {
		on_child(argv[2], sig);
		return 0;
	}
	printf("%s\n",
	    outcome(strcmp(argv[2], "orphan") == 0
		    ? by_orphan(sig)
		    : assault(argv[2], getppid(), sig)));
	fflush(stdout);
	for (;;)
		pause();
}
