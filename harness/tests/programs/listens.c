/* listens.c - binds the sockets that are named, and waits for a signal. */
#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
open_inet(int type, const char *addr, const char *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, type, 0);

	in.sin_port = htons((in_port_t)atoi(port));
	inet_pton(AF_INET, addr, &in.sin_addr);
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) == -1)
		_exit(1);
	if (type == SOCK_STREAM && listen(fd, 5) == -1)
		_exit(1);
}

static void
open_unix(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strncpy(un.sun_path, path, sizeof(un.sun_path) - 1);
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) == -1 ||
	    listen(fd, 5) == -1)
		_exit(1);
}

/* Arguments, again and again: tcp ADDR PORT, udp ADDR PORT, unix PATH. */
int
main(int argc, char **argv)
{
	int i = 1;

	while (i < argc) {
		if (strcmp(argv[i], "unix") == 0) {
			open_unix(argv[i + 1]);
			i += 2;
		} else {
			open_inet(strcmp(argv[i], "tcp") ? SOCK_DGRAM
							 : SOCK_STREAM,
			    argv[i + 1], argv[i + 2]);
			i += 3;
		}
	}
	pause();
	return 0;
}
