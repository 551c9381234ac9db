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

/* SIGUSR1 has come, and nobody has said anything yet. */
static volatile sig_atomic_t asked;

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: selecho ADDR PORT\n");
	exit(2);
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

static void
on_usr1(int sig)
{
	asked = sig;
}

int
main(int argc, char *argv[])
{
	struct sigaction action = {.sa_handler = on_usr1};
	fd_set all, reads;
	int fd, lfd, max, nclients = 0;
	char buf[4096];
	ssize_t n;

	if (argc != 3)
		usage();
	check(fcntl(STDOUT_FILENO, F_GETFD), "write");
	check(sigaction(SIGUSR1, &action, NULL), "sigaction");
	max = lfd = listen_at(argv[1], to_port(argv[2]));
	FD_ZERO(&all);
	FD_SET(lfd, &all);
	for (;;) {
		reads = all;
		check(select(max + 1, &reads, NULL, NULL, NULL), "select");
		for (fd = 0; fd <= max; fd++) {
			if (!FD_ISSET(fd, &reads))
				continue;
			if (fd == lfd) {
				int c =
				    check(accept(lfd, NULL, NULL), "accept");

				FD_SET(c, &all);
				max = c > max ? c : max;
				nclients++;
			} else if ((n = read(fd, buf, sizeof(buf))) > 0) {
				check((int)write(fd, buf, (size_t)n), "write");
			} else {
				FD_CLR(fd, &all);
				close(fd);
				nclients--;
			}
		}
		if (asked) {
			asked = 0;
			fprintf(stderr, "selecho: %d clients\n", nclients);
		}
	}
}
