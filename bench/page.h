/* The HTML pages: one file that carries its data, its style and its scripts, and loads nothing. */
#ifndef SK_BENCH_PAGE_H
#define SK_BENCH_PAGE_H

#include <cjson/cJSON.h>

#include "skiplane.h"

enum sk_page { SK_PAGE_PROFILE, SK_PAGE_COMPARE, SK_PAGE_VERIFY };

/* Write the page that shows a document: bench/pages/frame.html with the parts it names put in, all or nothing.
 * Requires: the document is what `skiplane profile --json`, `compare --json` or `verify --json` writes. Its strings may
 * hold anything. Errors: SK_OUT_OF_MEMORY, SK_IO_ERROR. */
sk_status sk_page_write(const char *path, enum sk_page page, const cJSON *document);

#endif
