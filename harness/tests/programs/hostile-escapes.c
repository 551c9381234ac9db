/* hostile-escapes.c - prints what a terminal, or who reads logs, would obey. */
#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void
misbehave(void)
{
	fputs("\033[2J\033]0;title\a\r\b\x9b"
	      "31m\xe2\x80\xae\n"
	      "::error::injected\n  ::add-mask::s\n##[error]x\n",
	    stderr);
	exit(1);
}
