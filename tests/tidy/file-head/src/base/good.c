/* What it is for. */
int good;
