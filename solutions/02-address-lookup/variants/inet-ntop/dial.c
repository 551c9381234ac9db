/* dial.c - connect to a service, at whichever of its addresses answers. */
/*
 * usage: dial HOST SERVICE
 */
#define _DEFAULT_SOURCE /* NI_MAXHOST, which POSIX does not know */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eai.h"

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: dial HOST SERVICE\n");
	exit(2);
}

/* Say that ADDR PORT can't be reached, because of the error E. */
static void
say_failed(const char *addr, const char *port, int e)
{
	fprintf(stderr, "dial: %s %s: %s\n", addr, port, strerror(e));
}

/*
 * Look up where HOST offers SERVICE for connections of type SOCK_STREAM, in any
 * family.  If that fails, say "dial: NAME: TEXT" as resolve does, and exit with
 * status 1.
 */
static struct addrinfo *
look_up(const char *host, const char *service)
{
	struct addrinfo hints, *list;
	int code;

	memset(&hints, 0, sizeof(hints));
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	code = getaddrinfo(host, service, &hints, &list);
	if (code != 0) {
		fprintf(stderr, "dial: %s: %s\n", eai_name(code),
		    code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
		exit(1);
	}
	return list;
}

/* Write a socket address as two numbers, ADDR and PORT; exit if that fails. */
static void
to_numbers(const struct sockaddr *name, socklen_t len, char addr[NI_MAXHOST],
    char port[NI_MAXSERV])
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)name;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)name;

	(void)len;
	if (name->sa_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, addr, NI_MAXHOST);
		snprintf(port, NI_MAXSERV, "%u", ntohs(in->sin_port));
	} else {
		inet_ntop(AF_INET6, &in6->sin6_addr, addr, NI_MAXHOST);
		snprintf(port, NI_MAXSERV, "%u", ntohs(in6->sin6_port));
	}
}

/*
 * Try the addresses of the list in their order, until one takes the connection.
 * Write that one into ADDR and PORT.  Call say_failed for each that does not,
 * and close its socket before the next.  Return the connected socket, or -1.
 */
static int
connect_first(const struct addrinfo *list, char addr[NI_MAXHOST],
    char port[NI_MAXSERV])
{
	const struct addrinfo *p;
	int e, fd;

	for (p = list; p != NULL; p = p->ai_next) {
		to_numbers(p->ai_addr, p->ai_addrlen, addr, port);
		fd = socket(p->ai_family, p->ai_socktype, p->ai_protocol);
		if (fd != -1 && connect(fd, p->ai_addr, p->ai_addrlen) == 0)
			return fd;
		e = errno;
		if (fd != -1)
			close(fd);
		say_failed(addr, port, e);
	}
	return -1;
}

/*
 * Write what the kernel calls our end of a connection into ADDR and PORT.
 * Return 0, or -1 with errno.
 */
static int
own_name(int fd, char addr[NI_MAXHOST], char port[NI_MAXSERV])
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);

	if (getsockname(fd, (struct sockaddr *)&name, &len) == -1)
		return -1;
	to_numbers((struct sockaddr *)&name, len, addr, port);
	return 0;
}

/* Give back what look_up has returned. */
static void
give_back(struct addrinfo *list)
{
	freeaddrinfo(list);
}

int
main(int argc, char *argv[])
{
	char addr[NI_MAXHOST], port[NI_MAXSERV];
	char own_addr[NI_MAXHOST], own_port[NI_MAXSERV];
	struct addrinfo *list;
	int fd;

	if (argc != 3)
		usage();
	list = look_up(argv[1], argv[2]);
	fd = connect_first(list, addr, port);
	give_back(list);
	if (fd == -1)
		return 1;
	if (own_name(fd, own_addr, own_port) == -1) {
		perror("dial: getsockname");
		return 1;
	}
	if (printf("CONNECTED %s %s from %s %s\n", addr, port, own_addr,
		own_port) < 0 ||
	    fflush(stdout) == EOF) {
		perror("dial: write");
		return 1;
	}
	close(fd);
	return 0;
}
