/* ruptimed.c - runs a command for each client. */
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
reap(int sig)
{
	(void)sig;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
}

static void
run(char *cmd, int fd)
{
	char *words[64];
	int n = 0;

	dup2(fd, 1);
	dup2(fd, 2);
	close(fd);
	words[0] = strtok(cmd, " ");
	while (words[n] != NULL && n < 62)
		words[++n] = strtok(NULL, " ");
	execvp(words[0], words);
	printf("error: cannot run it\n");
	exit(127);
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	struct sigaction sa = {.sa_handler = reap, .sa_flags = SA_RESTART};
	socklen_t len = sizeof(name);
	char *cmd = "uptime", copy[1024];
	int c, fd, lfd, on = 1;

	while ((c = getopt(argc, argv, "c:")) != -1) {
		if (c != 'c')
			exit(2);
		cmd = optarg;
	}
	if (argc - optind != 2) {
		fprintf(stderr, "usage: ruptimed [-c CMD] ADDR PORT\n");
		exit(2);
	}
	sigaction(SIGCHLD, &sa, NULL);
	name.sin_port = htons(atoi(argv[optind + 1]));
	inet_pton(AF_INET, argv[optind], &name.sin_addr);
	lfd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(lfd, (struct sockaddr *)&name, len) == -1) {
		perror("ruptimed: bind");
		exit(1);
	}
	listen(lfd, 16);
	getsockname(lfd, (struct sockaddr *)&name, &len);
	printf("LISTENING %s %d\n", argv[optind], ntohs(name.sin_port));
	for (;;) {
		fd = accept(lfd, NULL, NULL);
		if (fork() == 0) {
			close(lfd);
			strncpy(copy, cmd, sizeof(copy) - 1);
			run(copy, fd);
		}
		close(fd);
	}
}
