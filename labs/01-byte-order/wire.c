/* wire.c - records as lines of text, and as bytes for the network. */
/*
 * usage: wire enc
 *        wire dec
 *
 * enc reads lines TYPE ID COUNT WHEN NAME and writes records; dec reads records
 * and writes lines.  A record is u8 type, u16 id, u32 count, i64 when, u16 len,
 * and len bytes of name: in network order, without padding.
 */
#define _POSIX_C_SOURCE 200809L
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bo.h"

enum {
	FIXED = 17, /* bytes of a record before its name */
	MAXNAME = 65535
};

struct record {
	uint8_t type;
	uint16_t id;
	uint32_t count;
	int64_t when;
	uint16_t len;
	unsigned char name[MAXNAME]; /* no string: no NUL at its end */
};

/* Say WHAT and WHY on stderr, and exit. */
static _Noreturn void
fail(const char *what, const char *why)
{
	fflush(stdout);
	fprintf(stderr, "wire: %s: %s\n", what, why);
	exit(1);
}

/*
 * Take a number from *S, which is moved on behind it and the blank that must
 * follow.  The number lies between MIN, which is negative or 0, and MAX.  If
 * there is no such number, return 0 and set *S to NULL.
 */
static int64_t
number(char **s, int64_t min, int64_t max)
{
	char *end;
	long long n;

	if (*s == NULL)
		return 0;
	errno = 0;
	n = strtoll(*s, &end, 10);
	if ((!isdigit((unsigned char)**s) && (**s != '-' || min == 0)) ||
	    errno != 0 || *end != ' ' || n < min || n > max) {
		*s = NULL;
		return 0;
	}
	*s = end + 1;
	return n;
}

/* Fill in *R from LINE, which has LEN bytes; return 0 if it is no record. */
static int
parse(char *line, size_t len, struct record *r)
{
	char *s = line;

	r->type = (uint8_t)number(&s, 0, UINT8_MAX);
	r->id = (uint16_t)number(&s, 0, UINT16_MAX);
	r->count = (uint32_t)number(&s, 0, UINT32_MAX);
	r->when = number(&s, INT64_MIN, INT64_MAX);
	if (s == NULL || (len -= (size_t)(s - line)) > MAXNAME)
		return 0;
	r->len = (uint16_t)len;
	memcpy(r->name, s, len);
	return 1;
}

/*
 * Write the record *R to OUT, which has room for any record, and return how
 * many bytes that took.
 */
static size_t
encode(const struct record *r, unsigned char *out)
{
	(void)r;
	(void)out;
	fail("encode", strerror(ENOSYS));
}

/*
 * Read WANT bytes from stdin into BUF, with read(2): however few of them each
 * call may give.  Return how many came: fewer than WANT only at end of file.
 */
static size_t
read_fully(unsigned char *buf, size_t want)
{
	(void)buf;
	(void)want;
	fail("read_fully", strerror(ENOSYS));
}

/*
 * Read a record from stdin into *R.  Return 1; or 0 at end of file; or -1 if
 * the end of file comes in the middle of the record.
 */
static int
decode(struct record *r)
{
	(void)r;
	(void)read_fully;
	fail("decode", strerror(ENOSYS));
}

static void
encode_all(void)
{
	static unsigned char out[FIXED + MAXNAME];
	static struct record r;
	char *line = NULL, where[32];
	size_t size = 0, count = 0, bytes;
	ssize_t len;

	while ((len = getline(&line, &size, stdin)) != -1) {
		count++;
		if (line[len - 1] == '\n')
			line[--len] = '\0';
		if (!parse(line, (size_t)len, &r)) {
			snprintf(where, sizeof(where), "line %zu", count);
			fail(where, "not a record");
		}
		bytes = encode(&r, out);
		if (fwrite(out, 1, bytes, stdout) != bytes)
			fail("write", strerror(errno));
	}
	if (ferror(stdin))
		fail("read", strerror(errno));
	free(line);
}

static void
decode_all(void)
{
	static struct record r;
	unsigned long long start = 0;
	int result;

	while ((result = decode(&r)) == 1) {
		if (printf("%u %u %lu %lld ", r.type, r.id,
			(unsigned long)r.count, (long long)r.when) < 0 ||
		    fwrite(r.name, 1, r.len, stdout) != r.len ||
		    putchar('\n') == EOF)
			fail("write", strerror(errno));
		start += FIXED + (unsigned long long)r.len;
	}
	if (result == -1) {
		fflush(stdout);
		fprintf(stderr, "wire: truncated record at byte %llu\n", start);
		exit(1);
	}
}

int
main(int argc, char *argv[])
{
	if (argc == 2 && strcmp(argv[1], "enc") == 0) {
		encode_all();
	} else if (argc == 2 && strcmp(argv[1], "dec") == 0) {
		decode_all();
	} else {
		fprintf(stderr, "usage: wire enc|dec\n");
		return 2;
	}
	if (fflush(stdout) == EOF)
		fail("write", strerror(errno));
	return 0;
}
