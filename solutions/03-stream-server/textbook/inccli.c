/* inccli.c - the client of incsrv, as after one reading of the chapter. */
/*
 * usage: inccli ADDR PORT CHAR
 *        inccli unix:PATH CHAR
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
usage(void)
{
	fprintf(stderr, "usage: inccli {ADDR PORT | unix:PATH} CHAR\n");
	exit(2);
}

/* The port in S. */
static in_port_t
to_port(const char *s)
{
	unsigned long n = strtoul(s, NULL, 10);

	if (*s == '\0' || strspn(s, "0123456789") != strlen(s) || n > 65535)
		usage();
	return (in_port_t)n;
}

static void
die(const char *what)
{
	fprintf(stderr, "inccli: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int
connect_unix(const char *path)
{
	struct sockaddr_un sun;
	int fd;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	strncpy(sun.sun_path, path, sizeof(sun.sun_path) - 1);
	if ((fd = socket(AF_UNIX, SOCK_STREAM, 0)) == -1)
		die("socket");
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		die("connect");
	return fd;
}

static int
connect_inet(const char *addr, const char *port)
{
	struct sockaddr_in sin;
	int fd;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons(to_port(port));
	if (inet_pton(AF_INET, addr, &sin.sin_addr) != 1)
		usage();
	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		die("socket");
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		die("connect");
	return fd;
}

int
main(int argc, char *argv[])
{
	ssize_t n;
	int fd = -1;
	char c;

	if (argc < 3 || strlen(argv[argc - 1]) != 1)
		usage();
	c = argv[argc - 1][0];
	if (argc == 3 && strncmp(argv[1], "unix:", 5) == 0 && argv[1][5])
		fd = connect_unix(argv[1] + 5);
	else if (argc == 4)
		fd = connect_inet(argv[1], argv[2]);
	else
		usage();

	if (write(fd, &c, 1) != 1)
		die("write");
	if ((n = read(fd, &c, 1)) == -1)
		die("read");
	if (n == 0) {
		fprintf(stderr, "inccli: read: end of file\n");
		exit(1);
	}
	printf("char from server = %c\n", c);
	close(fd);
	return 0;
}
