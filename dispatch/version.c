/* The version of the library that runs, which need not be the one that a program was compiled for. */
#include "dispatch/status.h"

#define SK_STRING_(x) #x
#define SK_STRING(x) SK_STRING_(x)

const char *sk_version(void) {
  return SK_STRING(SK_VERSION_MAJOR) "." SK_STRING(SK_VERSION_MINOR) "." SK_STRING(SK_VERSION_PATCH);
}

int sk_version_number(void) { return SK_VERSION_NUMBER; }

sk_status sk_version_require(int major, int minor, int patch) {
  const bool is_older = SK_VERSION_MINOR < minor || (SK_VERSION_MINOR == minor && SK_VERSION_PATCH < patch);
  if (major == SK_VERSION_MAJOR && !is_older) return SK_OK;
  return sk_fail(SK_UNSUPPORTED, "skiplane: library %s, but the program needs %d.%d.%d or a later %d", sk_version(),
                 major, minor, patch, major);
}
