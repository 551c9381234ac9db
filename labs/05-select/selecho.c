/* selecho.c - an echo server for any number of clients, in one process. */
/*
 * usage: selecho ADDR PORT
 *
 * What a client sends comes back to it.  What can't be sent at once is queued;
 * nobody waits for anybody.  SIGUSR1 makes it say how many clients it has.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/select.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
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
static struct client *clients[FD_SETSIZE];
static int nclients;

/* accept has failed for want of a descriptor, and no client has gone since. */
static int full;
static const struct timespec tick = {1, 0};

/* SIGUSR1 has come, and nobody has said anything yet. */
static volatile sig_atomic_t asked;

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
	asked = sig;
}

/* Make room for the client on FD.  Return -1 if there is none, else 0. */
static int
remember(int fd)
{
	if ((clients[fd] = malloc(sizeof(struct client))) == NULL)
		return -1;
	clients[fd]->start = clients[fd]->len = 0;
	clients[fd]->ended = 0;
	nclients++;
	return 0;
}

/* Close the connection of the client on FD, and forget the client. */
static void
drop(int fd)
{
	close(fd);
	free(clients[fd]);
	clients[fd] = NULL;
	nclients--;
	full = 0;
}

/* Make FD a descriptor on which no call waits. */
static void
set_nonblocking(int fd)
{
	(void)fd;
	fail(ENOSYS, "set_nonblocking");
}

/*
 * Take one client out of the queue of LFD, and remember it.  It may have gone
 * meanwhile: that is no error.  If descriptors have run out, complain and set
 * full.  A client whose descriptor can't be in an fd_set, or that
 * can't be remembered, is sent away: close it.
 */
static void
add_client(int lfd)
{
	(void)lfd;
	(void)complain;
	(void)remember;
	fail(ENOSYS, "add_client");
}

/*
 * Put into the queue of the client on FD what there is to read and room for.
 * Return -1 if the connection is broken, else 0.  Nothing to read is no error.
 */
static int
read_some(int fd)
{
	(void)fd;
	(void)free_part;
	errno = ENOSYS;
	return -1;
}

/*
 * Send of the queue of the client on FD what the kernel takes now.  Return -1
 * if the connection is broken, else 0.  That it takes nothing is no error.
 */
static int
write_some(int fd)
{
	(void)fd;
	(void)full_part;
	(void)sent;
	errno = ENOSYS;
	return -1;
}

/*
 * Wait until there is something to do: a client that has come to LFD, unless
 * full; a client with something to say, if there is room for it; a client that
 * can take some of what is queued for it.  Whoever has nothing to do here is in
 * no set.  While full, wait as long as TICK says at most: others than our own
 * clients may give descriptors back.  SIGUSR1 may come while this waits, and
 * only then: the mask OPEN is for that.  Return what pselect returns.
 */
static int
wait_for_work(int lfd, fd_set *reads, fd_set *writes, const sigset_t *open)
{
	(void)lfd;
	(void)reads;
	(void)writes;
	(void)open;
	(void)tick;
	errno = ENOSYS;
	return -1;
}

/*
 * Do for every client what the sets say can be done, then see who has come.  A
 * client is dropped when its connection breaks, or when it has ended and has
 * got everything.
 */
static void
work(int lfd, fd_set *reads, fd_set *writes)
{
	(void)lfd;
	(void)reads;
	(void)writes;
	(void)add_client;
	(void)read_some;
	(void)write_some;
	(void)drop;
}

int
main(int argc, char *argv[])
{
	struct sigaction action = {.sa_handler = on_usr1};
	sigset_t usr1, open;
	fd_set reads, writes;
	int lfd, n;

	if (argc != 3)
		usage();
	/* If stdout were closed, the socket would get its number. */
	check(fcntl(STDOUT_FILENO, F_GETFD), "write");
	check(sigaction(SIGUSR1, &action, NULL), "sigaction");
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	check(sigprocmask(SIG_BLOCK, &usr1, &open), "sigprocmask");
	lfd = listen_at(argv[1], to_port(argv[2]));
	set_nonblocking(lfd);
	for (;;) {
		n = wait_for_work(lfd, &reads, &writes, &open);
		if (n > 0)
			work(lfd, &reads, &writes);
		else if (n == 0)
			full = 0; /* try again */
		else if (errno != EINTR)
			fail(errno, "select");
		if (asked) {
			asked = 0;
			fprintf(stderr, "selecho: %d clients\n", nclients);
		}
	}
}
