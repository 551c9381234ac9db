/* incsrv.c - answer every byte plus one; getaddrinfo makes the address. */
/*
 * usage: incsrv ADDR PORT
 *        incsrv unix:PATH
 *
 * It is iterative: it takes one client, and the next when that one has gone.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <netdb.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: incsrv ADDR PORT | incsrv unix:PATH\n");
	exit(2);
}

/*
 * Say that WHAT has failed, and go on.  But if accept lacks a descriptor, it
 * would fail again at once, and nothing tells when there is one: pause.
 */
static void
complain(const char *what)
{
	int e = errno;

	fprintf(stderr, "incsrv: %s: %s\n", what, strerror(e));
	if (e == EMFILE || e == ENFILE)
		sleep(1);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "incsrv: %s: %s\n", what, strerror(e));
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

/* S, if it is a port: a number up to 65535.  Anything else is a usage error. */
static const char *
to_port(const char *s)
{
	if (*s == '\0' || s[strspn(s, "0123456789")] != '\0' ||
	    strtoul(s, NULL, 10) > 65535)
		usage();
	return s;
}

/* Print the line "LISTENING ..." with NAME, the name of a listening socket. */
static void
say_listening(const struct sockaddr *name, socklen_t len)
{
	char addr[64], port[8];
	int n;

	if (name->sa_family == AF_UNIX) {
		n = printf("LISTENING unix %s\n",
		    ((const struct sockaddr_un *)name)->sun_path);
	} else {
		if (getnameinfo(name, len, addr, sizeof(addr), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
			fail(EAFNOSUPPORT, "getnameinfo");
		n = printf("LISTENING %s %s\n", addr, port);
	}
	if (n < 0 || fflush(stdout) == EOF)
		fail(errno, "write");
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

/*
 * Make a socket of NAME's family, bind it to NAME, which is LEN bytes long, and
 * listen.  What is left of old connections to the port must not hinder that.
 * Then, not before, ask the kernel for the socket's name and let say_listening
 * print it.  Return the socket.  Check every call.
 */
static int
listen_at(struct sockaddr *name, socklen_t len)
{
	int fd = check(socket(name->sa_family, SOCK_STREAM, 0), "socket");
	int on = 1;

	check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)),
	    "setsockopt");
	check(bind(fd, name, len), "bind");
	check(listen(fd, SOMAXCONN), "listen");
	check(getsockname(fd, name, &len), "getsockname");
	say_listening(name, len);
	return fd;
}

/* Return a socket that listens at ADDR and PORT. */
static int
listen_inet(const char *addr, const char *port)
{
	struct addrinfo *ai = resolve(addr, port);
	int fd = listen_at(ai->ai_addr, ai->ai_addrlen);

	freeaddrinfo(ai);
	return fd;
}

/*
 * Make an address out of PATH.  If PATH does not fit in with its NUL, complain
 * of PATH with ENAMETOOLONG and exit.  If PATH is a socket on which nobody
 * listens, remove it; if somebody does, or if it is anything but a socket,
 * leave it, and bind will fail.  (To connect tells, but says ECONNREFUSED of a
 * plain file too; and it must not wait, should that somebody be busy and its
 * queue full.)  Return a socket that listens there.
 */
static int
listen_unix(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct stat st;
	int fd;

	if (strlen(path) >= sizeof(un.sun_path))
		fail(ENAMETOOLONG, path);
	strcpy(un.sun_path, path);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
		fd = check(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
		check(fcntl(fd, F_SETFL, O_NONBLOCK), "fcntl");
		if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == -1 &&
		    errno == ECONNREFUSED)
			check(unlink(path), "unlink");
		close(fd);
	}
	return listen_at((struct sockaddr *)&un, sizeof(un));
}

/*
 * Answer the client on FD until it has no more to say, and return 0.  Return -1
 * with errno if the connection breaks.  A signal does not break it, and write
 * may take less than it is given.
 */
static int
serve(int fd)
{
	unsigned char buf[4096];
	ssize_t i, n, w;

	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n == -1 && errno != EINTR)
			return -1;
		for (i = 0; i < n; i++)
			buf[i]++;
		for (i = 0; i < n; i += w)
			while ((w = write(fd, buf + i, (size_t)(n - i))) == -1)
				if (errno != EINTR)
					return -1;
	}
	return 0;
}

/*
 * Serve the clients of the listening socket LFD, one after the other, for ever.
 * Complain if accept fails, unless that was by a signal, and of a client whose
 * connection breaks.  No client ends the server, not even one that has gone
 * before its answer is written.
 */
static _Noreturn void
serve_all(int lfd)
{
	int fd;

	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		while ((fd = accept(lfd, NULL, NULL)) == -1)
			if (errno != EINTR)
				complain("accept");
		if (serve(fd) == -1)
			complain("client");
		close(fd);
	}
}

int
main(int argc, char *argv[])
{
	/* If stdout were closed, the socket would get its number. */
	check(fcntl(STDOUT_FILENO, F_GETFD), "write");
	if (argc == 2 && strncmp(argv[1], "unix:", 5) == 0 && argv[1][5])
		serve_all(listen_unix(argv[1] + 5));
	if (argc == 3)
		serve_all(listen_inet(argv[1], to_port(argv[2])));
	usage();
}
