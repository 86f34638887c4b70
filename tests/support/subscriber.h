/* SPDX-License-Identifier: MIT */
/* subscriber.h - one subscription with all that it works with, and no thread, notifier or reader
 *
 * The processes are those of a fake /proc: 1, and 10 with its child 20, which are the tree. There
 * is one worker, whose reads are what the test says. */
#ifndef SUBSCRIBER_H
#define SUBSCRIBER_H

#include <stddef.h>
#include <stdint.h>

#include "support/fake_proc.h"
#include "watch/subscription.h"

struct subscriber {
	struct fake_proc fake;
	struct context context;
	struct schedule schedule;
	struct netns_table namespaces;
	struct subscription_table table;
	struct subscription *subscription;
	struct outbox *outbox;
	struct netns *ns;
	struct view *view;
	char messages[8192]; /* each with its newline */
};

/* Makes the processes and the tables. */
void subscriber_setup(struct subscriber *subscriber);
/* Every event and address. */
struct options subscriber_options(void);
/* Makes the subscription, which is starting; then its view of the one namespace. */
void subscriber_begin(struct subscriber *subscriber, const struct options *options);
void subscriber_place(struct subscriber *subscriber);
/* Its start has succeeded. */
void subscriber_run(struct subscriber *subscriber);
void subscriber_teardown(struct subscriber *subscriber);

/* A listener on 127.0.0.1. */
struct listener subscriber_listener(uint16_t port, uint64_t inode);
/* A complete read that shows these listeners. */
void subscriber_read(struct subscriber *subscriber, const struct listener *listeners, size_t count);
/* What the subscription knows of a listener, which it must know. */
struct socket *subscriber_socket(struct subscriber *subscriber, const struct listener *listener);
/* The process has answered that it holds these sockets and no others. */
void subscriber_holds(struct subscriber *subscriber, pid_t pid, uint64_t start_time,
                      struct socket **sockets, size_t count);
/* The next event; asserts that it is of this kind. */
struct portwatch_event subscriber_event(struct subscriber *subscriber,
                                        enum portwatch_event_kind kind);
void subscriber_no_event(struct subscriber *subscriber);
/* How often a text is in the messages. */
size_t subscriber_messages(const struct subscriber *subscriber, const char *part);

#endif
