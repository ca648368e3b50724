// A disk with faults, for tests: preloaded into a process (LD_PRELOAD), it stands between the process and its files.
//
// Only files under the folder FAULTS_DIR (an absolute path) are touched. FAULTS_CONTROL names another folder, on
// the same file system, which outlives the process:
//
//   journal      written here: what a power loss would leave, one line for each step, see below
//   graveyard/   hard links to files that were unlinked or replaced, by inode number
//   full         while this file is there, every write fails with ENOSPC
//   free-bytes   if this file is there: what statvfs says is free
//
// and these variables ask for a fault:
//
//   FAULTS_KILL        POINT:N, SIGKILL at the Nth time at a point:
//                              write (before a write to a write-ahead file), half (when half of it is written),
//                              sync (before a sync of one), synced (after it), manifest (before a sync of RocksDB's
//                              list of files), create, rename, unlink (before each)
//   FAULTS_FAIL_SYNC   N: the Nth sync of a write-ahead file fails with EIO; later ones succeed, as Linux's do
//   FAULTS_FULL_AFTER  after so many bytes written, the file `full` is made
//   FAULTS_LIE         syncs do nothing and say that they did
//   FAULTS_SYNC_US     how long a sync takes, in microseconds
//
// Syncs are not passed on: a kill leaves the page cache alone, and what a power loss takes is taken by the test.
//
// The journal, one line a step, fields parted by tabs, written after the step:
//
//   create INODE PATH | rename INODE PATH TO | unlink INODE PATH     changes of directory entries
//   sync INODE LENGTH      the file's first LENGTH bytes are durable, and its own directory entry
//   sync-all               a folder was synced
//   truncate INODE LENGTH  | overwritten INODE (the model cannot tell what is left: the test gives up)
//   lost INODE             a sync failed: nothing that was not durable then ever will be
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { FDS = 65536 };
enum kind { UNWATCHED, FILE_, WAL, MANIFEST, FOLDER };

