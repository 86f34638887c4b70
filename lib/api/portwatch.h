/* SPDX-License-Identifier: MIT */
/**
 * portwatch.h - watch process trees for listening TCP ports
 *
 * A watcher follows one process and all its descendants, in all network namespaces that they enter,
 * and reports each TCP port on which one of them starts or stops listening.
 *
 *     #include <portwatch.h>
 *     #include <semaphore.h>
 *     #include <stdio.h>
 *     #include <stdlib.h>
 *
 *     static void on_event(struct portwatch *watcher, const struct portwatch_event *event,
 *                          void *ended)
 *     {
 *             (void)watcher;
 *             if (portwatch_event_get_kind(event) == PORTWATCH_EVENT_END)
 *                     sem_post(ended);
 *             else
 *                     printf("%s:%u\n", portwatch_event_get_address_text(event),
 *                            (unsigned)portwatch_event_get_port(event));
 *             fflush(stdout);
 *     }
 *
 *     int main(int argc, char **argv)
 *     {
 *             struct portwatch *watcher;
 *             sem_t ended;
 *
 *             sem_init(&ended, 0, 0);
 *             if (argc != 2 || portwatch_new(&watcher, atoi(argv[1]), on_event, &ended) < 0)
 *                     return 1;
 *             if (portwatch_start(watcher) == 0)
 *                     sem_wait(&ended);
 *             portwatch_free(watcher);
 *             return 0;
 *     }
 *
 * Conventions
 *
 * - Functions that return int return 0 (or a count) on success and a negative errno value on
 *   failure. The value of errno itself is undefined afterwards.
 * - Every function may be called from any thread, also from inside an event callback, unless its
 *   documentation says otherwise. A log callback must not call this library.
 * - All process IDs are those of the caller's PID namespace.
 * - Ports are in host byte order, addresses in network byte order.
 * - The library has one thread while a watcher is started, and a second one while a started watcher
 *   uses PORTWATCH_DELIVERY_THREAD. Both have all signals blocked.
 * - The library never changes the signal dispositions, capabilities, environment or umask of the
 *   process, and prints nothing. Its child processes are invisible to the caller's wait(2) and
 *   SIGCHLD handler.
 * - In the child of a fork(2) the watchers of the parent are inert: every function may be called on
 *   them, none does more than free memory, and no callback is called. The child may create new
 *   watchers.
 */
#ifndef PORTWATCH_H
#define PORTWATCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The declarations of this header are exported; everything else is built with
 * -fvisibility=hidden. */
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/**
 * struct portwatch: one watcher, opaque. Owned by the caller until portwatch_free().
 *
 * Since: 0.1
 */
struct portwatch;

/**
 * struct portwatch_event: one event, opaque. Owned by the library, valid during the callback, and
 * longer with a reference: portwatch_event_ref().
 *
 * Since: 0.1
 */
struct portwatch_event;

/**
 * struct portwatch_namespace: the properties of one watched network namespace, opaque. Owned by the
 * library, valid during portwatch_each_namespace().
 *
 * Since: 0.1
 */
struct portwatch_namespace;

/**
 * enum portwatch_event_kind: what happened. The values are bits, for portwatch_set_events().
 *
 * A *port* is (network namespace, address, port number). A port is open while at least one
 * listening socket in the watcher's scope holds it. An open port is reported once, no matter how
 * many processes hold it. If a closed port opens again, it is a new port.
 *
 * @PORTWATCH_EVENT_OPEN: a port has opened.
 * @PORTWATCH_EVENT_CLOSE: a port has closed: two complete reads did not show it.
 * @PORTWATCH_EVENT_END: the last process of the tree has exited. This is the last event of a
 *   watcher. Ports that other processes still hold (PORTWATCH_SCOPE_NETNS) are not reported as
 *   closed.
 * @PORTWATCH_EVENT_OWNER: the port stays open, and its owner differs from the owner in the last
 *   event: another process, another name, another number of holders, or another socket. For
 *   example, the first process of a daemon has left the port to its child.
 *
 * Since: 0.1
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
 * @PORTWATCH_ADDRESSES_LOOPBACK: the same and all of 127.0.0.0/8.
 * @PORTWATCH_ADDRESSES_ALL: every address.
 *
 * Since: 0.1
 */
enum portwatch_addresses {
	PORTWATCH_ADDRESSES_DEFAULT = 0,
	PORTWATCH_ADDRESSES_LOOPBACK = 1,
	PORTWATCH_ADDRESSES_ALL = 2
};

/**
 * enum portwatch_scope: whose ports are reported.
 *
 * @PORTWATCH_SCOPE_TREE: ports that a process of the tree holds.
 * @PORTWATCH_SCOPE_NETNS: every listening port in the network namespace of the watched process. The
 *   owner may be any process; it is reported if the caller may read it. When the watched process
 *   enters another namespace, the library watches that namespace too. It watches the former
 *   namespace until all ports there are closed.
 *
 * Since: 0.1
 */
enum portwatch_scope { PORTWATCH_SCOPE_TREE = 0, PORTWATCH_SCOPE_NETNS = 1 };

