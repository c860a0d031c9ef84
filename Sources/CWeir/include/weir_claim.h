/*
 * Claims on names of a network namespace: abstract Unix sockets, which end with the process that
 * holds them, however it ends.
 */
#ifndef WEIR_CLAIM_H
#define WEIR_CLAIM_H

/* Claims a name of up to 100 bytes; returns the descriptor that holds it, or -EADDRINUSE. */
int weir_claim(const char *name);

/*
 * The process that holds a name: 0 if it is in another PID namespace. -EPERM: it is not a process of
 * root; -ECONNREFUSED: no process holds the name any more.
 */
int weir_claim_holder(const char *name);

#endif
