/* hostile-replaces.c - puts a program that always succeeds in its own place. */
#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

__attribute__((constructor)) static void
misbehave(void)
{
	static const char script[] = "#!/bin/sh\nexit 0\n";
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int fd;

	if (n == -1)
		return;
	path[n] = '\0';
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT, 0700);
	(void)!write(fd, script, sizeof(script) - 1);
	fchmod(fd, 0755);
	close(fd);
}
