/* SPDX-License-Identifier: MIT */
/**
 * portwatch.h - watch process trees for listening TCP ports
 *
 * A watcher follows one process and everything that it starts, into whatever network namespace
 * its processes go, and reports each TCP port on which one of them starts or stops listening.
 *
 *     static void on_event(struct portwatch *watcher, const struct portwatch_event *event,
 *                          void *user_data)
 *     {
 *             if (portwatch_event_get_kind(event) == PORTWATCH_EVENT_OPEN)
 *                     printf("%s:%u\n", portwatch_event_get_address_text(event),
 *                            (unsigned)portwatch_event_get_port(event));
 *     }
 *
 *     struct portwatch *watcher;
 *     if (portwatch_new(&watcher, pid, on_event, NULL) == 0 && portwatch_start(watcher) == 0)
 *             pause();
 *     portwatch_free(watcher);
 *
 * Conventions
 *
 * - Functions that return int return 0 (or a count) on success and a negative errno value on
 *   failure. errno itself is left in no defined state.
 * - Functions are safe to call from any thread, also from inside an event callback, unless their
 *   documentation says otherwise. The exception: a log callback must call nothing of this library.
 * - Process IDs, given and reported, are those of the caller's PID namespace.
 * - Ports are in host byte order, addresses in network byte order.
 * - The library starts two threads when the first watcher starts, with all signals blocked. It
 * never changes the signal dispositions, capabilities, environment or umask of the process, never
 * writes anywhere, and its child processes are invisible to the caller's wait(2) and SIGCHLD
 * handler.
 * - After fork(2) the watchers of the parent are inert in the child: every function may be called
 *   on them and does nothing but free memory, no callback is called. New ones may be made there.
 */
#ifndef PORTWATCH_H
#define PORTWATCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is declared here is exported; everything else is built with -fvisibility=hidden. */
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/** struct portwatch: one watcher, opaque. Owned by the caller until portwatch_free(). */
struct portwatch;

/** struct portwatch_event: one event, opaque. Owned by the library, valid during its callback. */
struct portwatch_event;

/** struct portwatch_namespace: what is known of one watched network namespace, opaque. Owned by the
 * library, valid during portwatch_each_namespace(). */
struct portwatch_namespace;

/**
 * enum portwatch_event_kind: what happened. The values are bits, for portwatch_set_events().
 *
 * A *port* is (network namespace, address, port number). It is open when at least one listening
 * socket in the watcher's scope holds it, is reported once, whoever owns it, until it is closed,
 * and is new again after that.
 *
 * @PORTWATCH_EVENT_OPEN: a port has been opened.
 * @PORTWATCH_EVENT_CLOSE: an open port has been closed: two complete reads did not show it.
 * @PORTWATCH_EVENT_END: the last process of the tree has exited. The last event of a watcher.
 *   Ports that others still hold then (PORTWATCH_SCOPE_NETNS) are not closed.
 * @PORTWATCH_EVENT_OWNER: the port stays open, and what the last event said of its owner is no
 *   longer so: the process, its name, how many hold the socket, or the socket itself. A daemon, for
 *   example, whose first process has left the port to its child.
 */
enum portwatch_event_kind {
	PORTWATCH_EVENT_OPEN = 1,
	PORTWATCH_EVENT_CLOSE = 2,
	PORTWATCH_EVENT_END = 4,
	PORTWATCH_EVENT_OWNER = 8
};

/**
 * enum portwatch_addresses: which local addresses are reported.
 *
 * @PORTWATCH_ADDRESSES_DEFAULT: 127.0.0.1, 0.0.0.0, ::1, ::, and the IPv4-mapped forms of the first
 *   two, which are reported as IPv4.
 * @PORTWATCH_ADDRESSES_LOOPBACK: these and all of 127.0.0.0/8.
 * @PORTWATCH_ADDRESSES_ALL: every address.
 */
enum portwatch_addresses {
	PORTWATCH_ADDRESSES_DEFAULT = 0,
	PORTWATCH_ADDRESSES_LOOPBACK = 1,
	PORTWATCH_ADDRESSES_ALL = 2
};

