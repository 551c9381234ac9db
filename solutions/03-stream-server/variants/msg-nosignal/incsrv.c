/* incsrv.c - answer every byte with that byte plus one, by send. */
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

/* The port that S says; anything but a number up to 65535 is a usage error. */
static in_port_t
to_port(const char *s)
{
	unsigned long n = strtoul(s, NULL, 10);

	if (*s == '\0' || s[strspn(s, "0123456789")] != '\0' || n > 65535)
		usage();
	return (in_port_t)n;
}

/* Print the line "LISTENING ..." with NAME, the name of a listening socket. */
static void
say_listening(const struct sockaddr *name)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)name;
	char addr[INET_ADDRSTRLEN];
	int n;

	if (name->sa_family == AF_UNIX) {
		n = printf("LISTENING unix %s\n",
		    ((const struct sockaddr_un *)name)->sun_path);
	} else {
		inet_ntop(AF_INET, &in->sin_addr, addr, sizeof(addr));
		n = printf("LISTENING %s %u\n", addr, ntohs(in->sin_port));
	}
	if (n < 0 || fflush(stdout) == EOF)
		fail(errno, "write");
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
	say_listening(name);
	return fd;
}

/*
 * Make the address that the kernel wants out of ADDR, in dotted decimal, and
 * PORT, a number like any other.  Anything else in ADDR is a usage error.
 * Return a socket that listens there.
 */
static int
listen_inet(const char *addr, in_port_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET};

	in.sin_port = htons(port);
	if (inet_pton(AF_INET, addr, &in.sin_addr) != 1)
		usage();
	return listen_at((struct sockaddr *)&in, sizeof(in));
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

	while ((n = recv(fd, buf, sizeof(buf), 0)) != 0) {
		if (n == -1 && errno != EINTR)
			return -1;
		for (i = 0; i < n; i++)
			buf[i]++;
		for (i = 0; i < n; i += w == -1 ? 0 : w) {
			w = send(fd, buf + i, (size_t)(n - i), MSG_NOSIGNAL);
			if (w == -1 && errno != EINTR)
				return -1;
		}
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
