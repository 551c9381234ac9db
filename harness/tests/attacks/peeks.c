/* peeks.c - reads the memory of a process, in two ways. */
#define _GNU_SOURCE
#include <sys/uio.h>

#include <fcntl.h>

#include "attack.h"

int
main(int argc, char **argv)
{
	pid_t pid = argument(argc, argv, 1);
	unsigned long where = address(argc, argv, 2);
	char path[64], buf[64];
	struct iovec mine = {.iov_base = buf, .iov_len = sizeof(buf)};
	struct iovec theirs = {.iov_base = (void *)where,
	    .iov_len = sizeof(buf)};
	int fd;

	begin();
	if (process_vm_readv(pid, &mine, 1, &theirs, 1, 0) > 0)
		(void)write(STDOUT_FILENO, buf, sizeof(buf));
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDONLY);
	if (fd != -1 && pread(fd, buf, sizeof(buf), (off_t)where) > 0)
		(void)write(STDOUT_FILENO, buf, sizeof(buf));
	tried();
	return 0;
}
