/* everybody.c - kills everybody whom it may kill. */
#include "attack.h"

int
main(void)
{
	begin();
	(void)kill(-1, SIGKILL);
	tried();
	return 0;
}
