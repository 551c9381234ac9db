/* observe.c - a part of launch.c: what the harness can't see, we look at.
 *
 * The harness may be of another user than the program, without the privilege
 * that ptrace(2) calls PTRACE_MODE_ATTACH; we are of the same user, and an
 * ancestor.  A question is a packet, see struct question; it may concern our
 * descendants only.  An answer is one packet or more, each with a struct answer
 * before its data.
 */
#define MAXPACKET 32768
/* Longer answers end here. */
#define MAXANSWER (1U << 20)

enum {
	ASK_FILE = 1,
	ASK_LINKS,
	ASK_PEEK,
	ASK_POKE,
	ASK_DESCRIPTOR,
	ASK_LIMIT,
	ASK_NEW_LIMIT,
};

struct question {
	uint32_t what;
	int32_t pid;
	int32_t tid; /* of a file: the thread, or 0 */
	int32_t which; /* the file, the descriptor or the resource */
	uint64_t first; /* an address, a file's descriptor, a soft limit */
	uint64_t second; /* a size, a hard limit */
};

struct answer {
	int32_t error;
	uint32_t more;
};

/* The harness knows these by their places here. */
static const char *const files[] = {
    "syscall",
    "stat",
    "status",
    "children",
    "timers",
    "cmdline",
    "fdinfo",
};
#define FDINFO 6
#define NFILES (int)(sizeof(files) / sizeof(files[0]))

static struct {
	struct answer head;
	char data[MAXPACKET];
} packet;
static size_t filled;

static void
send_packet(int error, int more, int fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} passed;
	struct iovec iov = {.iov_base = &packet,
	    .iov_len = sizeof(packet.head) + filled};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg;

	packet.head.error = error;
	packet.head.more = (uint32_t)more;
	if (fd != -1) {
		memset(&passed, 0, sizeof(passed));
		msg.msg_control = &passed;
		msg.msg_controllen = sizeof(passed);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	if (sendmsg(questions, &msg, MSG_NOSIGNAL) == -1) {
		/* nobody asks any more */
		close(questions);
		questions = -1;
	}
	filled = 0;
}

/* Return where up to ``size`` bytes of the answer go; send what is in the way. */
static char *
room_for(size_t size)
{
	if (filled + size > MAXPACKET)
		send_packet(0, 1, -1);
	return packet.data + filled;
}

static int
answer_file(const struct question *q)
{
	char path[96];
	size_t total = 0;
	ssize_t n;
	int fd, saved, length;

	if (q->which < 0 || q->which >= NFILES)
		return EINVAL;
	length = q->tid > 0
	    ? snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)q->pid,
		  (int)q->tid, files[q->which])
	    : snprintf(path, sizeof(path), "/proc/%d/%s", (int)q->pid,
		  files[q->which]);
	if (q->which == FDINFO)
		snprintf(path + length, sizeof(path) - (size_t)length, "/%u",
		    (unsigned int)q->first);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return errno;
	do {
		char *room = room_for(MAXPACKET / 2);

		n = read(fd, room, MAXPACKET / 2);
		if (n > 0) {
			filled += (size_t)n;
			total += (size_t)n;
		}
	} while (n > 0 && total < MAXANSWER);
	saved = errno;
	close(fd);
	return n == -1 ? saved : 0;
}

/* Answer with "FD target" for each descriptor, each ended by a null byte. */
static int
answer_links(const struct question *q)
{
	char path[64], *room;
	struct dirent *entry;
	size_t total = 0;
	ssize_t n;
	DIR *dir;
	int head;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)q->pid);
	dir = opendir(path);
	if (dir == NULL)
		return errno;
	while (total < MAXANSWER && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		room = room_for(PATH_MAX + 32);
		head = snprintf(room, 32, "%.16s ", entry->d_name);
		n = readlinkat(dirfd(dir), entry->d_name, room + head,
		    PATH_MAX);
		if (n == -1 && errno == ENOENT)
			continue; /* closed meanwhile */
		if (n == -1) {
			head = errno;
			closedir(dir);
			return head;
		}
		room[(size_t)head + (size_t)n] = '\0';
		filled += (size_t)head + (size_t)n + 1;
		total += (size_t)head + (size_t)n + 1;
	}
	closedir(dir);
	return 0;
}

