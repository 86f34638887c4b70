/* SPDX-License-Identifier: MIT */
/* netns.c - the workers of network namespaces: when each of them is read, and what a read changes
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "util/clock.h"
#include "watch/netns_reader.h"

/* How long a reader may make no progress while an answer is due; doubled with each failure, up to
 * eight times. */
#define ANSWER_PAUSE (2 * NSEC_PER_SEC)
/* The progress of the reader is checked only if an answer takes longer than this. */
#define ANSWER_USUAL (100 * NSEC_PER_MSEC)
#define PROGRESS_UNKNOWN UINT64_MAX
/* The CPU clock of the child does not include its own children, such as the programs that the
 * script behind nsenter runs. Each of them takes about as long as the start of nsenter itself, so
 * the reader is given this many times the longest pause so far. */
#define SILENCE_TIMES 4
/* How long an answer may take in total. */
#define ANSWER_MAX (30 * NSEC_PER_SEC)
/* After a read, a pause of this many times its length: reads take at most a fifth of one CPU. */
#define REST 4
/* If a confirming read misses further rows, the pause before the next one; it also lasts
 * CONFIRM_REST times the length of the read. */
#define CONFIRM_PAUSE (20 * NSEC_PER_MSEC)
#define CONFIRM_REST 32
/* How often a failed read is repeated at once. */
#define RETRIES_MAX 5
/* A read of this CPU time is long: also the reads for expected listeners pause after it. */
#define LONG (5 * NSEC_PER_MSEC)
/* The approximate maximum CPU time of netns_table_work(). */
#define SLICE (2 * NSEC_PER_MSEC)
/* The CPU time of a silent request is not measured. This is more than it takes. */
#define SILENT_MAX UINT64_C(50000)
/* The pause before a namespace asks again for room for its helper, while all helpers are busy. */
#define ROOM_PAUSE NSEC_PER_MSEC
/* The pause before the next read if there was no memory for this one. */
#define MEMORY_PAUSE (50 * NSEC_PER_MSEC)

/* How long a silent request may remain unnoticed if nothing else is due. */
#define SILENCE NSEC_PER_SEC

/* The assumed cost of a quiet read of a small table after a pause, including the helper, until one
 * was measured. Without the assumption, many namespaces would all be read again a second after the
 * start. */
#define ASSUMED_COST UINT64_C(60000)
/* ... and the cost of forking a helper for a namespace that has none. */
#define HELPER_COST NSEC_PER_MSEC

/* The rows of a large table that are handled before the clock is read again. */
#define ROWS 512

/* The evaluation of a large table, in slices. The reader may be given up meanwhile, and no further
 * read begins. */
struct evaluation {
	struct netns *ns;
	struct list link; /* in table->evaluations */
	struct snapshot read;
	struct snapshot_sort sort;
	struct snapshot_merge merge;
	bool sealed;    /* `read` is sorted: `merge` has begun */
	uint64_t pause; /* before the next read for expected listeners; 0: none is expected */
};

void netns_table_init(struct netns_table *table, struct context *context, struct schedule *schedule,
                      const struct netns_observer *observer, void *data)
{
	*table = (struct netns_table){
		.context = context,
		.schedule = schedule,
		.observer = observer,
		.data = data,
		.helpers_max = UINT_MAX,
	};
	list_init(&table->list);
	list_init(&table->helpers);
	list_init(&table->views_changed);
	turns_init(&table->turns);
	list_init(&table->evaluations);
	turn_init(&table->nobody);
	table->nobody.unlimited = true;
	hash_init(&table->by_id);
	hash_init(&table->by_serial);
	hash_init(&table->by_helper);
}

void netns_table_clear(struct netns_table *table)
{
	struct netns *ns;

	list_each (ns, &table->list, struct netns, link)
		netns_free(ns);
	hash_clear(&table->by_id);
	hash_clear(&table->by_serial);
	hash_clear(&table->by_helper);
}

