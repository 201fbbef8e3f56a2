# SPDX-License-Identifier: GPL-2.0-or-later
"""Threads, forked processes, blocked system calls, and hotdev's own end."""

import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import Session, Skip, case, main, require  # noqa: E402

PREFORK = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int base = 10;
__attribute__((noinline)) static int value(void) { return base + 1; }

static int pipes[16][2][2], children;

static void
spawn(void)
{
	int (*p)[2] = pipes[children];
	if (pipe(p[0]) || pipe(p[1]))
		exit(9);
	if (fork() == 0) {
		char c;
		/* What another child's end keeps open would hide the end of the input. */
		for (int i = 0; i <= children; i++)
			close(pipes[i][0][1]);
		while (read(p[0][0], &c, 1) == 1) {
			int now = value();
			base += c == '+';
			if (write(p[1][1], &now, sizeof now) < 0)
				_exit(1);
		}
		_exit(0);
	}
	children++;
}

void
answer(const char *command)
{
	if (!strcmp(command, "fork")) {
		spawn();
		printf("forked");
		return;
	}
	printf("%d", value());
	for (int i = 0; i < children; i++) {
		int got = -1;
		if (write(pipes[i][0][1], i ? "." : "+", 1) < 0 || read(pipes[i][1][0], &got, sizeof got) < 0)
			got = -2;
		printf(" %d", got);
	}
}
"""


@case({"mod.c": PREFORK})
def every_forked_process_switches(s):
    for _ in range(3):
        s.expect("fork", "forked")
    s.expect("?", "11 11 11 11")
    s.edit("mod.c", "base + 1;", "base + 2;")
    event = s.live("value")
    require(event["processes"] == 4 and event["threads"] == 4, "counts:", event)
    s.expect("?", "12 13 12 12")
    # A child born after the reload has the new code from its parent, and follows too.
    s.expect("fork", "forked")
    s.expect("?", "12 14 12 12 12")
    s.edit("mod.c", "base + 2;", "base + 100;")
    event = s.live("value")
    require(event["processes"] == 5, "counts:", event)
    s.expect("?", "110 113 110 110 110")
    # An initialiser is compared in each process: one wrote the variable, the others did not.
    s.edit("mod.c", "static int base = 10;", "static int base = 20;")
    s.wait("live", only=("failed", "held", "unchanged"))
    s.expect("?", "120 114 120 120 120")
    s.wait_until(lambda: len({e["pid"] for e in s.events("process") if e["change"] == "forked"}) == 4,
                 "the journal does not tell of four forks")


STRESS = r"""
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
static volatile int quit;
static long wrong, interrupted, calls[THREADS], backwards;
#define VERSION 1

/* Right in every version: the factor is the version in both places. */
__attribute__((noinline)) static long
work(long x, long *version)
{
	char *note = malloc(64);
	long copy[8];
	snprintf(note, 64, "%ld", x);
	for (int i = 0; i < 8; i++)
		copy[i] = VERSION * atol(note);
	*version = VERSION;
	long sum = 0;
	for (int i = 0; i < 8; i++)
		sum += copy[i];
	free(note);
	return sum / 8;
}

