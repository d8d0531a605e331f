#include "tests/support/line.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <time.h>
static const char *const families[][2] = {
 {"stm32h75x","reference-h7"},{"stm32h7a3","reference-h7"},{"stm32h73x","reference-h7"},{"stm32l5","reference-l5"},
 {"stm32u535","reference-u535"},{"stm32u575","reference-u5"},{"stm32u59x","reference-u5"},{"stm32u5fx","reference-u5"},
 {"stm32wl5x","reference-wl5"},{"stm32wba5x","reference-wba5"},{"stm32wba6x","reference-wba6"},{"stm32h503","reference-h503"},{"stm32h52x","reference-h5"},{"stm32h56x","reference-h5"},{"stm32h7rs","reference-h7rs"}};
static void good(void **state){ (void)state;
 for (size_t i=0;i<LENGTH_OF(families);i++){
  struct timespec a,b; clock_gettime(CLOCK_MONOTONIC,&a);
  struct line *line=line_create(1,1);
  line_family(line,families[i][0],families[i][1]);
  line->station.settings.bench.boards=1;
  line_order(line,"A",1,"retries: 0\n");
  printf("# %s\n",families[i][0]);
  int r=line_run(line,LOOP_TIME_VIRTUAL,1,NULL,NULL);
  clock_gettime(CLOCK_MONOTONIC,&b);
  printf("# %s: %d pass %u fail %u  %ld ms\n",families[i][0],r,line->counts.good,line->counts.attempts,(b.tv_sec-a.tv_sec)*1000+(b.tv_nsec-a.tv_nsec)/1000000);
  line_destroy(line);
 }}
int main(void){const struct CMUnitTest tests[]={cmocka_unit_test(good)};return cmocka_run_group_tests(tests,NULL,NULL);}
