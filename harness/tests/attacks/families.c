/* families.c - opens sockets of families that no lab is about. */
#include <sys/socket.h>

#include "attack.h"

int
main(void)
{
	begin();
	(void)socket(AF_VSOCK, SOCK_STREAM, 0);
	(void)socket(AF_ALG, SOCK_SEQPACKET, 0);
	(void)socket(AF_KEY, SOCK_RAW, 2);
	tried_and_stay();
}
