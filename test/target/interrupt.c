/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread in a blocking call, whichever it is, never learns that it was
 * stopped: no EINTR, no early return. */
#include "config.h"

#include "test/target/support.h"

#include <stdio.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>

#define CALLS 34

/* Each thread makes one call that never ends by itself. slot: 1 before, 1000 + errno or 2000 + result after. */
static const char blocks_everywhere[] =
	"#define _GNU_SOURCE\n"
	"#include \"program.h\"\n"
	"#include <errno.h>\n#include <poll.h>\n#include <pthread.h>\n#include <semaphore.h>\n#include <signal.h>\n"
	"#include <stdint.h>\n#include <string.h>\n#include <sys/epoll.h>\n#include <sys/eventfd.h>\n#include "
	"<sys/file.h>\n"
	"#include <sys/inotify.h>\n#include <sys/msg.h>\n#include <sys/select.h>\n#include <sys/sem.h>\n"
	"#include <sys/socket.h>\n#include <sys/syscall.h>\n#include <sys/timerfd.h>\n#include <sys/un.h>\n#include "
	"<sys/wait.h>\n"
	"#include <time.h>\n#include <unistd.h>\n"
	"static struct board *b;\n"
	"static int pipes[2], pair[2], full[2], event, epoll, listener, queue, sems, lock_fd, timer, notify;\n"
	"static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;\n"
	"static pthread_mutex_t other = PTHREAD_MUTEX_INITIALIZER;\n"
	"static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;\n"
	"static sem_t sem; static char *board_path;\n"
	"static const struct timespec far = {100000, 0};\n"
	"static long block(int n) {\n"
	"	char c[16]; struct epoll_event ev; struct timeval tv = {100000, 0}; fd_set set; sigset_t empty, usr;\n"
	"	struct pollfd p = {pipes[0], POLLIN, 0}; struct timespec when; siginfo_t si; struct sembuf down = {0, "
	"-1, 0};\n"
	"	struct { long type; char text[4]; } msg; struct iovec io = {c, 1}; struct msghdr mh = {0}; mh.msg_iov "
	"= &io; mh.msg_iovlen = 1;\n"
	"	sigemptyset(&empty); sigemptyset(&usr); sigaddset(&usr, SIGUSR2); FD_ZERO(&set); FD_SET(pipes[0], "
	"&set);\n"
	"	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};\n"
	"	switch (n) {\n"
	"	case 0: return read(pipes[0], c, 1);\n"
	"	case 1: return poll(&p, 1, -1);\n"
	"	case 2: return ppoll(&p, 1, &far, &empty);\n"
	"	case 3: return select(pipes[0] + 1, &set, 0, 0, &tv);\n"
	"	case 4: return pselect(pipes[0] + 1, &set, 0, 0, &far, &empty);\n"
	"	case 5: return epoll_wait(epoll, &ev, 1, -1);\n"
	"	case 6: return epoll_pwait(epoll, &ev, 1, 100000000, &empty);\n"
	"	case 7: return nanosleep(&far, 0);\n"
	"	case 8: clock_gettime(CLOCK_MONOTONIC, &when); when.tv_sec += 100000;\n"
	"		return (errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, 0)) ? -1 : 0;\n"
	"	case 9: return pthread_mutex_lock(&mutex);\n"
	"	case 10: pthread_mutex_lock(&other); return pthread_cond_wait(&cond, &other);\n"
	"	case 11: return sem_wait(&sem);\n"
	"	case 12: return accept(listener, 0, 0);\n"
	"	case 13: return recv(pair[0], c, 1, 0);\n"
	"	case 14: setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv); return recv(pair[1], c, 1, 0);\n"
	"	case 15: return recvmsg(pair[1], &mh, 0);\n"
	"	case 16: return msgrcv(queue, &msg, 4, 0, 0);\n"
	"	case 17: return semop(sems, &down, 1);\n"
	"	case 18: return semtimedop(sems, &down, 1, &far);\n"
	"	case 19: return sigtimedwait(&usr, &si, &far);\n"
	"	case 20: return sigwaitinfo(&usr, &si);\n"
	"	case 21: return pause();\n"
	"	case 22: return waitpid(-1, 0, 0);\n"
	"	case 23: { int fd = open(board_path, O_RDWR); return flock(fd, LOCK_EX); }\n"
	"	case 24: { int fd = open(board_path, O_RDWR); return fcntl(fd, F_OFD_SETLKW, &fl); }\n"
	"	case 25: return read(event, c, 8);\n"
	"	case 26: return read(timer, c, 8);\n"
	"	case 27: return read(notify, c, 16);\n"
	"	case 28: return write(full[1], c, 1);\n"
	"	case 29: return sigsuspend(&empty);\n"
	"	case 30: return sem_timedwait(&sem, &(struct timespec){time(0) + 100000, 0});\n"
	"	case 31: setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv); return accept(listener, 0, "
	"0);\n"
	"	case 32: return syscall(441, epoll, &ev, 1, &far, &empty, 8L);\n"
	"	case 33: return syscall(SYS_futex, &b->errors, 0, 0, 0, 0, 0);\n"
	"	}\n"
	"	return 0;\n"
	"}\n"
	"static void *thread(void *arg) {\n"
	"	int n = (int)(intptr_t)arg;\n"
	"	sigset_t all; sigfillset(&all); if (n % 2) pthread_sigmask(SIG_SETMASK, &all, 0);\n"
	"	b->slot[n] = 1; b->pid[n] = (int)syscall(SYS_gettid);\n"
	"	b->slot[500 + n] = 1;\n"
	"	long r = block(n);\n"
	"	b->slot[n] = r == -1 ? 1000 + errno : 2000;\n"
	"	for (;;) pause();\n"
	"}\n"
	"int main(int argc, char **argv) {\n"
	"	b = open_board(argv[1]); board_path = argv[1]; char c[4096] = {0}; int count = atoi(argv[2]); "
	"(void)argc;\n"
	"	pipe(pipes); pipe(full); socketpair(AF_UNIX, SOCK_STREAM, 0, pair); event = eventfd(0, 0); epoll = "
	"epoll_create1(0);\n"
	"	struct epoll_event ev = {.events = EPOLLIN}; epoll_ctl(epoll, EPOLL_CTL_ADD, event, &ev);\n"
	"	fcntl(full[1], F_SETFL, O_NONBLOCK); while (write(full[1], c, sizeof c) > 0); fcntl(full[1], F_SETFL, "
	"0);\n"
	"	listener = socket(AF_UNIX, SOCK_STREAM, 0); struct sockaddr_un a = {.sun_family = AF_UNIX}; "
	"bind(listener, (void *)&a, 2); listen(listener, 1);\n"
	"	queue = msgget(IPC_PRIVATE, 0600); sems = semget(IPC_PRIVATE, 1, 0600); timer = "
	"timerfd_create(CLOCK_MONOTONIC, 0); notify = inotify_init();\n"
	"	sem_init(&sem, 0, 0); pthread_mutex_lock(&mutex); lock_fd = open(argv[1], O_RDWR); flock(lock_fd, "
	"LOCK_EX);\n"
	"	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET}; fcntl(lock_fd, F_OFD_SETLK, &fl);\n"
	"	if (fork() == 0) { prctl(PR_SET_PDEATHSIG, SIGKILL); for (;;) pause(); }\n"
	"	for (int i = 0; i < count; i++) { pthread_t t; pthread_create(&t, 0, thread, (void *)(intptr_t)i); }\n"
	"	b->text[0] = queue; b->text[1] = sems; b->pid[count] = getpid(); b->slot[count] = b->slot[500 + count] "
	"= 1;\n"
	"	b->ready = 1;\n"
	"	long r = read(pipes[0], c, 1);\n"
	"	b->slot[count] = r == -1 ? 1000 + errno : 2000;\n"
	"	return 0;\n"
	"}\n";

