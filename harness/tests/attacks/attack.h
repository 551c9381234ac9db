/* attack.h - what every attack does: say that it is over, and end by itself. */
#ifndef ATTACK_H
#define ATTACK_H
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Seconds after which whatever an attack has started ends by itself. */
#define BOUND 30

/* The order of a test to end an attack that goes on is a SIGKILL. */
static inline void
begin(void)
{
	if (signal(SIGALRM, SIG_DFL) == SIG_ERR)
		exit(1);
	alarm(BOUND);
}

/* Everything has been tried: the test may look at what came of it. */
static inline void
tried(void)
{
	if (write(STDOUT_FILENO, "tried\n", 6) != 6)
		exit(1);
}

/* The same of what goes on meanwhile. */
static inline void
tried_and_stay(void)
{
	tried();
	for (;;)
		pause();
}

static inline int
argument(int argc, char **argv, int n)
{
	if (argc <= n) {
		fprintf(stderr, "%s: argument %d is missing\n", argv[0], n);
		exit(2);
	}
	return atoi(argv[n]);
}

/* The same of a hexadecimal number. */
static inline unsigned long
address(int argc, char **argv, int n)
{
	(void)argument(argc, argv, n);
	return strtoul(argv[n], NULL, 16);
}
#endif