/**
 * enum portwatch_scope: whose ports are reported.
 *
 * @PORTWATCH_SCOPE_TREE: those held by a process of the tree.
 * @PORTWATCH_SCOPE_NETNS: every listening port in the network namespace of the watched process,
 * with its owner where the caller may read it, among the processes of the tree.
 */
enum portwatch_scope { PORTWATCH_SCOPE_TREE = 0, PORTWATCH_SCOPE_NETNS = 1 };

/**
 * enum portwatch_reader: how the table of listening sockets of a network namespace is fetched.
 *
 * @PORTWATCH_READER_AUTO: the first of the following that works, chosen for each namespace, and
 *   chosen again when it stops working.
 * @PORTWATCH_READER_LOCAL: directly; only for the network namespace of the caller.
 * @PORTWATCH_READER_SETNS: a forked helper enters the namespace with setns(2). Needs CAP_SYS_ADMIN,
 *   or a user namespace that the caller owns.
 * @PORTWATCH_READER_NSENTER: the same through nsenter(1). Never where the process is privileged by
 *   exec (AT_SECURE, getauxval(3)).
 * @PORTWATCH_READER_PROCFS: /proc/PID/net/tcp and tcp6. Needs no privilege.
 */
enum portwatch_reader {
	PORTWATCH_READER_AUTO = 0,
	PORTWATCH_READER_LOCAL = 1,
	PORTWATCH_READER_SETNS = 2,
	PORTWATCH_READER_NSENTER = 3,
	PORTWATCH_READER_PROCFS = 4
};

/**
 * enum portwatch_table: in which form the kernel is asked for the table.
 *
 * @PORTWATCH_TABLE_AUTO: diag where it works, else procfs.
 * @PORTWATCH_TABLE_DIAG: a sock_diag(7) dump of the listening sockets alone.
 * @PORTWATCH_TABLE_PROCFS: the text of /proc/net/tcp and /proc/net/tcp6, proc_net(5).
 */
enum portwatch_table {
	PORTWATCH_TABLE_AUTO = 0,
	PORTWATCH_TABLE_DIAG = 1,
	PORTWATCH_TABLE_PROCFS = 2
};

/**
 * enum portwatch_delivery: how events reach the callback.
 *
 * @PORTWATCH_DELIVERY_THREAD: the library calls it from its own thread, one call at a time for all
 *   watchers of the process.
 * @PORTWATCH_DELIVERY_DISPATCH: portwatch_dispatch() calls it; portwatch_get_fd() says when.
 */
enum portwatch_delivery { PORTWATCH_DELIVERY_THREAD = 0, PORTWATCH_DELIVERY_DISPATCH = 1 };

/**
 * enum portwatch_notice: what the kernel may report by itself. What it doesn't report the library
 * finds by polling.
 *
 * @PORTWATCH_NOTICE_LISTEN: a process starts listening.
 * @PORTWATCH_NOTICE_CLOSE: a listening socket is closed.
 * @PORTWATCH_NOTICE_PROCESS: a process forks, executes a program, or exits.
 */
enum portwatch_notice {
	PORTWATCH_NOTICE_LISTEN = 0,
	PORTWATCH_NOTICE_CLOSE = 1,
	PORTWATCH_NOTICE_PROCESS = 2
};

/**
 * enum portwatch_notifier: by which mechanism the kernel reports it.
 *
 * @PORTWATCH_NOTIFIER_NONE: by none: the library polls.
 * @PORTWATCH_NOTIFIER_BPF: a BPF program on the tracepoint inet_sock_set_state, for listen and
 *   close. Needs CAP_SYS_ADMIN, or CAP_BPF and CAP_PERFMON; Linux 4.18.
 * @PORTWATCH_NOTIFIER_TRACEPOINT: the same tracepoint by perf_event_open(2). Needs CAP_PERFMON or
 *   CAP_SYS_ADMIN, and to read tracefs: CAP_DAC_READ_SEARCH unless root.
 * @PORTWATCH_NOTIFIER_PERF: perf_event_open(2), for processes. Needs CAP_PERFMON or CAP_SYS_ADMIN.
 * @PORTWATCH_NOTIFIER_CONNECTOR: the process connector, for processes. Needs no capability since
 *   Linux 6.6, CAP_NET_ADMIN before it, and the initial PID, user and network namespaces.
 * @PORTWATCH_NOTIFIER_DESTROY: the multicast groups of sock_diag(7) that report destroyed sockets,
 *   for close. Needs nothing.
 */
