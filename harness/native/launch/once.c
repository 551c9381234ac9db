/* once.c - a part of launch.c: let the program become the program, and no other.
 *
 * A sanitizer does what its environment says, and a program that starts itself
 * again could say something else.
 */
#define HIGH(argument)                     \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
	    offsetof(struct seccomp_data, args[argument]) + 4)

/*
 * Return a copy of a path at an address that nobody can guess, after a filter
 * that lets only that be executed.  Exec takes the copy away, and whoever tries
 * addresses afterwards has 2^47 of them.
 */
static char *
only_once(const char *path)
{
	struct sock_filter filter[] = {
	    LOAD(nr),
	    IS(SYS_execveat, 6, 0),
	    IS(SYS_execve, 0, 4),
	    LOAD(args[0]),
	    IS(0, 0, 3),
	    HIGH(0),
	    IS(0, 0, 1),
	    RETURN(SECCOMP_RET_ALLOW),
	    RETURN(SECCOMP_RET_ERRNO | EPERM),
	};
	size_t size = strlen(path) + 1;
	uint64_t where;
	char *copy;

	if (getrandom(&where, sizeof(where), 0) != sizeof(where))
		die("getrandom");
	copy = mmap((void *)(uintptr_t)(where & 0x3ffffffff000), size + 4096,
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy == MAP_FAILED)
		die("mmap");
	copy += where % 4096;
	memcpy(copy, path, size);
	filter[4].k = (uint32_t)(uintptr_t)copy;
	filter[6].k = (uint32_t)((uintptr_t)copy >> 32);
	install(filter, sizeof(filter) / sizeof(filter[0]));
	return copy;
}