bool netns_table_has_helper(const struct netns_table *table, pid_t pid)
{
	return hash_find(&table->by_helper, (uint64_t)pid) != NULL;
}

/* The next worker with this inode number whose file of /proc is on the same device. */
static struct netns *same_device(struct hash_link *link, uint64_t dev)
{
	for (; link; link = hash_next(link)) {
		struct netns *ns = container_of(link, struct netns, by_id);

		if (ns->id.dev == dev)
			return ns;
	}
	return NULL;
}

struct netns *netns_find(const struct netns_table *table, const struct netns_id *id)
{
	return same_device(hash_find(&table->by_id, id->ino), id->dev);
}

struct netns *netns_find_next(const struct netns *ns)
{
	return same_device(hash_next(&ns->by_id), ns->id.dev);
}

struct netns *netns_find_serial(const struct netns_table *table, uint64_t serial)
{
	struct hash_link *link = hash_find(&table->by_serial, serial);

	return link ? container_of(link, struct netns, by_serial) : NULL;
}

/* When the worker has work next. */
static uint64_t due(const struct netns *ns)
{
	uint64_t when = clock_earlier(ns->next, ns->improve);

	if (ns->evaluation)
		return UINT64_MAX;
	if (ns->pending && !ns->silent)
		return ns->deadline;
	if (!ns->reader && ns->next != UINT64_MAX)
		return ns->next;
	if (ns->pending)
		when = clock_earlier(when, ns->deadline);
	when = clock_earlier(when, ns->expected_at);
	when = clock_earlier(when, ns->burst_next);
	if (ns->again)
		when = clock_earlier(when, ns->earliest);
	if (ns->interval)
		when = clock_earlier(when, ns->slot > ns->earliest ? ns->slot : ns->earliest);
	if (ns->closes_retry)
		when = clock_earlier(when, ns->closes_retry);
	return when;
}

/* Called after every change that may make work due earlier. */
static void reschedule(struct netns *ns)
{
	if (!turn_place_waits(&ns->place))
		heap_set(&ns->workers->due, &ns->due, due(ns));
}

/* Starts or restarts a burst. */
void netns_begin_burst(struct netns *ns, struct burst *burst)
{
	if (context_is_notified(ns->workers->context, NOTIFIER_LISTEN))
		return;
	burst->begun = clock_now(CLOCK_MONOTONIC);
	burst->next = burst->begun + schedule_burst_pause(0);
	list_move(&ns->bursts, &burst->link);
	ns->burst_next = clock_earlier(ns->burst_next, burst->next);
	reschedule(ns);
}

static void ready(struct source *source);

struct netns *netns_get(struct netns_table *table, const struct netns_id *id,
                        enum portwatch_reader reader, enum portwatch_table form)
{
	struct netns *ns = netns_find(table, id);

	for (; ns; ns = netns_find_next(ns))
		if (ns->forced_reader == reader && ns->forced_table == form)
			return ns;
	ns = calloc(1, sizeof(*ns));
	if (!ns)
		return NULL;
	ns->workers = table;
	ns->serial = ++table->serial;
	ns->id = *id;
	ns->forced_reader = reader;
	ns->forced_table = form;
	ns->source.fd = -1;
	ns->source.ready = ready;
	ns->improve = UINT64_MAX;
	ns->expected_at = UINT64_MAX;
	ns->burst_next = UINT64_MAX;
	list_init(&ns->views);
	list_init(&ns->bursts);
	list_init(&ns->helper);
	list_init(&ns->views_changed);
	turn_place_init(&ns->place);
	list_append(&table->list, &ns->link);
	netns_views_changed(ns);
	hash_add(&table->by_id, &ns->by_id, id->ino);
	hash_add(&table->by_serial, &ns->by_serial, ns->serial);
	reschedule(ns);
	return ns;
}

