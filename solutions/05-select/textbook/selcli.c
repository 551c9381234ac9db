/* selcli.c - talk to a server: stdin to it and its answers to stdout, at once. */
/*
 * usage: selcli HOST PORT
 *
 * At the end of stdin it says so to the server, and goes on until the server
 * has ended, too.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/select.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: selcli HOST PORT\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "selcli: %s: %s\n", what, strerror(e));
	exit(1);
}

/* Return RESULT, which CALL has returned; but if that is -1, fail. */
static int
check(int result, const char *call)
{
	if (result == -1)
		fail(errno, call);
	return result;
}

/* The port that S says; anything but a number up to 65535 is a usage error. */
static in_port_t
to_port(const char *s)
{
	unsigned long n = strtoul(s, NULL, 10);

	if (*s == '\0' || s[strspn(s, "0123456789")] != '\0' || n > 65535)
		usage();
	return (in_port_t)n;
}

/* Return a new socket that is connected to HOST and PORT. */
static int
connect_to(const char *host, in_port_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = check(socket(AF_INET, SOCK_STREAM, 0), "socket");

	in.sin_port = htons(port);
	if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
		usage();
	check(connect(fd, (struct sockaddr *)&in, sizeof(in)), "connect");
	return fd;
}

int
main(int argc, char *argv[])
{
	fd_set reads;
	char buf[4096];
	int ended = 0, fd;
	ssize_t n;

	if (argc != 3)
		usage();
	fd = connect_to(argv[1], to_port(argv[2]));
	for (;;) {
		FD_ZERO(&reads);
		if (!ended)
			FD_SET(0, &reads);
		FD_SET(fd, &reads);
		check(select(fd + 1, &reads, NULL, NULL, NULL), "select");
		if (FD_ISSET(fd, &reads)) {
			n = check((int)read(fd, buf, sizeof(buf)), "read");
			if (n == 0 && ended)
				return 0;
			if (n == 0) {
				fprintf(stderr, "selcli: server closed\n");
				return 1;
			}
			check((int)write(1, buf, (size_t)n), "write");
		}
		if (FD_ISSET(0, &reads)) {
			n = check((int)read(0, buf, sizeof(buf)), "read");
			if (n == 0) {
				ended = 1;
				check(shutdown(fd, SHUT_WR), "shutdown");
			} else {
				check((int)write(fd, buf, (size_t)n), "write");
			}
		}
	}
}