enum portwatch_notifier {
	PORTWATCH_NOTIFIER_NONE = 0,
	PORTWATCH_NOTIFIER_BPF = 1,
	PORTWATCH_NOTIFIER_TRACEPOINT = 2,
	PORTWATCH_NOTIFIER_PERF = 3,
	PORTWATCH_NOTIFIER_CONNECTOR = 4,
	PORTWATCH_NOTIFIER_DESTROY = 5
};

/** enum portwatch_log_level: how serious a message is; the numbers are those of syslog(3). */
enum portwatch_log_level {
	PORTWATCH_LOG_ERROR = 3,
	PORTWATCH_LOG_WARNING = 4,
	PORTWATCH_LOG_INFO = 6,
	PORTWATCH_LOG_DEBUG = 7
};

/**
 * enum portwatch_stat: what portwatch_get_stat() tells. All but the events count for all watchers
 * of the process, since the first of them was started.
 *
 * @PORTWATCH_STAT_READS: complete reads of a namespace's table
 * @PORTWATCH_STAT_FAILED_READS: reads that gave no information
 * @PORTWATCH_STAT_ROWS: listening sockets in these tables
 * @PORTWATCH_STAT_EVENTS: calls of this watcher's callback
 * @PORTWATCH_STAT_WAKEUPS: how often the library's thread has woken up
 * @PORTWATCH_STAT_TREE_READS: how often the process trees were read from /proc
 * @PORTWATCH_STAT_SCANS: processes whose descriptors were looked through
 * @PORTWATCH_STAT_NOTIFIER_RECORDS: what the kernel has reported of what is watched
 * @PORTWATCH_STAT_NOTIFIER_LOST: how often the kernel has dropped some of its reports
 * @PORTWATCH_STAT_HELPERS: helpers that were started
 * @PORTWATCH_STAT_RESTARTS: readers that were opened again after a failure
 * @PORTWATCH_STAT_CPU: CPU time of the library's thread and its helpers, in nanoseconds
 */
enum portwatch_stat {
	PORTWATCH_STAT_READS = 0,
	PORTWATCH_STAT_FAILED_READS = 1,
	PORTWATCH_STAT_ROWS = 2,
	PORTWATCH_STAT_EVENTS = 3,
	PORTWATCH_STAT_WAKEUPS = 4,
	PORTWATCH_STAT_TREE_READS = 5,
	PORTWATCH_STAT_SCANS = 6,
	PORTWATCH_STAT_NOTIFIER_RECORDS = 7,
	PORTWATCH_STAT_NOTIFIER_LOST = 8,
	PORTWATCH_STAT_HELPERS = 9,
	PORTWATCH_STAT_RESTARTS = 10,
	PORTWATCH_STAT_CPU = 11
};

/**
 * portwatch_callback: receives one event.
 * @watcher: the watcher to which the event belongs
 * @event: the event; valid until the callback returns
 * @user_data: as given to portwatch_new()
 *
 * Runs without any lock of the library held. It may call every function of the library on its own
 * or any other watcher, portwatch_stop() and portwatch_free() included. A slow callback delays
 * later events. They are queued; should 16,384 be waiting for one watcher, the queue is dropped and
 * the watcher reports the difference between what it had reported and what is open then.
 *
 * Since: 0.1
 */
typedef void (*portwatch_callback)(struct portwatch *watcher, const struct portwatch_event *event,
                                   void *user_data);

/**
 * portwatch_log_callback: receives one message.
 * @watcher: the watcher which the message concerns
 * @level: how serious it is
 * @message: one line without newline, printable; valid until the callback returns
 * @user_data: as given to portwatch_new()
 *
 * May be called from any thread of the library, and with locks held: it must not call the library,
 * and the child of a fork(2) in it must not return from it.
 *
 * Since: 0.1
 */