static void end_evaluation(struct netns *ns)
{
	struct evaluation *evaluation = ns->evaluation;

	if (!evaluation)
		return;
	snapshot_sort_end(&evaluation->sort);
	snapshot_merge_end(&evaluation->merge);
	snapshot_clear(&evaluation->read);
	list_remove(&evaluation->link);
	free(evaluation);
	ns->evaluation = NULL;
}

void netns_free(struct netns *ns)
{
	end_evaluation(ns);
	netns_close_reader(ns);
	snapshot_clear(&ns->known);
	ns->workers->adapting -= ns->adapts;
	list_remove(&ns->link);
	list_remove(&ns->views_changed);
	hash_remove(&ns->workers->by_id, &ns->by_id);
	hash_remove(&ns->workers->by_serial, &ns->by_serial);
	heap_remove(&ns->workers->due, &ns->due);
	turn_place_remove(&ns->place);
	free(ns);
}

static void change(void *data, enum snapshot_change change, const struct listener *listener)
{
	struct netns *ns = data;

	ns->changed = true;
	ns->workers->observer->changed(ns->workers->data, ns, change, listener);
}

static void log_rejected(struct netns *ns)
{
	uint64_t rejected = reader_rejected(ns->reader);

	if (rejected > ns->rejected)
		netns_log(ns, PORTWATCH_LOG_DEBUG, "%llu malformed rows were left out",
		          (unsigned long long)(rejected - ns->rejected));
	ns->rejected = rejected;
}

/* Schedules a read, unless an earlier one is due. */
static void read_at(struct netns *ns, uint64_t when)
{
	if (when < ns->next)
		ns->next = when;
}

/* Whether the kernel has reported the end of all missing rows and nothing else has happened
 * meanwhile: then the read has not merely skipped a row. */
static bool is_explained(const struct netns *ns, size_t missing)
{
	return ns->begun == 0 && missing <= ns->ended;
}

static void missed(void *data, const struct expectation *expectation)
{
	struct netns *ns = data;

	ns->workers->observer->missed(ns->workers->data, ns, expectation);
}

/* A complete read that counts, whether or not the table has changed. */
static void note_read(struct netns *ns, size_t rows)
{
	ns->retries = 0;
	ns->workers->context->stats[PORTWATCH_STAT_READS]++;
	ns->workers->context->stats[PORTWATCH_STAT_ROWS] += rows;
	ns->completed = ns->requests;
}

/* Ends the evaluation of a read, after which `missing` rows are marked missing. `pause`: before the
 * next read for expected listeners, or 0. */
static void conclude(struct netns *ns, size_t rows, ssize_t missing, uint64_t pause)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	note_read(ns, rows);
	/* A long read must rest, too. */
	if (pause && ns->length > LONG && pause < ns->length * REST)
		pause = ns->length * REST;
	ns->expected_at = pause ? now + pause : UINT64_MAX;
	if (missing < 0) {
		ns->next = now + MEMORY_PAUSE;
		return;
	}
	/* The confirming read is due at once. Under churn, when rows are always missing, further
	 * ones follow after a short pause. */
	if (missing > 0 && !ns->confirming) {
		ns->again = true;
		if (is_explained(ns, (size_t)missing))
			ns->earliest = now;
	} else if (missing > 0)
		read_at(ns, now + CONFIRM_PAUSE + ns->length * CONFIRM_REST);
	ns->confirming = missing > 0 && !ns->confirming;
	ns->settled = missing == 0 && pause == 0;
	ns->begun = 0;
	ns->ended = 0;
	ns->workers->observer->completed(ns->workers->data, ns);
}

/* Takes a large table over from the reader. */
static int begin_evaluation(struct netns *ns)
{
	struct evaluation *evaluation = calloc(1, sizeof(*evaluation));

	if (!evaluation)
		return -ENOMEM;
	evaluation->ns = ns;
	evaluation->read = reader_take_snapshot(ns->reader);
	list_append(&ns->workers->evaluations, &evaluation->link);
	ns->evaluation = evaluation;
	if (snapshot_sort_begin(&evaluation->sort, &evaluation->read) == 0)
		return 0;
	end_evaluation(ns);
	return -ENOMEM;
}

