/* namespaces.c - makes itself root of a user namespace. */
#define _GNU_SOURCE
#include <sys/syscall.h>

#include <sched.h>

#include "attack.h"

int
main(void)
{
	begin();
	if (unshare(CLONE_NEWUSER) == -1) {
		/* the same by the other call, with the flags out of sight */
		struct {
			unsigned long long flags, pidfd, ctid, ptid, sig;
			unsigned long long stack, size, tls;
		} how = {.flags = CLONE_NEWUSER, .sig = SIGCHLD};

		if (syscall(SYS_clone3, &how, sizeof(how)) == -1)
			(void)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0,
			    0, 0);
	}
	tried_and_stay();
}
