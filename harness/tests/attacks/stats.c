/* stats.c - tells the size of a file that it can't read. */
#include <sys/stat.h>

#include "attack.h"

int
main(int argc, char **argv)
{
	struct stat st;

	begin();
	(void)argument(argc, argv, 1);
	if (stat(argv[1], &st) == 0)
		printf("%lld bytes\n", (long long)st.st_size);
	if (fflush(stdout) == EOF)
		return 1;
	tried();
	return 0;
}