/* The table is sorted. */
static void begin_merge(struct evaluation *evaluation)
{
	struct netns *ns = evaluation->ns;

	evaluation->sealed = true;
	evaluation->pause =
		expectations_read(&ns->expected, &ns->known, &evaluation->read, missed, ns);
	if (ns->workers->observer->begins)
		ns->workers->observer->begins(ns->workers->data, ns);
	snapshot_merge_begin(&evaluation->merge, &ns->known, &evaluation->read);
}

/* Handles some rows. Returns false if the evaluation has ended. */
static bool evaluate(struct evaluation *evaluation)
{
	struct netns *ns = evaluation->ns;
	size_t rows = evaluation->read.count;
	uint64_t pause = evaluation->pause;
	ssize_t missing;
	int result;

	if (!evaluation->sealed) {
		if (snapshot_sort_next(&evaluation->sort, ROWS))
			begin_merge(evaluation);
		return true;
	}
	result = snapshot_merge_next(&evaluation->merge, ROWS, change, ns);
	if (result > 0)
		return true;
	missing = result < 0 ? result : evaluation->merge.missing;
	end_evaluation(ns);
	conclude(ns, rows, missing, pause);
	reschedule(ns);
	return false;
}

static void complete(struct netns *ns, uint64_t now)
{
	const struct snapshot *read = reader_snapshot(ns->reader);
	ssize_t missing;
	uint64_t pause;

	if (ns->reads++ == 0 || ns->table != reader_table(ns->reader))
		netns_reader_works(ns, now);
	log_rejected(ns);
	if (netns_is_reliable(ns, now))
		ns->failures = 0;
	if (read->count > READER_SEALED) {
		if (begin_evaluation(ns) < 0)
			ns->next = now + MEMORY_PAUSE;
		return;
	}
	pause = expectations_read(&ns->expected, &ns->known, read, missed, ns);
	missing = snapshot_update(&ns->known, read, change, ns);
	conclude(ns, read->count, missing, pause);
}

/* After a failed read: repeats it soon, and later with the next poll. */
static void retry(struct netns *ns, uint64_t now)
{
	struct failure failure = reader_failure(ns->reader);
	char text[LOG_TEXT];

	ns->workers->context->stats[PORTWATCH_STAT_FAILED_READS]++;
	if (ns->retries++ < RETRIES_MAX) {
		ns->next = now + (NSEC_PER_MSEC << ns->retries);
		return;
	}
	netns_warn_once(ns, log_failure(&failure, text));
	ns->retries = 0;
}

/* The cost of polling is the cost of reads that find nothing new. The first read of a reader
 * includes its setup, so it does not count. */
static void note_cost(struct netns *ns, uint64_t now)
{
	if (ns->spent && !ns->changed && ns->reads > 1)
		ns->cost = schedule_smooth(ns->cost, ns->spent + netns_helper_cost(ns, now));
}

/* The time that this thread has spent; 0: it is not measured. */
static uint64_t measure(const struct netns *ns)
{
	return ns->prompted ? 0 : schedule_measure(ns->workers->schedule);
}

/* Adds the CPU time of this thread since `before`, if it is measured. */
static void spend(struct netns *ns, uint64_t before)
{
	uint64_t after = measure(ns);

	if (before && after)
		ns->spent += after - before;
}

static void set_deadline(struct netns *ns, uint64_t when)
{
	uint64_t last = ns->requested + ANSWER_MAX;

	ns->deadline = when < last ? when : last;
}

/* The reader was asked, or has said something. */
static void expect_answer(struct netns *ns, uint64_t now)
{
	ns->heard = now;
	ns->progress = PROGRESS_UNKNOWN;
	set_deadline(ns, now + ANSWER_USUAL);
}

