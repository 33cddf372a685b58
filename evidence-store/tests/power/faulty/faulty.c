/* A disk that can lose power and fail, put below a program with LD_PRELOAD. Test code only.
 *
 * Every change that the program makes under FAULTY_ROOT is done for real and written to FAULTY_TRACE, in the order in
 * which it happened, with its bytes; so is every fsync, with its beginning and its end. The trace says for each moment
 * of the run what a power cut at that moment must leave, and what it may: `model.rs` builds either. What the program
 * writes to its standard output goes into the trace as well, so that an acknowledgement has its place among the fsyncs.
 *
 * FAULTY_RULES makes calls fail: rules separated by ';', each `call:pattern:first:count:action`.
 *   call     write, sync or open (one that creates)
 *   pattern  of the path under the root, as fnmatch(3) knows it
 *   first    the number of the matching call at which the rule begins, from 1
 *   count    for how many calls; 0 is for ever
 *   action   EIO, ENOSPC; short: a write writes half of what it was given; ignore: a sync answers yes and does nothing
 *
 * What reaches a file by other ways than those below is not seen. Calls that would change a watched file unseen end the
 * program. The exceptions are stdio (RocksDB's text log) and SQLite's shared memory file, which no crash preserves.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, WRITE, LENGTH, SYNC_BEGIN, SYNC_END, RENAME, UNLINK, MKDIR, RMDIR, LINK, MARK, FAULT };
enum { CREATED = 1, EMPTIED = 2, FOLDER = 4 };
enum { FDS = 65536, RULES = 16 };

struct head { uint32_t magic, kind; uint64_t handle, a, b; uint64_t len; };
struct file { uint64_t handle; dev_t dev; ino_t ino; int flags; char *path; };
struct rule { char call[8], pattern[128], action[8]; unsigned long first, count, seen; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_len;
static int trace = -1;
static uint64_t handles, syncs;
static struct file files[FDS];
static struct rule rules[RULES];
static int rule_count;

__attribute__((noreturn)) static void die(const char *what, const char *path) {
    dprintf(2, "faulty.c: %s is not followed: %s\n", what, path ? path : "");
    abort();
}

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("FAULTY_ROOT"), *to = getenv("FAULTY_TRACE"), *text = getenv("FAULTY_RULES");
    if (!folder || !to) return;
    if (!realpath(folder, root)) die("a root that is missing", folder);
    trace = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (trace < 0) die("a trace that cannot be written", to);
    root_len = strlen(root);
    char *copy = strdup(text ? text : ""), *rest = copy, *one;
    while ((one = strsep(&rest, ";"))) {
        struct rule *r = &rules[rule_count];
        if (!*one) continue;
        if (rule_count == RULES || sscanf(one, "%7[^:]:%127[^:]:%lu:%lu:%7s", r->call, r->pattern, &r->first,
                                          &r->count, r->action) != 5) die("a rule", one);
        rule_count++;
    }
    free(copy);
}

static void put(uint32_t kind, uint64_t handle, uint64_t a, uint64_t b, const struct iovec *parts, int n) {
    struct head h = {0x54434146, kind, handle, a, b, 0};
    struct iovec all[IOV_MAX];
    if (n >= IOV_MAX) die("so many parts", NULL);
    for (int i = 0; i < n; i++) h.len += parts[i].iov_len, all[i + 1] = parts[i];
    all[0] = (struct iovec){&h, sizeof h};
    if (syscall(SYS_writev, trace, all, n + 1) != (long)(sizeof h + h.len)) die("a full trace", NULL);
}

static void put_text(uint32_t kind, uint64_t handle, uint64_t a, const char *text) {
    struct iovec part = {(void *)text, strlen(text)};
    put(kind, handle, a, 0, &part, 1);
}

static void put_two(uint32_t kind, const char *from, const char *to) {
    struct iovec parts[] = {{(void *)from, strlen(from) + 1}, {(void *)to, strlen(to)}};
    put(kind, 0, 0, 0, parts, 2);
}

/* The path under the root, or NULL. Resolves the folder, never the last part. */
static char *under(int at, const char *path, char out[PATH_MAX]) {
    char whole[2 * PATH_MAX], folder[PATH_MAX];
    if (trace < 0 || !path) return NULL;
    if (path[0] == '/') snprintf(whole, sizeof whole, "%s", path);
    else if (at == AT_FDCWD) snprintf(whole, sizeof whole, "./%s", path);
    else snprintf(whole, sizeof whole, "/proc/self/fd/%d/%s", at, path);
    if (!strcmp(whole, root)) return strcpy(out, ".");
    size_t len = strlen(whole);
    while (len > 1 && whole[len - 1] == '/') whole[--len] = 0;
    char *last = strrchr(whole, '/');
    *last++ = 0;
    if (!strcmp(last, ".") || !strcmp(last, "..") || !realpath(*whole ? whole : "/", folder)) return NULL;
    if (strncmp(folder, root, root_len) || (folder[root_len] && folder[root_len] != '/')) return NULL;
    const char *inside = folder[root_len] ? folder + root_len + 1 : "";
    if (strlen(inside) + strlen(last) + 2 > PATH_MAX) die("a long path", path);
    sprintf(out, "%s%s%s", inside, *inside ? "/" : "", last);
    return out;
}