static void *
body(void *arg)
{
	long *mine = arg, last = 0;
	while (!quit) {
		for (long x = 1; x < 200; x++) {
			long version = 0, result = work(x, &version);
			if (result != x * version)
				__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
			if (version < last)
				__atomic_add_fetch(&backwards, 1, __ATOMIC_RELAXED);
			last = version;
			++*mine;
		}
		struct timespec pause = {0, 2000000};
		if (nanosleep(&pause, 0) && errno == EINTR)
			__atomic_add_fetch(&interrupted, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static pthread_t ids[THREADS];

void
answer(const char *command)
{
	if (!strcmp(command, "start")) {
		for (int i = 0; i < THREADS; i++)
			pthread_create(&ids[i], 0, body, &calls[i]);
		printf("started");
	} else if (!strcmp(command, "stop")) {
		quit = 1;
		long least = calls[0];
		for (int i = 0; i < THREADS; i++) {
			pthread_join(ids[i], 0);
			least = calls[i] < least ? calls[i] : least;
		}
		printf("wrong %ld interrupted %ld backwards %ld idle %d", wrong, interrupted, backwards, least == 0);
	} else {
		long version = 0;
		work(1, &version);
		printf("%ld", version);
	}
}
"""


@case({"mod.c": STRESS})
def eight_threads_call_a_function_that_is_reloaded_200_times(s):
    rounds = 200 if s.point.optimises or os.environ.get("HOTDEV_MATRIX") else 30
    s.expect("start", "started")
    for n in range(2, rounds + 2):
        s.edit("mod.c", f"VERSION {n - 1}", f"VERSION {n}", how="atomic" if n % 2 else "in place")
        event = s.live("work")
        require(event["threads"] == 9, "counts:", event)
        if n % 20 == 0:
            s.expect("?", n)
    s.expect("?", rounds + 1)
    s.expect("stop", "wrong 0 interrupted 0 backwards 0 idle 0")


LOCKS = r"""
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile int quit;
static long allocated, opened, failed;

__attribute__((noinline)) static int edited(int n) { char *p = malloc(32); int r = n + 1; free(p); return r; }

static void *
allocate(void *arg)
{
	while (!quit) {
		void *some[32];
		for (int i = 0; i < 32; i++)
			some[i] = malloc(16 + 8 * (size_t)edited(i));
		for (int i = 0; i < 32; i++)
			free(some[i]);
		__atomic_add_fetch(&allocated, 1, __ATOMIC_RELAXED);
	}
	return arg;
}

static void *
load(void *arg)
{
	while (!quit) {
		void *handle = dlopen("./plugin.so", RTLD_NOW);
		int (*plugged)(void) = 0;
		if (handle)
			*(void **)&plugged = dlsym(handle, "plugged");
		if (!plugged || plugged() != 5)
			__atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);
		if (handle)
			dlclose(handle);
		__atomic_add_fetch(&opened, 1, __ATOMIC_RELAXED);
	}
	return arg;
}

static pthread_t ids[5];

void
answer(const char *command)
{
	if (!strcmp(command, "start")) {
		mallopt(M_ARENA_MAX, 1); /* one lock for all */
		for (int i = 0; i < 5; i++)
			pthread_create(&ids[i], 0, i < 3 ? allocate : load, 0);
	} else if (!strcmp(command, "stop")) {
		quit = 1;
		for (int i = 0; i < 5; i++)
			pthread_join(ids[i], 0);
		printf("idle %d failed %ld ", allocated < 100 || opened < 10, failed);
	}
	printf("%d", edited(0));
}
"""


@case({"mod.c": LOCKS, "plugin.c": "int plugged(void);\nint plugged(void) { return 5; }\n"},
      objects={"plugin.so": ["plugin.c"]}, plugins=["plugin.so"], libs=["-ldl"])
def threads_hold_the_locks_of_the_allocator_and_the_loader(s):
    s.expect("start", "1")
    for n in range(2, 22):
        s.replace("mod.c", (f"n + {n - 1};", f"n + {n};"))
        s.live("edited")
    s.expect("?", "21")
    s.expect("stop", "idle 0 failed 0 21")


BLOCKED = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HOUR 3600
static int pipe_fds[2], full[2], sockets[2], epoll, listener, semaphores, queue;
static pid_t child;
static sem_t posix;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static sigset_t all;
static struct timespec hour = {HOUR, 0};
static int plain[2], spare[2], crowded, word;
static pthread_mutex_t taken = PTHREAD_MUTEX_INITIALIZER, taken_pi;
static pthread_rwlock_t read_locked = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t two;

__attribute__((noinline)) static int edited(int x) { return x + 1; }

static int in_read(void) { char c; return (int)read(pipe_fds[0], &c, 1); }
/* Into a pipe that is full already: a write that has made progress returns short, as with any stop. */
static int in_write(void) { char c = 0; return (int)write(full[1], &c, 1); }
static int in_epoll_wait(void) { struct epoll_event e; return epoll_wait(epoll, &e, 1, HOUR * 1000); }
static int in_epoll_pwait(void) { struct epoll_event e; return epoll_pwait(epoll, &e, 1, -1, &all); }
static int in_sigtimedwait(void) { siginfo_t i; sigset_t one; sigemptyset(&one); sigaddset(&one, SIGUSR2); return sigtimedwait(&one, &i, &hour); }
static int in_sigwaitinfo(void) { siginfo_t i; sigset_t one; sigemptyset(&one); sigaddset(&one, SIGUSR2); return sigwaitinfo(&one, &i); }
static int in_recv(void) { char c; return (int)recv(sockets[0], &c, 1, 0); }
static int in_semtimedop(void) { struct sembuf b = {0, -1, 0}; return semtimedop(semaphores, &b, 1, &hour); }
static int in_semop(void) { struct sembuf b = {0, -1, 0}; return semop(semaphores, &b, 1); }
static int in_poll(void) { struct pollfd p = {pipe_fds[0], POLLIN, 0}; return poll(&p, 1, HOUR * 1000); }
static int in_ppoll(void) { struct pollfd p = {pipe_fds[0], POLLIN, 0}; return ppoll(&p, 1, &hour, &all); }
static int in_select(void) { fd_set f; FD_ZERO(&f); FD_SET(pipe_fds[0], &f); struct timeval t = {HOUR, 0}; return select(pipe_fds[0] + 1, &f, 0, 0, &t); }
static int in_pselect(void) { fd_set f; FD_ZERO(&f); FD_SET(pipe_fds[0], &f); return pselect(pipe_fds[0] + 1, &f, 0, 0, &hour, &all); }
static int in_nanosleep(void) { return nanosleep(&hour, 0); }
static int in_clock_nanosleep(void) { int r = clock_nanosleep(CLOCK_MONOTONIC, 0, &hour, 0); errno = r; return r ? -1 : 0; }
static int in_usleep(void) { return usleep(900000000); }
static int in_cond(void) { pthread_mutex_lock(&mutex); return pthread_cond_wait(&never, &mutex); }
static int in_sem_wait(void) { return sem_wait(&posix); }
static int in_sem_timedwait(void) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); t.tv_sec += HOUR; return sem_timedwait(&posix, &t); }
static int in_accept(void) { return accept(listener, 0, 0); }
static int in_msgrcv(void) { struct { long type; char text[8]; } m; return (int)msgrcv(queue, &m, 8, 0, 0); }
static int in_pause(void) { return pause(); }
static int in_waitpid(void) { return waitpid(child, 0, 0); }
static int in_eventfd(void) { uint64_t n; return (int)read(eventfd(0, 0), &n, sizeof n); }
static int in_readv(void) { char c; struct iovec v = {&c, 1}; return (int)readv(pipe_fds[0], &v, 1); }
static int in_splice(void) { return (int)splice(pipe_fds[0], 0, spare[1], 0, 1, 0); }
static int in_inotify(void) { char e[512]; return (int)read(inotify_init(), e, sizeof e); }
static int in_timerfd(void) { uint64_t n; int t = timerfd_create(CLOCK_MONOTONIC, 0); struct itimerspec s = {{0, 0}, {HOUR, 0}}; timerfd_settime(t, 0, &s, 0); return (int)read(t, &n, sizeof n); }
static int in_signalfd(void) { struct signalfd_siginfo i; sigset_t one; sigemptyset(&one); sigaddset(&one, SIGUSR2); return (int)read(signalfd(-1, &one, 0), &i, sizeof i); }
static int in_tty(void) { char c; int m = posix_openpt(O_RDWR | O_NOCTTY); grantpt(m); unlockpt(m); return (int)read(open(ptsname(m), O_RDWR | O_NOCTTY), &c, 1); }
static int in_open_fifo(void) { mkfifo("fifo", 0600); return open("fifo", O_RDONLY); }
static int in_flock(void) { flock(open("locked", O_RDWR | O_CREAT, 0600), LOCK_EX); return flock(open("locked", O_RDWR), LOCK_EX); }
static int in_setlkw(void) { struct flock l = {.l_type = F_WRLCK, .l_len = 1}; fcntl(open("locked", O_RDWR | O_CREAT, 0600), F_OFD_SETLKW, &l); return fcntl(open("locked", O_RDWR), F_OFD_SETLKW, &l); }
static int in_recvmsg(void) { char c; struct iovec v = {&c, 1}; struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1}; return (int)recvmsg(plain[1], &m, 0); }
static int in_recvmmsg(void) { char c; struct iovec v = {&c, 1}; struct mmsghdr m = {.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}}; return recvmmsg(plain[1], &m, 1, 0, 0); }
static int in_send(void) { return (int)send(plain[1], "", 1, 0); }
static int in_send_timeout(void) { return (int)send(sockets[0], "", 1, 0); }
static int in_accept_timeout(void) { struct timeval t = {HOUR, 0}; int l = socket(AF_INET, SOCK_STREAM, 0); listen(l, 1); setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t); return accept(l, 0, 0); }
static int
in_connect(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t size = sizeof a;
	int l = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(l, (struct sockaddr *)&a, sizeof a.sun_family);
	listen(l, 0);
	getsockname(l, (struct sockaddr *)&a, &size);
	connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, size);
	return connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, size);
}
static int in_msgsnd(void) { struct { long type; char text[8]; } m = {1, ""}; while (msgsnd(crowded, &m, 8, IPC_NOWAIT) == 0) ; return msgsnd(crowded, &m, 8, 0); }
static int in_mq_receive(void) { char c[64]; struct mq_attr a = {.mq_maxmsg = 1, .mq_msgsize = 64}; char name[32]; sprintf(name, "/hotdev-test-%d", getpid()); mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &a); mq_unlink(name); return (int)mq_receive(q, c, sizeof c, 0); }
static int in_waitid(void) { siginfo_t i; return waitid(P_PID, (id_t)child, &i, WEXITED | WNOWAIT); }
static int in_mutex(void) { return pthread_mutex_lock(&taken) ? -1 : 0; }
static int in_mutex_pi(void) { return pthread_mutex_lock(&taken_pi) ? -1 : 0; }
static int in_rwlock(void) { return pthread_rwlock_wrlock(&read_locked) ? -1 : 0; }
static int in_barrier(void) { return pthread_barrier_wait(&two); }
static int in_futex(void) { return (int)syscall(SYS_futex, &word, FUTEX_WAIT, 0, 0, 0, 0); }
static int in_epoll_pwait2(void) { struct epoll_event e; return (int)syscall(SYS_epoll_pwait2, epoll, &e, 1, &hour, 0, 0); }
static int in_io_getevents(void) { aio_context_t c = 0; struct io_event e; syscall(SYS_io_setup, 1, &c); return (int)syscall(SYS_io_getevents, c, 1, 1, &e, 0); }
static int in_sigsuspend(void) { return sigsuspend(&all); }
static int in_absolute(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); t.tv_sec += HOUR; int r = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0); errno = r; return r ? -1 : 0; }

static const struct call { const char *name; int (*run)(void); } calls[] = {
#define CALL(x) {#x, in_##x}
	CALL(read), CALL(write), CALL(epoll_wait), CALL(epoll_pwait), CALL(sigtimedwait), CALL(sigwaitinfo), CALL(recv),
	CALL(semtimedop), CALL(semop), CALL(poll), CALL(ppoll), CALL(select), CALL(pselect), CALL(nanosleep),
	CALL(clock_nanosleep), CALL(usleep), CALL(cond), CALL(sem_wait), CALL(sem_timedwait), CALL(accept),
	CALL(msgrcv), CALL(pause), CALL(waitpid), CALL(eventfd), CALL(readv), CALL(splice), CALL(inotify), CALL(timerfd),
	CALL(signalfd), CALL(tty), CALL(open_fifo), CALL(flock), CALL(setlkw), CALL(recvmsg), CALL(recvmmsg),
	CALL(send), CALL(send_timeout), CALL(accept_timeout), CALL(connect), CALL(msgsnd), CALL(mq_receive),
	CALL(waitid), CALL(mutex), CALL(mutex_pi), CALL(rwlock), CALL(barrier), CALL(futex), CALL(epoll_pwait2),
	CALL(io_getevents), CALL(sigsuspend), CALL(absolute),
};
#define N (sizeof calls / sizeof *calls)
static volatile int returned[N], error[N], tids[N];

static void *
body(void *arg)
{
	const struct call *call = arg;
	tids[call - calls] = gettid();
	int r = call->run();
	error[call - calls] = r < 0 ? errno : 0;
	returned[call - calls] = 1;
	return 0;
}

static void
start(void)
{
	struct epoll_event e = {EPOLLIN, {.fd = 0}};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval timeout = {HOUR, 0};
	sigfillset(&all);
	if (pipe(pipe_fds) || pipe(full) || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		return;
	setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	fcntl(full[1], F_SETFL, O_NONBLOCK);
	while (write(full[1], &timeout, sizeof timeout) > 0)
		;
	while (write(full[1], "", 1) > 0)
		;
	fcntl(full[1], F_SETFL, 0);
	epoll = epoll_create1(0);
	epoll_ctl(epoll, EPOLL_CTL_ADD, pipe_fds[0], &e);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	bind(listener, (struct sockaddr *)&address, sizeof address);
	listen(listener, 1);
	semaphores = semget(IPC_PRIVATE, 1, 0600);
	queue = msgget(IPC_PRIVATE, 0600);
	sem_init(&posix, 0, 0);
	crowded = msgget(IPC_PRIVATE, 0600);
	if (pipe(spare) || socketpair(AF_UNIX, SOCK_STREAM, 0, plain))
		return;
	/* Full in one direction, empty in the other. */
	setsockopt(sockets[0], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
	while (send(sockets[0], "", 1, MSG_DONTWAIT) > 0 || send(plain[1], "", 1, MSG_DONTWAIT) > 0)
		;
	pthread_mutexattr_t inherit;
	pthread_mutexattr_init(&inherit);
	pthread_mutexattr_setprotocol(&inherit, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&taken_pi, &inherit);
	pthread_mutex_lock(&taken);
	pthread_mutex_lock(&taken_pi);
	pthread_rwlock_rdlock(&read_locked);
	pthread_barrier_init(&two, 0, 2);
	child = fork();
	if (child == 0) {
		char c;
		close(pipe_fds[1]);
		/* Ends with its parent, and removes what would outlive them. */
		while (read(pipe_fds[0], &c, 1) > 0)
			;
		semctl(semaphores, 0, IPC_RMID);
		msgctl(queue, IPC_RMID, 0);
		msgctl(crowded, IPC_RMID, 0);
		_exit(0);
	}
	pthread_sigmask(SIG_SETMASK, &all, 0);
	for (unsigned i = 0; i < N; i++) {
		pthread_t id;
		pthread_create(&id, 0, body, (void *)&calls[i]);
	}
}

void
answer(const char *command)
{
	if (!strcmp(command, "start")) {
		start();
		printf("%zu threads", N);
	} else if (!strcmp(command, "tids")) {
		for (unsigned i = 0; i < N; i++)
			printf("%d ", tids[i]);
	} else if (!strcmp(command, "end")) {
		for (unsigned i = 0; i < N; i++)
			if (returned[i])
				printf("%s returned %s, ", calls[i].name, strerror(error[i]));
		printf("end");
	} else
		printf("%d", edited(1));
}
"""


def blocked(tid):
    try:
        with open(f"/proc/{tid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "S"
    except OSError:
        return False


@case({"mod.c": BLOCKED})
def no_blocked_system_call_sees_an_interruption(s):
    number = int(s.ask("start").split()[0])

    def all_blocked():
        tids = [int(t) for t in s.ask("tids").split()]
        return len([t for t in tids if t]) == number and all(blocked(t) for t in tids)

    s.wait_until(all_blocked, "some thread does not block")
    for n in range(2, 12):
        s.edit("mod.c", f"return x + {n - 1};", f"return x + {n};")
        event = s.live("edited")
        require(event["threads"] == number + 2, "counts:", event)
        s.expect("?", n + 1)
    s.expect("end", "end")


@case({"mod.c": r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int quit, children, threads, wrong;
__attribute__((noinline)) static int value(int x) { return x + 1; }

static void *once(void *arg) { int v = value(1); (void)arg; if (v < 2 || v > 40) wrong++; return 0; }

static void *
fork_storm(void *arg)
{
	(void)arg;
	while (!quit) {
		pid_t pid = fork();
		if (pid == 0) {
			int v = value(1);
			_exit(v < 2 || v > 40);
		}
		int status = 1;
		waitpid(pid, &status, 0);
		wrong += status != 0;
		children++;
	}
	return 0;
}

static void *
thread_storm(void *arg)
{
	(void)arg;
	while (!quit) {
		pthread_t id;
		if (pthread_create(&id, 0, once, 0) == 0) {
			pthread_join(id, 0);
			threads++;
		}
	}
	return 0;
}

void
answer(const char *command)
{
	static pthread_t forks, news;
	if (!strcmp(command, "start")) {
		pthread_create(&forks, 0, fork_storm, 0);
		pthread_create(&news, 0, thread_storm, 0);
		printf("started");
	} else if (!strcmp(command, "stop")) {
		quit = 1;
		pthread_join(forks, 0);
		pthread_join(news, 0);
		printf("wrong %d idle %d", wrong, !children || !threads);
	} else if (!strcmp(command, "system")) {
		fflush(stdout);
		printf("%d", system("exit 3") >> 8);
	} else
		printf("%d", value(1));
}
"""})
def processes_and_threads_that_come_and_go_do_no_harm(s):
    s.expect("start", "started")
    for n in range(2, 22):
        s.edit("mod.c", f"return x + {n - 1};", f"return x + {n};")
        s.live("value")
        s.expect("?", n + 1)
        if n % 5 == 0:
            s.expect("system", "3")
    s.expect("stop", "wrong 0 idle 0")


@case({"main.c": r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int one = 1;
__attribute__((noinline)) static int value(void) { return one; }
static int to[2], from[2];

static void
serve(int in, int out)
{
	char c;
	while (read(in, &c, 1) == 1) {
		int now = value();
		if (write(out, &now, sizeof now) < 0)
			exit(1);
	}
	exit(0);
}

int
main(int argc, char **argv)
{
	char line[64];
	if (argc > 2)
		serve(atoi(argv[1]), atoi(argv[2]));
	if (pipe(to) || pipe(from))
		return 9;
	pid_t pid = fork();
	if (pid == 0) {
		char in[16], out[16];
		close(to[1]);
		sprintf(in, "%d", to[0]);
		sprintf(out, "%d", from[1]);
		execl(argv[0], argv[0], in, out, (char *)0);
		_exit(8);
	}
	close(to[0]);
	while (fgets(line, sizeof line, stdin)) {
		int got = -1;
		if (write(to[1], "?", 1) < 0 || read(from[0], &got, sizeof got) < 0)
			got = -2;
		printf("%d %d\n", value(), got);
		fflush(stdout);
	}
	return 0;
}
"""})
def a_process_that_called_exec_is_left_alone(s):
    s.expect("?", "1 1")
    s.edit("main.c", "return one;", "return one + 1;")
    event = s.live("value")
    answer = s.ask("?")
    require(answer in ("2 1", "2 2"), "after the reload:", answer)
    require(event["processes"] == (2 if answer == "2 2" else 1), "counts:", event)
    s.edit("main.c", "return one + 1;", "return one + 2;")
    s.live("value")
    require(s.ask("?")[0] == "3", "the second reload is not in force")


@case({"mod.c": r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
__attribute__((noinline)) static int value(void) { return 1; }
void
answer(const char *command)
{
	if (!strcmp(command, "daemon")) {
		if (fork())
			_exit(5);
		setsid();
		if (fork())
			_exit(6);
	}
	printf("%d", value());
}
"""})
def a_daemon_stays_ours_and_the_exit_status_is_the_programs(s):
    s.expect("?", "1")
    s.expect("daemon", "1")
    s.edit("mod.c", "return 1;", "return 2;")
    event = s.live("value")
    require(event["processes"] == 1, "counts:", event)
    s.expect("?", "2")
    require(s.process.poll() is None, "hotdev ended before the daemon")
    s.finish(5)


@case({"mod.c": r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) static int value(void) { return 1; }
void
answer(const char *command)
{
	if (command[0] == 'x')
		exit(value());
	if (command[0] == 'k')
		raise(SIGKILL);
	printf("%d", value());
}
"""})
def the_programs_exit_status_is_hotdevs(s):
    s.edit("mod.c", "return 1;", "return 41;")
    s.live("value")
    s.tell("x")
    s.finish(41)


@case({"mod.c": r"""
#include <signal.h>
#include <stdio.h>
void answer(const char *command) { (void)command; raise(SIGKILL); printf("alive"); }
"""})
def the_programs_signal_is_in_hotdevs_exit_status(s):
    s.tell("k")
    s.finish(128 + signal.SIGKILL)


KILLED = r"""
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

__attribute__((noinline)) static int first(int x) { return x + 1; }
static volatile int none;
__attribute__((noinline)) static int second(int x) { return none + x + 1; }
static volatile long wrong, calls;

static void *
body(void *arg)
{
	(void)arg;
	for (;;) {
		for (int i = 0; i < 1000; i++) {
			int a = first(i), b = second(i);
			if (a <= i || a > i + 20 || b <= i || b > i + 20)
				wrong++;
			calls++;
		}
		usleep(1000);
	}
	return 0;
}

void
answer(const char *command)
{
	static pthread_t ids[2];
	if (!strcmp(command, "start"))
		for (int i = 0; i < 2; i++)
			pthread_create(&ids[i], 0, body, 0);
	printf("%d %d %s", first(0), second(0), wrong ? "wrong" : "right");
}
"""


# Fractions of the time from a save to its being live.
INSTANTS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05)


@case({"mod.c": KILLED}, start=False)
def the_program_runs_on_when_hotdev_is_killed(s):
    lasts, version = [], 1
    for fraction in INSTANTS:
        session = Session(s.program, os.path.dirname(s.journal.path))
        try:
            os.unlink(s.journal.path)
        except FileNotFoundError:
            pass
        try:
            session.start()
            session.expect("start", f"{version} {version} right")
            text = session.read("mod.c")
            session.save("mod.c", text.replace(f"x + {version};", "x + 15;"))
            begun = time.monotonic()
            if not lasts:
                session.live("first", "second")
                lasts.append(time.monotonic() - begun)
            else:
                # Not a wait for anything: the instant at which to strike.
                time.sleep(lasts[0] * fraction)
            session.kill()
            answers = session.ask("?").split()
            require(answers[:2] in (["1", "1"], ["15", "15"]), "half of the transaction is in force:", answers)
            for _ in range(20):
                require(session.ask("?").split() == answers and answers[2] == "right", "the program is unwell:", answers)
            session.finish()
        except BaseException:
            s.log.append(session.report())
            raise
        finally:
            session.abandon()
            s.save("mod.c", s.read("mod.c").replace("x + 15;", "x + 1;"))


@case({"mod.c": r"""
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void
status(const char *key)
{
	char line[256];
	FILE *file = fopen("/proc/self/status", "r");
	while (file && fgets(line, sizeof line, file))
		if (!strncmp(line, key, strlen(key)))
			printf("%.*s;", (int)strcspn(line, "\n"), line);
	if (file)
		fclose(file);
}

void
answer(const char *command)
{
	char cwd[4096];
	if (command[0] == 'f') {
		DIR *dir = opendir("/proc/self/fd");
		for (struct dirent *e; dir && (e = readdir(dir));)
			if (e->d_name[0] != '.' && atoi(e->d_name) != dirfd(dir))
				printf("%s ", e->d_name);
		closedir(dir);
	} else if (command[0] == 'e') {
		for (char **e = environ; *e; e++)
			printf("%.*s ", (int)strcspn(*e, "="), *e);
	} else if (command[0] == 's') {
		status("SigBlk");
		status("SigIgn");
		status("SigCgt");
		status("TracerPid");
		status("Threads");
		status("NoNewPrivs");
		status("Seccomp:");
		status("Umask");
		printf("%d", getpriority(PRIO_PROCESS, 0));
	} else
		printf("%s %d", getcwd(cwd, sizeof cwd), isatty(0));
}
"""})
def the_program_finds_the_world_as_without_hotdev(s):
    if os.environ.get("HOTDEV_WRAP"):
        raise Skip("valgrind adds to the environment of what hotdev starts")
    questions = ("files", "environment", "status", "cwd")
    alone = subprocess.run([s.program.path], cwd=s.cwd, env=s.environment, input="\n".join(questions) + "\n", text=True,
                           stdout=subprocess.PIPE, check=True, restore_signals=True).stdout.splitlines()
    for question, answer in zip(questions, alone):
        got = s.ask(question)
        require(got == answer, f"{question}: with hotdev {got!r}, without {answer!r}")


@case({"mod.c": r"""
#include <stdio.h>
static int asked;
__attribute__((noinline)) static int value(void) { return 1; }
void answer(const char *command) { (void)command; printf("%d %d", value(), ++asked); }
"""})
def two_instances_in_one_folder_both_follow(s):
    folder = os.path.join(os.path.dirname(s.journal.path), "second")
    os.mkdir(folder)
    other = Session(s.program, folder)
    try:
        other.start()
        s.expect("?", "1 1")
        other.expect("?", "1 1")
        s.edit("mod.c", "return 1;", "return 2;")
        s.live("value")
        other.live("value")
        s.expect("?", "2 2")
        other.expect("?", "2 2")
        other.finish()
        s.edit("mod.c", "return 2;", "return 3;")
        s.live("value")
        s.expect("?", "3 3")
    finally:
        other.abandon()


@case({"mod.c": r"""
#include <pthread.h>
#include <stdio.h>
#include <string.h>
static __thread int mine = 7;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static int asked, done, result;
/* Not static: a clone made for the one argument that it gets would be its old caller's own. */
int value(int x);
__attribute__((noinline)) int value(int x) { return x + mine; }

static void *
body(void *arg)
{
	mine = *(const int *)arg;
	pthread_mutex_lock(&lock);
	for (;;) {
		while (asked == done)
			pthread_cond_wait(&turn, &lock);
		result = value(1);
		done = asked;
		pthread_cond_broadcast(&turn);
	}
	return 0;
}

void
answer(const char *command)
{
	static pthread_t id;
	/* No constant: it would be enough for a compiler to keep one bit. */
	static int first = 100;
	if (!strcmp(command, "start")) {
		first += command[5] != 0;
		pthread_create(&id, 0, body, &first);
		printf("started");
		return;
	}
	pthread_mutex_lock(&lock);
	asked++;
	pthread_cond_broadcast(&turn);
	while (asked != done)
		pthread_cond_wait(&turn, &lock);
	printf("%d %d", value(1), result);
	pthread_mutex_unlock(&lock);
}
"""})
def a_thread_that_waits_keeps_its_thread_locals_and_calls_the_new_code(s):
    s.expect("start", "started")
    s.expect("?", "8 101")
    s.edit("mod.c", "return x + mine;", "return x * 10 + mine;")
    event = s.live("value")
    require(event["threads"] == 2, "counts:", event)
    s.expect("?", "17 110")
    # The thread sits in body: its frame stays old, and is shown.
    s.edit("mod.c", "result = value(1);", "result = -value(1);")
    s.live("body")
    pinned = s.wait("pinned", where=lambda e: e["function"] == "body")
    require(pinned["tid"] != s.pid and pinned["pid"] == s.pid, "pinned:", pinned)
    s.expect("?", "17 110")


if __name__ == "__main__":
    sys.exit(main())
