/* truncates.c - empties a file without opening it. */
#include "attack.h"

int
main(int argc, char **argv)
{
	begin();
	(void)argument(argc, argv, 1);
	(void)truncate(argv[1], 0);
	tried();
	return 0;
}
