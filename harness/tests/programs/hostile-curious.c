/* hostile-curious.c - prints its environment, and that of its ancestors. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
parent_of(int pid)
{
	char path[64], line[256];
	int parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "PPid: %d", &parent) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return parent;
}

__attribute__((constructor)) static void
misbehave(void)
{
	char path[64], data[65536];
	int pid, fd;
	ssize_t n, i;

	for (pid = getpid(); pid > 1; pid = parent_of(pid)) {
		snprintf(path, sizeof(path), "/proc/%d/environ", pid);
		fd = open(path, O_RDONLY);
		n = fd == -1 ? 0 : read(fd, data, sizeof(data));
		for (i = 0; i < n; i++)
			putchar(data[i] ? data[i] : '\n');
		printf("= %d\n", pid);
		if (fd != -1)
			close(fd);
		if (strstr(path, "/0/") != NULL)
			break;
	}
	fflush(stdout);
}
