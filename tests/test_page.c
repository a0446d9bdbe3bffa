/* The HTML pages: whatever the document's strings hold, the page stays whole and loads nothing. */
#include "bench/json_output.h"
#include "bench/page.h"
#include "resnet/file.h"
#include "tests/temporary_folder.h"

TestSuite(page, .init = make_folder, .fini = remove_folder);

/* What a file name may hold to get out of a script element, or into the template. */
static const char *const hostile[] = {
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    "</SCRIPT >",
    "{{document}}",
    "{{style.css}}",
    "\" ' & \\ \n",
};
enum { HOSTILE_COUNT = sizeof hostile / sizeof hostile[0] };

static cJSON *make_document(void) {
  struct sk_json json;
  sk_json_begin(&json);
  sk_json_text(&json, json.root, "format", "skiplane-profile 1");
  cJSON *layers = sk_json_list(&json, json.root, "layers");
  for (size_t i = 0; i < HOSTILE_COUNT; i++) {
    cJSON *layer = sk_json_object(&json, layers, NULL);
    sk_json_text(&json, layer, "name", hostile[i]);
    sk_json_number(&json, layer, "median_ms", 0.125);
  }
  cr_assert_not(json.failed);
  return json.root;
}

/* Write a page; returns its text, to free. */
static char *write_page(enum sk_page page, const cJSON *document) {
  char *path = path_of("page.html");
  size_t length = 0;
  cr_assert_eq(sk_page_write(path, page, document), SK_OK, "%s", sk_error_message());
  char *text = get_file(path, &length);
  cr_assert_eq(length, strlen(text));
  free(path);
  return text;
}

static size_t count(const char *text, const char *part) {
  size_t found = 0;
  for (const char *at = text; (at = strcasestr(at, part)); at += strlen(part)) found++;
  return found;
}

/* Parse what the page carries between its document's tags, the way a browser finds the end. */
static cJSON *parse_embedded(const char *text) {
  static const char tag[] = "id=\"document\">";
  const char *start = strstr(text, tag);
  cr_assert_not_null(start);
  start += strlen(tag);
  const char *end = strcasestr(start, "</script");
  cr_assert_not_null(end);
  return cJSON_ParseWithLength(start, (size_t)(end - start));
}

static const enum sk_page pages[] = {SK_PAGE_PROFILE, SK_PAGE_COMPARE, SK_PAGE_VERIFY};
#define FOR_EACH_PAGE(i) for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)

Test(page, carries_the_document_as_it_is) {
  cJSON *document = make_document();
  FOR_EACH_PAGE(i) {
    char *text = write_page(pages[i], document);
    cJSON *carried = parse_embedded(text);
    cr_assert(cJSON_Compare(carried, document, true), "page %zu", i);
    cJSON_Delete(carried);
    free(text);
  }
  cJSON_Delete(document);
}

Test(page, has_no_more_tags_for_hostile_strings) {
  static const char *const parts[] = {"<script", "</script", "<!--", "<style"};
  cJSON *empty = cJSON_CreateObject();
  cJSON *document = make_document();
  FOR_EACH_PAGE(i) {
    char *plain = write_page(pages[i], empty);
    char *text = write_page(pages[i], document);
    for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
      cr_assert_eq(count(text, parts[k]), count(plain, parts[k]), "page %zu: %s", i, parts[k]);
    }
    free(plain);
    free(text);
  }
  cJSON_Delete(empty);
  cJSON_Delete(document);
}

Test(page, loads_nothing) {
  cJSON *empty = cJSON_CreateObject();
  FOR_EACH_PAGE(i) {
    char *text = write_page(pages[i], empty);
    const size_t references = count(text, "http:") + count(text, "https:");
    cr_assert_eq(references, count(text, "http://www.w3.org/2000/svg"), "page %zu: %zu references", i, references);
    cr_assert_eq(count(text, " url(") + count(text, ":url(") + count(text, "@import") + count(text, " src="), 0,
                 "page %zu", i);
    cr_assert_eq(count(text, "default-src 'none'"), 1, "page %zu", i);
    free(text);
  }
  cJSON_Delete(empty);
}

Test(page, has_every_part_of_its_template) {
  cJSON *empty = cJSON_CreateObject();
  FOR_EACH_PAGE(i) {
    char *text = write_page(pages[i], empty);
    cr_assert_eq(count(text, "{{"), 0, "page %zu: a part was not put in", i);
    cr_assert_eq(count(text, "function makeTable("), 1, "page %zu", i);
    cr_assert_eq(count(text, "function intervalChart("), 1, "page %zu", i);
    cr_assert_eq(count(text, "color-scheme: light dark;"), 1, "page %zu", i);
    cr_assert_eq(count(text, "function fillRoofline("), pages[i] == SK_PAGE_PROFILE, "page %zu", i);
    cr_assert_eq(count(text, "function fillHeat("), pages[i] == SK_PAGE_COMPARE, "page %zu", i);
    cr_assert_eq(count(text, "function fillHistograms("), pages[i] == SK_PAGE_VERIFY, "page %zu", i);
    cr_assert_not_null(strstr(text, "</html>"), "page %zu", i);
    free(text);
  }
  cJSON_Delete(empty);
}

Test(page, names_the_file_that_cannot_be_written) {
  cJSON *empty = cJSON_CreateObject();
  char *path = path_of("missing/page.html");
  cr_assert_eq(sk_page_write(path, SK_PAGE_PROFILE, empty), SK_IO_ERROR);
  cr_assert_not_null(strstr(sk_error_message(), "missing"), "%s", sk_error_message());
  free(path);
  cJSON_Delete(empty);
}
