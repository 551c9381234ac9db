/* shares.c - leaves a shared memory segment behind. */
#include <sys/ipc.h>
#include <sys/shm.h>

#include "attack.h"

int
main(int argc, char **argv)
{
	begin();
	(void)shmget(argument(argc, argv, 1), 4096, IPC_CREAT | 0666);
	tried();
	return 0;
}
