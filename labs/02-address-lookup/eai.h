/* eai.h - the names of the error codes of getaddrinfo and getnameinfo. */
#ifndef EAI_H
#define EAI_H

#include <netdb.h>
#include <stddef.h>

/* The GNU C library has these two as well, but shows them only if asked. */
#ifdef __GLIBC__
#ifndef EAI_NODATA
#define EAI_NODATA (-5)
#endif
#ifndef EAI_ADDRFAMILY
#define EAI_ADDRFAMILY (-9)
#endif
#endif

/*
 * The name of an error code, such as "EAI_NONAME".  The numbers differ from one
 * system to the next, and are no errno: the names are what is printed.
 */
static inline const char *
eai_name(int code)
{
	static const struct {
		int code;
		const char *name;
	} names[] = {
	    {EAI_AGAIN, "EAI_AGAIN"},
	    {EAI_BADFLAGS, "EAI_BADFLAGS"},
	    {EAI_FAIL, "EAI_FAIL"},
	    {EAI_FAMILY, "EAI_FAMILY"},
	    {EAI_MEMORY, "EAI_MEMORY"},
	    {EAI_NONAME, "EAI_NONAME"},
	    {EAI_OVERFLOW, "EAI_OVERFLOW"},
	    {EAI_SERVICE, "EAI_SERVICE"},
	    {EAI_SOCKTYPE, "EAI_SOCKTYPE"},
	    {EAI_SYSTEM, "EAI_SYSTEM"},
#ifdef EAI_NODATA
	    {EAI_NODATA, "EAI_NODATA"},
#endif
#ifdef EAI_ADDRFAMILY
	    {EAI_ADDRFAMILY, "EAI_ADDRFAMILY"},
#endif
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == code)
			return names[i].name;
	return "EAI_?";
}

#endif
