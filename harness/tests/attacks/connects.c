/* connects.c - reaches another service: tcp PORT, udp PORT, unix PATH, abstract NAME.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>

#include "attack.h"

static int
by_port(int type, int port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	int s = socket(AF_INET, type, 0);

	sin.sin_port = htons((uint16_t)port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (s != -1 && connect(s, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		return -1;
	return s;
}

static int
by_name(int at, const char *name)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    (size_t)at + strlen(name));

	(void)snprintf(sun.sun_path + at, sizeof(sun.sun_path) - 1, "%s", name);
	if (s != -1 && connect(s, (struct sockaddr *)&sun, len) == -1)
		return -1;
	return s;
}

int
main(int argc, char **argv)
{
	int s, port = argument(argc, argv, 2);

	begin();
	if (strcmp(argv[1], "tcp") == 0)
		s = by_port(SOCK_STREAM, port);
	else if (strcmp(argv[1], "udp") == 0)
		s = by_port(SOCK_DGRAM, port);
	else
		s = by_name(strcmp(argv[1], "abstract") == 0, argv[2]);
	if (s != -1)
		(void)send(s, "hello", 5, MSG_NOSIGNAL);
	tried_and_stay();
}
