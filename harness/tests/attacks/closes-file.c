/* closes-file.c - takes everybody's permissions of a file away. */
#include <sys/stat.h>

#include "attack.h"

int
main(int argc, char **argv)
{
	begin();
	(void)argument(argc, argv, 1);
	(void)chmod(argv[1], 0);
	tried();
	return 0;
}
