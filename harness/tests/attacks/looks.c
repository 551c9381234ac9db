/* looks.c - prints the command lines and environments of all processes. */
#include <sys/types.h>

#include <dirent.h>
#include <fcntl.h>

#include "attack.h"

static void
show(const char *pid, const char *what)
{
	char path[300], buf[65536];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%s/%s", pid, what);
	fd = open(path, O_RDONLY);
	if (fd == -1)
		return;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		(void)write(STDOUT_FILENO, buf, (size_t)n);
	close(fd);
}

int
main(int argc, char **argv)
{
	struct dirent *one;
	DIR *dir;

	begin();
	(void)argument(argc, argv, 2);
	/* the test knows the number, whether or not it is listed */
	show(argv[2], argv[1]);
	dir = opendir("/proc");
	while (dir != NULL && (one = readdir(dir)) != NULL)
		if (one->d_name[0] >= '1' && one->d_name[0] <= '9' &&
		    atoi(one->d_name) != getpid())
			show(one->d_name, argv[1]);
	tried();
	return 0;
}
