/* What `skiplane <command>` does, one file each. Each prints its result on stdout and its error on stderr. */
#ifndef SK_BENCH_COMMANDS_H
#define SK_BENCH_COMMANDS_H

#include "bench/options.h"

enum sk_exit sk_command_info(const struct sk_options *options);
enum sk_exit sk_command_models(const struct sk_options *options);
enum sk_exit sk_command_classify(const struct sk_options *options);
enum sk_exit sk_command_weights(const struct sk_options *options);
enum sk_exit sk_command_export(const struct sk_options *options);
enum sk_exit sk_command_train_head(const struct sk_options *options);
enum sk_exit sk_command_layers(const struct sk_options *options);
enum sk_exit sk_command_profile(const struct sk_options *options);
enum sk_exit sk_command_compare(const struct sk_options *options);
enum sk_exit sk_command_tune(const struct sk_options *options);
enum sk_exit sk_command_verify(const struct sk_options *options);
enum sk_exit sk_command_verify_network(const struct sk_options *options); /* verify --model */

#endif