/**
 * enum portwatch_reader: how the table of listening sockets of a network namespace is fetched.
 *
 * @PORTWATCH_READER_AUTO: the first of the following that works. The library chooses for each
 *   namespace, and chooses again when the reader stops working.
 * @PORTWATCH_READER_LOCAL: a direct read, only for the network namespace of the caller.
 * @PORTWATCH_READER_SETNS: a forked helper enters the namespace with setns(2). Needs CAP_SYS_ADMIN,
 *   or a user namespace that the caller owns.
 * @PORTWATCH_READER_NSENTER: the same through nsenter(1). Never used where exec has given the
 *   process privileges (AT_SECURE, getauxval(3)).
 * @PORTWATCH_READER_PROCFS: /proc/PID/net/tcp and tcp6. Needs no privilege.
 *
 * Since: 0.1
 */
enum portwatch_reader {
	PORTWATCH_READER_AUTO = 0,
	PORTWATCH_READER_LOCAL = 1,
	PORTWATCH_READER_SETNS = 2,
	PORTWATCH_READER_NSENTER = 3,
	PORTWATCH_READER_PROCFS = 4
};

/**
 * enum portwatch_table: the form in which the library requests the table from the kernel.
 *
 * @PORTWATCH_TABLE_AUTO: diag if it works, procfs otherwise.
 * @PORTWATCH_TABLE_DIAG: a sock_diag(7) dump of the listening sockets only. Needs the kernel module
 *   tcp_diag, which the kernel loads on demand where loading modules is allowed.
 * @PORTWATCH_TABLE_PROCFS: the text of /proc/net/tcp and /proc/net/tcp6, proc_net(5).
 *
 * Since: 0.1
 */
enum portwatch_table {
	PORTWATCH_TABLE_AUTO = 0,
	PORTWATCH_TABLE_DIAG = 1,
	PORTWATCH_TABLE_PROCFS = 2
};

/**
 * enum portwatch_delivery: how events reach the callback.
 *
 * @PORTWATCH_DELIVERY_THREAD: a thread of the library calls the callback, one call at a time for
 *   all watchers of the process. portwatch_start() itself calls the callback for ports that are
 *   already open.
 * @PORTWATCH_DELIVERY_DISPATCH: portwatch_dispatch() calls the callback. The descriptor of
 *   portwatch_get_fd() is readable while events wait.
 *
 * Since: 0.1
 */
enum portwatch_delivery { PORTWATCH_DELIVERY_THREAD = 0, PORTWATCH_DELIVERY_DISPATCH = 1 };

/**
 * enum portwatch_notice: the changes that the kernel may report. The library polls for changes that
 * the kernel does not report.
 *
 * @PORTWATCH_NOTICE_LISTEN: a process starts listening.
 * @PORTWATCH_NOTICE_CLOSE: a listening socket is closed.
 * @PORTWATCH_NOTICE_PROCESS: a process forks, executes a program, or exits.
 *
 * Since: 0.1
 */
enum portwatch_notice {
	PORTWATCH_NOTICE_LISTEN = 0,
	PORTWATCH_NOTICE_CLOSE = 1,
	PORTWATCH_NOTICE_PROCESS = 2
};

/**
 * enum portwatch_notifier: the mechanism by which the kernel reports changes.
 *
 * BPF, TRACEPOINT and PERF need CAP_SYS_ADMIN where kernel.perf_event_paranoid is 3 or more on
 * kernels of Debian and Ubuntu. BPF and TRACEPOINT do not work on a kernel with
 * lockdown=confidentiality.
 *
 * @PORTWATCH_NOTIFIER_NONE: none: the library polls.
 * @PORTWATCH_NOTIFIER_BPF: a BPF program on the tracepoint inet_sock_set_state, for listen and
 *   close. Needs CAP_SYS_ADMIN, or CAP_BPF and CAP_PERFMON; Linux 4.18.
 * @PORTWATCH_NOTIFIER_TRACEPOINT: the same tracepoint by perf_event_open(2). Needs CAP_PERFMON or
 *   CAP_SYS_ADMIN, and access to tracefs: CAP_DAC_READ_SEARCH unless root, and CAP_SYS_ADMIN where
 *   tracefs is not mounted, as in most containers.
 * @PORTWATCH_NOTIFIER_PERF: perf_event_open(2), for processes. Needs CAP_PERFMON or CAP_SYS_ADMIN.
 * @PORTWATCH_NOTIFIER_CONNECTOR: the process connector, for processes. Needs the initial PID, user
 *   and network namespaces, and before Linux 6.6 also CAP_NET_ADMIN.
 * @PORTWATCH_NOTIFIER_DESTROY: the multicast groups of sock_diag(7) that report destroyed sockets,
 *   for close. Needs no privilege.
 *
 * Since: 0.1
 */
enum portwatch_notifier {
	PORTWATCH_NOTIFIER_NONE = 0,
	PORTWATCH_NOTIFIER_BPF = 1,
	PORTWATCH_NOTIFIER_TRACEPOINT = 2,
	PORTWATCH_NOTIFIER_PERF = 3,
	PORTWATCH_NOTIFIER_CONNECTOR = 4,
	PORTWATCH_NOTIFIER_DESTROY = 5
};

/**
 * PORTWATCH_STAT_UNKNOWN: portwatch_get_stat() returns this value for a figure that is not known.
 *
 * Since: 0.1
 */
