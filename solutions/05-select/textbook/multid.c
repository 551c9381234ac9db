/* multid.c - one service at several addresses, as textbooks have it. */
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char *argv[])
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	char *cmd = "uptime", *words[20], *copy;
	int c, fd, i, n, lfds[20], maxfd = 0, on = 1;
	fd_set all, ready;

	while ((c = getopt(argc, argv, "c:")) != -1) {
		if (c != 'c')
			exit(2);
		cmd = optarg;
	}
	copy = strdup(cmd);
	n = 0;
	words[0] = strtok(copy, " ");
	while (words[n] != NULL && n < 19)
		words[++n] = strtok(NULL, " ");
	n = (argc - optind) / 2;
	if (n < 1 || n > 20 || (argc - optind) % 2 != 0) {
		fprintf(stderr,
		    "usage: multid [-c CMD] ADDR PORT [ADDR PORT]...\n");
		exit(2);
	}
	FD_ZERO(&all);
	for (i = 0; i < n; i++) {
		memset(&sin, 0, sizeof(sin));
		sin.sin_family = AF_INET;
		sin.sin_port = htons(atoi(argv[optind + 2 * i + 1]));
		inet_pton(AF_INET, argv[optind + 2 * i], &sin.sin_addr);
		lfds[i] = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(lfds[i], SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(lfds[i], (struct sockaddr *)&sin, sizeof(sin)) == -1) {
			perror("multid: bind");
			exit(1);
		}
		listen(lfds[i], 10);
		FD_SET(lfds[i], &all);
		if (lfds[i] > maxfd)
			maxfd = lfds[i];
	}
	for (i = 0; i < n; i++) {
		len = sizeof(sin);
		getsockname(lfds[i], (struct sockaddr *)&sin, &len);
		printf("LISTENING %s %d\n", inet_ntoa(sin.sin_addr),
		    ntohs(sin.sin_port));
	}
	fflush(stdout);
	for (;;) {
		ready = all;
		if (select(maxfd + 1, &ready, NULL, NULL, NULL) == -1) {
			perror("multid: select");
			exit(1);
		}
		for (i = 0; i < n; i++) {
			if (!FD_ISSET(lfds[i], &ready))
				continue;
			fd = accept(lfds[i], NULL, NULL);
			if (fd == -1) {
				perror("multid: accept");
				exit(1);
			}
			if (fork() == 0) {
				dup2(fd, 1);
				dup2(fd, 2);
				close(fd);
				execvp(words[0], words);
				printf("error: %s: %s\n", cmd, strerror(errno));
				fflush(stdout);
				_exit(127);
			}
			close(fd);
			wait(NULL);
		}
	}
}
