/* named.c - sleeps under a name with blanks and parentheses in it. */
#include <sys/prctl.h>

#include <unistd.h>

int
main(void)
{
	prctl(PR_SET_NAME, ") S 1 (a b", 0, 0, 0);
	pause();
	return 0;
}
