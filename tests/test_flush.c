/* Flushing the caches changes nothing and touches no page but its own. */
#include <criterion/criterion.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/flush.h"

Test(flush, keeps_the_data_and_stays_inside) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  unsigned char *pages = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  cr_assert_neq(pages, MAP_FAILED);
  unsigned char *data = pages + page; /* nobody may touch what is before or behind */
  cr_assert_eq(mprotect(data, page, PROT_READ | PROT_WRITE), 0);
  for (size_t i = 0; i < page; i++) data[i] = (unsigned char)(i * 7);
  for (size_t length = 0; length <= 200; length++) {
    sk_flush(data, length);
    sk_flush(data + page - length, length);
  }
  sk_flush(data, page);
  for (size_t i = 0; i < page; i++) cr_assert_eq(data[i], (unsigned char)(i * 7));
  munmap(pages, 3 * page);
}
