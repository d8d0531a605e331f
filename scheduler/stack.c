/*
 * stack.c - stacks, and the switch between the loop's and a fiber's.
 *
 * A stack is one mapping: a guard page below, the stack, and struct stack at its very top. It is
 * first entered with makecontext/setcontext, the only portable way onto a new stack. Every later
 * switch is _setjmp here and _longjmp there: the same registers, without the system call for the
 * signal mask that makes swapcontext some eighty times slower (tests/bench/scheduler.c prints both;
 * limits.md, "Loop, fibers, dispatch"). ISO C does not promise that longjmp may go to a live frame
 * of another stack, but glibc only restores registers, and QEMU has relied on it for a decade.
 *
 * With STACK_SWAPCONTEXT every switch is a swapcontext: for ThreadSanitizer, whose longjmp looks
 * for the frame it jumps to, and for shadow stacks, which a longjmp to another stack would unwind.
 * (AddressSanitizer takes either; it only warns about swapcontext.)
 *
 * When its entry has returned a stack stays where it is, in a loop at its bottom, and waits in the
 * pool for another entry: a used stack costs no system call and no page fault.
 */

/* Fortified longjmp aborts on a jump "up" the stack, which here is every second one. */
#undef _FORTIFY_SOURCE

#include "scheduler/stack.h"

#include "scheduler/base.h"

#include <setjmp.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define WITH_ASAN 1
#include <sanitizer/common_interface_defs.h>
#else
#define WITH_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#include <sanitizer/tsan_interface.h>
#else
#define WITH_TSAN 0
#endif

#if __has_include(<valgrind/valgrind.h>) && !defined(NVALGRIND)
#include <valgrind/valgrind.h>
#define WITH_VALGRIND 1
#else
#define WITH_VALGRIND 0
#endif

#if !defined(STACK_SWAPCONTEXT)
#if WITH_TSAN || (defined(__CET__) && (__CET__ & 2))
#define STACK_SWAPCONTEXT 1
#else
#define STACK_SWAPCONTEXT 0
#endif
#endif

/* Free stacks that are kept. A station of 128 sites has some 200 fibers at its busiest. */
#define POOL_LIMIT 512u

#if STACK_SWAPCONTEXT
typedef ucontext_t place;
const char *const stack_mechanism = "swapcontext";
#else
typedef jmp_buf place;
const char *const stack_mechanism = "setjmp";
#endif

struct stack {
        void (*entry)(void *argument);
        void *argument;
        struct stack *next; /* in the pool */
        char *mapping;      /* the guard page; the stack begins a page above */
        bool is_begun;      /* it has been entered before */
        bool has_returned;  /* from its entry */
        place here;         /* where it stopped */
#if WITH_ASAN
        void *fake; /* the sanitizer's own frames of this stack */
#endif
#if WITH_TSAN
        void *fiber;
#endif
#if WITH_VALGRIND
        unsigned valgrind_id;
#endif
};

static place loop_here_now; /* where the loop stopped */
static struct stack *pool;
static unsigned pool_count;
static struct stack *beginning; /* the stack that is entered for the first time */

/* --- telling the tools --------------------------------------------------------------------- */

#if WITH_ASAN
static void *loop_fake;
static const void *loop_bottom;
static size_t loop_length;
#endif
#if WITH_TSAN
static void *loop_fiber;
#endif

static void tell_leaving_loop(struct stack *stack)
{
        (void)stack;
#if WITH_ASAN
        __sanitizer_start_switch_fiber(&loop_fake, stack->mapping + getpagesize(), STACK_LENGTH);
#endif
#if WITH_TSAN
        loop_fiber = __tsan_get_current_fiber();
        __tsan_switch_to_fiber(stack->fiber, 0);
#endif
}

static void tell_back_in_loop(void)
{
#if WITH_ASAN
        __sanitizer_finish_switch_fiber(loop_fake, NULL, NULL);
#endif
}

static void tell_leaving_stack(struct stack *stack)
{
        (void)stack;
#if WITH_ASAN
        /* NULL: its frames are gone for good. */
        __sanitizer_start_switch_fiber(stack->has_returned ? NULL : &stack->fake, loop_bottom,
                                       loop_length);
#endif
#if WITH_TSAN
        __tsan_switch_to_fiber(loop_fiber, 0);
#endif
}

static void tell_back_on_stack(struct stack *stack)
{
        (void)stack;
#if WITH_ASAN
        __sanitizer_finish_switch_fiber(stack->has_returned ? NULL : stack->fake, &loop_bottom,
                                        &loop_length);
#endif
}

