/* retrycli.c - connect, try again, as after one reading of the chapter. */
/*
 * usage: retrycli [-n TRIES] [-i MS] HOST PORT
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void
usage(void)
{
	fprintf(stderr, "usage: retrycli [-n TRIES] [-i MS] HOST PORT\n");
	exit(2);
}

static void
die(const char *what)
{
	fprintf(stderr, "retrycli: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long
number(const char *s, long min, long max)
{
	long n = strtol(s, NULL, 10);

	if (*s == '\0' || strspn(s, "0123456789") != strlen(s) || n < min ||
	    n > max)
		usage();
	return n;
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in sin;
	struct timespec pause;
	long tries = 5, ms = 1000, k;
	int c, fd;

	opterr = 0;
	while ((c = getopt(argc, argv, "n:i:")) != -1) {
		switch (c) {
		case 'n':
			tries = number(optarg, 1, 20);
			break;
		case 'i':
			ms = number(optarg, 1, 60000);
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 2)
		usage();
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons((in_port_t)number(argv[optind + 1], 0, 65535));
	if (inet_pton(AF_INET, argv[optind], &sin.sin_addr) != 1)
		usage();

	for (k = 1; k <= tries; k++) {
		if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
			die("socket");
		if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0) {
			printf("connected after %ld\n", k);
			return 0;
		}
		fprintf(stderr, "attempt %ld: %s\n", k, strerror(errno));
		if (k == tries)
			die("connect");
		close(fd);
		pause.tv_sec = ms / 1000;
		pause.tv_nsec = ms % 1000 * 1000000;
		nanosleep(&pause, NULL);
		ms *= 2;
	}
	return 1;
}
