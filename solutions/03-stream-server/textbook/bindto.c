/* bindto.c - what a socket is called, as after one reading of the chapter. */
/*
 * usage: bindto [-2 | -r | -c] ADDR PORT
 *        bindto -l
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
	fprintf(stderr, "usage: bindto [-2 | -r | -c] ADDR PORT | bindto -l\n");
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

static const char *
errname(int e)
{
	switch (e) {
	case EACCES:
		return "EACCES";
	case EADDRINUSE:
		return "EADDRINUSE";
	case EADDRNOTAVAIL:
		return "EADDRNOTAVAIL";
	case ECONNREFUSED:
		return "ECONNREFUSED";
	case EINVAL:
		return "EINVAL";
	case ENETUNREACH:
		return "ENETUNREACH";
	case ENOTCONN:
		return "ENOTCONN";
	case ETIMEDOUT:
		return "ETIMEDOUT";
	default:
		return strerror(e);
	}
}

static void
fail(const char *call)
{
	printf("%s: %s\n", call, errname(errno));
	exit(1);
}

static int
tcp_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd == -1)
		fail("socket");
	return fd;
}

static void
print_name(const char *word, struct sockaddr_in *sin)
{
	printf("%s %s %d", word, inet_ntoa(sin->sin_addr),
	    ntohs(sin->sin_port));
}

static void
get_name(int fd, struct sockaddr_in *sin)
{
	socklen_t len = sizeof(*sin);

	if (getsockname(fd, (struct sockaddr *)sin, &len) == -1)
		fail("getsockname");
}

static void
try_bind(int fd, struct sockaddr_in *sin)
{
	if (bind(fd, (struct sockaddr *)sin, sizeof(*sin)) == -1)
		fail("bind");
	get_name(fd, sin);
	print_name("bound", sin);
	printf("\n");
}

static void
try_connect(int fd, struct sockaddr_in *sin)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);

	if (getpeername(fd, (struct sockaddr *)&peer, &len) == -1)
		printf("before: %s\n", errname(errno));
	if (connect(fd, (struct sockaddr *)sin, sizeof(*sin)) == -1)
		fail("connect");
	get_name(fd, sin);
	print_name("local", sin);
	len = sizeof(peer);
	if (getpeername(fd, (struct sockaddr *)&peer, &len) == -1)
		fail("getpeername");
	print_name(" peer", &peer);
	printf("\n");
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in sin;
	int c, fd, mode = 0;

	opterr = 0;
	while ((c = getopt(argc, argv, "2rlc")) != -1) {
		if (c == '?' || mode != 0)
			usage();
		mode = c;
	}
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	if (argc - optind != (mode == 'l' ? 0 : 2))
		usage();
	if (mode != 'l') {
		sin.sin_port = htons(to_port(argv[optind + 1]));
		if (inet_pton(AF_INET, argv[optind], &sin.sin_addr) != 1)
			usage();
	}

	fd = tcp_socket();
	switch (mode) {
	case 'l':
		if (listen(fd, 5) == -1)
			fail("listen");
		get_name(fd, &sin);
		print_name("listening", &sin);
		printf("\n");
		break;
	case 'c':
		try_connect(fd, &sin);
		break;
	case '2':
		try_bind(fd, &sin);
		try_bind(tcp_socket(), &sin);
		break;
	case 'r':
		try_bind(fd, &sin);
		try_bind(fd, &sin);
		break;
	default:
		try_bind(fd, &sin);
	}
	return 0;
}
