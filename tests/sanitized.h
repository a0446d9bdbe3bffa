/* Whether this build is under the address sanitizer, which makes everything slower and has an allocator of its own. */
#ifndef SK_TESTS_SANITIZED_H
#define SK_TESTS_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__)
#define SK_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SK_SANITIZED 1
#endif
#endif
#ifndef SK_SANITIZED
#define SK_SANITIZED 0
#endif

#endif