/* Sets the time within which the reader must make progress. */
static void extend_deadline(struct netns *ns, uint64_t now, uint64_t progress)
{
	uint64_t pause = ANSWER_PAUSE << (ns->failures < 3 ? ns->failures : 3);

	if (pause < ns->slowest * SILENCE_TIMES)
		pause = ns->slowest * SILENCE_TIMES;
	ns->progress = progress;
	set_deadline(ns, now + pause);
}

/* Notes that a part of an answer has arrived, unless the reader was readable without data. */
static void hear(struct netns *ns)
{
	uint64_t received = reader_received(ns->reader), now;

	if (received == ns->received)
		return;
	now = clock_now(CLOCK_MONOTONIC);
	ns->received = received;
	if (now - ns->heard > ns->slowest)
		ns->slowest = now - ns->heard;
	expect_answer(ns, now);
}

/* Whether the reader has exceeded its deadline. A child that makes progress on a slow machine gets
 * more time. */
static bool is_overdue(struct netns *ns, uint64_t now)
{
	uint64_t progress;

	if (now < ns->deadline)
		return false;
	progress = reader_progress(ns->reader);
	if (now >= ns->requested + ANSWER_MAX || progress == ns->progress)
		return true;
	extend_deadline(ns, now, progress);
	return false;
}

static void take(struct netns *ns, enum reader_state state)
{
	uint64_t now;

	if (state == READER_PENDING)
		return;
	now = clock_now(CLOCK_MONOTONIC);
	ns->pending = false;
	turn_place_remove(&ns->place);
	ns->changed = false;
	ns->workers->prompted |= ns->prompted;
	/* The confirming read may have followed without a pause, so the pause after it is
	 * longer. */
	ns->length = netns_read_length(ns, now);
	ns->earliest = now + ns->length * (ns->confirming ? 2 * REST : REST);
	if (state == READER_COMPLETE)
		complete(ns, now);
	else if (state == READER_RETRY)
		retry(ns, now);
	else
		netns_reader_broke(ns, reader_failure(ns->reader), now);
	if (state == READER_COMPLETE && !ns->evaluation)
		note_cost(ns, now);
}

/* Notices that a silent request has found nothing new. The answer came some time ago: what was
 * expected or asked for meanwhile waits for the next read. */
static void take_silence(struct netns *ns, uint64_t now)
{
	uint64_t took;

	if (!ns->pending || !ns->silent || !reader_take_unchanged(ns->reader, &took))
		return;
	ns->pending = false;
	ns->changed = false;
	ns->length = netns_silent_length(ns, took);
	ns->earliest = ns->requested + took + ns->length * REST;
	ns->reads++;
	note_read(ns, ns->known.count);
	if (netns_is_reliable(ns, now))
		ns->failures = 0;
	note_cost(ns, now);
	ns->workers->observer->completed(ns->workers->data, ns);
}

/* Makes room for a helper. Helpers that keep silent may be given up. */
static bool make_room(struct netns *ns, uint64_t now)
{
	struct netns *other;

	if (netns_make_room(ns))
		return true;
	list_each (other, &ns->workers->helpers, struct netns, helper)
		take_silence(other, now);
	return netns_make_room(ns);
}

/* Handles reports of the reader that no request has caused. */
static void heed(struct netns *ns)
{
	if (!ns->reader)
		return;
	if (reader_take_closed(ns->reader))
		netns_read_now(ns);
	if (reader_reports_closed(ns->reader) == -EBUSY && ns->closes_retry == 0)
		netns_silence_closes(ns, clock_now(CLOCK_MONOTONIC));
}

static struct turn *turn_of(const struct netns *ns)
{
	struct netns_table *table = ns->workers;
	struct turn *turn = table->observer->turn ? table->observer->turn(table->data, ns) : NULL;

