/* daemon.c - goes into the background, and keeps a port there. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "attack.h"

int
main(int argc, char **argv)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	int s;

	sin.sin_port = htons((uint16_t)argument(argc, argv, 1));
	switch (fork()) {
	case -1:
		return 1;
	case 0:
		break;
	default:
		pause();
		return 0;
	}
	if (setsid() == -1 || fork() != 0)
		_exit(0);
	begin();
	s = socket(AF_INET, SOCK_STREAM, 0);
	if (s == -1 || bind(s, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(s, 5) == -1)
		return 1;
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	tried_and_stay();
}
