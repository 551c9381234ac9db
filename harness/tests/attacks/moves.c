/* moves.c - moves into another cgroup, whose file cgroup.procs is named. */
#include <fcntl.h>

#include "attack.h"

int
main(int argc, char **argv)
{
	int fd;

	begin();
	(void)argument(argc, argv, 1);
	fd = open(argv[1], O_WRONLY);
	if (fd != -1) {
		/* the number 0 is whoever writes it */
		(void)write(fd, "0", 1);
		close(fd);
	}
	tried_and_stay();
}
