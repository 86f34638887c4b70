/* SPDX-License-Identifier: MIT */
/* complete.c - whether a subscription can see everything in its scope */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "watch/complete.h"
#include "watch/subscription.h"

void complete_note_members(struct subscription *subscription)
{
	if (subscription->logged_members)
		return;
	subscription->logged_members = true;
	log_write(&subscription->log, PORTWATCH_LOG_WARNING,
	          "more than %u processes to watch: further ones are left out, with their ports "
	          "(raise PORTWATCH_LIMIT_MEMBERS)",
	          subscription->options.members);
}

void complete_note_ports(struct subscription *subscription)
{
	if (subscription->logged_ports)
		return;
	subscription->logged_ports = true;
	log_write(&subscription->log, PORTWATCH_LOG_WARNING,
	          "more than %u open ports: further ones are not reported until others close "
	          "(raise PORTWATCH_LIMIT_PORTS)",
	          subscription->options.ports);
}

static bool keeps_limits(const struct subscription *subscription, char reason[LOG_TEXT])
{
	if (scope_leaves_out(subscription->scope))
		snprintf(reason, LOG_TEXT,
		         "there are more processes than the limit of %u, and further ones are left "
		         "out",
		         subscription->options.members);
	else if (subscription->hidden > 0)
		snprintf(reason, LOG_TEXT,
		         "there are more open ports than the limit of %u: %u listening sockets are "
		         "not reported",
		         subscription->options.ports, subscription->hidden);
	return reason[0] == '\0';
}

/* Where nobody lives any more there is nothing to see, but what was known already. */
static bool reads_all(const struct subscription *subscription, char reason[LOG_TEXT])
{
	struct view *view;

	list_each (view, &subscription->views, struct view, of_subscription) {
		const struct netns *ns = view->ns;

		if (!view->marked || (view->ready && !ns->exhausted))
			continue;
		snprintf(reason, LOG_TEXT, "network namespace %" PRIu64 " (PID %d) %s%s%.300s",
		         ns->inode, (int)ns->pid,
		         ns->exhausted ? "cannot be read" : "has not been read yet",
		         ns->reason[0] ? ": " : "", ns->reason);
		return false;
	}
	return true;
}

/* What a member holds that can't be read is not attributed. Where everybody counts its ports are
 * seen all the same. */
static bool reads_members(struct subscription *subscription, char reason[LOG_TEXT])
{
	int error = 0;
	pid_t pid;

	if (scope_counts_everybody(subscription->scope))
		return true;
	pid = unreadable_find(subscription, &error);
	if (pid == 0)
		return true;
	snprintf(reason, LOG_TEXT, "the descriptors of PID %d cannot be read: %s%s", (int)pid,
	         strerrordesc_np(-error), unreadable_remedy());
	return false;
}

bool complete_check(struct subscription *subscription, char reason[LOG_TEXT])
{
	reason[0] = '\0';
	/* After the end nothing is in scope. */
	if (subscription->state >= SUBSCRIPTION_ENDED)
		return true;
	if (!subscription->scope) {
		snprintf(reason, LOG_TEXT, "the watcher is starting");
		return false;
	}
	if (subscription->unplaced) {
		snprintf(reason, LOG_TEXT, "no memory for a network namespace");
		return false;
	}
	if (!keeps_limits(subscription, reason))
		return false;
	if (!reads_all(subscription, reason) || !reads_members(subscription, reason))
		return false;
	if (subscription->scan_error == 0)
		return true;
	snprintf(reason, LOG_TEXT, "not all processes could be asked what they hold: %s",
	         strerrordesc_np(-subscription->scan_error));
	return false;
}
