/* threads.c - its first thread ends; another one waits for input. */
#include <pthread.h>
#include <unistd.h>

static void *
wait_for_input(void *arg)
{
	char byte;

	while (read(0, &byte, 1) == 1)
		(void)!write(1, &byte, 1);
	_exit(7);
	return arg;
}

int
main(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, wait_for_input, NULL);
	pthread_exit(NULL);
}
