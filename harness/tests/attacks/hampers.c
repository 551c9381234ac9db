/* hampers.c - takes descriptors, priority and processors from another process. */
#define _GNU_SOURCE
#include <sys/resource.h>

#include <sched.h>

#include "attack.h"

int
main(int argc, char **argv)
{
	struct rlimit few = {3, 3};
	struct sched_param param = {0};
	pid_t pid = argument(argc, argv, 1);
	cpu_set_t none;

	begin();
	(void)prlimit(pid, RLIMIT_NOFILE, &few, NULL);
	(void)setpriority(PRIO_PROCESS, (id_t)pid, 19);
	(void)setpriority(PRIO_USER, getuid(), 19);
	CPU_ZERO(&none);
	CPU_SET((size_t)sched_getcpu(), &none);
	(void)sched_setaffinity(pid, sizeof(none), &none);
	(void)sched_setscheduler(pid, SCHED_IDLE, &param);
	tried();
	return 0;
}