typedef void (*portwatch_log_callback)(struct portwatch *watcher, enum portwatch_log_level level,
                                       const char *message, void *user_data);

/**
 * portwatch_namespace_callback: receives one watched network namespace.
 * @ns: the namespace; valid until the callback returns
 * @user_data: as given to portwatch_each_namespace()
 *
 * Runs with a lock of the library held: it must call nothing but portwatch_namespace_get_*().
 *
 * Since: 0.1
 */
typedef void (*portwatch_namespace_callback)(const struct portwatch_namespace *ns, void *user_data);

/**
 * portwatch_version: the version of the library at run time, such as "0.1.0".
 *
 * Returns: a static string.
 * Since: 0.1
 */
const char *portwatch_version(void);

/**
 * portwatch_new: makes a watcher of a process and all its descendants. It does nothing until
 * portwatch_start().
 * @watcher: receives the new watcher; to be freed with portwatch_free()
 * @pid: the process. The watcher follows this very process: the number given to another process
 *   later is not mistaken for it.
 * @on_event: receives the events
 * @user_data: handed to every callback
 *
 * Returns: 0; -EINVAL (pid is not positive or names a thread, on_event or watcher is NULL);
 * -ESRCH (no such process); -EACCES (it exists, but /proc hides it); -ENOENT (/proc isn't mounted
 * or belongs to another PID namespace); -EMFILE, -ENFILE, -ENOMEM; -ENOTSUP (not Linux). Since: 0.1
 */
int portwatch_new(struct portwatch **watcher, pid_t pid, portwatch_callback on_event,
                  void *user_data);