#define PORTWATCH_STAT_UNKNOWN ((uint64_t)-1)

/**
 * enum portwatch_limit: the limits of a watcher, so that a hostile process cannot make the library
 * use memory or processes without bound, or fill a log. See portwatch_set_limit().
 *
 * @PORTWATCH_LIMIT_MEMBERS: processes in the tree; default 65,536
 * @PORTWATCH_LIMIT_PORTS: open ports; default 65,536
 * @PORTWATCH_LIMIT_HELPERS: helpers that run at once; default 64. All watchers of the process share
 *   the helpers, so the smallest number of all started watchers applies. More namespaces than
 *   helpers are watched as well, because each namespace gets a helper when it is read.
 * @PORTWATCH_LIMIT_WARNINGS: warnings at once, before only one per second is logged; default 10
 *
 * Since: 0.1
 */
enum portwatch_limit {
	PORTWATCH_LIMIT_MEMBERS = 0,
	PORTWATCH_LIMIT_PORTS = 1,
	PORTWATCH_LIMIT_HELPERS = 2,
	PORTWATCH_LIMIT_WARNINGS = 3
};

/**
 * enum portwatch_log_level: the severity of a message; the numbers are those of syslog(3).
 *
 * Since: 0.1
 */
enum portwatch_log_level {
	PORTWATCH_LOG_ERROR = 3,
	PORTWATCH_LOG_WARNING = 4,
	PORTWATCH_LOG_INFO = 6,
	PORTWATCH_LOG_DEBUG = 7
};

/**
 * enum portwatch_stat: the figures of portwatch_get_stat(). A figure covers all watchers of the
 * process since the first of them was started, unless its description names this watcher.
 *
 * @PORTWATCH_STAT_READS: complete reads of a namespace's table
 * @PORTWATCH_STAT_FAILED_READS: reads that failed
 * @PORTWATCH_STAT_ROWS: listening sockets in these tables
 * @PORTWATCH_STAT_EVENTS: calls of this watcher's callback
 * @PORTWATCH_STAT_WAKEUPS: how often the monitor thread of the library has woken up
 * @PORTWATCH_STAT_TREE_READS: how often the process trees were read from /proc
 * @PORTWATCH_STAT_SCANS: processes whose descriptors were read
 * @PORTWATCH_STAT_NOTIFIER_RECORDS: reports of the kernel about watched processes and namespaces
 * @PORTWATCH_STAT_NOTIFIER_LOST: how often the kernel has dropped reports
 * @PORTWATCH_STAT_HELPERS: helpers that were started
 * @PORTWATCH_STAT_RESTARTS: readers that were opened again after a failure
 * @PORTWATCH_STAT_CPU: CPU time of the monitor thread and the helpers, in nanoseconds
 * @PORTWATCH_STAT_MEMBERS: processes that belong to this watcher's tree now
 * @PORTWATCH_STAT_PORTS: ports of this watcher that are open now
 * @PORTWATCH_STAT_MEMBERS_LEFT_OUT: how often a process was left out because of
 *   PORTWATCH_LIMIT_MEMBERS; one process may count several times
 * @PORTWATCH_STAT_SOCKETS_LEFT_OUT: listening sockets whose ports are not reported now because of
 *   PORTWATCH_LIMIT_PORTS
 * @PORTWATCH_STAT_HELPERS_RUNNING: helpers that run now
 * @PORTWATCH_STAT_WARNINGS_LEFT_OUT: warnings of this watcher that were not logged because of
 *   PORTWATCH_LIMIT_WARNINGS
 *
 * Since: 0.1
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
	PORTWATCH_STAT_CPU = 11,
	PORTWATCH_STAT_MEMBERS = 12,
	PORTWATCH_STAT_PORTS = 13,
	PORTWATCH_STAT_MEMBERS_LEFT_OUT = 14,
	PORTWATCH_STAT_SOCKETS_LEFT_OUT = 15,
	PORTWATCH_STAT_HELPERS_RUNNING = 16,
	PORTWATCH_STAT_WARNINGS_LEFT_OUT = 17
};

/**
 * portwatch_callback: receives one event.
 * @watcher: the watcher to which the event belongs
 * @event: the event; valid until the callback returns, see portwatch_event_ref()
 * @user_data: as given to portwatch_new()
 *
 * The library holds no lock during the call. The callback may call every function of the library on
 * its own or any other watcher, portwatch_stop() and portwatch_free() included. A slow callback
 * delays later events, which are queued. If 16,384 events wait for one watcher, the library drops
 * them and reports the difference between what it had reported and what is open then.
 *
 * Since: 0.1
 */
typedef void (*portwatch_callback)(struct portwatch *watcher, const struct portwatch_event *event,
                                   void *user_data);

/**
 * portwatch_log_callback: receives one message.
 * @watcher: the watcher which the message concerns
 * @level: the severity
 * @message: one line without newline, printable; valid until the callback returns
 * @user_data: as given to portwatch_new()
 *
 * The monitor thread of the library calls the callback. The callback must return soon, because the
 * library watches nothing until then, and must not call the library. If the callback calls fork(2),
 * the child must not return from the callback.
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
 * Runs in the thread that called portwatch_each_namespace(). The library holds no lock during the
 * call, and the callback may call every function of the library.
 *
 * Returns: 0 to continue; another value to end the listing.
 * Since: 0.1
 */
