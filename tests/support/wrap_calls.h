/* SPDX-License-Identifier: MIT */
/* wrap_calls.h - the calls that can fail: name, and number as for syscall(2) (-1: none) */
#ifndef WRAP_CALLS_H
#define WRAP_CALLS_H

#include <stddef.h>
#include <sys/syscall.h>

/* Some architectures lack the old system calls. */
#ifdef SYS_open
#define WRAP_OPEN SYS_open
#define WRAP_POLL SYS_poll
#define WRAP_EPOLL_WAIT SYS_epoll_wait
#define WRAP_FORK SYS_fork
#else
#define WRAP_OPEN -1
#define WRAP_POLL -1
#define WRAP_EPOLL_WAIT -1
#define WRAP_FORK -1
#endif
/* The system calls differ between architectures where sizes and offsets once had 32 bits. */
#if defined(SYS_newfstatat)
#define WRAP_FSTATAT SYS_newfstatat
#elif defined(SYS_fstatat64)
#define WRAP_FSTATAT SYS_fstatat64
#else
#define WRAP_FSTATAT -1
#endif
#ifdef SYS_mmap2
#define WRAP_MMAP SYS_mmap2
#else
#define WRAP_MMAP SYS_mmap
#endif
#ifdef SYS_kcmp
#define WRAP_KCMP SYS_kcmp
#else
#define WRAP_KCMP -1
#endif
#ifdef SYS_arch_prctl
#define WRAP_ARCH_PRCTL SYS_arch_prctl
#else
#define WRAP_ARCH_PRCTL -1
#endif

#define WRAP_CALLS(X)                                                                              \
	X(malloc, -1)                                                                              \
	X(calloc, -1)                                                                              \
	X(realloc, -1)                                                                             \
	X(tsearch, -1)                                                                             \
	X(cap_get_proc, -1)                                                                        \
	X(cap_init, -1)                                                                            \
	X(cap_set_proc, -1)                                                                        \
	X(cap_set_flag, -1)                                                                        \
	X(pthread_create, -1)                                                                      \
	X(pthread_atfork, -1)                                                                      \
	X(pthread_getcpuclockid, -1)                                                               \
	X(fork, WRAP_FORK)                                                                         \
	X(waitpid, -1)                                                                             \
	X(open, WRAP_OPEN)                                                                         \
	X(openat, SYS_openat)                                                                      \
	X(close, SYS_close)                                                                        \
	X(read, SYS_read)                                                                          \
	X(write, SYS_write)                                                                        \
	X(pread, SYS_pread64)                                                                      \
	X(recv, SYS_recvfrom)                                                                      \
	X(send, SYS_sendto)                                                                        \
	X(getsockopt, SYS_getsockopt)                                                              \
	X(fcntl, SYS_fcntl)                                                                        \
	X(ioctl, SYS_ioctl)                                                                        \
	X(munmap, SYS_munmap)                                                                      \
	X(mmap, WRAP_MMAP)                                                                         \
	X(socketpair, SYS_socketpair)                                                              \
	X(pipe2, SYS_pipe2)                                                                        \
	X(poll, WRAP_POLL)                                                                         \
	X(epoll_create1, SYS_epoll_create1)                                                        \
	X(epoll_ctl, SYS_epoll_ctl)                                                                \
	X(epoll_wait, WRAP_EPOLL_WAIT)                                                             \
	X(eventfd, SYS_eventfd2)                                                                   \
	X(eventfd_read, -1)                                                                        \
	X(eventfd_write, -1)                                                                       \
	X(fstatat, WRAP_FSTATAT)                                                                   \
	X(fstatfs, SYS_fstatfs)                                                                    \
	X(faccessat, SYS_faccessat)                                                                \
	X(readlinkat, SYS_readlinkat)                                                              \
	X(kill, SYS_kill)                                                                          \
	X(waitid, SYS_waitid)                                                                      \
	WRAP_RAW_CALLS(X)

/* Calls that are made only by syscall(2). */
#define WRAP_RAW_CALLS(X)                                                                          \
	X(arch_prctl, WRAP_ARCH_PRCTL)                                                             \
	X(bind, SYS_bind)                                                                          \
	X(bpf, SYS_bpf)                                                                            \
	X(capget, SYS_capget)                                                                      \
	X(capset, SYS_capset)                                                                      \
	X(clone, SYS_clone)                                                                        \
	X(close_range, SYS_close_range)                                                            \
	X(connect, SYS_connect)                                                                    \
	X(chdir, SYS_chdir)                                                                        \
	X(dup3, SYS_dup3)                                                                          \
	X(execve, SYS_execve)                                                                      \
	X(fsopen, SYS_fsopen)                                                                      \
	X(fsconfig, SYS_fsconfig)                                                                  \
	X(fsmount, SYS_fsmount)                                                                    \
	X(getdents, SYS_getdents64)                                                                \
	X(kcmp, WRAP_KCMP)                                                                         \
	X(madvise, SYS_madvise)                                                                    \
	X(perf_event_open, SYS_perf_event_open)                                                    \
	X(getsockname, SYS_getsockname)                                                            \
	X(recvmsg, SYS_recvmsg)                                                                    \
	X(lseek, SYS_lseek)                                                                        \
	X(sendmsg, SYS_sendmsg)                                                                    \
	X(pidfd_getfd, SYS_pidfd_getfd)                                                            \
	X(pidfd_open, SYS_pidfd_open)                                                              \
	X(pidfd_send_signal, SYS_pidfd_send_signal)                                                \
	X(ppoll, SYS_ppoll)                                                                        \
	X(prctl, SYS_prctl)                                                                        \
	X(prlimit, SYS_prlimit64)                                                                  \
	X(rt_sigaction, SYS_rt_sigaction)                                                          \
	X(rt_sigprocmask, SYS_rt_sigprocmask)                                                      \
	X(setns, SYS_setns)                                                                        \
	X(setsockopt, SYS_setsockopt)                                                              \
	X(setsid, SYS_setsid)                                                                      \
	X(socket, SYS_socket)                                                                      \
	X(statx, SYS_statx)                                                                        \
	X(writev, SYS_writev)                                                                      \
	X(other, -2)

#define WRAP_ENUM(name, number) CALL_##name,
enum wrap_call { WRAP_CALLS(WRAP_ENUM) WRAP_CALL_COUNT };

/* Counts a call. Returns true, with errno set, if a rule lets the call fail. If size isn't NULL, a
 * rule may reduce the size. */
_Bool wrap_strike(enum wrap_call call, size_t *size);
/* To be called in the child that a call has made. */
void wrap_forked(void);
void wrap_note_path(const char *path);
enum wrap_call wrap_find_number(long number);

/* Returns whether the calling thread is outside, or the process was forked by a thread that was
 * outside. */
_Bool wrap_is_outside(void);

#endif
