/* Who calls the C library's allocator; watched in test_no_allocation.c, but not under sanitizers. */
#ifndef SK_TESTS_ALLOCATION_WATCH_H
#define SK_TESTS_ALLOCATION_WATCH_H

/* Called with the address that each call to malloc and its like will return to; NULL: nobody looks. It must not
 * allocate. */
typedef void sk_allocation_watch(const void *caller);
void sk_watch_allocations(sk_allocation_watch *watch);

#endif
