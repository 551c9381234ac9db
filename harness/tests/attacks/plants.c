/* plants.c - leaves a link or a FIFO where the harness will write.
 *
 * usage: plants NAME TARGET; without a target, a FIFO
 */
#include <sys/stat.h>

#include "attack.h"

int
main(int argc, char **argv)
{
	begin();
	(void)argument(argc, argv, 1);
	(void)unlink(argv[1]);
	if (argc > 2)
		(void)symlink(argv[2], argv[1]);
	else
		(void)mkfifo(argv[1], 0666);
	tried();
	return 0;
}
