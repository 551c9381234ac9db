/* selecho.c - an echo server for any number of clients, in one process. */
/*
 * usage: selecho ADDR PORT
 *
 * What a client sends comes back to it.  What can't be sent at once is queued;
 * nobody waits for anybody.  SIGUSR1 makes it say how many clients it has.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	QUEUESIZE = 1 << 20 /* bytes that are kept for a client at most */
};

/* A client: LEN bytes of its ring, from START on, are to be sent to it. */
struct client {
	size_t start, len;
	int ended; /* it has no more to say */
	char ring[QUEUESIZE];
};

/* The clients by descriptor, and how many there are. */
static struct client **clients;
static struct pollfd *polls; /* by descriptor, too */
static int size;
static int nclients;

/* accept has failed for want of a descriptor, and no client has gone since. */
static int full;

/* The handler writes to it, poll reads from it. */
static int self[2];

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: selecho ADDR PORT\n");
	exit(2);
}

/* Say that WHAT has failed, and go on. */
static void
complain(const char *what)
{
	fprintf(stderr, "selecho: %s: %s\n", what, strerror(errno));
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "selecho: %s: %s\n", what, strerror(e));
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

/* Return a TCP socket that listens at ADDR and PORT, and say so on stdout. */
static int
listen_at(const char *addr, in_port_t port)
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	socklen_t len = sizeof(name);
	int on = 1, fd = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
	char text[INET_ADDRSTRLEN];

	name.sin_port = htons(port);
	if (inet_pton(AF_INET, addr, &name.sin_addr) != 1)
		usage();
	check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)),
	    "setsockopt");
	check(bind(fd, (struct sockaddr *)&name, len), "bind");
	check(listen(fd, SOMAXCONN), "listen");
	check(getsockname(fd, (struct sockaddr *)&name, &len), "getsockname");
	inet_ntop(AF_INET, &name.sin_addr, text, sizeof(text));
	if (printf("LISTENING %s %u\n", text, ntohs(name.sin_port)) < 0 ||
	    fflush(stdout) == EOF)
		fail(errno, "write");
	return fd;
}

/* The free part of C's ring that comes next: where it is, and its size. */
static char *
free_part(struct client *c, size_t *size)
{
	size_t end = (c->start + c->len) % QUEUESIZE;

	*size = c->len == QUEUESIZE ? 0
	    : end < c->start	    ? c->start - end
				    : QUEUESIZE - end;
	return c->ring + end;
}

/* The part of C's ring that is to be sent next: where it is, and its size. */
static char *
full_part(struct client *c, size_t *size)
{
	size_t to_end = QUEUESIZE - c->start;

	*size = c->len < to_end ? c->len : to_end;
	return c->ring + c->start;
}

/* N bytes of C's ring have been sent. */
static void
sent(struct client *c, size_t n)
{
	c->len -= n;
	c->start = c->len == 0 ? 0 : (c->start + n) % QUEUESIZE;
}

static void
on_usr1(int sig)
{
	int e = errno;

	(void)sig;
	(void)!write(self[1], "", 1);
	errno = e;
}

/* Make room for the client on FD.  Return -1 if there is none, else 0. */
static int
remember(int fd)
{
	int i, n = fd + 64;

	if (fd >= size) {
		void *c = realloc(clients, (size_t)n * sizeof(*clients));
		void *p = realloc(polls, (size_t)n * sizeof(*polls));

		clients = c != NULL ? c : clients;
		polls = p != NULL ? p : polls;
		if (c == NULL || p == NULL)
			return -1;
		for (i = size; i < n; i++) {
			clients[i] = NULL;
			polls[i] = (struct pollfd){.fd = -1};
		}
		size = n;
	}
	if ((clients[fd] = malloc(sizeof(struct client))) == NULL)
		return -1;
	clients[fd]->start = clients[fd]->len = 0;
	clients[fd]->ended = 0;
	polls[fd].fd = fd;
	nclients++;
	return 0;
}

/* Close the connection of the client on FD, and forget the client. */
static void
drop(int fd)
{
	close(fd);
	polls[fd].fd = -1;
	free(clients[fd]);
	clients[fd] = NULL;
	nclients--;
	full = 0;
}

/* Make FD a descriptor on which no call waits. */
static void
set_nonblocking(int fd)
{
	int flags = check(fcntl(fd, F_GETFL), "fcntl");

	check(fcntl(fd, F_SETFL, flags | O_NONBLOCK), "fcntl");
}

