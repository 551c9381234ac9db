/* tudp.c - an echo server for TCP and UDP, on the same port. */
/*
 * usage: tudp ADDR PORT
 *
 * One process waits in select for the UDP socket, the listening TCP socket, and
 * all TCP clients.
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

struct client {
	size_t n; /* so many bytes are still to be sent back */
	char buf[16384];
};

/* The TCP clients, by descriptor. */
static struct client *clients[FD_SETSIZE];

/* accept has just failed for want of a descriptor. */
static int full;

/* Room for any datagram. */
static char buf[65536];

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: tudp ADDR PORT\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "tudp: %s: %s\n", what, strerror(e));
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

/* The port S, which must be a number from 0 to 65535; or usage. */
static in_port_t
port_number(const char *s)
{
	long n = s[strspn(s, "0123456789")] == '\0' ? strtol(s, NULL, 10) : -1;

	if (*s == '\0' || n < 0 || n > 65535)
		usage();
	return (in_port_t)n;
}

/* Make FD a descriptor on which no call waits. */
static void
set_nonblocking(int fd)
{
	check(fcntl(fd, F_SETFL,
		  check(fcntl(fd, F_GETFL), "fcntl") | O_NONBLOCK),
	    "fcntl");
}

/* Return a socket of TYPE bound to NAME, or -1 if that is taken. */
static int
bound(int type, const struct sockaddr_in *name)
{
	int on = 1, fd = check(socket(AF_INET, type, 0), "socket");

	if (type == SOCK_STREAM)
		check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)),
		    "setsockopt");
	if (bind(fd, (const struct sockaddr *)name, sizeof(*name)) == 0)
		return fd;
	if (errno != EADDRINUSE)
		fail(errno, "bind");
	close(fd);
	errno = EADDRINUSE;
	return -1;
}

/*
 * Bind a TCP socket *TFD and a UDP socket *UFD to the address and port NAME.  If
 * the port is 0, the kernel chooses one for the first socket, and the second is
 * to have the same: if somebody has it already, begin again.  In the end NAME is
 * the name of both.
 */
static void
open_both(struct sockaddr_in *name, int *tfd, int *ufd)
{
	(void)name;
	(void)tfd;
	(void)ufd;
	(void)bound;
	fail(ENOSYS, "open_both");
}

/* Send the datagram that waits at UFD back; there may be none, after all. */
static void
echo_datagram(int ufd)
{
	(void)ufd;
	(void)buf;
}

/* Take a client that waits at TFD, if there still is one. */
static void
add_client(int tfd)
{
	int fd = accept(tfd, NULL, NULL);

	full = fd == -1 && (errno == EMFILE || errno == ENFILE);
	if (full)
		fprintf(stderr, "tudp: accept: %s\n", strerror(errno));
	if (fd == -1)
		return;
	if (fd >= FD_SETSIZE ||
	    (clients[fd] = calloc(1, sizeof(**clients))) == NULL)
		close(fd);
	else
		set_nonblocking(fd);
}

/* N bytes have been sent back to C. */
static void
sent(struct client *c, ssize_t n)
{
	c->n -= (size_t)n;
	memmove(c->buf, c->buf + n, c->n);
}

/* Close the connection of the client on FD, and forget the client. */
static void
drop(int fd)
{
	close(fd);
	free(clients[fd]);
	clients[fd] = NULL;
}

/*
 * Go on with the client on FD, without waiting: if nothing is to be sent back,
 * take what there is to read; then send back what goes.  At end of file nothing
 * is left to be sent: drop the client, as when the connection is broken.
 */
static void
echo_stream(int fd)
{
	struct client *c = clients[fd];
	ssize_t n = (ssize_t)c->n;

	if (n == 0)
		n = recv(fd, c->buf, sizeof(c->buf), 0);
	if (n > 0) {
		c->n = (size_t)n;
		if ((n = send(fd, c->buf, c->n, MSG_NOSIGNAL)) > 0)
			sent(c, n);
	}
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		drop(fd);
}

/*
 * How long select may wait: for ever.  But after accept has failed for want of a
 * descriptor, a second: nothing tells when there is one.
 */
static struct timeval *
patience(void)
{
	static struct timeval second;

	if (!full)
		return NULL;
	full = 0;
	second = (struct timeval){.tv_sec = 1};
	return &second;
}

/*
 * Wait until there is something to do: a datagram at UFD; a client at TFD; a
 * client that has sent something, if nothing is to be sent back to it, or else
 * one that takes it.  If full, TFD would be ready again and again, so leave it
 * out this time.  Return what select returns, and the sets.
 */
static int
wait_for_work(int tfd, int ufd, fd_set *rd, fd_set *wr)
{
	(void)tfd;
	(void)ufd;
	(void)rd;
	(void)wr;
	(void)patience;
	errno = ENOSYS;
	return -1;
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	char text[INET_ADDRSTRLEN];
	int fd, tfd, ufd;
	fd_set rd, wr;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &name.sin_addr) != 1)
		usage();
	/* If stdout were closed, a socket would get its number. */
	check(fcntl(STDOUT_FILENO, F_GETFD), "write");
	name.sin_port = htons(port_number(argv[2]));
	open_both(&name, &tfd, &ufd);
	check(listen(tfd, SOMAXCONN), "listen");
	set_nonblocking(tfd);
	set_nonblocking(ufd);
	inet_ntop(AF_INET, &name.sin_addr, text, sizeof(text));
	if (printf("LISTENING %s %u\n", text, ntohs(name.sin_port)) < 0 ||
	    fflush(stdout) == EOF)
		fail(errno, "write");
	for (;;) {
		if (wait_for_work(tfd, ufd, &rd, &wr) == -1) {
			if (errno != EINTR)
				fail(errno, "select");
			continue;
		}
		for (fd = 0; fd < FD_SETSIZE; fd++)
			if (clients[fd] != NULL &&
			    (FD_ISSET(fd, &rd) || FD_ISSET(fd, &wr)))
				echo_stream(fd);
		if (FD_ISSET(ufd, &rd))
			echo_datagram(ufd);
		if (FD_ISSET(tfd, &rd))
			add_client(tfd);
	}
}
