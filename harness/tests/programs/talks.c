/* talks.c - a client: sends its last argument, prints what comes until the end. */
#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
connect_to(char **where, int last)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(last == 2 ? AF_UNIX : AF_INET, SOCK_STREAM, 0);

	if (last == 2) {
		strncpy(un.sun_path, where[1] + 5, sizeof(un.sun_path) - 1);
		if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == -1)
			return -1;
	} else {
		inet_pton(AF_INET, where[1], &in.sin_addr);
		in.sin_port = htons((in_port_t)atoi(where[2]));
		if (connect(fd, (struct sockaddr *)&in, sizeof(in)) == -1)
			return -1;
	}
	return fd;
}

/* Arguments: ADDR PORT TEXT, or unix:PATH TEXT. */
int
main(int argc, char **argv)
{
	char buf[512];
	ssize_t n;
	int fd;

	if (argc < 3)
		return 2;
	fd = connect_to(argv, argc - 1);
	if (fd == -1) {
		perror("talks: connect");
		return 1;
	}
	(void)!write(fd, argv[argc - 1], strlen(argv[argc - 1]));
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		(void)!write(1, buf, (size_t)n);
	if (n == -1) {
		perror("talks: read");
		return 1;
	}
	return 0;
}
