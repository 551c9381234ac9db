/* forks.c - three hundred processes at a time. */
#include "attack.h"

int
main(void)
{
	int i;

	begin();
	for (i = 0; i < 300; i++) {
		pid_t pid = fork();

		if (pid == -1)
			break;
		if (pid == 0) {
			begin();
			for (;;)
				pause();
		}
	}
	tried_and_stay();
}
