/* hostile-breaks.c - ends who watches over it, and whoever watches over that. */
#include <sys/syscall.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
parent_of(int pid)
{
	char path[64];
	int parent = 0;
	FILE *fp;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fp = fopen(path, "r");
	if (fp == NULL)
		return 0;
	if (fscanf(fp, "%*d %*s %*c %d", &parent) != 1)
		parent = 0;
	fclose(fp);
	return parent;
}

static void
strike(int pid, int sig)
{
	siginfo_t info;
	long fd;

	kill(pid, sig);
	syscall(SYS_tkill, pid, sig);
	syscall(SYS_tgkill, pid, pid, sig);
	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = SI_QUEUE;
	syscall(SYS_rt_sigqueueinfo, pid, sig, &info);
	fd = syscall(SYS_pidfd_open, pid, 0);
	if (fd != -1) {
		syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
		close((int)fd);
	}
}

__attribute__((constructor)) static void
misbehave(void)
{
	int launcher = getppid(), above = parent_of(launcher);

	/* no further up: there is whoever runs the tests */
	strike(launcher, SIGSTOP);
	strike(launcher, SIGKILL);
	if (above > 1)
		strike(above, SIGKILL);
}