/* Blocked: the kernel says so of the thread, which has nothing but its call before it. */
static bool
sleeps(const scene *s, int n)
{
	if (!s->board->slot[500 + n])
		return false;
	char name[64], text[256];
	g_snprintf(name, sizeof name, "/proc/%d/stat", s->board->pid[n]);
	FILE *file = fopen(name, "re");
	char *after = file && fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
	if (file)
		fclose(file);
	return after && after[2] == 'S';
}

static void
all_sleep(const scene *s)
{
	for (int n = 0; n <= CALLS; n++)
		WAIT_FOR(sleeps(s, n));
}

static void
nothing_returned(const scene *s, const char *after)
{
	for (int n = 0; n <= CALLS; n++)
		if (s->board->slot[n] != 1)
			fail_msg("%s: call %d returned with %d", after, n, s->board->slot[n]);
}

static scene *
start_blocked(void)
{
	scene *s = scene_new(blocks_everywhere, "-O1");
	char count[16];
	g_snprintf(count, sizeof count, "%d", CALLS);
	scene_start(s, count);
	scene_run(s);
	all_sleep(s);
	return s;
}

static void
end_all(scene *s)
{
	int queue = (int)s->board->text[0], semaphores = (int)s->board->text[1];
	scene_free(s);
	msgctl(queue, IPC_RMID, NULL);
	semctl(semaphores, 0, IPC_RMID);
}

static void
test_commits_are_unseen(void **state)
{
	(void)state;
	scene *s = start_blocked();
	hd_commit *commit = hd_commit_new();
	for (int round = 0; round < 20; round++) {
		hd_commit_result result;
		ASSERT_GOOD(commit_now(s, commit, 1000, &result, &error));
		assert_int_equal(result.threads, CALLS + 2);
		assert_int_equal(result.processes, 2);
		hd_commit_result_clear(&result);
		all_sleep(s);
		nothing_returned(s, "commit");
	}
	hd_commit_free(commit);
	end_all(s);
}

static void
test_samples_are_unseen(void **state)
{
	(void)state;
	scene *s = start_blocked();
	for (int round = 0; round < 20; round++) {
		GPtrArray *samples;
		ASSERT_GOOD((samples = hd_target_sample(s->target, NULL, &error)));
		assert_int_equal(samples->len, CALLS + 2);
		g_ptr_array_unref(samples);
		all_sleep(s);
		nothing_returned(s, "sample");
	}
	end_all(s);
}

/* A mapping made by an injected call goes through a thread that sleeps in a system call of its own. */
static void
test_injected_calls_are_unseen(void **state)
{
	(void)state;
	scene *s = start_blocked();
	guint64 address;
	guint8 *view;
	ASSERT_GOOD(hd_target_arena(s->target, NULL, HD_ARENA_DEBUG, 100, 1, &address, &view, &error));
	memcpy(view, "seen", 4);
	char back[4];
	ASSERT_GOOD(hd_target_read(s->target, 0, address, back, 4, &error));
	assert_memory_equal(back, "seen", 4);
	all_sleep(s);
	nothing_returned(s, "arena");
	end_all(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commits_are_unseen),
		cmocka_unit_test(test_samples_are_unseen),
		cmocka_unit_test(test_injected_calls_are_unseen),
	};
	return cmocka_run_group_tests_name("target: interrupt", tests, NULL, NULL);
}