/**
 * portwatch_set_events: selects the kinds of events that are reported.
 * @watcher: a watcher that was not started yet
 * @kinds: bits of enum portwatch_event_kind; default PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_END
 *
 * Returns: 0; -EINVAL (an unknown bit, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_events(struct portwatch *watcher, unsigned int kinds);

/**
 * portwatch_set_interval: sets the time between two reads of the tables.
 * @watcher: a watcher that was not started yet
 * @milliseconds: 1 to 86,400,000; kept exactly. 0, the default, adapts: a second at most,
 *   less where reading is cheap, and more, up to ten minutes, where the notifier tells of changes.
 * A listening socket that was passed to a member may be seen up to five seconds later, or more in
 *   very large trees.
 *
 * Returns: 0; -EINVAL (out of range, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_interval(struct portwatch *watcher, unsigned int milliseconds);

/**
 * portwatch_set_addresses: selects the local addresses that are reported.
 * @watcher: a watcher that was not started yet
 * @addresses: default PORTWATCH_ADDRESSES_DEFAULT
 *
 * Returns: 0; -EINVAL (unknown value, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_addresses(struct portwatch *watcher, enum portwatch_addresses addresses);

/**
 * portwatch_set_scope: selects whose ports are reported.
 * @watcher: a watcher that was not started yet
 * @scope: default PORTWATCH_SCOPE_TREE
 *
 * Returns: 0; -EINVAL (unknown value, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_scope(struct portwatch *watcher, enum portwatch_scope scope);

/**
 * portwatch_set_reader: forces one way of reading, instead of choosing what works.
 * @watcher: a watcher that was not started yet
 * @reader: default PORTWATCH_READER_AUTO
 *
 * Returns: 0; -EINVAL (unknown value, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_reader(struct portwatch *watcher, enum portwatch_reader reader);

/**
 * portwatch_set_table: forces one form of the table, instead of choosing what works.
 * @watcher: a watcher that was not started yet
 * @table: default PORTWATCH_TABLE_AUTO
 *
 * Returns: 0; -EINVAL (unknown value, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_table(struct portwatch *watcher, enum portwatch_table table);

/**
 * portwatch_set_subreaper: says that orphans of the tree come to the calling process.
 * @watcher: a watcher that was not started yet
 * @enabled: nonzero to count every new child process of the caller as a member of the tree
 *
 * For a process that has made itself a child subreaper (PR_SET_CHILD_SUBREAPER, prctl(2)) and has
 * no other children than the watched tree: a daemon that the tree detaches becomes a child of the
 * caller and is found there however quick it was. Default 0.
 *
 * Returns: 0; -EINVAL (NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_subreaper(struct portwatch *watcher, int enabled);

/**
 * portwatch_set_notifier: says whether the kernel is asked to report what happens, by the
 * mechanisms of enum portwatch_notifier.
 * @watcher: a watcher that was not started yet
 * @enabled: 0 to poll alone. Default 1: each mechanism is used where the kernel allows it, for
 * which CAP_SYS_ADMIN is enough. The notifier is one for all watchers of the process: it is open
 * while one wants it.
 *
 * Returns: 0; -EINVAL (NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_notifier(struct portwatch *watcher, int enabled);

/**
 * portwatch_set_delivery: selects how events reach the callback.
 * @watcher: a watcher that was not started yet
 * @delivery: default PORTWATCH_DELIVERY_THREAD
 *
 * Returns: 0; -EINVAL (unknown value, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_delivery(struct portwatch *watcher, enum portwatch_delivery delivery);

/**
 * portwatch_set_log: sets the function that receives messages. Without one there is no output.
 * @watcher: a watcher that was not started yet
 * @level: the least serious level that is passed on. A nonempty environment variable
 * PORTWATCH_DEBUG (secure_getenv(3)) makes it PORTWATCH_LOG_DEBUG.
 * @on_message: receives the messages; NULL for none
 *
 * Errors say what failed and what to do; warnings tell, once each, that a way of reading has
 * failed, or what can't be told, and lasts; information tells each discovery with its PID, and by
 * which way each namespace is read and why; debugging the rest, skipped addresses for example. Of
 * warnings a watcher gets ten at once and then one a second; the next one says how many were left
 * out.
 *
 * Returns: 0; -EINVAL (unknown value, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_log(struct portwatch *watcher, enum portwatch_log_level level,
                      portwatch_log_callback on_message);

/**
 * portwatch_start: starts a watcher. Once in its life.
 * @watcher: the watcher
 *
 * Reports what is open already, marked initial, before it returns: with PORTWATCH_DELIVERY_THREAD
 * the callback has returned for each of them (called from inside a callback in that thread, it
 * calls them itself); with PORTWATCH_DELIVERY_DISPATCH they wait for portwatch_dispatch(). If some
 * network namespaces of the tree take longer than ten seconds to be read, it returns without them.
 *
 * Returns: 0; -EINVAL (NULL); -EALREADY (started before); -ESRCH (the process has exited, and no
 * descendant is known); -EACCES (its descriptors can't be read, and the scope is
 * PORTWATCH_SCOPE_TREE; or its network namespace can't be read at all); -EPERM (no reader may enter
 * its network namespace); -EXDEV (PORTWATCH_READER_LOCAL, for another namespace); -ENOTSUP (the
 * reader that was set hasn't the table that was set); -ENOENT (/proc isn't mounted or belongs to
 * another PID namespace; nsenter(1), which was set, isn't installed); -ETIMEDOUT (no complete read
 * within ten seconds, or within a minute while a helper is at work on a slow machine); or another
 * error of the last reader that was tried; -EMFILE, -ENFILE, -ENOMEM, -EAGAIN (no thread). After a
 * failure the watcher can only be freed. The log says more. Since: 0.1
 */
int portwatch_start(struct portwatch *watcher);

/**
 * portwatch_stop: stops a watcher.
 * @watcher: the watcher
 *
 * Waits for a callback of this watcher that runs in another thread: after it no callback runs.
 * Called from inside that callback it doesn't wait, and the running call is the last. Events not
 * delivered yet are dropped.
 *
 * Returns: 0, also when it was never started or is stopped already; -EINVAL (NULL).
 * Since: 0.1
 */
int portwatch_stop(struct portwatch *watcher);

/**
 * portwatch_free: stops a watcher, as portwatch_stop() does, and frees it.
 * @watcher: the watcher, or NULL. Not to be used again.
 *
 * When the last watcher is freed, the threads of the library have ended (called from inside a
 * callback: end with the return of that callback).
 *
 * Since: 0.1
 */
