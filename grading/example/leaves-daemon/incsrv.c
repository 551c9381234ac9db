/* incsrv.c - adds one to every byte, in the background. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Servers run as daemons: twice fork, with a new session in between. */
static void
daemonise(void)
{
	int null;

	if (fork() != 0)
		_exit(0);
	setsid();
	if (fork() != 0)
		_exit(0);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	chdir("/");
	null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	close(null);
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	int lfd, fd, on = 1;
	unsigned char c;

	if (argc != 3) {
		fprintf(stderr, "usage: incsrv ADDR PORT\n");
		return 2;
	}
	name.sin_port = htons(atoi(argv[2]));
	inet_pton(AF_INET, argv[1], &name.sin_addr);
	lfd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(lfd, (struct sockaddr *)&name, sizeof(name)) == -1) {
		perror("incsrv: bind");
		return 1;
	}
	listen(lfd, 10);
	printf("LISTENING %s %s\n", argv[1], argv[2]);
	fflush(stdout);
	daemonise();
	for (;;) {
		fd = accept(lfd, NULL, NULL);
		while (read(fd, &c, 1) == 1) {
			c++;
			write(fd, &c, 1);
		}
		close(fd);
	}
}