/* The rule that this call meets, if any; counts it. */
static const char *fault(const char *call, const char *path) {
    const char *action = NULL;
    for (int i = 0; i < rule_count; i++) {
        struct rule *r = &rules[i];
        if (strcmp(r->call, call) || fnmatch(r->pattern, path, 0)) continue;
        r->seen++;
        if (!action && r->seen >= r->first && (!r->count || r->seen < r->first + r->count)) action = r->action;
    }
    if (action) {
        char text[PATH_MAX + 64];
        snprintf(text, sizeof text, "%s %s %s", call, path, action);
        put_text(FAULT, 0, 0, text);
    }
    return action;
}

static int refused(const char *action) {
    errno = !strcmp(action, "ENOSPC") ? ENOSPC : EIO;
    return -1;
}

static void forget(int fd) {
    if (fd >= 0 && fd < FDS && files[fd].handle) {
        free(files[fd].path);
        files[fd] = (struct file){0};
    }
}

static struct file *watched(int fd) {
    struct stat s;
    if (fd < 0 || fd >= FDS || !files[fd].handle) return NULL;
    /* stdio closes without being seen: the number may stand for something else by now. */
    if (fstat(fd, &s) || s.st_ino != files[fd].ino || s.st_dev != files[fd].dev) return forget(fd), NULL;
    return &files[fd];
}

static void follow(int fd, const char *path, int flags, int created) {
    struct stat s;
    if (fd < 0) return;
    if (fd >= FDS || fstat(fd, &s)) die("so many files", path);
    forget(fd);
    files[fd] = (struct file){++handles, s.st_dev, s.st_ino, flags, strdup(path)};
    uint64_t facts = (created ? CREATED : 0) | (flags & O_TRUNC ? EMPTIED : 0) | (S_ISDIR(s.st_mode) ? FOLDER : 0);
    put_text(OPEN, handles, facts, path);
}

static int open_it(int at, const char *path, int flags, mode_t mode) {
    char rel[PATH_MAX];
    struct stat s;
    if (!under(at, path, rel)) return (int)syscall(SYS_openat, at, path, flags, mode);
    if ((flags & O_TMPFILE) == O_TMPFILE) die("O_TMPFILE", path);
    pthread_mutex_lock(&lock);
    int created = (flags & O_CREAT) && fstatat(at, path, &s, AT_SYMLINK_NOFOLLOW), fd = -1, e;
    const char *action = created ? fault("open", rel) : NULL;
    if (action) refused(action);
    else fd = (int)syscall(SYS_openat, at, path, flags, mode);
    e = errno;
    follow(fd, rel, flags, created);
    pthread_mutex_unlock(&lock);
    return errno = e, fd;
}

#define MODE(flags) mode_t mode = 0; if ((flags) & (O_CREAT | __O_TMPFILE)) { \
    va_list v; va_start(v, flags); mode = va_arg(v, mode_t); va_end(v); }
