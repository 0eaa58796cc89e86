/* TODO: later */
int mktemp_XXXXXX; /* FIXME */
/* XXX */ int todo;
