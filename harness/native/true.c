/* true.c - ends at once, successfully: what the probes start. */
int
main(void)
{
	return 0;
}
