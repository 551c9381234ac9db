/* echo.c - a server that sends back what it gets, one client at a time. */
#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char buf[65536];

static int
open_socket(const char *kind, char **where)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int type = SOCK_STREAM, on = 1, fd;

	if (strstr(kind, "dgram") != NULL)
		type = SOCK_DGRAM;
	if (strstr(kind, "seqpacket") != NULL)
		type = SOCK_SEQPACKET;
	if (strncmp(kind, "unix", 4) == 0) {
		strncpy(un.sun_path, where[0] + 5, sizeof(un.sun_path) - 1);
		fd = socket(AF_UNIX, type, 0);
		if (bind(fd, (struct sockaddr *)&un, sizeof(un)) == -1)
			exit(1);
	} else {
		fd = socket(AF_INET, type, 0);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		inet_pton(AF_INET, where[0], &in.sin_addr);
		in.sin_port = htons((in_port_t)atoi(where[1]));
		if (bind(fd, (struct sockaddr *)&in, sizeof(in)) == -1)
			exit(1);
	}
	if (type != SOCK_DGRAM && listen(fd, 5) == -1)
		exit(1);
	return fd;
}

static void
echo_datagrams(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	ssize_t n;

	while ((n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&peer,
		    &len)) >= 0) {
		sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&peer, len);
		len = sizeof(peer);
	}
}

static void
echo_client(int fd)
{
	ssize_t i, n, w;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		fprintf(stderr, "%zd\n", n);
		for (i = 0; i < n; i += w)
			if ((w = write(fd, buf + i, (size_t)(n - i))) == -1)
				return;
	}
}

/* Arguments: the kind of socket (tcp, unix-seqpacket...), ADDR PORT or unix:PATH. */
int
main(int argc, char **argv)
{
	int fd, lfd;

	if (argc < 3)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	lfd = open_socket(argv[1], argv + 2);
	if (strstr(argv[1], "dgram") != NULL)
		echo_datagrams(lfd);
	while ((fd = accept(lfd, NULL, NULL)) != -1) {
		echo_client(fd);
		close(fd);
	}
	return 1;
}
