/* Preloaded into a gateway or a PostgreSQL: while the file that FAULT_CONTROL names says "write ERRNO", "sync ERRNO" or
 * "stall", calls that write to or sync the audit log, or what has FAULT_PATH in its path, fail with that number, or hang
 * until the file is gone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int of_the_log(int fd)
{
    const char *wanted = getenv("FAULT_PATH");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = '\0';
    return strstr(path, wanted != NULL ? wanted : "/audit/log.db") != NULL;
}

/* The errno for this operation, 0 when it goes on. */
static int fault(const char *operation, int fd)
{
    const char *control = getenv("FAULT_CONTROL");
    char what[16];
    int number;
    while (control != NULL && of_the_log(fd)) {
        FILE *file = fopen(control, "r");
        if (file == NULL)
            return 0;
        int fields = fscanf(file, "%15s %d", what, &number);
        fclose(file);
        if (fields == 2 && strcmp(what, operation) == 0)
            return number;
        if (fields != 1 || strcmp(what, "stall") != 0)
            return 0;
        usleep(5000);
    }
    return 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_OR(operation, fd, call)               \
    do {                                           \
        int number = fault(operation, fd);         \
        if (number == 0)                           \
            return call;                           \
        errno = number;                            \
        return -1;                                 \
    } while (0)

ssize_t write(int fd, const void *data, size_t size) { FAIL_OR("write", fd, REAL(write)(fd, data, size)); }

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    FAIL_OR("write", fd, REAL(pwrite)(fd, data, size, at));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    FAIL_OR("write", fd, REAL(pwrite64)(fd, data, size, at));
}

int fsync(int fd) { FAIL_OR("sync", fd, REAL(fsync)(fd)); }

int fdatasync(int fd) { FAIL_OR("sync", fd, REAL(fdatasync)(fd)); }