typedef int (*portwatch_namespace_callback)(const struct portwatch_namespace *ns, void *user_data);

/**
 * portwatch_port_callback: receives one open port.
 * @port: the port, in the form of its PORTWATCH_EVENT_OPEN, with the owner and the time of its last
 *   event; valid until the callback returns, see portwatch_event_ref()
 * @user_data: as given to portwatch_each_port()
 *
 * Runs in the thread that called portwatch_each_port(). The library holds no lock during the call,
 * and the callback may call every function of the library.
 *
 * Returns: 0 to continue; another value to end the listing.
 * Since: 0.1
 */
typedef int (*portwatch_port_callback)(const struct portwatch_event *port, void *user_data);

/**
 * portwatch_version: the version of the library at run time, such as "0.1.0".
 *
 * Returns: a static string.
 * Since: 0.1
 */
const char *portwatch_version(void);

/**
 * portwatch_new: creates a watcher for a process and all its descendants. The watcher does nothing
 * until portwatch_start().
 * @watcher: receives the new watcher; to be freed with portwatch_free()
 * @pid: the process. The watcher never follows a later process with the same PID.
 * @on_event: receives the events
 * @user_data: passed to every callback
 *
 * Returns: 0; -EINVAL (pid is not positive or names a thread, on_event or watcher is NULL);
 * -ESRCH (no such process); -EACCES (the process exists, but /proc hides it); -ENOENT (/proc is not
 * mounted or belongs to another PID namespace); -EMFILE, -ENFILE, -ENOMEM; -ENOTSUP (not Linux).
 * Since: 0.1
 */
int portwatch_new(struct portwatch **watcher, pid_t pid, portwatch_callback on_event,
                  void *user_data);

/**
 * portwatch_new_pidfd: creates a watcher for the process of a pidfd (pidfd_open(2)).
 * @watcher: receives the new watcher; to be freed with portwatch_free()
 * @pidfd: the descriptor. The caller keeps it and may close it afterwards.
 * @on_event: receives the events
 * @user_data: passed to every callback
 *
 * Returns: as portwatch_new(); -EBADF (not open); -EINVAL (not a pidfd, or the pidfd of a thread);
 *   -ENOENT (/proc is not mounted, or the process is in another PID namespace).
 * Since: 0.1
 */
int portwatch_new_pidfd(struct portwatch **watcher, int pidfd, portwatch_callback on_event,
                        void *user_data);

/**
 * portwatch_set_events: selects the kinds of events that are reported.
 * @watcher: a watcher that is not started yet
 * @kinds: bits of enum portwatch_event_kind; default PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_END
 *
 * Returns: 0; -EINVAL (an unknown bit, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_events(struct portwatch *watcher, unsigned int kinds);

/**
 * portwatch_set_interval: sets the time between two reads of the tables.
 * @watcher: a watcher that is not started yet
 * @milliseconds: 1 to 86,400,000; the library keeps to this interval exactly. 0, the default, lets
 *   the library adapt the interval: at most one second, less where a read is cheap and shortly
 *   after a process has started, and up to ten minutes where the notifier reports changes.
 *
 * A listening socket that another process passes to a member may be reported up to five seconds
 * late, or later in very large trees.
 *
 * Returns: 0; -EINVAL (out of range, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_interval(struct portwatch *watcher, unsigned int milliseconds);

/**
 * portwatch_set_addresses: selects the local addresses that are reported.
 * @watcher: a watcher that is not started yet
 * @addresses: default PORTWATCH_ADDRESSES_DEFAULT
 *
 * Returns: 0; -EINVAL (unknown value, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_addresses(struct portwatch *watcher, enum portwatch_addresses addresses);

/**
 * portwatch_set_scope: selects whose ports are reported.
 * @watcher: a watcher that is not started yet
 * @scope: default PORTWATCH_SCOPE_TREE
 *
 * Returns: 0; -EINVAL (unknown value, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_scope(struct portwatch *watcher, enum portwatch_scope scope);

/**
 * portwatch_set_reader: forces one reader. By default the library chooses one that works.
 * @watcher: a watcher that is not started yet
 * @reader: default PORTWATCH_READER_AUTO
 *
 * Returns: 0; -EINVAL (unknown value, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_reader(struct portwatch *watcher, enum portwatch_reader reader);

/**
 * portwatch_set_table: forces one form of the table. By default the library chooses one that works.
 * @watcher: a watcher that is not started yet
 * @table: default PORTWATCH_TABLE_AUTO
 *
 * Returns: 0; -EINVAL (unknown value, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_table(struct portwatch *watcher, enum portwatch_table table);

/**
 * portwatch_set_limit: sets a limit of the watcher.
 * @watcher: a watcher that is not started yet
 * @limit: which limit
 * @number: the largest number, at least 1
 *
 * Processes and ports beyond the limit are left out. The log reports this as a warning, and
 * portwatch_get_complete() as a reason. The library includes them when there is room again. A
 * process whose parent has exited by then may never be found.
 *
 * Returns: 0; -EINVAL (unknown value, 0, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_limit(struct portwatch *watcher, enum portwatch_limit limit, unsigned int number);

/**
 * portwatch_set_subreaper: declares that orphans of the tree become children of the caller.
 * @watcher: a watcher that is not started yet
 * @enabled: nonzero to count every new child process of the caller as a member of the tree
 *
 * Meant for a process that has made itself a child subreaper (PR_SET_CHILD_SUBREAPER, prctl(2)) and
 * has no children outside the watched tree. A daemon that detaches from the tree becomes a child of
 * the caller, and the library finds it there, no matter how quickly it detaches. Default 0.
 *
 * Returns: 0; -EINVAL (NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_subreaper(struct portwatch *watcher, int enabled);

/**
 * portwatch_set_notifier: selects whether the kernel reports changes, by the mechanisms of enum
 * portwatch_notifier.
 * @watcher: a watcher that is not started yet
 * @enabled: 0 to poll only. Default 1: the library uses each mechanism that the kernel allows.
 *   CAP_SYS_ADMIN is sufficient for all of them.
 *
 * All watchers of the process share one notifier, which is open while one of them wants it.
 *
 * Returns: 0; -EINVAL (NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_notifier(struct portwatch *watcher, int enabled);

/**
 * portwatch_set_delivery: selects how events reach the callback.
 * @watcher: a watcher that is not started yet
 * @delivery: default PORTWATCH_DELIVERY_THREAD
 *
 * Returns: 0; -EINVAL (unknown value, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_delivery(struct portwatch *watcher, enum portwatch_delivery delivery);

/**
 * portwatch_set_log: sets the function that receives messages. Without one there is no output.
 * @watcher: a watcher that is not started yet
 * @level: the least serious level that is passed on. A nonempty environment variable
 *   PORTWATCH_DEBUG (secure_getenv(3)) makes it PORTWATCH_LOG_DEBUG.
 * @on_message: receives the messages; NULL for none
 *
 * Errors report what has failed and what to do. Warnings report, once each, a reader that has
 * failed, and lasting conditions under which ports may be missed. Information messages report each
 * port, and by which reader each namespace is read and why. Debug messages report the rest, for
 * example members that join and addresses that are skipped. A watcher gets at most ten warnings at
 * once and then one per second; the next warning includes the number of warnings that were left
 * out.
 *
 * Returns: 0; -EINVAL (unknown value, or NULL); -EBUSY (started).
 * Since: 0.1
 */
