/* refuse.c - runs a command to which the kernel refuses some things.
 *
 * usage: refuse WHAT[,WHAT]... CMD [ARG]...
 *
 * WHAT is unshare, clone (its namespace flags only), ptrace, pidfd_getfd,
 * landlock (ENOSYS, as on an older kernel), or ipv6 (sockets of that family;
 * EAFNOSUPPORT, as without the module).  Each is answered with EPERM, as a
 * container's filter would; clone3, whose flags a filter can't see, with ENOSYS,
 * so that the C library uses clone.  Or it is a capability, such as
 * cap_sys_ptrace, that the command and all that it starts shall lack.
 */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAMESPACES                                                   \
	(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | \
	    CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

#define LOAD(field)                                             \
	(struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
	    offsetof(struct seccomp_data, field))
#define IS(k, yes, no)       \
	(struct sock_filter) \
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (yes), (no))
#define HAS(k, yes, no)      \
	(struct sock_filter) \
	    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (k), (yes), (no))
#define RETURN(k) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, (k))

static struct sock_filter code[64];
static unsigned short length;

/* As <linux/capability.h> numbers them. */
static const char *const capabilities[] = {
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
};
static unsigned long long dropped;

static void
add(struct sock_filter statement)
{
	code[length++] = statement;
}

static void
refuse(long number, unsigned int error)
{
	add(LOAD(nr));
	add(IS((unsigned int)number, 0, 1));
	add(RETURN(SECCOMP_RET_ERRNO | error));
}

static int
note_capability(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++) {
		if (strcmp(capabilities[i], name) == 0) {
			dropped |= 1ULL << i;
			return 0;
		}
	}
	return -1;
}

/*
 * Take the capabilities out of every set.  Of the ambient one goes what leaves
 * the inheritable one, capabilities(7); of the bounding one, what we may.
 */
static int
drop_capabilities(void)
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct set[2];
	unsigned int half;
	int i;

	for (i = 0; i < 64; i++)
		if (dropped >> i & 1 &&
		    prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == -1 &&
		    errno != EPERM && errno != EINVAL)
			return -1;
	if (syscall(SYS_capget, &head, set) == -1)
		return -1;
	for (i = 0; i < 2; i++) {
		half = ~(unsigned int)(dropped >> (32 * i));
		set[i].effective &= half;
		set[i].permitted &= half;
		set[i].inheritable &= half;
	}
	return (int)syscall(SYS_capset, &head, set);
}

static int
refuse_word(const char *word)
{
	if (strncmp(word, "cap_", 4) == 0)
		return note_capability(word + 4);
	if (strcmp(word, "unshare") == 0) {
		refuse(SYS_unshare, EPERM);
	} else if (strcmp(word, "ptrace") == 0) {
		refuse(SYS_ptrace, EPERM);
	} else if (strcmp(word, "pidfd_getfd") == 0) {
		refuse(SYS_pidfd_getfd, EPERM);
	} else if (strcmp(word, "landlock") == 0) {
		refuse(444, ENOSYS); /* landlock_create_ruleset */
	} else if (strcmp(word, "clone") == 0) {
		refuse(SYS_clone3, ENOSYS);
		add(LOAD(nr));
		add(IS(SYS_clone, 0, 3));
		add(LOAD(args[0]));
		add(HAS(NAMESPACES, 0, 1));
		add(RETURN(SECCOMP_RET_ERRNO | EPERM));
	} else if (strcmp(word, "ipv6") == 0) {
		add(LOAD(nr));
		add(IS(SYS_socket, 0, 3));
		add(LOAD(args[0]));
		add(IS(AF_INET6, 0, 1));
		add(RETURN(SECCOMP_RET_ERRNO | EAFNOSUPPORT));
	} else {
		return -1;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct sock_fprog prog = {.filter = code};
	char *list, *word, *rest = NULL;

	if (argc < 3) {
		fprintf(stderr, "usage: refuse WHAT[,WHAT]... CMD [ARG]...\n");
		return 2;
	}
	list = argv[1];
	for (; (word = strtok_r(list, ",", &rest)) != NULL; list = NULL) {
		if (refuse_word(word) == -1) {
			fprintf(stderr, "refuse: %s: not known\n", word);
			return 2;
		}
	}
	if (drop_capabilities() == -1) {
		perror("refuse: capabilities");
		return 1;
	}
	add(RETURN(SECCOMP_RET_ALLOW));
	prog.len = length;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == -1) {
		perror("refuse: seccomp");
		return 1;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
