/* Did you mean: which name is the nearest to a word that is none of them. */
#include <criterion/criterion.h>

#include "resnet/suggest.h"

static const char *const names[] = {"resnet18", "resnet50", "resnet152", "resnet20-cifar", "winograd4", "avx2"};

static void assert_suggests(const char *word, const char *expected) {
  const char *nearest = sk_suggest(word, names, sizeof names / sizeof names[0]);
  cr_expect_str_eq(nearest ? nearest : "nothing", expected, "%s: %s, expected %s", word, nearest ? nearest : "nothing",
                   expected);
}

Test(suggest, counts_insertions_deletions_replacements_and_swaps) {
  assert_suggests("resnet51", "resnet50");
  assert_suggests("resnet-50", "resnet50");
  assert_suggests("rsnet152", "resnet152");
  assert_suggests("winogard", "winograd4"); /* a swap and an insertion */
}

Test(suggest, takes_upper_case_for_lower) {
  assert_suggests("ResNet152", "resnet152");
  assert_suggests("AVX2", "avx2");
  assert_suggests("ResNet-50", "resnet50");
}

Test(suggest, the_beginning_of_a_name_stands_for_it) {
  assert_suggests("resnet20", "resnet20-cifar");
  assert_suggests("wino", "winograd4");
  assert_suggests("resnet5", "resnet50");
}

Test(suggest, nothing_where_nothing_is_near) {
  assert_suggests("mobilenet", "nothing");
  assert_suggests("wi", "nothing");
  assert_suggests("x", "nothing");
  assert_suggests("", "nothing");
  assert_suggests("a-word-that-is-longer-than-any-name-of-this-program", "nothing");
}
