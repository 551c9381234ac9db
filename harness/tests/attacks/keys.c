/* keys.c - leaves a key in the keyring of its user. */
#include <sys/syscall.h>

#include "attack.h"

/* keyrings(7): KEY_SPEC_USER_KEYRING */
#define USER_KEYRING (-4)

int
main(int argc, char **argv)
{
	begin();
	(void)argument(argc, argv, 1);
	(void)syscall(SYS_add_key, "user", argv[1], "x", 1, USER_KEYRING);
	tried();
	return 0;
}