void portwatch_free(struct portwatch *watcher);

/**
 * portwatch_get_fd: a descriptor for poll(2), epoll(7) and the like, readable when
 * portwatch_dispatch() has something to do.
 * @watcher: a watcher with PORTWATCH_DELIVERY_DISPATCH, started
 *
 * The descriptor belongs to the watcher and is closed by portwatch_free(). Don't read it.
 *
 * Returns: the descriptor; -EINVAL (another delivery, or NULL); -ENOTCONN (not started).
 * Since: 0.1
 */
int portwatch_get_fd(struct portwatch *watcher);

/**
 * portwatch_dispatch: delivers all waiting events in the calling thread. Doesn't wait for new ones.
 * @watcher: a watcher with PORTWATCH_DELIVERY_DISPATCH, started
 *
 * Returns: how many times the callback was called; -EINVAL (another delivery, or NULL); -ENOTCONN
 * (not started); -EDEADLK (called from inside a callback of the same watcher); -EBUSY (another
 * thread is dispatching this watcher). Since: 0.1
 */
int portwatch_dispatch(struct portwatch *watcher);

/**
 * portwatch_get_pid: the process that the watcher was made for.
 * @watcher: the watcher
 *
 * Returns: its process ID.
 * Since: 0.1
 */
pid_t portwatch_get_pid(const struct portwatch *watcher);

/**
 * portwatch_get_user_data: the pointer that was given to portwatch_new().
 * @watcher: the watcher
 *
 * Returns: the pointer.
 * Since: 0.1
 */
void *portwatch_get_user_data(const struct portwatch *watcher);

/**
 * portwatch_get_stat: what watching has cost so far.
 * @watcher: a started watcher that was not stopped
 * @stat: which figure
 *
 * Returns: the figure; 0 for an unknown one, and where the watcher isn't started.
 * Since: 0.1
 */
uint64_t portwatch_get_stat(struct portwatch *watcher, enum portwatch_stat stat);

/**
 * portwatch_stat_name: the name of a figure, such as "reads", for printing all there are: the
 * values count up from 0 without a gap.
 * @stat: which figure
 *
 * Returns: a static string; NULL for an unknown value, the first after the last.
 * Since: 0.1
 */
const char *portwatch_stat_name(enum portwatch_stat stat);

/**
 * portwatch_get_notifier: by which mechanism the kernel reports something now, see
 * portwatch_set_notifier().
 * @watcher: a started watcher
 * @notice: what it reports
 * @reason: receives why the mechanisms that come before that one don't work, all of them where
 * there is none, in words; "" where there is nothing to say; NULL if @size is 0
 * @size: of @reason, in bytes; a longer text is cut
 *
 * Returns: a value of enum portwatch_notifier, PORTWATCH_NOTIFIER_NONE (0) if the library polls;
 * -EINVAL (NULL, an unknown @notice); -ENOTCONN (not started).
 * Since: 0.1
 */
int portwatch_get_notifier(struct portwatch *watcher, enum portwatch_notice notice, char *reason,
                           size_t size);

/**
 * portwatch_notifier_name: the name of a mechanism, such as "bpf"; that of none is "polling".
 * @notifier: the mechanism
 *
 * Returns: a static string; NULL for an unknown value.
 * Since: 0.1
 */
const char *portwatch_notifier_name(enum portwatch_notifier notifier);

/**
 * portwatch_limit_privileges: gives up, in the calling thread and for what it starts later, all
 * capabilities but those that the library uses: CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
 * CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, and CAP_SETPCAP, with which a helper empties its bounding set
 * (capabilities(7)). Without CAP_SYS_PTRACE a process can only be looked into by who has all
 * capabilities that it has. Then the others are taken out of effect and stay permitted, and the
 * library takes them into effect around each such look; but not in a program that has file
 * capabilities. For programs that do nothing but watch; to be called before the first watcher is
 * started.
 *
 * Returns: 0; -ENOMEM; -EPERM.
 * Since: 0.1
 */
int portwatch_limit_privileges(void);

