#include "dispatch/status.h"

#include <stdarg.h>
#include <stdio.h>

#undef sk_fail

static _Thread_local char error_message[1024];

sk_status sk_fail(sk_status status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error_message, sizeof error_message, format, arguments);
  va_end(arguments);
  return status;
}

const char *sk_error_message(void) { return error_message; }

const char *sk_status_name(sk_status status) {
  switch (status) {
    case SK_OK: return "ok";
    case SK_INVALID_ARGUMENT: return "invalid argument";
    case SK_UNSUPPORTED: return "unsupported";
    case SK_OUT_OF_MEMORY: return "out of memory";
    case SK_IO_ERROR: return "input/output error";
    case SK_BAD_FORMAT: return "bad format";
  }
  return "unknown status";
}
