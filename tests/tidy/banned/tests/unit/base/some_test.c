void f(char *a) { free(a); rename("a", "b"); strcat(a, a); }
