#include "tests/rigs/parts/control.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

static int listener = -1;
static int (*teller)(unsigned index, const char *words);

static int make_socket(const char *path, struct sockaddr_un *ret_address)
{
        *ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        if (strlen(path) >= sizeof(ret_address->sun_path))
                return -1;
        memcpy(ret_address->sun_path, path, strlen(path) + 1);
        return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

static void answer(int connection)
{
        char line[128], reply[16];
        ssize_t length = read(connection, line, sizeof(line) - 1);
        unsigned index;
        int used = 0, result = -1;

        if (length <= 0)
                return;
        line[length] = '\0';
        if (sscanf(line, "%u %n", &index, &used) == 1 && used > 0)
                result = teller(index, line + used);
        length = snprintf(reply, sizeof(reply), "%d", result);
        if (write(connection, reply, (size_t)length) != length)
                perror("rig control");
}

static void *serve(void *unused)
{
        (void)unused;
        for (;;) {
                int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

                if (connection < 0)
                        continue;
                answer(connection);
                close(connection);
        }
        return NULL;
}

int control_serve(const char *path, int (*tell)(unsigned index, const char *words))
{
        struct sockaddr_un address;
        pthread_t thread;

        teller = tell;
        listener = make_socket(path, &address);
        if (listener < 0)
                return -1;
        (void)unlink(path);
        if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(listener, 8) < 0 || pthread_create(&thread, NULL, serve, NULL) != 0) {
                perror(path);
                return -1;
        }
        return 0;
}

static int ask_at_socket(const char *path, unsigned index, const char *words)
{
        struct sockaddr_un address;
        int descriptor = make_socket(path, &address), result = -1;
        char text[128];
        ssize_t length = snprintf(text, sizeof(text), "%u %s", index, words);

        if (descriptor < 0)
                return -1;
        if (connect(descriptor, (struct sockaddr *)&address, sizeof(address)) == 0 &&
            write(descriptor, text, (size_t)length) == length &&
            (length = read(descriptor, text, sizeof(text) - 1)) > 0) {
                text[length] = '\0';
                (void)sscanf(text, "%d", &result);
        }
        close(descriptor);
        return result;
}

/* A line to a terminal and one back. */
static int ask_terminal(int descriptor, const char *text, size_t length)
{
        char line[16];
        size_t got = 0;
        struct termios settings;
        int result = -1;

        if (tcgetattr(descriptor, &settings) < 0)
                return -1;
        cfmakeraw(&settings);
        if (tcsetattr(descriptor, TCSAFLUSH, &settings) < 0 ||
            write(descriptor, text, length) != (ssize_t)length)
                return -1;
        while (got < sizeof(line) - 1 && read(descriptor, line + got, 1) == 1)
                if (line[got++] == '\n')
                        break;
        line[got] = '\0';
        (void)sscanf(line, "%d", &result);
        return result;
}

static int ask_at_terminal(const char *path, unsigned index, const char *words)
{
        char text[128];
        int length = snprintf(text, sizeof(text), "%u %s\n", index, words);
        int descriptor = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC), result = -1;

        if (descriptor < 0)
                return -1;
        if (length < (int)sizeof(text))
                result = ask_terminal(descriptor, text, (size_t)length);
        close(descriptor);
        return result;
}

int control_ask(const char *path, unsigned index, const char *words)
{
        bool is_terminal = strncmp(path, "/dev/", 5) == 0;

        return is_terminal ? ask_at_terminal(path, index, words)
                           : ask_at_socket(path, index, words);
}
