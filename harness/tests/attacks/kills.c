/* kills.c - sends SIGKILL by each call that can; 0 is its parent. */
#define _GNU_SOURCE
#include <sys/socket.h>
#include <sys/syscall.h>

#include <fcntl.h>

#include "attack.h"

/* Let the kernel send it: the owner of a socket is told of input. */
static void
by_owner(pid_t pid)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		return;
	/* without F_SETSIG it is SIGIO, which ends most processes, too */
	(void)fcntl(pair[0], F_SETSIG, SIGKILL);
	if (fcntl(pair[0], F_SETOWN, pid) == -1 ||
	    fcntl(pair[0], F_SETFL, O_ASYNC | O_NONBLOCK) == -1)
		return;
	(void)write(pair[1], "x", 1);
}

int
main(int argc, char **argv)
{
	pid_t pid = argument(argc, argv, 2);
	siginfo_t info;
	long fd;

	begin();
	if (pid == 0)
		pid = getppid();
	memset(&info, 0, sizeof(info));
	info.si_signo = SIGKILL;
	info.si_code = SI_QUEUE;
	if (strcmp(argv[1], "kill") == 0) {
		(void)kill(pid, SIGKILL);
		(void)kill(-pid, SIGKILL);
	} else if (strcmp(argv[1], "threads") == 0) {
		(void)syscall(SYS_tkill, pid, SIGKILL);
		(void)syscall(SYS_tgkill, pid, pid, SIGKILL);
	} else if (strcmp(argv[1], "queue") == 0) {
		(void)syscall(SYS_rt_sigqueueinfo, pid, SIGKILL, &info);
		(void)syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGKILL, &info);
	} else if (strcmp(argv[1], "pidfd") == 0) {
		fd = syscall(SYS_pidfd_open, pid, 0);
		if (fd != -1)
			(void)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL,
			    0);
	} else
		by_owner(pid);
	tried_and_stay();
}
