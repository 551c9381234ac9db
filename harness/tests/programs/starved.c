/* starved.c - serves a byte; where accept fails, pauses for so many seconds. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdlib.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int lfd = socket(AF_INET, SOCK_STREAM, 0), fd;

	if (argc != 4)
		return 2;
	in.sin_port = htons((in_port_t)atoi(argv[3]));
	in.sin_addr.s_addr = inet_addr(argv[2]);
	if (bind(lfd, (struct sockaddr *)&in, sizeof(in)) == -1 ||
	    listen(lfd, 5) == -1)
		return 1;
	for (;;) {
		fd = accept(lfd, NULL, NULL);
		if (fd == -1) {
			if (atoi(argv[1]) > 0)
				sleep((unsigned)atoi(argv[1]));
			continue;
		}
		(void)!write(fd, "x", 1);
		close(fd);
	}
}