	return turn ? turn : &table->nobody;
}

static void ready(struct source *source)
{
	struct netns *ns = container_of(source, struct netns, source);
	struct turn *turn = ns->place.turn;
	uint64_t before = measure(ns), used;
	enum reader_state state;

	ns->workers->entered = clock_now(CLOCK_THREAD_CPUTIME_ID);
	if (!turn && ns->pending)
		turn = turn_of(ns);
	if (ns->pending) {
		state = reader_process(ns->reader);
		spend(ns, before);
		hear(ns);
		take(ns, state);
	} else if (reader_process(ns->reader) == READER_BROKEN) {
		/* Nothing was asked: a helper has died. */
		netns_reader_broke(ns,
		                   reader_pid(ns->reader) > 0
		                           ? (struct failure){"keep the helper alive", EPIPE}
		                           : reader_failure(ns->reader),
		                   clock_now(CLOCK_MONOTONIC));
	}
	heed(ns);
	reschedule(ns);
	used = clock_now(CLOCK_THREAD_CPUTIME_ID) - ns->workers->entered;
	ns->work += used;
	turn_charge(turn, used, clock_now(CLOCK_MONOTONIC));
}

static enum urgency urgency_of(const struct netns *ns)
{
	if (ns->begun > 0 || ns->ended > 0 || ns->expected.count > 0)
		return ns->reader ? URGENCY_REPORTED : URGENCY_REPORTED_FORK;
	return ns->reader ? URGENCY_USUAL : URGENCY_FORK;
}

/* Whether nobody waits for the next read: it only matters if it finds a change. */
static bool may_be_silent(const struct netns *ns)
{
	return ns->settled && !ns->asked && !ns->prompted && !ns->pending && ns->reads > 0;
}

/* A silent request may still be unanswered. The helper then answers it before the new one. */
static void request(struct netns *ns, uint64_t now)
{
	enum reader_state state;
	uint64_t before;

	ns->again = false;
	ns->next = UINT64_MAX;
	ns->expected_at = UINT64_MAX;
	if (!ns->reader && !make_room(ns, now)) {
		ns->again = true;
		turns_put_back(&ns->workers->turns, &ns->place, urgency_of(ns), now + ROOM_PAUSE);
		return;
	}
	if (!ns->reader && !netns_open_reader(ns)) {
		netns_exhaust(ns, now);
		return;
	}
	netns_note_use(ns);
	ns->requested = now;
	expect_answer(ns, now);
	ns->requests++;
	ns->prompted = ns->begun > 0 || ns->ended > 0 || (ns->confirming && ns->prompted);
	ns->silent = may_be_silent(ns);
	if (ns->silent)
		ns->deadline = now + SILENCE;
	ns->settled &= ns->silent;
	ns->asked = false;
	ns->pending = true;
	ns->workers->polled |= !ns->prompted;
	ns->spent = 0;
	ns->work = 0;
	before = measure(ns);
	if (before)
		netns_helper_cost(ns, now);
	state = ns->silent ? reader_request_changes(ns->reader) : reader_request(ns->reader);
	spend(ns, before);
	take(ns, state);
}

/* While a place waits, the turn of another watcher may have become the one that is served sooner.
 */
static void renew_place(struct netns *ns)
{
	if (turn_place_waits(&ns->place))
		turns_add(&ns->workers->turns, turn_of(ns), &ns->place, urgency_of(ns));
}

void netns_read_now(struct netns *ns)
{
	ns->again = true;
	ns->asked = true;
	renew_place(ns);
	reschedule(ns);
}

void netns_expect(struct netns *ns, const struct tcp_change *change)
{
	expectations_change(&ns->expected, change);
	if (change->listening)
		ns->begun++;
	else
		ns->ended++;
	netns_read_now(ns);
}

void netns_lost(struct netns *ns)
{
	expectations_lost(&ns->expected);
	netns_read_now(ns);
}

