/* hostile-everybody.c - kills everybody it may kill, where that is only a test. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Whether the first process is the checker: then nobody else is in sight. */
static int
is_alone(void)
{
	char name[64] = "";
	FILE *file = fopen("/proc/1/comm", "r");

	if (file == NULL)
		return 0;
	if (fgets(name, sizeof(name), file) == NULL)
		name[0] = '\0';
	fclose(file);
	return strncmp(name, "python", 6) == 0;
}

__attribute__((constructor)) static void
misbehave(void)
{
	if (is_alone())
		kill(-1, SIGKILL);
	for (;;)
		pause();
}
