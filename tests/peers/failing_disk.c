// A disk that fails, for one program: preloaded into it, this refuses what the program does to files below $FAILING_FOLDER, as the first
// letter in the file $FAILING_MODE says: `r` the file system has become read-only (EROFS), `s` syncs fail (EIO), `d` what is written to
// databases (.db), but not to their logs, fails (EIO), anything else: all is well. It can be changed at any time. Real system calls do the
// rest.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int mode_is(char wanted)
{
    const char *path = getenv("FAILING_MODE");
    char mode = '-';
    int before = errno;
    int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0) : -1;
    if (fd >= 0) {
        syscall(SYS_read, fd, &mode, 1);
        syscall(SYS_close, fd);
    }
    errno = before;
    return mode == wanted;
}

static int below(const char *path)
{
    const char *folder = getenv("FAILING_FOLDER");
    return folder && strncmp(path, folder, strlen(folder)) == 0;
}

static int fails(int fd, char mode)
{
    char name[64], path[4096];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    int before = errno;
    long length = readlink(name, path, sizeof path - 1);
    errno = before;
    if (length <= 0)
        return 0;
    path[length] = 0;
    return below(path) && mode_is(mode);
}

static int is_database(int fd)
{
    char name[64], path[4096];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    long length = readlink(name, path, sizeof path - 1);
    return length > 3 && memcmp(path + length - 3, ".db", 3) == 0;
}

static long refused(int error)
{
    errno = error;
    return -1;
}

#define REFUSE_WRITE(fd) \
    if (fails(fd, 'r')) return refused(EROFS); \
    if (fails(fd, 'd') && is_database(fd)) return refused(EIO)
#define REFUSE_SYNC(fd) if (fails(fd, 's')) return (int)refused(EIO)
#define REFUSE_NAME(path) if (below(path) && mode_is('r')) return (int)refused(EROFS)

static int opened(int dir, const char *path, int flags, mode_t mode)
{
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
    int makes = (flags & O_CREAT) && syscall(SYS_faccessat, dir, path, F_OK) != 0;
    if (writes || makes)
        REFUSE_NAME(path);
    return (int)syscall(SYS_openat, dir, path, flags, mode);
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }

int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE(flags) return opened(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE(flags) return opened(dir, path, flags, mode); }

ssize_t write(int fd, const void *from, size_t n) { REFUSE_WRITE(fd); return syscall(SYS_write, fd, from, n); }
ssize_t writev(int fd, const struct iovec *from, int n) { REFUSE_WRITE(fd); return syscall(SYS_writev, fd, from, n); }
ssize_t pwrite(int fd, const void *from, size_t n, off_t at) { REFUSE_WRITE(fd); return syscall(SYS_pwrite64, fd, from, n, at); }
ssize_t pwrite64(int fd, const void *from, size_t n, off64_t at) { REFUSE_WRITE(fd); return syscall(SYS_pwrite64, fd, from, n, at); }
int ftruncate(int fd, off_t length) { REFUSE_WRITE(fd); return (int)syscall(SYS_ftruncate, fd, length); }
int ftruncate64(int fd, off64_t length) { REFUSE_WRITE(fd); return (int)syscall(SYS_ftruncate, fd, length); }

int fsync(int fd) { REFUSE_SYNC(fd); return (int)syscall(SYS_fsync, fd); }
int fdatasync(int fd) { REFUSE_SYNC(fd); return (int)syscall(SYS_fdatasync, fd); }

int rename(const char *from, const char *to)
{
    REFUSE_NAME(from);
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path)
{
    REFUSE_NAME(path);
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