/*
 * Take one client out of the queue of LFD, and remember it.  It may have gone
 * meanwhile: that is no error.  If descriptors have run out, complain and set
 * full.  A client whose descriptor can't be in an fd_set is sent away.
 */
static void
add_client(int lfd)
{
	int fd = accept(lfd, NULL, NULL);

	if (fd == -1 && (errno == EMFILE || errno == ENFILE)) {
		complain("accept");
		full = 1;
	}
	if (fd == -1)
		return;
	set_nonblocking(fd);
	if (remember(fd) == -1)
		close(fd);
}

/*
 * Put into the queue of the client on FD what there is to read and room for.
 * Return -1 if the connection is broken, else 0.  Nothing to read is no error.
 */
static int
read_some(int fd)
{
	size_t size;
	char *part = free_part(clients[fd], &size);
	ssize_t n = read(fd, part, size);

	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	clients[fd]->len += (size_t)n;
	clients[fd]->ended = n == 0;
	return 0;
}

/*
 * Send of the queue of the client on FD what the kernel takes now.  Return -1
 * if the connection is broken, else 0.  That it takes nothing is no error.
 */
static int
write_some(int fd)
{
	size_t size;
	char *part = full_part(clients[fd], &size);
	ssize_t n = send(fd, part, size, MSG_NOSIGNAL);

	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	sent(clients[fd], (size_t)n);
	return 0;
}

/* Wait until there is something to do.  Return what poll returns. */
static int
wait_for_work(int lfd)
{
	int fd, max = lfd > self[0] ? lfd : self[0];

	polls[lfd].fd = full ? -1 : lfd;
	polls[lfd].events = POLLIN;
	polls[lfd].revents = 0;
	polls[self[0]].fd = self[0];
	polls[self[0]].events = POLLIN;
	for (fd = 0; fd < size; fd++) {
		struct client *c = clients[fd];

		if (c == NULL)
			continue;
		max = fd > max ? fd : max;
		polls[fd].events = 0;
		if (!c->ended && c->len < QUEUESIZE)
			polls[fd].events |= POLLIN;
		if (c->len > 0)
			polls[fd].events |= POLLOUT;
	}
	/* more entries than descriptors are allowed would be an error */
	return poll(polls, (nfds_t)max + 1, full ? 1000 : -1);
}

/* Do for every client what can be done, then see who has come. */
static void
work(int lfd)
{
	int fd, bad;
	char byte;

	for (fd = 0; fd < size; fd++) {
		if (clients[fd] == NULL || polls[fd].revents == 0)
			continue;
		bad = (polls[fd].revents & (POLLIN | POLLHUP | POLLERR)) &&
		    (polls[fd].events & POLLIN) && read_some(fd) == -1;
		if (!bad && clients[fd]->len > 0)
			bad = write_some(fd) == -1;
		if (bad || (clients[fd]->ended && clients[fd]->len == 0))
			drop(fd);
	}
	if (polls[self[0]].revents != 0 && read(self[0], &byte, 1) == 1)
		fprintf(stderr, "selecho: %d clients\n", nclients);
	if (!full && polls[lfd].revents != 0)
		add_client(lfd);
}

int
main(int argc, char *argv[])
{
	struct sigaction action = {.sa_handler = on_usr1};
	int i, lfd, n;

	if (argc != 3)
		usage();
	check(fcntl(STDOUT_FILENO, F_GETFD), "write");
	lfd = listen_at(argv[1], to_port(argv[2]));
	set_nonblocking(lfd);
	check(pipe(self), "pipe");
	for (i = 0; i < 2; i++)
		set_nonblocking(self[i]);
	if (remember(self[0] > self[1] ? self[0] : self[1]) == -1)
		fail(errno, "malloc");
	i = self[0] > self[1] ? self[0] : self[1];
	free(clients[i]);
	clients[i] = NULL;
	polls[i].fd = -1;
	nclients = 0;
	check(sigaction(SIGUSR1, &action, NULL), "sigaction");
	for (;;) {
		n = wait_for_work(lfd);
		if (n > 0)
			work(lfd);
		else if (n == 0)
			full = 0;
		else if (errno != EINTR)
			fail(errno, "poll");
	}
}
