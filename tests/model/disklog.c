/* Writes down, in order, what a program does to the files of one folder, and what it says.

   For test_power_cuts: preloaded into a store's process. DISKLOG_DIR names the folder (with its
   slash), DISKLOG the journal. A record is a head and its bytes:

     op     C created  W written  T truncated  S synced  U unlinked  R renamed  D folder synced
            A said on standard output: what has been acknowledged
     name   of the file, its path below the folder ("old\nnew" for R)

   One lock around each call and its record keeps the order true for all threads. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define FDS 1024
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char names[FDS][128]; /* of open files in the folder; "/" is the folder itself */
static const char *folder;
static int journal = -1;

struct head {
    char op;
    uint8_t pad[3];
    uint32_t name_size;
    uint64_t offset, size;
} __attribute__((packed));

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    folder = getenv("DISKLOG_DIR");
    const char *path = getenv("DISKLOG");
    if (folder && path) journal = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    unsetenv("LD_PRELOAD");
}

static const char *below(const char *path) {
    size_t size = folder ? strlen(folder) : 0;
    if (journal < 0 || !size || !path) return NULL;
    if (!strncmp(path, folder, size)) return path + size;
    return strlen(path) == size - 1 && !strncmp(path, folder, size - 1) ? "/" : NULL;
}

static const char *known(int fd) {
    return journal >= 0 && fd >= 0 && fd < FDS && names[fd][0] ? names[fd] : NULL;
}

static void record(char op, const char *name, uint64_t offset, const void *data, uint64_t size) {
    struct head head = {op, {0}, (uint32_t)strlen(name), offset, size};
    size_t bytes = data ? size : 0;
    char *all = malloc(sizeof head + head.name_size + bytes);
    memcpy(all, &head, sizeof head);
    memcpy(all + sizeof head, name, head.name_size);
    if (bytes) memcpy(all + sizeof head + head.name_size, data, bytes);
    size_t whole = sizeof head + head.name_size + bytes;
    if (REAL(write)(journal, all, whole) != (ssize_t)whole) abort();
    free(all);
}

static int opened(int fd, const char *name, int created) {
    if (fd >= 0 && fd < FDS && name) {
        snprintf(names[fd], sizeof names[fd], "%s", name);
        if (created) record('C', name, 0, NULL, 0);
    }
    return fd;
}

#define OPEN(symbol)                                                            \
    int symbol(const char *path, int flags, ...) {                              \
        va_list more;                                                           \
        va_start(more, flags);                                                  \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more);                                                           \
        const char *name = below(path);                                         \
        if (!name) return REAL(symbol)(path, flags, mode);                      \
        pthread_mutex_lock(&lock);                                              \
        int created = (flags & O_CREAT) && access(path, F_OK);                  \
        int fd = opened(REAL(symbol)(path, flags, mode), name, created);        \
        if (fd >= 0 && (flags & O_TRUNC)) record('T', name, 0, NULL, 0);        \
        pthread_mutex_unlock(&lock);                                            \
        return fd;                                                              \
    }
OPEN(open)
OPEN(open64)

int openat(int at, const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    if (below(path)) return open(path, flags, mode);
    return REAL(openat)(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    if (below(path)) return open(path, flags, mode);
    return REAL(openat64)(at, path, flags, mode);
}

int close(int fd) {
    pthread_mutex_lock(&lock);
    if (fd >= 0 && fd < FDS) names[fd][0] = 0;
    int result = REAL(close)(fd);
    pthread_mutex_unlock(&lock);
    return result;
}

ssize_t write(int fd, const void *data, size_t size) {
    if (journal < 0 || (fd != 1 && !known(fd))) return REAL(write)(fd, data, size);
    pthread_mutex_lock(&lock);
    off_t place = fd == 1 ? 0 : lseek(fd, 0, SEEK_CUR);
    ssize_t done = REAL(write)(fd, data, size);
    if (done > 0) {
        if (fd == 1) record('A', "", 0, data, (uint64_t)done);
        else record('W', names[fd], (uint64_t)place, data, (uint64_t)done);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

#define PWRITE(symbol, offset_type)                                               \
    ssize_t symbol(int fd, const void *data, size_t size, offset_type place) {    \
        if (!known(fd)) return REAL(symbol)(fd, data, size, place);               \
        pthread_mutex_lock(&lock);                                                \
        ssize_t done = REAL(symbol)(fd, data, size, place);                       \
        if (done > 0) record('W', names[fd], (uint64_t)place, data, (uint64_t)done); \
        pthread_mutex_unlock(&lock);                                              \
        return done;                                                              \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define SYNC(symbol)                                                        \
    int symbol(int fd) {                                                    \
        if (!known(fd)) return REAL(symbol)(fd);                            \
        pthread_mutex_lock(&lock);                                          \
        int result = REAL(symbol)(fd);                                      \
        int is_folder = names[fd][0] == '/';                                \
        if (!result) record(is_folder ? 'D' : 'S', names[fd], 0, NULL, 0);  \
        pthread_mutex_unlock(&lock);                                        \
        return result;                                                      \
    }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(symbol, offset_type)                                           \
    int symbol(int fd, offset_type size) {                                      \
        if (!known(fd)) return REAL(symbol)(fd, size);                          \
        pthread_mutex_lock(&lock);                                              \
        int result = REAL(symbol)(fd, size);                                    \
        if (!result) record('T', names[fd], 0, NULL, (uint64_t)size);           \
        pthread_mutex_unlock(&lock);                                            \
        return result;                                                          \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

int unlink(const char *path) {
    const char *name = below(path);
    if (!name) return REAL(unlink)(path);
    pthread_mutex_lock(&lock);
    int result = REAL(unlink)(path);
    if (!result) record('U', name, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int rename(const char *from, const char *to) {
    const char *old = below(from), *fresh = below(to);
    if (!old || !fresh) return REAL(rename)(from, to);
    char both[256];
    snprintf(both, sizeof both, "%s\n%s", old, fresh);
    pthread_mutex_lock(&lock);
    int result = REAL(rename)(from, to);
    if (!result) record('R', both, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}