int portwatch_set_log(struct portwatch *watcher, enum portwatch_log_level level,
                      portwatch_log_callback on_message);

/**
 * portwatch_start: starts a watcher. A watcher starts once in its life.
 * @watcher: the watcher
 *
 * Ports that are already open are reported first, marked initial. With PORTWATCH_DELIVERY_THREAD
 * the calling thread calls the callback for each of them before the function returns. With
 * PORTWATCH_DELIVERY_DISPATCH the events wait for portwatch_dispatch(). The function does not wait
 * longer than ten seconds for the first read of every network namespace of the tree.
 *
 * Returns: 0; -EINVAL (NULL); -EALREADY (started before); -ESRCH (the process has exited, and no
 *   descendant is known); -EACCES (its descriptors cannot be read, and the scope is
 *   PORTWATCH_SCOPE_TREE; or its network namespace cannot be read at all); -EPERM (no reader may
 *   enter its network namespace); -EXDEV (PORTWATCH_READER_LOCAL for another namespace); -ENOTSUP
 *   (the selected reader does not have the selected table); -ENOENT (/proc is not mounted or
 *   belongs to another PID namespace; the selected nsenter(1) is not installed); -ETIMEDOUT (no
 *   complete read within ten seconds, or within a minute while a helper is at work on a slow
 *   machine); -ECANCELED (another thread has stopped the watcher); or another error of the last
 *   reader that was tried; -EMFILE, -ENFILE, -ENOMEM, -EAGAIN (no thread).
 *
 * After a failure the watcher can only be freed. The log has the details.
 * Since: 0.1
 */
int portwatch_start(struct portwatch *watcher);

/**
 * portwatch_stop: stops a watcher.
 * @watcher: the watcher
 *
 * If a callback of this watcher runs in another thread, the function waits for its return, so that
 * no callback runs afterwards. If the callback itself calls the function, the function does not
 * wait, and the running call is the last. Events that are not delivered yet are dropped.
 *
 * Returns: 0, also if the watcher was never started or is stopped already; -EINVAL (NULL).
 * Since: 0.1
 */
int portwatch_stop(struct portwatch *watcher);

/**
 * portwatch_free: stops a watcher, as portwatch_stop() does, and frees it.
 * @watcher: the watcher, or NULL. Not to be used again.
 *
 * After the last watcher is freed, the library has no threads. Inside a callback of the library's
 * thread, that thread ends when the callback returns.
 *
 * Since: 0.1
 */
void portwatch_free(struct portwatch *watcher);

/**
 * portwatch_get_fd: a descriptor for poll(2), epoll(7) and similar functions, readable when
 * portwatch_dispatch() has something to do.
 * @watcher: a watcher with PORTWATCH_DELIVERY_DISPATCH, started
 *
 * The descriptor belongs to the watcher, and portwatch_free() closes it. Do not read from it.
 *
 * Returns: the descriptor; -EINVAL (another delivery, or NULL); -ENOTCONN (not started).
 * Since: 0.1
 */
