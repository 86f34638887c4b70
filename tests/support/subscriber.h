/* SPDX-License-Identifier: MIT */
/* subscriber.h - one subscription with all the objects that it needs, and no thread, notifier or
 * reader
 *
 * The processes are those of a fake /proc: 1, and the tree of 10 and its child 20. There is one
 * worker. The test supplies the results of the worker's reads. */
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

/* Sets up the processes and the tables. */
void subscriber_setup(struct subscriber *subscriber);
/* Returns options that report every event and every address. */
struct options subscriber_options(void);
/* Makes the subscription, which is then starting, and its view of the one namespace. */
void subscriber_begin(struct subscriber *subscriber, const struct options *options);
void subscriber_place(struct subscriber *subscriber);
/* Completes the start of the subscription with success. */
void subscriber_run(struct subscriber *subscriber);
void subscriber_teardown(struct subscriber *subscriber);

/* Returns a listener on 127.0.0.1. */
struct listener subscriber_listener(uint16_t port, uint64_t inode);
/* Completes a read that shows these listeners. */
void subscriber_read(struct subscriber *subscriber, const struct listener *listeners, size_t count);
/* Returns the subscription's entry of a listener, and asserts that the entry exists. */
struct socket *subscriber_socket(struct subscriber *subscriber, const struct listener *listener);
/* Answers that the process holds exactly these sockets. */
void subscriber_holds(struct subscriber *subscriber, pid_t pid, uint64_t start_time,
                      struct socket **sockets, size_t count);
/* Returns the next event and asserts that the event is of this kind. */
struct portwatch_event subscriber_event(struct subscriber *subscriber,
                                        enum portwatch_event_kind kind);
void subscriber_no_event(struct subscriber *subscriber);
/* Returns how often a text occurs in the messages. */
size_t subscriber_messages(const struct subscriber *subscriber, const char *part);

#endif
