/* dgecho.c - send every datagram back to its sender. */
/*
 * usage: dgecho [-v] [-b BYTES] ADDR PORT
 *        dgecho [-v] [-b BYTES] unix:PATH
 *
 * With -v, print who has sent how much; with -b, ask for a receive buffer of so
 * many bytes.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A socket's name in either domain.  All three begin with the family. */
union name {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_un un;
};

static _Noreturn void
usage(void)
{
	fprintf(stderr,
	    "usage: dgecho [-v] [-b BYTES] ADDR PORT\n"
	    "       dgecho [-v] [-b BYTES] unix:PATH\n");
	exit(2);
}

/* Say that WHAT has failed, and go on. */
static void
complain(const char *what)
{
	fprintf(stderr, "dgecho: %s: %s\n", what, strerror(errno));
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "dgecho: %s: %s\n", what, strerror(e));
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

/* The number S, which must be one, in decimal, from MIN to MAX; or usage. */
static int
number(const char *s, int min, int max)
{
	long n = s[strspn(s, "0123456789")] == '\0' ? strtol(s, NULL, 10) : -1;

	if (*s == '\0' || n < min || n > max)
		usage();
	return (int)n;
}

/* Put the name that the arguments ARGV say into NAME; return its length. */
static socklen_t
make_name(char *const argv[], union name *name)
{
	const char *path = argv[0] + strlen("unix:");

	memset(name, 0, sizeof(*name));
	if (argv[1] == NULL) {
		if (strlen(path) >= sizeof(name->un.sun_path))
			fail(ENAMETOOLONG, path);
		name->un.sun_family = AF_UNIX;
		strcpy(name->un.sun_path, path);
		return sizeof(name->un);
	}
	name->in.sin_family = AF_INET;
	name->in.sin_port = htons((in_port_t)number(argv[1], 0, 65535));
	if (inet_pton(AF_INET, argv[0], &name->in.sin_addr) != 1)
		usage();
	return sizeof(name->in);
}

/*
 * Print WORD, if there is one, the NAME, which is LEN bytes long, and N, unless
 * it is -1, in a line.  A name of no more than a family is none at all.
 */
static void
say(const char *word, const union name *name, socklen_t len, ssize_t n)
{
	char addr[INET_ADDRSTRLEN] = "-";
	const char *path = name->un.sun_path;
	int size = (int)(len - offsetof(struct sockaddr_un, sun_path));

	if (len <= sizeof(sa_family_t))
		printf("%sunix -", word);
	else if (name->sa.sa_family == AF_UNIX && *path == '\0')
		printf("%sunix @%.*s", word, size - 1, path + 1);
	else if (name->sa.sa_family == AF_UNIX)
		printf("%sunix %.*s", word, size, path);
	else
		printf("%s%s %u", word,
		    inet_ntop(AF_INET, &name->in.sin_addr, addr, sizeof(addr)),
		    ntohs(name->in.sin_port));
	if (n != -1)
		printf(" %zd", n);
	if (putchar('\n') == EOF || fflush(stdout) == EOF)
		fail(errno, "write");
}

/* Print that the socket with the name NAME is ready. */
static void
say_listening(const union name *name, socklen_t len)
{
	say("LISTENING ", name, len, -1);
}

/* Print that N bytes have come from FROM, whose name is LEN bytes long. */
static void
say_datagram(const union name *from, socklen_t len, ssize_t n)
{
	say("", from, len, n);
}

/*
 * Make a datagram socket in the domain of NAME.  If BYTES is not 0, ask for a
 * receive buffer of so many bytes.  Bind the socket to NAME, which is LEN bytes
 * long; it must not share that with anybody.  Then, not before, ask the kernel
 * for the socket's name and let say_listening print it.  Return the socket.
 * Check every call.
 */
static int
bind_to(union name *name, socklen_t len, int bytes)
{
	int fd = check(socket(name->sa.sa_family, SOCK_DGRAM, 0), "socket");

	if (bytes != 0)
		check(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes,
			  sizeof(bytes)),
		    "setsockopt");
	check(bind(fd, &name->sa, len), "bind");
	len = sizeof(*name);
	check(getsockname(fd, &name->sa, &len), "getsockname");
	say_listening(name, len);
	return fd;
}

/*
 * Send every datagram that comes to FD back to whom it came from, for ever.  If
 * VERBOSE, let say_datagram tell of each, before its reply.  A sender without a
 * name gets none.  If a reply can't be sent, and be it because its receiver
 * does not read, complain, forget it and go on.  Complain if recvfrom fails,
 * unless that was by a signal.
 */
static _Noreturn void
serve(int fd, int verbose)
{
	static char buf[65536];
	union name from;
	struct iovec data = {.iov_base = buf};
	struct msghdr msg = {.msg_name = &from,
	    .msg_iov = &data,
	    .msg_iovlen = 1};
	ssize_t n;

	for (;;) {
		data.iov_len = sizeof(buf);
		msg.msg_namelen = sizeof(from);
		n = recvmsg(fd, &msg, 0);
		if (n == -1) {
			if (errno != EINTR)
				complain("recvmsg");
			continue;
		}
		if (verbose)
			say_datagram(&from, msg.msg_namelen, n);
		if (msg.msg_namelen == 0)
			continue;
		data.iov_len = (size_t)n;
		if (sendmsg(fd, &msg, MSG_DONTWAIT) == -1)
			complain("sendmsg");
	}
}

int
main(int argc, char *argv[])
{
	int c, bytes = 0, verbose = 0;
	union name name;
	socklen_t len;

	while ((c = getopt(argc, argv, ":b:v")) != -1)
		if (c == 'b')
			bytes = number(optarg, 1, 1000000);
		else if (c == 'v')
			verbose = 1;
		else
			usage();
	argv += optind;
	argc -= optind;
	if (argc != 2 && (argc != 1 || strncmp(argv[0], "unix:", 5) != 0))
		usage();
	len = make_name(argv, &name);
	serve(bind_to(&name, len, bytes), verbose);
}
