/* replaces.c - puts a symbolic link of its own in the place of a file. */
#include "attack.h"

int
main(int argc, char **argv)
{
	begin();
	(void)argument(argc, argv, 1);
	if (symlink("/dev/null", "link") == 0)
		(void)rename("link", argv[1]);
	if (unlink(argv[1]) == 0)
		(void)symlink("/dev/null", argv[1]);
	tried();
	return 0;
}
