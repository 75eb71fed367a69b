/*
 * Preloaded into a server: writes down which bytes of which file it writes, what was there before, and which of them a sync has made
 * durable, so that a power cut can take the others back (power-cut.ts). One line an event, fields between tabs:
 *
 *   W path offset length place kept   about to be written; what was there, as far as the file went: so many bytes at that
 *                                     place of the file UNSYNCED_JOURNAL.before
 *   B path thread                a sync begins
 *   S path thread                it has succeeded
 *
 * UNSYNCED_SLOW_MS: so long a sync takes, so that a power cut finds one under way.
 * UNSYNCED_LIES: for files with this in their path no sync is written down: a disk that says so and has not.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int open_beside(const char *suffix, int flags) {
  char path[4096];
  snprintf(path, sizeof path, "%s%s", getenv("UNSYNCED_JOURNAL"), suffix);
  return open(path, flags | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int journal(void) {
  static int fd = -1;
  if (fd < 0) fd = open_beside("", O_WRONLY);
  return fd;
}

static int before(void) {
  static int fd = -1;
  if (fd < 0) fd = open_beside(".before", O_WRONLY);
  return fd;
}

/* Of what has no place in a file system (sockets, pipes) there is nothing to say. */
static int place(int fd, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, size - 1);
  if (length <= 0 || path[0] != '/') return 0;
  path[length] = 0;
  return strncmp(path, "/var/lib/trefoil/", 17) == 0;
}

static void say(const char *line, int length) { syscall(SYS_write, journal(), line, length); }

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* What is there now is kept, as far as the file goes. */
static void keep(int fd, off_t offset, size_t length) {
  char path[4096], line[4200], link[64];
  if (length == 0 || !place(fd, path, sizeof path)) return;
  if (offset < 0) offset = lseek(fd, 0, SEEK_CUR);
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  int again = open(link, O_RDONLY | O_CLOEXEC);
  char *old = calloc(1, length);
  ssize_t got = again < 0 || !old ? 0 : pread(again, old, length, offset);
  if (again >= 0) close(again);
  pthread_mutex_lock(&one_at_a_time);
  long long at = lseek(before(), 0, SEEK_END);
  if (got > 0) syscall(SYS_write, before(), old, got);
  say(line, snprintf(line, sizeof line, "W\t%s\t%lld\t%zu\t%lld\t%zd\n", path, (long long)offset, length, at, got < 0 ? 0 : got));
  pthread_mutex_unlock(&one_at_a_time);
  free(old);
}

static size_t sum(const struct iovec *v, int n) {
  size_t all = 0;
  for (int i = 0; i < n; i++) all += v[i].iov_len;
  return all;
}

static void synced(char event, int fd) {
  char path[4096], line[4200];
  const char *lies = getenv("UNSYNCED_LIES");
  if (!place(fd, path, sizeof path) || (lies && strstr(path, lies))) return;
  say(line, snprintf(line, sizeof line, "%c\t%s\t%ld\n", event, path, syscall(SYS_gettid)));
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *from, size_t n) { return keep(fd, -1, n), REAL(write)(fd, from, n); }
ssize_t writev(int fd, const struct iovec *v, int n) { return keep(fd, -1, sum(v, n)), REAL(writev)(fd, v, n); }
ssize_t pwrite(int fd, const void *from, size_t n, off_t at) { return keep(fd, at, n), REAL(pwrite)(fd, from, n, at); }
ssize_t pwrite64(int fd, const void *from, size_t n, off64_t at) { return keep(fd, at, n), REAL(pwrite64)(fd, from, n, at); }
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at) { return keep(fd, at, sum(v, n)), REAL(pwritev)(fd, v, n, at); }
ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t at) { return keep(fd, at, sum(v, n)), REAL(pwritev64)(fd, v, n, at); }

#define SYNC(name)                                 \
  int name(int fd) {                               \
    const char *slow = getenv("UNSYNCED_SLOW_MS"); \
    synced('B', fd);                               \
    if (slow && place(fd, (char[4096]){0}, 4096)) usleep(1000 * atoi(slow)); \
    int failed = REAL(name)(fd);                   \
    if (failed == 0) synced('S', fd);              \
    return failed;                                 \
  }
SYNC(fsync)
SYNC(fdatasync)
