/* ruptime.c - print what a server says, as after one reading. */
/*
 * usage: ruptime HOST PORT
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
usage(void)
{
	fprintf(stderr, "usage: ruptime HOST PORT\n");
	exit(2);
}

/* The port in S. */
static in_port_t
to_port(const char *s)
{
	unsigned long n = strtoul(s, NULL, 10);

	if (*s == '\0' || strspn(s, "0123456789") != strlen(s) || n > 65535)
		usage();
	return (in_port_t)n;
}

static void
die(const char *what)
{
	fprintf(stderr, "ruptime: %s: %s\n", what, strerror(errno));
	exit(1);
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in sin;
	char buf[BUFSIZ];
	ssize_t n;
	int fd;

	if (argc != 3)
		usage();
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons(to_port(argv[2]));
	if (inet_pton(AF_INET, argv[1], &sin.sin_addr) != 1)
		usage();

	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		die("socket");
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		die("connect");
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(STDOUT_FILENO, buf, (size_t)n) != n)
			die("write");
	if (n == -1)
		die("read");
	close(fd);
	return 0;
}
