/* hostile-closed.c - closes its stdout and its stderr. */
#include <fcntl.h>
#include <unistd.h>

__attribute__((constructor)) static void
misbehave(void)
{
	int fd = open("/dev/null", O_WRONLY);

	dup2(fd, 1);
	dup2(fd, 2);
	close(fd);
}