static struct { atomic_int kind; ino_t inode; } fds[FDS];
static char watched[PATH_MAX], control[PATH_MAX / 2];
static size_t watched_length;
static int journal = -1;
static const char *kill_point;
static long kill_at, fail_sync_at, full_after, sync_us;
static int lies;
static atomic_long kill_count, sync_count, bytes_written;
static pthread_mutex_t entries = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name, ...) ((__typeof__(&name))real(&real_##name, #name))(__VA_ARGS__)
#define DECLARE(name) static void *_Atomic real_##name
DECLARE(open64);
DECLARE(close);
DECLARE(write);
DECLARE(pwrite64);
DECLARE(ftruncate64);
DECLARE(rename);
DECLARE(unlink);
DECLARE(statvfs64);

static void *real(void *_Atomic *known, const char *name) {
    void *found = atomic_load(known);
    if (!found) atomic_store(known, found = dlsym(RTLD_NEXT, name));
    return found;
}

static long number_of(const char *variable) {
    const char *value = getenv(variable);
    return value ? atol(value) : 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("FAULTS_DIR"), *other = getenv("FAULTS_CONTROL");
    if (!folder || !other) return;
    snprintf(control, sizeof control, "%s", other);
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/journal", control);
    journal = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    snprintf(path, sizeof path, "%s/graveyard", control);
    mkdir(path, 0700);
    fail_sync_at = number_of("FAULTS_FAIL_SYNC");
    full_after = number_of("FAULTS_FULL_AFTER");
    sync_us = number_of("FAULTS_SYNC_US");
    lies = getenv("FAULTS_LIE") != NULL;
    const char *point = getenv("FAULTS_KILL"), *colon = point ? strchr(point, ':') : NULL;
    if (colon) {
        kill_point = strndup(point, (size_t)(colon - point));
        kill_at = atol(colon + 1);
    }
    watched_length = strlen(folder);
    memcpy(watched, folder, watched_length + 1);
}

static int is_watched(const char *path) {
    return watched_length && !strncmp(path, watched, watched_length) &&
           (path[watched_length] == '/' || path[watched_length] == 0);
}

static int ends_with(const char *path, const char *end) {
    size_t length = strlen(path), wanted = strlen(end);
    return length >= wanted && !strcmp(path + length - wanted, end);
}

static enum kind kind_of(int fd) { return fd >= 0 && fd < FDS ? (enum kind)atomic_load(&fds[fd].kind) : UNWATCHED; }

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...) {
    char line[2 * PATH_MAX];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    int before = errno;
    syscall(SYS_write, journal, line, (size_t)length);
    errno = before;
}

// Whether this is the moment to die.
static int is_point(const char *point) {
    return kill_point && !strcmp(kill_point, point) && atomic_fetch_add(&kill_count, 1) + 1 == kill_at;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static void at(const char *point) {
    if (is_point(point)) die();
}

static const char *in_control(char *path, const char *name) {
    snprintf(path, PATH_MAX, "%s/%s", control, name);
    return path;
}

static int is_full(void) {
    char path[PATH_MAX];
    return syscall(SYS_faccessat, AT_FDCWD, in_control(path, "full"), F_OK) == 0;
}

static off_t length_of(int fd) {
    struct stat known;
    return fstat(fd, &known) == 0 ? known.st_size : 0;
}

// How many of `wanted` bytes may be written; 0 if the disk is full.
static size_t room_for(size_t wanted) {
    if (is_full()) return 0;
    if (!full_after) return wanted;
    long before = atomic_fetch_add(&bytes_written, (long)wanted), left = full_after - before;
    if (left >= (long)wanted) return wanted;
    if (left < 0) return wanted; // it was full once already, and was freed
    char path[PATH_MAX];
    int fd = (int)syscall(SYS_openat, AT_FDCWD, in_control(path, "full"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    syscall(SYS_close, fd);
    return (size_t)left;
}

static int watch(int fd, const char *path, int flags, int existed) {
    struct stat known;
    if (fd < 0 || fd >= FDS || fstat(fd, &known)) return fd;
    fds[fd].inode = known.st_ino;
    enum kind kind = ends_with(path, ".log") ? WAL : strstr(path, "/MANIFEST-") ? MANIFEST : FILE_;
    atomic_store(&fds[fd].kind, S_ISDIR(known.st_mode) ? FOLDER : kind);
    if (!existed)
        note("create\t%ju\t%s\n", (uintmax_t)known.st_ino, path);
    else if (flags & O_TRUNC)
        note("truncate\t%ju\t0\n", (uintmax_t)known.st_ino);
    else if ((flags & O_ACCMODE) != O_RDONLY && !(flags & O_APPEND) && known.st_size > 0)
        note("overwritten\t%ju\n", (uintmax_t)known.st_ino);
    return fd;
}

int open64(const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list values;
        va_start(values, flags);
        mode = va_arg(values, mode_t);
        va_end(values);
    }
    if (!is_watched(path)) return REAL(open64, path, flags, mode);
    pthread_mutex_lock(&entries);
    int existed = syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
    if (!existed && (flags & O_CREAT)) at("create");
    int fd = watch(REAL(open64, path, flags, mode), path, flags, existed);
    pthread_mutex_unlock(&entries);
    return fd;
}

int open(const char *path, int flags, ...) {
    va_list values;
    va_start(values, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(values, mode_t) : 0;
    va_end(values);
    return open64(path, flags, mode);
}

int close(int fd) {
    if (kind_of(fd)) atomic_store(&fds[fd].kind, UNWATCHED);
    return REAL(close, fd);
}

ssize_t write(int fd, const void *bytes, size_t wanted) {
    enum kind kind = kind_of(fd);
    if (!kind) return REAL(write, fd, bytes, wanted);
    if (kind == WAL) {
        at("write");
        if (wanted > 1 && is_point("half")) {
            REAL(write, fd, bytes, wanted / 2);
            die();
        }
    }
    size_t room = room_for(wanted);
    if (!room && wanted) {
        errno = ENOSPC;
        return -1;
    }
    return REAL(write, fd, bytes, room);
}

ssize_t pwrite64(int fd, const void *bytes, size_t wanted, off_t offset) {
    if (kind_of(fd)) {
        if (offset < length_of(fd)) note("overwritten\t%ju\n", (uintmax_t)fds[fd].inode);
        if (wanted && room_for(wanted) < wanted) {
            errno = ENOSPC;
            return -1;
        }
    }
    return REAL(pwrite64, fd, bytes, wanted, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t wanted, off_t offset) { return pwrite64(fd, bytes, wanted, offset); }

int ftruncate64(int fd, off_t length) {
    if (kind_of(fd) && length < length_of(fd))
        note("truncate\t%ju\t%jd\n", (uintmax_t)fds[fd].inode, (intmax_t)length);
    return REAL(ftruncate64, fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int sync_of(int fd) {
    enum kind kind = kind_of(fd);
    if (kind == FOLDER) {
        if (!lies) note("sync-all\n");
        return 0;
    }
    // What is written while the sync is under way need not be in it.
    off_t length = length_of(fd);
    if (kind == WAL) at("sync");
    if (kind == MANIFEST) at("manifest");
    if (sync_us) usleep((useconds_t)sync_us);
    if (kind == WAL && fail_sync_at && atomic_fetch_add(&sync_count, 1) + 1 == fail_sync_at) {
        note("lost\t%ju\n", (uintmax_t)fds[fd].inode);
        errno = EIO;
        return -1;
    }
    if (!lies) note("sync\t%ju\t%jd\n", (uintmax_t)fds[fd].inode, (intmax_t)length);
    if (kind == WAL) at("synced");
    return 0;
}

int fsync(int fd) { return kind_of(fd) ? sync_of(fd) : (int)syscall(SYS_fsync, fd); }

int fdatasync(int fd) { return kind_of(fd) ? sync_of(fd) : (int)syscall(SYS_fdatasync, fd); }

// Keeps a file's bytes when its name goes: the name may come back with the power.
static ino_t bury(const char *path) {
    struct stat known;
    if (stat(path, &known)) return 0;
    char grave[PATH_MAX];
    snprintf(grave, sizeof grave, "%s/graveyard/%ju", control, (uintmax_t)known.st_ino);
    (void)!link(path, grave);
    return known.st_ino;
}

int rename(const char *path, const char *to) {
    if (!is_watched(path)) return REAL(rename, path, to);
    pthread_mutex_lock(&entries);
    at("rename");
    bury(to);
    struct stat known;
    int done = stat(path, &known) ? -1 : REAL(rename, path, to);
    if (!done) note("rename\t%ju\t%s\t%s\n", (uintmax_t)known.st_ino, path, to);
    pthread_mutex_unlock(&entries);
    return done;
}

int unlink(const char *path) {
    if (!is_watched(path)) return REAL(unlink, path);
    pthread_mutex_lock(&entries);
    at("unlink");
    ino_t inode = bury(path);
    int done = REAL(unlink, path);
    if (!done) note("unlink\t%ju\t%s\n", (uintmax_t)inode, path);
    pthread_mutex_unlock(&entries);
    return done;
}

int statvfs64(const char *path, struct statvfs64 *told) {
    int done = REAL(statvfs64, path, told);
    char file[PATH_MAX], text[32] = {0};
    if (done || !is_watched(path)) return done;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, in_control(file, "free-bytes"), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return done;
    if (syscall(SYS_read, fd, text, sizeof text - 1) > 0)
        told->f_bavail = told->f_bfree = strtoull(text, NULL, 10) / told->f_frsize;
    syscall(SYS_close, fd);
    return done;
}

int statvfs(const char *path, struct statvfs *told) { return statvfs64(path, (struct statvfs64 *)told); }