/**
 * portwatch_each_namespace: tells which network namespaces are watched for a watcher, and how.
 * @watcher: a started watcher
 * @on_namespace: called once for each, before the function returns
 * @user_data: handed to it
 *
 * Returns: how many there are; -EINVAL (NULL).
 * Since: 0.1
 */
int portwatch_each_namespace(struct portwatch *watcher, portwatch_namespace_callback on_namespace,
                             void *user_data);

/**
 * portwatch_namespace_get_inode: the inode number of the namespace, as in the link
 * /proc/PID/ns/net (namespaces(7)).
 * @ns: the namespace
 *
 * Returns: the number; 0 where it isn't known.
 * Since: 0.1
 */
uint64_t portwatch_namespace_get_inode(const struct portwatch_namespace *ns);

/**
 * portwatch_namespace_get_cookie: the cookie of the namespace, never reused until the system
 * restarts (SO_NETNS_COOKIE, socket(7); net/core/net_namespace.c).
 * @ns: the namespace
 *
 * Returns: the cookie; 0 where it isn't known.
 * Since: 0.1
 */
uint64_t portwatch_namespace_get_cookie(const struct portwatch_namespace *ns);

/**
 * portwatch_namespace_get_pid: the process by which the namespace is entered: the one that is PID 1
 * there, else the oldest known in it.
 * @ns: the namespace
 *
 * Returns: its process ID; 0 where there is none left.
 * Since: 0.1
 */
pid_t portwatch_namespace_get_pid(const struct portwatch_namespace *ns);

/**
 * portwatch_namespace_get_reader: by which reader it is read now.
 * @ns: the namespace
 *
 * Returns: the reader; PORTWATCH_READER_AUTO while none works.
 * Since: 0.1
 */
enum portwatch_reader portwatch_namespace_get_reader(const struct portwatch_namespace *ns);

/**
 * portwatch_namespace_get_table: in which form it is read now.
 * @ns: the namespace
 *
 * Returns: the form; PORTWATCH_TABLE_AUTO while none works.
 * Since: 0.1
 */
enum portwatch_table portwatch_namespace_get_table(const struct portwatch_namespace *ns);

/**
 * portwatch_namespace_get_reason: why it is read in this way, in words.
 * @ns: the namespace
 *
 * Returns: a string that is valid as long as @ns; "" where there is nothing to say.
 * Since: 0.1
 */
const char *portwatch_namespace_get_reason(const struct portwatch_namespace *ns);

/**
 * portwatch_reader_name: the name of a reader, as `pwatch --reader` takes it.
 * @reader: the reader
 *
 * Returns: a static string; NULL for an unknown value.
 * Since: 0.1
 */
const char *portwatch_reader_name(enum portwatch_reader reader);

/**
 * portwatch_table_name: the name of a form of the table, as `pwatch --table` takes it.
 * @table: the form
 *
 * Returns: a static string; NULL for an unknown value.
 * Since: 0.1
 */
const char *portwatch_table_name(enum portwatch_table table);

/**
 * portwatch_event_get_kind: what happened.
 * @event: the event
 *
 * Returns: the kind.
 * Since: 0.1
 */
enum portwatch_event_kind portwatch_event_get_kind(const struct portwatch_event *event);

/**
 * portwatch_event_get_id: tells the events of one opening of a port from those of another.
 * @event: the event
 *
 * All events from PORTWATCH_EVENT_OPEN to the PORTWATCH_EVENT_CLOSE of the port have the same
 * number, which the watcher never uses again.
 *
 * Returns: the number, from 1 on; 0 for PORTWATCH_EVENT_END.
 * Since: 0.1
 */
uint64_t portwatch_event_get_id(const struct portwatch_event *event);

/**
 * portwatch_event_get_family: the address family.
 * @event: the event
 *
 * Returns: AF_INET or AF_INET6; 0 for PORTWATCH_EVENT_END.
 * Since: 0.1
 */
int portwatch_event_get_family(const struct portwatch_event *event);

