/* asks.c - looks names up, as the C library does, and says what came of it.
 *
 * usage: asks [-4] HOST SERVICE   a line for each address, or the error's number
 *        asks -f PATH             the first line of a file, or nothing
 */
#define _DEFAULT_SOURCE
#include <sys/socket.h>
#include <sys/stat.h>

#include <netdb.h>
#include <stdio.h>
#include <string.h>

static int
show_file(const char *path)
{
	struct stat before, now;
	char line[80] = "";
	FILE *fp;

	if (stat(path, &before) == -1 || (fp = fopen(path, "r")) == NULL)
		return 1;
	if (fstat(fileno(fp), &now) == -1 ||
	    fgets(line, sizeof(line), fp) == NULL)
		return 2;
	/* what stat said of the name is true of what was opened */
	printf("%d %d %s", before.st_ino == now.st_ino,
	    before.st_size == now.st_size &&
		before.st_mtim.tv_nsec == now.st_mtim.tv_nsec &&
		before.st_mode == now.st_mode,
	    line);
	return 0;
}

int
main(int argc, char **argv)
{
	struct addrinfo hints, *list, *p;
	char addr[NI_MAXHOST], port[NI_MAXSERV];
	int code;

	if (argc == 3 && strcmp(argv[1], "-f") == 0)
		return show_file(argv[2]);
	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	if (argc == 4)
		hints.ai_family = AF_INET;
	code = getaddrinfo(argv[argc - 2], argv[argc - 1], &hints, &list);
	if (code != 0) {
		printf("error %d\n", code);
		return 1;
	}
	for (p = list; p != NULL; p = p->ai_next) {
		if (getnameinfo(p->ai_addr, p->ai_addrlen, addr, sizeof(addr),
			port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
			return 2;
		printf("%s %s\n", addr, port);
	}
	freeaddrinfo(list);
	return 0;
}
