/* The peers by name: each is defined in a file of its own, whether what it needs is installed or not. */
#ifndef SK_BENCH_PEERS_PEERS_H
#define SK_BENCH_PEERS_PEERS_H

#include "bench/backend.h"

/* In the process. */
extern const struct sk_backend sk_peer_onednn;
extern const struct sk_backend sk_peer_xnnpack;

/* In processes of their own (process.c). */
extern const struct sk_backend sk_peer_onnxruntime;
extern const struct sk_backend sk_peer_openvino;
extern const struct sk_backend sk_peer_mnn;
extern const struct sk_backend sk_peer_ncnn;
extern const struct sk_backend sk_peer_pytorch;

#endif
