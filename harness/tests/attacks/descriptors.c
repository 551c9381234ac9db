/* descriptors.c - opens twenty thousand files. */
#include <sys/resource.h>

#include <fcntl.h>

#include "attack.h"

int
main(void)
{
	struct rlimit rl;
	int i;

	begin();
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return 1;
	rl.rlim_cur = rl.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	for (i = 0; i < 20000; i++)
		if (open("/dev/null", O_RDONLY) == -1)
			break;
	tried_and_stay();
}