static int
answer_peek(const struct question *q)
{
	char path[64];
	uint64_t done = 0, size = q->second;
	ssize_t n = 0;
	int fd, saved;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)q->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return errno;
	if (size > MAXANSWER)
		size = MAXANSWER;
	while (done < size) {
		size_t part =
		    size - done < MAXPACKET ? (size_t)(size - done) : MAXPACKET;
		char *room = room_for(part);

		n = pread(fd, room, part, (off_t)(q->first + done));
		if (n <= 0)
			break;
		filled += (size_t)n;
		done += (uint64_t)n;
	}
	saved = errno;
	close(fd);
	return n == -1 && done == 0 ? saved : 0;
}

static int
answer_poke(const struct question *q, void *data, size_t size)
{
	struct iovec here = {.iov_base = data, .iov_len = size};
	struct iovec there = {.iov_base = (void *)(uintptr_t)q->first,
	    .iov_len = size};
	char path[64];
	ssize_t n;
	int fd, saved;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)q->pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd == -1) {
		/* a Landlock domain may forbid to write below /proc */
		n = process_vm_writev(q->pid, &here, 1, &there, 1, 0);
		return n == (ssize_t)size ? 0 : n == -1 ? errno : EIO;
	}
	n = pwrite(fd, data, size, (off_t)q->first);
	saved = errno;
	close(fd);
	return n == (ssize_t)size ? 0 : n == -1 ? saved : EIO;
}

static int
answer_descriptor(const struct question *q)
{
	int handle, copy, saved;

	handle = (int)syscall(SYS_pidfd_open, q->pid, 0);
	if (handle == -1)
		return errno;
	copy = (int)syscall(SYS_pidfd_getfd, handle, q->which, 0);
	saved = errno;
	close(handle);
	if (copy == -1)
		return saved;
	send_packet(0, 1, copy);
	close(copy);
	return 0;
}

/* Answer with the limits that were there before. */
static int
answer_limit(const struct question *q)
{
	struct rlimit new = {.rlim_cur = (rlim_t)q->first,
	    .rlim_max = (rlim_t)q->second};
	struct rlimit old;
	uint64_t both[2];

	if (prlimit(q->pid, (enum __rlimit_resource)q->which,
		q->what == ASK_NEW_LIMIT ? &new : NULL, &old) == -1)
		return errno;
	both[0] = old.rlim_cur;
	both[1] = old.rlim_max;
	memcpy(room_for(sizeof(both)), both, sizeof(both));
	filled += sizeof(both);
	return 0;
}

/* Take one question and answer it. */
static void
answer_question(void)
{
	static struct {
		struct question q;
		char data[MAXPACKET];
	} asked;
	ssize_t n = recv(questions, &asked, sizeof(asked), MSG_DONTWAIT);
	int error;

	if (n == -1 && errno == EAGAIN)
		return;
	if (n < (ssize_t)sizeof(asked.q)) {
		close(questions);
		questions = -1;
		return;
	}
	filled = 0;
	if (!is_ours(asked.q.pid))
		error = ESRCH;
	else if (asked.q.what == ASK_FILE)
		error = answer_file(&asked.q);
	else if (asked.q.what == ASK_LINKS)
		error = answer_links(&asked.q);
	else if (asked.q.what == ASK_PEEK)
		error = answer_peek(&asked.q);
	else if (asked.q.what == ASK_POKE)
		error = answer_poke(&asked.q, asked.data,
		    (size_t)n - sizeof(asked.q));
	else if (asked.q.what == ASK_DESCRIPTOR)
		error = answer_descriptor(&asked.q);
	else if (asked.q.what == ASK_LIMIT || asked.q.what == ASK_NEW_LIMIT)
		error = answer_limit(&asked.q);
	else
		error = EINVAL;
	if (questions != -1)
		send_packet(error, 0, -1);
}
