/* ticks.c - wakes by a timer every so many milliseconds, and does nothing. */
#include <poll.h>
#include <stdlib.h>

int
main(int argc, char **argv)
{
	for (;;)
		poll(NULL, 0, argc > 1 ? atoi(argv[1]) : 10);
}