int open(const char *p, int f, ...) { MODE(f) return open_it(AT_FDCWD, p, f, mode); }
int open64(const char *p, int f, ...) { MODE(f) return open_it(AT_FDCWD, p, f, mode); }
int openat(int at, const char *p, int f, ...) { MODE(f) return open_it(at, p, f, mode); }
int openat64(int at, const char *p, int f, ...) { MODE(f) return open_it(at, p, f, mode); }
int creat(const char *p, mode_t m) { return open_it(AT_FDCWD, p, O_CREAT | O_WRONLY | O_TRUNC, m); }
int creat64(const char *p, mode_t m) { return open_it(AT_FDCWD, p, O_CREAT | O_WRONLY | O_TRUNC, m); }
int __open_2(const char *p, int f) { return open_it(AT_FDCWD, p, f, 0); }
int __open64_2(const char *p, int f) { return open_it(AT_FDCWD, p, f, 0); }
int __openat_2(int at, const char *p, int f) { return open_it(at, p, f, 0); }
int __openat64_2(int at, const char *p, int f) { return open_it(at, p, f, 0); }

int close(int fd) {
    pthread_mutex_lock(&lock);
    forget(fd);
    int r = (int)syscall(SYS_close, fd);
    pthread_mutex_unlock(&lock);
    return r;
}

static int also(int from, int to) {
    pthread_mutex_lock(&lock);
    struct file *f = to < 0 ? NULL : watched(from);
    if (to >= 0) forget(to);
    if (f) files[to] = *f, files[to].path = strdup(f->path);
    pthread_mutex_unlock(&lock);
    return to;
}

int dup(int fd) { return also(fd, (int)syscall(SYS_dup, fd)); }
int dup2(int fd, int to) { return also(fd, fd == to ? to : (int)syscall(SYS_dup3, fd, to, 0)); }
int dup3(int fd, int to, int f) { return also(fd, (int)syscall(SYS_dup3, fd, to, f)); }
static int fcntl_it(int fd, int c, void *arg) {
    int r = (int)syscall(SYS_fcntl, fd, c, arg);
    return c == F_DUPFD || c == F_DUPFD_CLOEXEC ? also(fd, r) : r;
}
#define ARG(last) va_list v; va_start(v, last); void *arg = va_arg(v, void *); va_end(v);
int fcntl(int fd, int c, ...) { ARG(c) return fcntl_it(fd, c, arg); }
int fcntl64(int fd, int c, ...) { ARG(c) return fcntl_it(fd, c, arg); }

