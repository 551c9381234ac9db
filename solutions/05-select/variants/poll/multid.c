/* multid.c - one service at several addresses: a command for each client. */
/* With poll, close-on-exec, and a kernel that keeps no zombies. */
#define _XOPEN_SOURCE 700
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
die(const char *what)
{
	fprintf(stderr, "multid: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
usage(void)
{
	fprintf(stderr, "usage: multid [-c CMD] ADDR PORT [ADDR PORT]...\n");
	exit(2);
}

static void
serve(int fd, char *const words[], const char *cmd)
{
	pid_t pid = fork();

	if (pid == -1)
		perror("multid: fork");
	if (pid == 0) {
		signal(SIGCHLD, SIG_DFL);
		fcntl(fd, F_SETFL, 0); /* some systems pass O_NONBLOCK on */
		dup2(fd, 1);
		dup2(fd, 2);
		execvp(words[0], words);
		printf("error: %s: %s\n", cmd, strerror(errno));
		fflush(stdout);
		_exit(127);
	}
	close(fd);
}

int
main(int argc, char *argv[])
{
	struct sigaction sa = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
	struct sockaddr_in name;
	socklen_t len = sizeof(name);
	const char *cmd = "uptime";
	struct pollfd *ends;
	char *words[64], *copy;
	int c, fd, i, n = 0, on = 1, pause = 0;

	while ((c = getopt(argc, argv, "c:")) != -1)
		if (c == 'c')
			cmd = optarg;
		else
			usage();
	if (optind == argc || (argc - optind) % 2 != 0)
		usage();
	if ((copy = strdup(cmd)) == NULL)
		die("strdup");
	for (words[0] = strtok(copy, " \t"); words[n] != NULL && n < 63;)
		words[++n] = strtok(NULL, " \t");
	if (n == 0)
		usage();
	n = (argc - optind) / 2;
	if ((ends = calloc((size_t)n, sizeof(*ends))) == NULL)
		die("calloc");
	for (i = 0; i < n; i++) {
		memset(&name, 0, sizeof(name));
		name.sin_family = AF_INET;
		name.sin_port =
		    htons((in_port_t)atoi(argv[optind + 2 * i + 1]));
		if (inet_pton(AF_INET, argv[optind + 2 * i], &name.sin_addr) !=
		    1)
			usage();
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd == -1)
			die("socket");
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, O_NONBLOCK);
		if (bind(fd, (struct sockaddr *)&name, sizeof(name)) == -1)
			die("bind");
		if (listen(fd, 20) == -1)
			die("listen");
		ends[i].fd = fd;
		ends[i].events = POLLIN;
	}
	for (i = 0; i < n; i++) {
		if (getsockname(ends[i].fd, (struct sockaddr *)&name, &len) ==
		    -1)
			die("getsockname");
		printf("LISTENING %s %d\n", inet_ntoa(name.sin_addr),
		    ntohs(name.sin_port));
	}
	fflush(stdout);
	sigaction(SIGCHLD, &sa, NULL);
	for (;;) {
		if (pause)
			poll(NULL, 0, 1000);
		pause = 0;
		if (poll(ends, (nfds_t)n, -1) == -1) {
			if (errno != EINTR)
				die("poll");
			continue;
		}
		for (i = 0; i < n; i++) {
			if (ends[i].revents == 0)
				continue;
			while ((fd = accept(ends[i].fd, NULL, NULL)) != -1) {
				fcntl(fd, F_SETFD, FD_CLOEXEC);
				serve(fd, words, cmd);
			}
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				continue;
			perror("multid: accept");
			pause = errno == EMFILE || errno == ENFILE;
		}
	}
}
