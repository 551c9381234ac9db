/* watches.c - a server that only accepts, and waits for its clients as it is told.
 *
 * usage: watches all|newest|short|timer|full|accept|read|pause ADDR PORT
 */
#include <sys/select.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char block[65536];

int
main(int argc, char *argv[])
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	struct timeval long_enough = {60, 0};
	int fd, max, lfd = socket(AF_INET, SOCK_STREAM, 0);
	fd_set rd, wr;

	if (argc != 4 || inet_pton(AF_INET, argv[2], &name.sin_addr) != 1)
		return 2;
	name.sin_port = htons((in_port_t)atoi(argv[3]));
	if (bind(lfd, (struct sockaddr *)&name, sizeof(name)) == -1 ||
	    listen(lfd, 5) == -1)
		return 1;
	for (max = lfd;;) {
		FD_ZERO(&rd);
		FD_ZERO(&wr);
		for (fd = lfd; fd <= max; fd++)
			if (max == lfd || fd < max ||
			    strcmp(argv[1], "newest") != 0)
				FD_SET(fd, &rd);
		if (max > lfd && strcmp(argv[1], "full") == 0)
			FD_SET(max, &wr);
		select(max > lfd && strcmp(argv[1], "short") == 0 ? max
								  : max + 1,
		    &rd, &wr, NULL,
		    strcmp(argv[1], "timer") == 0 ? &long_enough : NULL);
		if (!FD_ISSET(lfd, &rd))
			continue;
		max = accept(lfd, NULL, NULL);
		if (strcmp(argv[1], "full") == 0)
			while (
			    send(max, block, sizeof(block), MSG_DONTWAIT) > 0)
				continue;
		if (strcmp(argv[1], "accept") == 0)
			accept(lfd, NULL, NULL);
		if (strcmp(argv[1], "read") == 0)
			read(max, block, 1);
		if (strcmp(argv[1], "pause") == 0)
			sleep(100);
	}
}