void netns_attributed(struct netns *ns, uint64_t inode, const struct holder_set *holders)
{
	if (!expectations_attribute(&ns->expected, inode, holders))
		ns->expected_at = UINT64_MAX;
	reschedule(ns);
}

/* Whether the CPU time for a read of a burst is available now. Otherwise the read waits for the
 * share of the watcher, or for the remainder of the next cycle. */
static bool pays(struct burst *burst, struct schedule *schedule, uint64_t now, uint64_t cost)
{
	uint64_t due = share_due(burst->share, &schedule->allowance, schedule->sharers, now, cost);

	if (due > now) {
		burst->next = clock_earlier(due, schedule->next > now ? schedule->next : due);
		return false;
	}
	share_take(burst->share, &schedule->allowance, cost);
	schedule->payer = burst->share;
	return true;
}

/* Whether a read of a burst is due; takes its cost from the allowance. One read serves all bursts.
 * Ends bursts whose pauses have reached the interval at rest. */
static bool burst_reads(struct netns *ns, uint64_t now)
{
	struct schedule *schedule = ns->workers->schedule;
	uint64_t pause, cost = ns->cost ? ns->cost : ASSUMED_COST;
	struct burst *burst;
	bool reads = false;

	if (ns->parked)
		cost += HELPER_COST;
	if (now < ns->burst_next)
		return false;
	ns->burst_next = UINT64_MAX;
	list_each (burst, &ns->bursts, struct burst, link) {
		pause = schedule_burst_pause(now - burst->begun);
		if (!ns->adapts || pause >= schedule->resting ||
		    context_is_notified(ns->workers->context, NOTIFIER_LISTEN)) {
			list_remove(&burst->link);
			continue;
		}
		if (now >= burst->next && (reads || pays(burst, schedule, now, cost))) {
			reads = true;
			burst->next = now + pause;
		}
		ns->burst_next = clock_earlier(ns->burst_next, burst->next);
	}
	return reads;
}

static void work(struct netns *ns, uint64_t now)
{
	bool unnoticed;

	if (ns->evaluation)
		return;
	take_silence(ns, now);
	unnoticed = ns->pending && ns->silent && now >= ns->deadline;
	if (ns->pending && !ns->silent) {
		if (is_overdue(ns, now))
			netns_reader_broke(ns, (struct failure){"get an answer in time", ETIMEDOUT},
			                   now);
		return;
	}
	if (ns->interval && now >= ns->slot && now >= ns->earliest) {
		uint64_t interval = ns->interval * NSEC_PER_MSEC;

		ns->slot += interval;
		if (ns->slot <= now)
			ns->slot = now + interval - (now - ns->slot) % interval;
		ns->again = true;
	}
	if (burst_reads(ns, now))
		ns->again = true;
	if (now >= ns->improve) {
		netns_close_reader(ns);
		ns->kind = 0;
		ns->reason[0] = '\0';
		ns->improve = UINT64_MAX;
		ns->again = true;
	}
	if (ns->closes_retry && now >= ns->closes_retry) {
		ns->closes_retry = 0;
		netns_close_reader(ns);
		ns->again = true;
	}
	if (!ns->reader && now < ns->next && ns->next != UINT64_MAX)
		return; /* in the pause between two attempts */
	if ((ns->again && now >= ns->earliest) || now >= ns->next || now >= ns->expected_at ||
	    unnoticed)
		request(ns, now);
}

/* Queues the workers that are due, each in the turn of a watcher. */
static void queue_due(struct netns_table *table, uint64_t now)
{
	while (heap_key(&table->due) <= now) {
		struct netns *ns = container_of(heap_first(&table->due), struct netns, due);

		heap_remove(&table->due, &ns->due);
		take_silence(ns, now);
		if (ns->pending && !ns->silent) {
			table->visits++;
			work(ns, now);
			reschedule(ns);
			continue;
		}
		turns_add(&table->turns, turn_of(ns), &ns->place, urgency_of(ns));
	}
}