static int sync_it(int fd, long call) {
    pthread_mutex_lock(&lock);
    struct file *f = watched(fd);
    uint64_t handle = f ? f->handle : 0, token = 0;
    const char *action = f ? fault("sync", f->path) : NULL;
    int ignore = action && !strcmp(action, "ignore"), r = 0, e = 0;
    if (f && !ignore) put(SYNC_BEGIN, handle, token = ++syncs, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    if (ignore) return 0;
    /* Not under the lock: what others write meanwhile is not covered. */
    r = action ? refused(action) : (int)syscall(call, fd), e = errno;
    if (token) {
        pthread_mutex_lock(&lock);
        put(SYNC_END, handle, token, r ? (uint64_t)e : 0, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return errno = e, r;
}

int fsync(int fd) { return sync_it(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_it(fd, SYS_fdatasync); }

static ssize_t write_now(int fd, const struct iovec *parts, int n, off_t offset) {
    return offset < 0 ? syscall(SYS_writev, fd, parts, n) : syscall(SYS_pwritev, fd, parts, n, offset, 0);
}

/* The first r bytes of the parts, which now stand at this place of the file. */
static void put_written(struct file *f, off_t at, const struct iovec *parts, int n, size_t r) {
    struct iovec done[IOV_MAX];
    int m = 0;
    for (; m < n && r; m++) {
        done[m] = parts[m];
        if (done[m].iov_len > r) done[m].iov_len = r;
        r -= done[m].iov_len;
    }
    put(WRITE, f->handle, (uint64_t)at, 0, done, m);
    if (f->flags & O_DSYNC) {
        put(SYNC_BEGIN, f->handle, ++syncs, 0, NULL, 0);
        put(SYNC_END, f->handle, syncs, 0, NULL, 0);
    }
}

/* One write of any kind; offset -1 is where the file stands. */
static ssize_t write_it(int fd, const struct iovec *parts, int n, off_t offset) {
    struct stat s;
    struct iovec half;
    pthread_mutex_lock(&lock);
    if (fd == 1 && trace >= 0) put(MARK, 0, 0, 0, parts, n);
    struct file *f = watched(fd);
    if (!f) {
        pthread_mutex_unlock(&lock);
        return write_now(fd, parts, n, offset);
    }
    const char *action = fault("write", f->path);
    off_t at = offset >= 0 ? offset : lseek(fd, 0, SEEK_CUR);
    if (f->flags & O_APPEND) at = fstat(fd, &s) ? -1 : s.st_size;
    if (action && !strcmp(action, "short")) {
        half = (struct iovec){parts->iov_base, (parts->iov_len + 1) / 2};
        parts = &half, n = 1, action = NULL;
    }
    ssize_t r = action ? refused(action) : write_now(fd, parts, n, offset);
    int e = errno;
    if (r > 0) put_written(f, at, parts, n, (size_t)r);
    pthread_mutex_unlock(&lock);
    return errno = e, r;
}

#define ONE(p, n) &(struct iovec){(void *)(p), n}, 1
ssize_t write(int fd, const void *p, size_t n) { return write_it(fd, ONE(p, n), -1); }
ssize_t pwrite(int fd, const void *p, size_t n, off_t o) { return write_it(fd, ONE(p, n), o); }
ssize_t pwrite64(int fd, const void *p, size_t n, off64_t o) { return write_it(fd, ONE(p, n), o); }
ssize_t writev(int fd, const struct iovec *p, int n) { return write_it(fd, p, n, -1); }
ssize_t pwritev(int fd, const struct iovec *p, int n, off_t o) { return write_it(fd, p, n, o); }
ssize_t pwritev64(int fd, const struct iovec *p, int n, off64_t o) { return write_it(fd, p, n, o); }

static int length_it(int fd, off_t length) {
    pthread_mutex_lock(&lock);
    struct file *f = watched(fd);
    int r = (int)syscall(SYS_ftruncate, fd, length), e = errno;
    if (f && !r) put(LENGTH, f->handle, (uint64_t)length, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return errno = e, r;
}

int ftruncate(int fd, off_t n) { return length_it(fd, n); }
int ftruncate64(int fd, off64_t n) { return length_it(fd, n); }
static int truncate_it(const char *p, off_t n) {
    int fd = open_it(AT_FDCWD, p, O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0) return -1;
    int r = length_it(fd, n), e = errno;
    close(fd);
    return errno = e, r;
}
int truncate(const char *p, off_t n) { return truncate_it(p, n); }
int truncate64(const char *p, off64_t n) { return truncate_it(p, n); }

static int room_it(int fd, int how, off_t at, off_t len) {
    struct stat s;
    pthread_mutex_lock(&lock);
    struct file *f = watched(fd);
    if (f && how & ~FALLOC_FL_KEEP_SIZE && how != (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) die("fallocate", f->path);
    int longer = f && !(how & FALLOC_FL_KEEP_SIZE) && !fstat(fd, &s) && s.st_size < at + len;
    int r = (int)syscall(SYS_fallocate, fd, how, at, len), e = errno;
    /* A hole is punched to give back room that lies behind the end, where there is nothing to lose. */
    if (f && !r && how & FALLOC_FL_PUNCH_HOLE && !fstat(fd, &s) && at < s.st_size) die("a hole", f->path);
    if (longer && !r) put(LENGTH, f->handle, (uint64_t)(at + len), 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return errno = e, r;
}

int fallocate(int fd, int how, off_t at, off_t n) { return room_it(fd, how, at, n); }
int fallocate64(int fd, int how, off64_t at, off64_t n) { return room_it(fd, how, at, n); }
int posix_fallocate(int fd, off_t at, off_t n) { return room_it(fd, 0, at, n) ? errno : 0; }
int posix_fallocate64(int fd, off64_t at, off64_t n) { return room_it(fd, 0, at, n) ? errno : 0; }

static int rename_it(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    char a[PATH_MAX], b[PATH_MAX];
    pthread_mutex_lock(&lock);
    char *x = under(from_at, from, a), *y = under(to_at, to, b);
    if (!x != !y || (x && flags & ~1U)) die("a rename into or out of the root", from);
    int r = (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags), e = errno;
    if (x && !r) put_two(RENAME, a, b);
    pthread_mutex_unlock(&lock);
    return errno = e, r;
}

int rename(const char *a, const char *b) { return rename_it(AT_FDCWD, a, AT_FDCWD, b, 0); }
int renameat(int x, const char *a, int y, const char *b) { return rename_it(x, a, y, b, 0); }
int renameat2(int x, const char *a, int y, const char *b, unsigned f) { return rename_it(x, a, y, b, f); }

static int remove_it(int at, const char *path, int flags) {
    char rel[PATH_MAX];
    pthread_mutex_lock(&lock);
    char *inside = under(at, path, rel);
    int r = (int)syscall(SYS_unlinkat, at, path, flags), e = errno;
    if (inside && !r) put_text(flags & AT_REMOVEDIR ? RMDIR : UNLINK, 0, 0, rel);
    pthread_mutex_unlock(&lock);
    return errno = e, r;
}

int unlink(const char *p) { return remove_it(AT_FDCWD, p, 0); }
int unlinkat(int at, const char *p, int f) { return remove_it(at, p, f); }
int rmdir(const char *p) { return remove_it(AT_FDCWD, p, AT_REMOVEDIR); }
int remove(const char *p) { return unlink(p) && errno == EISDIR ? rmdir(p) : 0; }

static int mkdir_it(int at, const char *path, mode_t mode) {
    char rel[PATH_MAX];
    pthread_mutex_lock(&lock);
    char *inside = under(at, path, rel);
    int r = (int)syscall(SYS_mkdirat, at, path, mode), e = errno;
    if (inside && !r) put_text(MKDIR, 0, 0, rel);
    pthread_mutex_unlock(&lock);
    return errno = e, r;
}

int mkdir(const char *p, mode_t m) { return mkdir_it(AT_FDCWD, p, m); }
int mkdirat(int at, const char *p, mode_t m) { return mkdir_it(at, p, m); }

static int link_it(int from_at, const char *from, int to_at, const char *to, int flags) {
    char a[PATH_MAX], b[PATH_MAX];
    pthread_mutex_lock(&lock);
    char *x = under(from_at, from, a), *y = under(to_at, to, b);
    if (!x != !y) die("a link into or out of the root", from);
    int r = (int)syscall(SYS_linkat, from_at, from, to_at, to, flags), e = errno;
    if (x && !r) put_two(LINK, a, b);
    pthread_mutex_unlock(&lock);
    return errno = e, r;
}

int link(const char *a, const char *b) { return link_it(AT_FDCWD, a, AT_FDCWD, b, 0); }
int linkat(int x, const char *a, int y, const char *b, int f) { return link_it(x, a, y, b, f); }

/* What would change a watched file unseen. */
static void *map_it(void *p, size_t n, int prot, int flags, int fd, off_t o) {
    pthread_mutex_lock(&lock);
    struct file *f = prot & PROT_WRITE && flags & MAP_SHARED ? watched(fd) : NULL;
    if (f && fnmatch("*-shm", f->path, 0)) die("a shared mapping", f->path);
    pthread_mutex_unlock(&lock);
    return (void *)syscall(SYS_mmap, p, n, prot, flags, fd, o);
}

void *mmap(void *p, size_t n, int prot, int f, int fd, off_t o) { return map_it(p, n, prot, f, fd, o); }
void *mmap64(void *p, size_t n, int prot, int f, int fd, off64_t o) { return map_it(p, n, prot, f, fd, o); }
static void unseen(int fd, const char *what) {
    pthread_mutex_lock(&lock);
    struct file *f = watched(fd);
    if (f) die(what, f->path);
    pthread_mutex_unlock(&lock);
}
ssize_t copy_file_range(int in, off64_t *i, int out, off64_t *o, size_t n, unsigned f) {
    unseen(out, "copy_file_range");
    return syscall(SYS_copy_file_range, in, i, out, o, n, f);
}
ssize_t sendfile(int out, int in, off_t *o, size_t n) { return unseen(out, "sendfile"), syscall(SYS_sendfile, out, in, o, n); }
ssize_t sendfile64(int out, int in, off64_t *o, size_t n) { return sendfile(out, in, (off_t *)o, n); }
ssize_t pwritev2(int fd, const struct iovec *p, int n, off_t o, int f) {
    unseen(fd, "pwritev2");
    return syscall(SYS_pwritev2, fd, p, n, o, 0, f);
}
ssize_t pwritev64v2(int fd, const struct iovec *p, int n, off64_t o, int f) { return pwritev2(fd, p, n, o, f); }
