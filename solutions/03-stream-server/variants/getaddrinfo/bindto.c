/* bindto.c - what a socket is called; getaddrinfo makes the address. */
/*
 * usage: bindto ADDR PORT       bind a TCP socket to ADDR PORT
 *        bindto -2 ADDR PORT    ... then a second socket to the same address
 *        bindto -r ADDR PORT    ... then the same socket once more
 *        bindto -l              listen on a socket that was never bound
 *        bindto -c HOST PORT    connect a socket that was never bound
 *
 * What the kernel answers goes to stdout, errors included.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>

#include <netdb.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: bindto [-2 | -r | -c] ADDR PORT | bindto -l\n");
	exit(2);
}

#define E(name) [name] = #name

/* The symbolic name of the error E. */
static const char *
errname(int e)
{
	static const char *const names[] = {E(EACCES), E(EADDRINUSE),
	    E(EADDRNOTAVAIL), E(EAFNOSUPPORT), E(EBADF), E(ECONNREFUSED),
	    E(ECONNRESET), E(EFAULT), E(EHOSTUNREACH), E(EINTR), E(EINVAL),
	    E(EISCONN), E(EMFILE), E(ENETUNREACH), E(ENFILE), E(ENOBUFS),
	    E(ENOMEM), E(ENOSYS), E(ENOTCONN), E(ENOTSOCK), E(EOPNOTSUPP),
	    E(EPERM), E(ETIMEDOUT)};

	if ((size_t)e < sizeof(names) / sizeof(names[0]) && names[e] != NULL)
		return names[e];
	return strerror(e);
}

/* Say on stderr that WHAT has failed, and why, and exit. */
static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "bindto: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* printf, and out with it at once. */
static void
say(const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vprintf(format, args);
	va_end(args);
	if (n < 0 || fflush(stdout) == EOF)
		die("write");
}

/*
 * Return RESULT, which CALL has returned.  But if that is -1, print the name of
 * the call and that of the error on stdout, and exit with status 1.
 */
static int
check(int result, const char *call)
{
	if (result == -1) {
		say("%s: %s\n", call, errname(errno));
		exit(1);
	}
	return result;
}

/*
 * The address of HOST and PORT, both of them in figures.  It may be of any
 * family that getaddrinfo knows.  Anything else is a usage error.
 */
static struct addrinfo *
resolve(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *ai;

	if (getaddrinfo(host, port, &hints, &ai) != 0)
		usage();
	return ai;
}

/* Print WORD, the address and the port in NAME, and END. */
static void
say_name(const char *word, const struct sockaddr_storage *name, socklen_t len,
    const char *end)
{
	char addr[64], port[8];
	int e = getnameinfo((const struct sockaddr *)name, len, addr,
	    sizeof(addr), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);

	if (e != 0) {
		say("getnameinfo: %s\n", gai_strerror(e));
		exit(1);
	}
	say("%s %s %s%s", word, addr, port, end);
}

/* Ask the kernel what FD is called, put it into *NAME, *LEN, and print it. */
static void
say_local(const char *word, int fd, struct sockaddr_storage *name,
    socklen_t *len, const char *end)
{
	*len = sizeof(*name);
	check(getsockname(fd, (struct sockaddr *)name, len), "getsockname");
	say_name(word, name, *len, end);
}

/* Bind FD to *NAME, and print what it is called now. */
static void
do_bind(int fd, struct sockaddr_storage *name, socklen_t *len)
{
	check(bind(fd, (struct sockaddr *)name, *len), "bind");
	say_local("bound", fd, name, len, "\n");
}

/* Connect FD to NAME, and print what the kernel says of it before and after. */
static void
do_connect(int fd, const struct sockaddr_storage *name, socklen_t namelen)
{
	struct sockaddr_storage local, peer;
	socklen_t len = sizeof(peer);

	if (getpeername(fd, (struct sockaddr *)&peer, &len) == -1)
		say("before: %s\n", errname(errno));
	check(connect(fd, (const struct sockaddr *)name, namelen), "connect");
	say_local("local", fd, &local, &len, " ");
	len = sizeof(peer);
	check(getpeername(fd, (struct sockaddr *)&peer, &len), "getpeername");
	say_name("peer", &peer, len, "\n");
}

int
main(int argc, char *argv[])
{
	struct sockaddr_storage name = {0};
	struct addrinfo *ai;
	socklen_t len;
	const char *port;
	int c, fd, mode = 0;

	while ((c = getopt(argc, argv, ":2rlc")) != -1) {
		if (c == '?' || mode != 0)
			usage();
		mode = c;
	}
	if (argc - optind != (mode == 'l' ? 0 : 2))
		usage();
	/* If stdout were closed, the socket would get its number. */
	if (fcntl(STDOUT_FILENO, F_GETFD) == -1)
		die("write");
	if (mode == 'l') {
		fd = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
		check(listen(fd, SOMAXCONN), "listen");
		say_local("listening", fd, &name, &len, "\n");
		return 0;
	}
	port = argv[optind + 1];
	if (*port == '\0' || port[strspn(port, "0123456789")] != '\0' ||
	    strtoul(port, NULL, 10) > 65535)
		usage();
	ai = resolve(argv[optind], port);
	memcpy(&name, ai->ai_addr, ai->ai_addrlen);
	len = ai->ai_addrlen;
	freeaddrinfo(ai);
	fd = check(socket(name.ss_family, SOCK_STREAM, 0), "socket");
	if (mode == 'c') {
		do_connect(fd, &name, len);
		return 0;
	}
	do_bind(fd, &name, &len);
	if (mode == '2')
		fd = check(socket(name.ss_family, SOCK_STREAM, 0), "socket");
	if (mode == '2' || mode == 'r')
		do_bind(fd, &name, &len);
	return 0;
}