int portwatch_get_fd(struct portwatch *watcher);

/**
 * portwatch_dispatch: delivers all waiting events in the calling thread, without waiting for more.
 * @watcher: a watcher with PORTWATCH_DELIVERY_DISPATCH, started
 *
 * Returns: how many times the callback was called; -EINVAL (another delivery, or NULL); -ENOTCONN
 * (not started); -EDEADLK (called from inside a callback of the same watcher); -EBUSY (another
 * thread is dispatching this watcher).
 * Since: 0.1
 */
int portwatch_dispatch(struct portwatch *watcher);

/**
 * portwatch_get_pid: the process for which the watcher was created.
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
 * portwatch_each_port: lists the ports that the library knows to be open now, including ports whose
 * events still wait for delivery.
 * @watcher: a started watcher
 * @on_port: called once for each port, before the function returns
 * @user_data: passed to @on_port
 *
 * Returns: how many times @on_port was called; -EINVAL (NULL); -ENOTCONN (not started, or stopped);
 *   -ENOMEM.
 * Since: 0.1
 */
int portwatch_each_port(struct portwatch *watcher, portwatch_port_callback on_port,
                        void *user_data);

/**
 * portwatch_get_complete: whether the library can see everything in the watcher's scope.
 * @watcher: a started watcher
 * @reason: receives, in words, the first reason why it cannot: a limit (portwatch_set_limit()), a
 *   network namespace that no reader can read, or with PORTWATCH_SCOPE_TREE a member whose
 *   descriptors may not be read, or that has TCP sockets in an io_uring which the kernel does not
 *   name (Linux 6.12 and older); "" if there is none; NULL if @size is 0
 * @size: the size of @reason in bytes; a longer text is cut
 *
 * The answer is valid at the time of the call. The log reports each reason once.
 *
 * Returns: 1 if the library can see everything, 0 if it cannot; -EINVAL (NULL); -ENOTCONN (not
 *   started, or stopped).
 * Since: 0.1
 */
int portwatch_get_complete(struct portwatch *watcher, char *reason, size_t size);

/**
 * portwatch_get_error: the last failure in words. This is the last error or warning of the log,
 * also without a log function.
 * @watcher: the watcher, also after portwatch_start() has failed
 * @text: receives the text; "" if nothing has failed; NULL if @size is 0
 * @size: the size of @text in bytes; a longer text is cut
 *
 * Returns: 1 if something has failed, 0 if not; -EINVAL (NULL).
 * Since: 0.1
 */
int portwatch_get_error(struct portwatch *watcher, char *text, size_t size);

/**
 * portwatch_get_stat: what watching has cost so far.
 * @watcher: a started watcher that is not stopped
 * @stat: which figure
 *
 * Returns: the figure; PORTWATCH_STAT_UNKNOWN if the watcher is not running or @stat is not a value
 *   of enum portwatch_stat.
 * Since: 0.1
 */
uint64_t portwatch_get_stat(struct portwatch *watcher, enum portwatch_stat stat);

/**
 * portwatch_stat_name: the name of a figure, such as "reads". To print all figures, count up from 0
 * until the function returns NULL.
 * @stat: which figure
 *
 * Returns: a static string; NULL for an unknown value.
 * Since: 0.1
 */
const char *portwatch_stat_name(enum portwatch_stat stat);

/**
 * portwatch_get_notifier: the mechanism by which the kernel reports a kind of change now, see
 * portwatch_set_notifier().
 * @watcher: a started watcher
 * @notice: the kind of change
 * @reason: receives, in words, why the better mechanisms do not work (all mechanisms if the library
 *   polls); "" if there is no better one; NULL if @size is 0
 * @size: the size of @reason in bytes; a longer text is cut
 *
 * Returns: a value of enum portwatch_notifier, PORTWATCH_NOTIFIER_NONE (0) if the library polls;
 *   -EINVAL (NULL, an unknown @notice); -ENOTCONN (not started).
 * Since: 0.1
 */
int portwatch_get_notifier(struct portwatch *watcher, enum portwatch_notice notice, char *reason,
                           size_t size);

/**
 * portwatch_notifier_name: the name of a mechanism, such as "bpf"; "polling" for none.
 * @notifier: the mechanism
 *
 * Returns: a static string; NULL for an unknown value.
 * Since: 0.1
 */
const char *portwatch_notifier_name(enum portwatch_notifier notifier);

/**
 * portwatch_limit_privileges: gives up all capabilities (capabilities(7)) that the library does not
 * use, in the calling thread and in the threads and processes that it starts later.
 *
 * The library uses CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_BPF, CAP_PERFMON,
 * CAP_NET_ADMIN, and CAP_SETPCAP, with which a helper empties its bounding set.
 *
 * Without CAP_SYS_PTRACE, a process can examine another process only if it has all capabilities of
 * the other process. In this case the function keeps the other capabilities permitted but not
 * effective, and the library makes them effective only to repeat an access that was refused. In a
 * program with file capabilities the function gives them up nevertheless.
 *
 * Meant for programs that only watch. Call the function before the first watcher is started.
 *
 * Returns: 0; -ENOMEM; -EPERM.
 * Since: 0.1
 */