/* Evaluates a slice of one large table, in the turn of its watcher. */
static void evaluate_next(struct netns_table *table, uint64_t now)
{
	struct evaluation *evaluation;

	list_each (evaluation, &table->evaluations, struct evaluation, link) {
		struct turn *turn = turn_of(evaluation->ns);
		uint64_t end, cpu;

		if (turn_due(&table->turns, turn) > now)
			continue;
		cpu = clock_now(CLOCK_THREAD_CPUTIME_ID);
		end = clock_now(CLOCK_MONOTONIC) + SLICE;
		list_move(&table->evaluations, &evaluation->link);
		while (evaluate(evaluation) && clock_now(CLOCK_MONOTONIC) < end)
			continue;
		turn_charge(turn, clock_now(CLOCK_THREAD_CPUTIME_ID) - cpu,
		            clock_now(CLOCK_MONOTONIC));
		return;
	}
}

void netns_table_work(struct netns_table *table, uint64_t now)
{
	uint64_t time = clock_now(CLOCK_MONOTONIC), spent = 0;
	struct turn_place *place;

	table->turns.reads_max = table->helpers_max - table->helpers_max / 4;
	queue_due(table, now);
	while (spent < SLICE && (place = turns_take(&table->turns, now))) {
		struct netns *ns = container_of(place, struct netns, place);
		struct turn *turn = place->turn;
		uint64_t before = time, used;

		/* A silent request is so short that the system call for its CPU time would take as
		 * long. */
		table->entered =
			ns->reader && may_be_silent(ns) ? 0 : clock_now(CLOCK_THREAD_CPUTIME_ID);
		table->visits++;
		work(ns, now);
		/* An unanswered silent request is no work for the turn. */
		if ((!ns->pending || ns->silent) && !turn_place_waits(place))
			turn_place_remove(place);
		reschedule(ns);
		time = clock_now(CLOCK_MONOTONIC);
		/* On a loaded machine other processes have the CPU meanwhile, which is no work of
		 * this watcher. */
		if (table->entered)
			used = clock_now(CLOCK_THREAD_CPUTIME_ID) - table->entered;
		else
			used = time - before < SILENT_MAX ? time - before : SILENT_MAX;
		spent += used;
		ns->work += used;
		turn_charge(turn, used, time);
	}
	if (!list_empty(&table->evaluations))
		evaluate_next(table, now);
}

uint64_t netns_table_due(const struct netns_table *table)
{
	uint64_t due = clock_earlier(heap_key(&table->due), turns_due(&table->turns));
	struct evaluation *evaluation;

	list_each (evaluation, &table->evaluations, struct evaluation, link)
		due = clock_earlier(due, turn_due(&table->turns, turn_of(evaluation->ns)));
	return due;
}

static void requeue(void *data, struct turn_place *place)
{
	(void)data;
	reschedule(container_of(place, struct netns, place));
}

void netns_end_turn(struct turn *turn)
{
	turn_end(turn, requeue, NULL);
}

uint64_t netns_table_poll(struct netns_table *table)
{
	struct netns *ns;
	uint64_t cost = 0;

	list_each (ns, &table->list, struct netns, link) {
		if (!ns->adapts)
			continue;
		ns->again = true;
		renew_place(ns);
		reschedule(ns);
		cost += ns->cost ? ns->cost : ASSUMED_COST;
		if (ns->parked)
			cost += HELPER_COST;
	}
	return cost;
}

void netns_views_changed(struct netns *ns)
{
	list_move(&ns->workers->views_changed, &ns->views_changed);
}

void netns_set_interval(struct netns *ns, unsigned int interval, bool adapts)
{
	ns->workers->adapting += (size_t)adapts - (size_t)ns->adapts;
	ns->adapts = adapts;
	ns->interval = interval;
	reschedule(ns);
}
