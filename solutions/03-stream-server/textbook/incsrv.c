/* incsrv.c - byte plus one, as after one reading of the chapter. */
/*
 * usage: incsrv ADDR PORT
 *        incsrv unix:PATH
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>
#include <sys/un.h>

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
	fprintf(stderr, "usage: incsrv ADDR PORT | incsrv unix:PATH\n");
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

static void
die(const char *what)
{
	fprintf(stderr, "incsrv: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int
listen_unix(const char *path)
{
	struct sockaddr_un sun;
	int fd;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	strncpy(sun.sun_path, path, sizeof(sun.sun_path) - 1);
	unlink(sun.sun_path);
	if ((fd = socket(AF_UNIX, SOCK_STREAM, 0)) == -1)
		die("socket");
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		die("bind");
	if (listen(fd, 5) == -1)
		die("listen");
	printf("LISTENING unix %s\n", sun.sun_path);
	fflush(stdout);
	return fd;
}

static int
listen_inet(const char *addr, const char *port)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	int fd;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons(to_port(port));
	if (inet_pton(AF_INET, addr, &sin.sin_addr) != 1)
		usage();
	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		die("socket");
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		die("bind");
	if (listen(fd, 5) == -1)
		die("listen");
	if (getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		die("getsockname");
	printf("LISTENING %s %d\n", inet_ntoa(sin.sin_addr),
	    ntohs(sin.sin_port));
	fflush(stdout);
	return fd;
}

int
main(int argc, char *argv[])
{
	int listenfd = -1, connfd;
	ssize_t n;
	char c;

	if (argc == 2 && strncmp(argv[1], "unix:", 5) == 0 && argv[1][5])
		listenfd = listen_unix(argv[1] + 5);
	else if (argc == 3)
		listenfd = listen_inet(argv[1], argv[2]);
	else
		usage();

	for (;;) {
		if ((connfd = accept(listenfd, NULL, NULL)) == -1)
			die("accept");
		while ((n = read(connfd, &c, 1)) > 0) {
			c++;
			if (write(connfd, &c, 1) != 1)
				die("write");
		}
		if (n == -1)
			die("read");
		close(connfd);
	}
}
