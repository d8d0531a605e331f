/*
 * usbredir.c - simulated devices for a guest of QEMU: the same models as on the usbfs rig, behind a real Linux
 * kernel's USB stack.
 *
 *      usbredir [KIND=]COUNT [...] -- command [arguments]
 *
 * In the directory RIG_SOCKETS there are device0, device1, ..., one socket a device for QEMU's `usb-redir`
 * (parts/redir.c), and `control`, a stream of lines as in parts/control.h: QEMU joins it to a serial port of the
 * guest, so that a test in there can pull a plug out here. The command is usually QEMU; its exit code is
 * ours, 125 when the rig itself cannot be set up. Needs no privileges.
 */
#include "tests/rigs/parts/orders.h"
#include "tests/rigs/parts/redir.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RIG_FAILED = 125, REDIRS_MAX = 16, LINE_LENGTH = 128 };

static struct device *devices[REDIRS_MAX];
static struct redir *redirs[REDIRS_MAX];
static unsigned count;

/* --- what a test says ---------------------------------------------------------------------- */

static struct {
        int listener, connection;
        char line[LINE_LENGTH];
        size_t length;
} control = { .listener = -1, .connection = -1 };

static int tell(unsigned index, const char *words)
{
        struct device *device = index < count ? devices[index] : NULL;

        if (!device)
                return -1;
        if (strcmp(words, "unplug") == 0) {
                if (!device->is_gone)
                        redir_unplug(redirs[index]);
                return 0;
        }
        if (strcmp(words, "plug") == 0) {
                if (device->is_gone)
                        redir_plug(redirs[index]);
                return 0;
        }
        return device->kind->tell ? device->kind->tell(device, now_ns(), words) : -1;
}

static void obey(char *line)
{
        char reply[16];
        unsigned index;
        int used = 0, result = -1, length;

        if (sscanf(line, "%u %n", &index, &used) == 1 && used > 0)
                result = tell(index, line + used);
        length = snprintf(reply, sizeof(reply), "%d\n", result);
        if (send(control.connection, reply, (size_t)length, MSG_NOSIGNAL) != length)
                perror("rig control");
}

static void control_serve_line(void)
{
        char byte;

        if (control.connection < 0) {
                control.connection = accept4(control.listener, NULL, NULL, SOCK_CLOEXEC);
                return;
        }
        if (recv(control.connection, &byte, 1, 0) != 1) {
                close(control.connection);
                control.connection = -1;
                return;
        }
        if (byte == '\n' || byte == '\r') {
                control.line[control.length] = '\0';
                if (control.length > 0)
                        obey(control.line);
                control.length = 0;
        } else if (control.length < sizeof(control.line) - 1) {
                control.line[control.length++] = byte;
        }
}

static int control_listen(const char *directory)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", directory);
        control.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (control.listener < 0 ||
            bind(control.listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(control.listener, 1) < 0) {
                perror(address.sun_path);
                return -1;
        }
        return 0;
}

/* --- the rig ------------------------------------------------------------------------------- */

static int plug_in(const struct order *orders, unsigned orders_count, const char *directory)
{
        for (unsigned i = 0; i < orders_count; i++) {
                for (unsigned k = 0; k < orders[i].count; k++, count++) {
                        char path[96];

                        if (count == REDIRS_MAX) {
                                fprintf(stderr, "usbredir: at most %d devices\n", REDIRS_MAX);
                                return -1;
                        }
                        snprintf(path, sizeof(path), "%s/device%u", directory, count);
                        devices[count] = device_create(orders[i].kind, count);
                        redirs[count] = redir_create(devices[count], path);
                        if (!redirs[count])
                                return -1;
                }
        }
        return 0;
}

/* When the next model has finished thinking. Those that pull their own plug are unplugged. */
static uint64_t pump_all(void)
{
        uint64_t wake_ns = UINT64_MAX;

        for (unsigned i = 0; i < count; i++) {
                uint64_t ready_ns;

                if (devices[i]->is_falling && !devices[i]->is_gone)
                        redir_unplug(redirs[i]);
                devices[i]->is_falling = false;
                ready_ns = redir_pump(redirs[i]);
                if (ready_ns < wake_ns)
                        wake_ns = ready_ns;
        }
        return wake_ns;
}

static void wait_until(uint64_t wake_ns, struct pollfd *polls, unsigned number)
{
        uint64_t now = now_ns(), left_ns = wake_ns > now ? wake_ns - now : 0;
        struct timespec left = { (time_t)(left_ns / NS_PER_S), (long)(left_ns % NS_PER_S) };

        if (ppoll(polls, number, wake_ns == UINT64_MAX ? NULL : &left, NULL) < 0)
                memset(polls, 0, number * sizeof(*polls));
}

/* Until the command ends; its exit code. */
static int serve(pid_t child)
{
        struct pollfd polls[2 + REDIRS_MAX];
        int status;

        polls[0] = (struct pollfd){ pidfd_open(child, 0), POLLIN, 0 };
        do {
                uint64_t wake_ns = pump_all();

                polls[1].fd = control.connection < 0 ? control.listener : control.connection;
                polls[1].events = POLLIN;
                for (unsigned i = 0; i < count; i++)
                        polls[2 + i].fd = redir_descriptor(redirs[i], &polls[2 + i].events);
                wait_until(wake_ns, polls, 2 + count);
                if (polls[1].revents)
                        control_serve_line();
                for (unsigned i = 0; i < count; i++)
                        if (polls[2 + i].revents & (POLLIN | POLLERR | POLLHUP))
                                redir_serve(redirs[i]);
        } while (!polls[0].revents);
        if (waitpid(child, &status, 0) != child)
                return RIG_FAILED;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t start_command(char **command)
{
        pid_t child = fork();

        if (child != 0)
                return child;
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
}

int main(int argc, char **argv)
{
        struct order orders[ORDERS_MAX];
        const char *directory = getenv("RIG_SOCKETS");
        unsigned orders_count;
        int command = orders_parse(argc, argv, orders, &orders_count);
        pid_t child;

        if (!command || !directory) {
                fprintf(stderr,
                        "usage: RIG_SOCKETS=directory usbredir [KIND=]COUNT [...] -- command\n");
                return 2;
        }
        if (orders_load(orders, orders_count) < 0 || control_listen(directory) < 0 ||
            plug_in(orders, orders_count, directory) < 0)
                return RIG_FAILED;
        child = start_command(argv + command);
        return child < 0 ? RIG_FAILED : serve(child);
}
