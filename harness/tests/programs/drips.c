/* drips.c - goes on for ever, and prints a byte now and then. */
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS 64

static void *
call(void *arg)
{
	static const struct timespec none;

	for (;;)
		nanosleep(&none, NULL);
	return arg;
}

int
main(int argc, char **argv)
{
	static volatile int count;
	pthread_t thread;
	int i;

	alarm(60);
	if (argc != 2)
		return 2;
	if (strcmp(argv[1], "calls") == 0) {
		for (i = 0; i < THREADS; i++)
			pthread_create(&thread, NULL, call, NULL);
		pause();
	}
	for (;;) {
		if (write(STDOUT_FILENO, ".", 1) != 1)
			return 1;
		if (strcmp(argv[1], "rest") == 0)
			poll(NULL, 0, 50);
		for (i = 0; i < 20 && strcmp(argv[1], "nap") == 0; i++)
			poll(NULL, 0, 1);
		for (i = 0; i < 2000000 && strcmp(argv[1], "work") == 0; i++)
			count++;
	}
}
