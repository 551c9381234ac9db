/* links.c - makes a file that it may not read its own by a hard link. */
#include <fcntl.h>

#include "attack.h"

int
main(int argc, char **argv)
{
	char buf[4096];
	ssize_t n;
	int fd;

	begin();
	(void)argument(argc, argv, 1);
	if (link(argv[1], "mine") == 0 && (fd = open("mine", O_RDONLY)) != -1) {
		while ((n = read(fd, buf, sizeof(buf))) > 0)
			if (write(STDOUT_FILENO, buf, (size_t)n) != n)
				return 1;
		close(fd);
	}
	tried();
	return 0;
}
