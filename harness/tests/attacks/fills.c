/* fills.c - takes half a gigabyte of disk, in nine files. */
#include <fcntl.h>

#include "attack.h"

int
main(void)
{
	char name[32];
	int i, fd;

	begin();
	(void)signal(SIGXFSZ, SIG_IGN);
	for (i = 0; i < 9; i++) {
		(void)snprintf(name, sizeof(name), "filler%d", i);
		fd = open(name, O_WRONLY | O_CREAT, 0600);
		if (fd == -1)
			break;
		(void)posix_fallocate(fd, 0, 60 << 20);
		close(fd);
	}
	tried();
	return 0;
}
