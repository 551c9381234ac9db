/* bindto.c - what a socket is called. */
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

#include <arpa/inet.h>
#include <netinet/in.h>

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

/* The port that S says; anything but a number up to 65535 is a usage error. */
static in_port_t
to_port(const char *s)
{
	unsigned long n = strtoul(s, NULL, 10);

	if (*s == '\0' || s[strspn(s, "0123456789")] != '\0' || n > 65535)
		usage();
	return (in_port_t)n;
}

/*
 * Make the address that the kernel wants out of ADDR, in dotted decimal, and
 * PORT, a number like any other, and put it into *NAME, which is all zero but
 * for its family.  Anything else in ADDR is a usage error.
 */
static void
to_name(const char *addr, in_port_t port, struct sockaddr_in *name)
{
	(void)addr;
	(void)port;
	(void)name;
	errno = ENOSYS;
	check(-1, "to_name");
}

/* The way back: print WORD, the address and the port in NAME, and END. */
static void
say_name(const char *word, const struct sockaddr_in *name, const char *end)
{
	(void)word;
	(void)name;
	(void)end;
	errno = ENOSYS;
	check(-1, "say_name");
}

/* Ask the kernel what FD is called, put that into *NAME, and print it. */
static void
say_local(const char *word, int fd, struct sockaddr_in *name, const char *end)
{
	(void)word;
	(void)fd;
	(void)name;
	(void)end;
	(void)say_name;
	errno = ENOSYS;
	check(-1, "say_local");
}

/* Return a new TCP socket. */
static int
new_socket(void)
{
	errno = ENOSYS;
	return check(-1, "new_socket");
}

/* Bind FD to *NAME, and print "bound ADDR PORT", which is *NAME from now on. */
static void
do_bind(int fd, struct sockaddr_in *name)
{
	(void)fd;
	(void)name;
	(void)say_local;
	errno = ENOSYS;
	check(-1, "do_bind");
}

/* Listen on FD, and print "listening ADDR PORT". */
static void
do_listen(int fd, struct sockaddr_in *name)
{
	(void)fd;
	(void)name;
	errno = ENOSYS;
	check(-1, "do_listen");
}

/*
 * Ask the kernel for FD's peer while there is none, and print "before: ERROR".
 * Then connect FD to *NAME, and print the names of both ends, as the kernel
 * says them: "local ADDR PORT peer ADDR PORT".
 */
static void
do_connect(int fd, struct sockaddr_in *name)
{
	(void)fd;
	(void)name;
	errno = ENOSYS;
	check(-1, "do_connect");
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in name = {.sin_family = AF_INET};
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
	if (mode != 'l')
		to_name(argv[optind], to_port(argv[optind + 1]), &name);
	fd = new_socket();
	if (mode == 'l') {
		do_listen(fd, &name);
	} else if (mode == 'c') {
		do_connect(fd, &name);
	} else {
		do_bind(fd, &name);
		if (mode == '2')
			do_bind(new_socket(), &name);
		if (mode == 'r')
			do_bind(fd, &name);
	}
	return 0;
}
