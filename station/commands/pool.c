#include "station/commands/pool.h"

#include <sched.h>

#define POOL_MAX 64u /* memory is the bound long before (make bench, part seal) */

int pool_create(struct workers **ret_pool)
{
        int cpus[POOL_MAX];
        unsigned count = 0;
        cpu_set_t set;

        CPU_ZERO(&set);
        if (sched_getaffinity(0, sizeof(set), &set) == 0)
                for (size_t cpu = 0; cpu < CPU_SETSIZE && count < POOL_MAX; cpu++)
                        if (CPU_ISSET(cpu, &set))
                                cpus[count++] = (int)cpu;
        return workers_create("seal", count > 1 ? count : 0, cpus, ret_pool);
}

void pool_destroy(struct workers **pool)
{
        *pool = workers_destroy(*pool);
}
