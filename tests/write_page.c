/* Make a page of a JSON file: `write_page profile|compare|verify DOCUMENT PAGE`. tests/check_page loads it in a
 * browser; it is also the quick way to see a change of bench/pages on the data of an earlier run. */
#include <stdio.h>
#include <string.h>

#include "bench/page.h"
#include "resnet/file.h"

static int fail(const char *message) {
  fprintf(stderr, "write_page: %s\n", message);
  return 1;
}

int main(int argc, char **argv) {
  struct sk_file_map map = {0};
  if (argc != 4) return fail("expected profile, compare or verify, a JSON file, and the page to write");
  if (sk_file_map_open(&map, argv[2])) return fail(sk_error_message());
  const enum sk_page page = strcmp(argv[1], "compare") == 0  ? SK_PAGE_COMPARE
                            : strcmp(argv[1], "verify") == 0 ? SK_PAGE_VERIFY
                                                             : SK_PAGE_PROFILE;
  cJSON *document = cJSON_ParseWithLength(map.data, map.length);
  sk_file_map_close(&map);
  if (!document) return fail("not JSON");
  const sk_status status = sk_page_write(argv[3], page, document);
  cJSON_Delete(document);
  return status ? fail(sk_error_message()) : 0;
}
