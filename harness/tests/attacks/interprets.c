/* interprets.c - lets an interpreter do the work. */
#include "attack.h"

int
main(void)
{
	begin();
	execl("/usr/bin/python3", "python3", "-c",
	    "print(6 * 7, 'tried', sep='\\n', flush=True)", (char *)NULL);
	tried();
	return 0;
}