int portwatch_limit_privileges(void);

/**
 * portwatch_each_namespace: lists the network namespaces that are watched for a watcher.
 * @watcher: a started watcher
 * @on_namespace: called once for each namespace, before the function returns
 * @user_data: passed to @on_namespace
 *
 * Returns: how many times @on_namespace was called; 0 if the watcher is not running; -EINVAL
 *   (NULL); -ENOMEM.
 * Since: 0.1
 */
int portwatch_each_namespace(struct portwatch *watcher, portwatch_namespace_callback on_namespace,
                             void *user_data);

/**
 * portwatch_namespace_get_inode: the inode number of the namespace, as in the link
 * /proc/PID/ns/net (namespaces(7)).
 * @ns: the namespace
 *
 * Returns: the number; 0 if it is not known.
 * Since: 0.1
 */
uint64_t portwatch_namespace_get_inode(const struct portwatch_namespace *ns);

/**
 * portwatch_namespace_get_cookie: the cookie of the namespace (SO_NETNS_COOKIE, socket(7)), which
 * is unique until the system restarts.
 * @ns: the namespace
 *
 * Returns: the cookie; 0 if it is not known.
 * Since: 0.1
 */
uint64_t portwatch_namespace_get_cookie(const struct portwatch_namespace *ns);

/**
 * portwatch_namespace_get_pid: the process through which the library enters the namespace: the
 * process that is PID 1 in its PID namespace, or else the oldest known process in the network
 * namespace.
 * @ns: the namespace
 *
 * Returns: its process ID; 0 if none is left.
 * Since: 0.1
 */
pid_t portwatch_namespace_get_pid(const struct portwatch_namespace *ns);

/**
 * portwatch_namespace_get_reader: the current reader of the namespace.
 * @ns: the namespace
 *
 * Returns: the reader; PORTWATCH_READER_AUTO while none works.
 * Since: 0.1
 */
enum portwatch_reader portwatch_namespace_get_reader(const struct portwatch_namespace *ns);

/**
 * portwatch_namespace_get_table: the current form of the table.
 * @ns: the namespace
 *
 * Returns: the form; PORTWATCH_TABLE_AUTO while none works.
 * Since: 0.1
 */
enum portwatch_table portwatch_namespace_get_table(const struct portwatch_namespace *ns);

/**
 * portwatch_namespace_get_reason: why no better reader or form is in use, in words.
 * @ns: the namespace
 *
 * Returns: a string that is valid as long as @ns; "" if there is no better reader or form.
 * Since: 0.1
 */
const char *portwatch_namespace_get_reason(const struct portwatch_namespace *ns);

/**
 * portwatch_namespace_open: opens the namespace, for setns(2).
 * @ns: the namespace
 *
 * The descriptor keeps the namespace alive until the caller closes it.
 *
 * Returns: a descriptor with the close-on-exec flag, owned by the caller; -EACCES or -EPERM (not
 *   allowed); -ESRCH (no process is known in the namespace any more); -EINVAL (NULL); -EMFILE,
 *   -ENFILE, -ENOMEM.
 * Since: 0.1
 */
int portwatch_namespace_open(const struct portwatch_namespace *ns);

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
 * portwatch_event_ref: keeps an event after its callback has returned.
 * @event: the event, or NULL
 *
 * The getters may be called in any thread as long as there is a reference, also after
 * portwatch_free().
 *
 * Returns: @event, with one more reference, which the caller releases with portwatch_event_unref().
 * Since: 0.1
 */
const struct portwatch_event *portwatch_event_ref(const struct portwatch_event *event);

/**
 * portwatch_event_unref: releases a reference of portwatch_event_ref(). With the last reference,
 * the event and everything that its getters have returned are freed.
 * @event: the event, or NULL
 *
 * Since: 0.1
 */
void portwatch_event_unref(const struct portwatch_event *event);

/**
 * portwatch_event_get_kind: what happened.
 * @event: the event
 *
 * Returns: the kind.
 * Since: 0.1
 */
enum portwatch_event_kind portwatch_event_get_kind(const struct portwatch_event *event);

/**
 * portwatch_event_get_id: the number that identifies the open port.
 * @event: the event
 *
 * All events of the port from PORTWATCH_EVENT_OPEN to PORTWATCH_EVENT_CLOSE have the same number,
 * which the watcher never uses again.
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
 * for PORTWATCH_EVENT_END.
 * Since: 0.1
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
 * Returns: 1 or 0; -1 if it is not known.
 * Since: 0.1
 */
int portwatch_event_get_v6only(const struct portwatch_event *event);

/**
 * portwatch_event_get_pid: the owner: the oldest process in the scope that holds the socket.
 * @event: the event
 *
 * Returns: its process ID; 0 if it is not known. For PORTWATCH_EVENT_CLOSE: the last known owner,
 *   which may have exited. For PORTWATCH_EVENT_END: the watched process.
 * Since: 0.1
 */
pid_t portwatch_event_get_pid(const struct portwatch_event *event);

