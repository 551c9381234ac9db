/* writes.c - writes a grade of its own into a file. */
#include <fcntl.h>

#include "attack.h"

int
main(int argc, char **argv)
{
	int fd;

	begin();
	(void)argument(argc, argv, 1);
	fd = open(argv[1], O_WRONLY | O_TRUNC);
	if (fd != -1) {
		(void)write(fd, "100 of 100\n", 11);
		close(fd);
	}
	tried();
	return 0;
}