/**
 * portwatch_event_get_address: the local address.
 * @event: the event
 *
 * Returns: 4 bytes for AF_INET, 16 for AF_INET6, in network order, valid as long as @event; NULL
 * for PORTWATCH_EVENT_END. Since: 0.1
 */
const void *portwatch_event_get_address(const struct portwatch_event *event);

/**
 * portwatch_event_get_address_text: the local address as inet_ntop(3) writes it, without brackets.
 * @event: the event
 *
 * Returns: a string that is valid as long as @event; "" for PORTWATCH_EVENT_END.
 * Since: 0.1
 */
const char *portwatch_event_get_address_text(const struct portwatch_event *event);

/**
 * portwatch_event_get_port: the port number.
 * @event: the event
 *
 * Returns: 1 to 65535, in host order; 0 for PORTWATCH_EVENT_END.
 * Since: 0.1
 */
uint16_t portwatch_event_get_port(const struct portwatch_event *event);

/**
 * portwatch_event_get_v6only: whether an AF_INET6 socket refuses IPv4 (IPV6_V6ONLY, ipv6(7)).
 * @event: the event
 *
 * Returns: 1 or 0; -1 where it isn't known.
 * Since: 0.1
 */
int portwatch_event_get_v6only(const struct portwatch_event *event);

/**
 * portwatch_event_get_pid: the owner: the oldest process of the tree that holds the socket.
 * @event: the event
 *
 * Returns: its process ID; 0 where it isn't known. For PORTWATCH_EVENT_CLOSE the last owner known,
 * which may have exited; for PORTWATCH_EVENT_END the watched process.
 * Since: 0.1
 */
pid_t portwatch_event_get_pid(const struct portwatch_event *event);

/**
 * portwatch_event_get_process: the name of the owner, as in /proc/PID/comm. Bytes chosen by a
 * stranger: escape them before you print them.
 * @event: the event
 *
 * Returns: a string that is valid as long as @event; "" where it isn't known.
 * Since: 0.1
 */
const char *portwatch_event_get_process(const struct portwatch_event *event);

/**
 * portwatch_event_get_owners: how many processes of the tree hold the socket.
 * @event: the event
 *
 * Returns: the number; 0 where it isn't known.
 * Since: 0.1
 */
unsigned int portwatch_event_get_owners(const struct portwatch_event *event);

/**
 * portwatch_event_get_netns: the inode number of the network namespace, as in the link
 * /proc/PID/ns/net. Reused by the kernel after the namespace is gone.
 * @event: the event
 *
 * Returns: the number; 0 where it isn't known.
 * Since: 0.1
 */
uint64_t portwatch_event_get_netns(const struct portwatch_event *event);

/**
 * portwatch_event_get_netns_cookie: the cookie of the network namespace (SO_NETNS_COOKIE,
 * socket(7)).
 * @event: the event
 *
 * Returns: the cookie; 0 where it isn't known.
 * Since: 0.1
 */
uint64_t portwatch_event_get_netns_cookie(const struct portwatch_event *event);

/**
 * portwatch_event_get_inode: the inode number of the socket, as in the links /proc/PID/fd/N.
 * @event: the event
 *
 * Returns: the number; 0 for PORTWATCH_EVENT_END.
 * Since: 0.1
 */
uint64_t portwatch_event_get_inode(const struct portwatch_event *event);

/**
 * portwatch_event_get_realtime: when it was seen, for people.
 * @event: the event
 *
 * Returns: CLOCK_REALTIME (clock_gettime(2)) in nanoseconds.
 * Since: 0.1
 */
uint64_t portwatch_event_get_realtime(const struct portwatch_event *event);

/**
 * portwatch_event_get_monotonic: when it was seen, for measuring.
 * @event: the event
 *
 * Returns: CLOCK_MONOTONIC (clock_gettime(2)) in nanoseconds.
 * Since: 0.1
 */
uint64_t portwatch_event_get_monotonic(const struct portwatch_event *event);

/**
 * portwatch_event_get_initial: whether the port was open already when the watcher started.
 * @event: the event
 *
 * Returns: 1 or 0.
 * Since: 0.1
 */
int portwatch_event_get_initial(const struct portwatch_event *event);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif /* PORTWATCH_H */