/**
 * portwatch_event_get_process: the name of the owner, as in /proc/PID/comm. The process chooses the
 * bytes: escape them before you print them.
 * @event: the event
 *
 * Returns: a string that is valid as long as @event; "" if it is not known.
 * Since: 0.1
 */
const char *portwatch_event_get_process(const struct portwatch_event *event);

/**
 * portwatch_event_get_start_time: the start time of the owner. Process ID and start time together
 * identify a process.
 * @event: the event
 *
 * Returns: clock ticks (sysconf(_SC_CLK_TCK)) since the system start, as in field 22 of
 *   /proc/PID/stat (proc(5)); 0 if it is not known.
 * Since: 0.1
 */
uint64_t portwatch_event_get_start_time(const struct portwatch_event *event);

/**
 * portwatch_event_get_command_line: the arguments of the owner, as in /proc/PID/cmdline, with a
 * blank instead of each NUL byte. The process chooses the bytes: escape them before you print them.
 * @event: the event
 *
 * This function, portwatch_event_get_uid() and portwatch_event_get_cgroup() read /proc in the
 * calling thread at their first call, and store the answer in the event. The answer is therefore
 * the state at the first call, and it is not known if the owner has exited by then, as is common
 * for PORTWATCH_EVENT_CLOSE. Another process with the same process ID is never mistaken for the
 * owner. The arguments are in the memory of the process, which can delay the read.
 *
 * Returns: a string that is valid as long as @event, cut after 4,096 bytes; "" if it is not known.
 * Since: 0.1
 */
const char *portwatch_event_get_command_line(const struct portwatch_event *event);

/**
 * portwatch_event_get_uid: the effective user ID of the owner, in the user namespace of the caller.
 * @event: the event; see portwatch_event_get_command_line()
 *
 * Returns: the user ID; (uid_t)-1 if it is not known.
 * Since: 0.1
 */
uid_t portwatch_event_get_uid(const struct portwatch_event *event);

/**
 * portwatch_event_get_cgroup: the control group of the owner (cgroups(7)), as in /proc/PID/cgroup:
 * in the unified hierarchy, or else in the hierarchy of systemd. Escape the path before you print
 * it.
 * @event: the event; see portwatch_event_get_command_line()
 *
 * Returns: a path, such as "/system.slice/nginx.service", that is valid as long as @event; "" if it
 *   is not known.
 * Since: 0.1
 */
const char *portwatch_event_get_cgroup(const struct portwatch_event *event);

/**
 * portwatch_event_get_owners: how many processes in the scope hold the socket.
 * @event: the event
 *
 * Returns: the number; 0 if it is not known.
 * Since: 0.1
 */
unsigned int portwatch_event_get_owners(const struct portwatch_event *event);

/**
 * portwatch_event_get_netns: the inode number of the network namespace, as in the link
 * /proc/PID/ns/net. The kernel reuses the number after the namespace is gone.
 * @event: the event
 *
 * Returns: the number; 0 if it is not known.
 * Since: 0.1
 */
uint64_t portwatch_event_get_netns(const struct portwatch_event *event);

/**
 * portwatch_event_get_netns_cookie: the cookie of the network namespace (SO_NETNS_COOKIE,
 * socket(7)).
 * @event: the event
 *
 * Returns: the cookie; 0 if it is not known.
 * Since: 0.1
 */
uint64_t portwatch_event_get_netns_cookie(const struct portwatch_event *event);

/**
 * portwatch_event_open_netns: opens the network namespace of the port, for setns(2). This is the
 * namespace in which the socket was created; its owner may have moved to another one.
 * @event: an event of a port whose owner is alive
 *
 * The descriptor keeps the namespace alive until the caller closes it. To connect to the port,
 * enter the namespace in a thread or process of your own, and create a socket there. The socket
 * stays in the namespace when its creator leaves.
 *
 * Returns: a descriptor with the close-on-exec flag, owned by the caller; -EACCES or -EPERM (not
 *   allowed); -ESRCH (the owner is not known or has exited); -ENOENT (the owner has left the
 *   namespace, and no longer holds the socket); -EINVAL (NULL, or PORTWATCH_EVENT_END); -EMFILE,
 *   -ENFILE, -ENOMEM.
 * Since: 0.1
 */
int portwatch_event_open_netns(const struct portwatch_event *event);

/**
 * portwatch_event_get_inode: the inode number of the socket, as in the links /proc/PID/fd/N.
 * @event: the event
 *
 * Returns: the number; 0 for PORTWATCH_EVENT_END.
 * Since: 0.1
 */
uint64_t portwatch_event_get_inode(const struct portwatch_event *event);

/**
 * portwatch_event_get_realtime: the time of the event, for display.
 * @event: the event
 *
 * Returns: CLOCK_REALTIME (clock_gettime(2)) in nanoseconds.
 * Since: 0.1
 */
uint64_t portwatch_event_get_realtime(const struct portwatch_event *event);

/**
 * portwatch_event_get_monotonic: the time of the event, for measurements.
 * @event: the event
 *
 * Returns: CLOCK_MONOTONIC (clock_gettime(2)) in nanoseconds.
 * Since: 0.1
 */
uint64_t portwatch_event_get_monotonic(const struct portwatch_event *event);

/**
 * portwatch_event_get_initial: whether the port was already open when the watcher started.
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