static void tell_made(struct stack *stack)
{
        (void)stack;
#ifdef PR_SET_VMA
        /* A name in /proc/PID/maps, for whoever debugs; not every kernel keeps it. */
        static bool is_useless;

        is_useless = is_useless ||
                     prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, stack->mapping + getpagesize(),
                           STACK_LENGTH, "gangway fiber") < 0;
#endif
#if WITH_TSAN
        stack->fiber = __tsan_create_fiber(0);
#endif
#if WITH_VALGRIND
        stack->valgrind_id = VALGRIND_STACK_REGISTER(stack->mapping + getpagesize(), (char *)stack);
#endif
}

static void tell_unmade(struct stack *stack)
{
        (void)stack;
#if WITH_TSAN
        __tsan_destroy_fiber(stack->fiber);
#endif
#if WITH_VALGRIND
        VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
#endif
}

/* --- switching ----------------------------------------------------------------------------- */

/* The bottom of every stack. Not instrumented: its frame outlives the sanitizer's fake frames. */
__attribute__((no_sanitize("address"))) static void stack_main(void)
{
        struct stack *stack = beginning;

        tell_back_on_stack(stack);
        for (;;) {
                stack->entry(stack->argument);
                stack->has_returned = true;
                stack_leave(stack);
                stack->has_returned = false;
        }
}

/* makecontext counts on space above the stack pointer; struct stack is what lies there. */
static void prepare(struct stack *stack, ucontext_t *context)
{
        char *bottom = stack->mapping + getpagesize();

        INSIST(getcontext(context) == 0);
        context->uc_stack.ss_sp = bottom;
        context->uc_stack.ss_size = (size_t)((char *)stack - bottom);
        context->uc_link = NULL;
        makecontext(context, stack_main, 0);
        stack->is_begun = true;
        beginning = stack;
}

#if STACK_SWAPCONTEXT

static void switch_to_stack(struct stack *stack)
{
        if (!stack->is_begun)
                prepare(stack, &stack->here);
        INSIST(swapcontext(&loop_here_now, &stack->here) == 0);
}

static void switch_to_loop(struct stack *stack)
{
        INSIST(swapcontext(&stack->here, &loop_here_now) == 0);
}

#else

/* Only the first entry of a stack needs one, and it is read at once. */
static void begin(struct stack *stack)
{
        static ucontext_t context;

        prepare(stack, &context);
        INSIST(setcontext(&context) == 0); /* returns only when it fails */
}

/* Not inlined: what the compiler keeps in registers around a setjmp stays in this small frame. */
__attribute__((noinline)) static void switch_to_stack(struct stack *stack)
{
        if (_setjmp(loop_here_now) != 0)
                return;
        if (!stack->is_begun)
                begin(stack);
        _longjmp(stack->here, 1);
}

__attribute__((noinline)) static void switch_to_loop(struct stack *stack)
{
        if (_setjmp(stack->here) == 0)
                _longjmp(loop_here_now, 1);
}

#endif

void stack_enter(struct stack *stack)
{
        tell_leaving_loop(stack);
        switch_to_stack(stack);
        tell_back_in_loop();
}

__attribute__((no_sanitize("address"))) void stack_leave(struct stack *stack)
{
        tell_leaving_stack(stack);
        switch_to_loop(stack);
        tell_back_on_stack(stack);
}

/* --- the pool ------------------------------------------------------------------------------ */

static struct stack *stack_map(void)
{
        size_t page = (size_t)getpagesize();
        char *mapping = mmap(NULL, page + STACK_LENGTH, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
        struct stack *stack;
        size_t top;

        INSIST(mapping != MAP_FAILED);
        INSIST(mprotect(mapping, page, PROT_NONE) == 0);
        /* 64: a multiple of every alignment a place may want */
        top = page + STACK_LENGTH - (sizeof(*stack) + 63) / 64 * 64;
        stack = (struct stack *)(void *)(mapping + top);
        stack->mapping = mapping;
        tell_made(stack);
        return stack;
}

static void stack_unmap(struct stack *stack)
{
        tell_unmade(stack);
        INSIST(munmap(stack->mapping, (size_t)getpagesize() + STACK_LENGTH) == 0);
}

struct stack *stack_take(void (*entry)(void *argument), void *argument)
{
        struct stack *stack = pool;

        if (stack) {
                pool = stack->next;
                pool_count--;
        } else {
                stack = stack_map();
        }
        stack->entry = entry;
        stack->argument = argument;
        return stack;
}

void stack_give(struct stack *stack)
{
        INSIST(stack->has_returned);
        if (pool_count >= POOL_LIMIT) {
                stack_unmap(stack);
                return;
        }
        stack->next = pool;
        pool = stack;
        pool_count++;
}

void stack_drain(void)
{
        while (pool) {
                struct stack *stack = pool;

                pool = stack->next;
                stack_unmap(stack);
        }
        pool_count = 0;
}
