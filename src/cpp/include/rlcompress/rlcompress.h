/* The library from C (C99 and later), and from every language that calls C. Link the same library as from C++.
 *
 *   static rlcompress_model_memory memory;           yours; nothing is allocated
 *   static float workspace[4096];                    yours too: one per thread, rlcompress_workspace_bytes(model)
 *   const rlcompress_model *model;
 *   rlcompress_status status = rlcompress_model_open(&memory, sizeof memory, image, image_bytes, &model, NULL);
 *   if (status == RLCOMPRESS_OK) status = rlcompress_self_test(model, workspace, sizeof workspace, NULL);
 *   if (status == RLCOMPRESS_OK)
 *     status = rlcompress_run(model, observation, 4, action, 1, workspace, sizeof workspace);
 *   if (status != RLCOMPRESS_OK) fputs(rlcompress_message(status), stderr);
 *
 * Functions, numbers and structures stay as they are; later versions add to them. */
#ifndef RLCOMPRESS_RLCOMPRESS_H
#define RLCOMPRESS_RLCOMPRESS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a call came to. An int32_t, and not an enum, whose size depends on the compiler's options. */
typedef int32_t rlcompress_status;

enum {
  RLCOMPRESS_OK = 0,
  RLCOMPRESS_MISALIGNED_IMAGE = 1,
  RLCOMPRESS_TRUNCATED = 2,
  RLCOMPRESS_TRAILING_BYTES = 3,
  RLCOMPRESS_BAD_MAGIC = 4,
  RLCOMPRESS_BAD_CHECKSUM = 5,
  RLCOMPRESS_UNKNOWN_VALUE = 6,
  RLCOMPRESS_BAD_VALUE = 7,
  RLCOMPRESS_BAD_PADDING = 8,
  RLCOMPRESS_OBSERVATION_SIZE = 9,
  RLCOMPRESS_ACTION_SIZE = 10,
  RLCOMPRESS_WORKSPACE_SIZE = 11,
  RLCOMPRESS_MISALIGNED_WORKSPACE = 12,
  RLCOMPRESS_GOLDEN_MISMATCH = 13,
  /* 14 to 21 belong to C++ functions that this header does not have. */
  RLCOMPRESS_OVERLAP = 22,
  RLCOMPRESS_UNKNOWN_TARGET = 23,
  RLCOMPRESS_UNAVAILABLE_TARGET = 24,
  RLCOMPRESS_NULL_POINTER = 25,
  RLCOMPRESS_MODEL_SIZE = 26,
  RLCOMPRESS_MISALIGNED_MODEL = 27,
  RLCOMPRESS_MISALIGNED_ARRAY = 28
  /* 29 answers a C++ Model without an image. */
};

/* The identifier ("bad_value") and a sentence about it; static strings, of any number. */
const char* rlcompress_name(rlcompress_status status);
const char* rlcompress_message(rlcompress_status status);

/* The version of the library that is linked: "0.1.0". */
const char* rlcompress_version(void);

/* Why an image was refused. Field names are those of docs/format.md. */
typedef struct rlcompress_fault {
  rlcompress_status status;
  int32_t layer;     /* of the record that holds the field, or -1 */
  const char* field; /* a static string */
  size_t offset;     /* of the first byte of the field or element */
  char expected[56];
  char found[40];
} rlcompress_fault;

/* A network, ready to run. It lies in memory of yours and refers to the image: keep both, unchanged, as long as it is
 * used. There is nothing to close. Any number of threads may use one model, each with its own workspace. */
typedef struct rlcompress_model rlcompress_model;

/* Memory that is enough for a model of any image on any processor; rlcompress_model_size() says what is needed. */
typedef union rlcompress_model_memory {
  uint64_t alignment;
  unsigned char bytes[8192];
} rlcompress_model_memory;

/* Bytes of memory for a model, whatever the image; the memory starts at a multiple of 8. */
size_t rlcompress_model_size(void);

/* Checks the whole image, in place: nothing is copied or allocated. The image starts at a multiple of 4 (64 is faster
 * for wide layers). On refusal *model is null, and `fault`, unless it is null, says why. */
rlcompress_status rlcompress_model_open(void* memory, size_t memory_bytes, const void* image, size_t image_bytes,
                                        const rlcompress_model** model, rlcompress_fault* fault);

/* Sizes of a model; `model` is one that rlcompress_model_open() gave. Observations and actions are counted in floats.
 */
size_t rlcompress_input_size(const rlcompress_model* model);
size_t rlcompress_output_size(const rlcompress_model* model); /* before the head */
size_t rlcompress_action_size(const rlcompress_model* model);
size_t rlcompress_workspace_bytes(const rlcompress_model* model);
size_t rlcompress_batch_workspace_bytes(const rlcompress_model* model, size_t rows);
size_t rlcompress_weights_bytes(const rlcompress_model* model);
size_t rlcompress_layer_count(const rlcompress_model* model);
size_t rlcompress_golden_count(const rlcompress_model* model);

/* One inference. `observation_size` and `action_size` are the model's own, in floats; the workspace has at least
 * rlcompress_workspace_bytes() bytes. All three start at multiples of 4. Observation and action may overlap. */
rlcompress_status rlcompress_run(const rlcompress_model* model, const float* observation, size_t observation_size,
                                 float* action, size_t action_size, void* workspace, size_t workspace_bytes);

/* `rows` inferences, each with the result of rlcompress_run(). Sizes are those of the whole arrays, in floats; arrays
 * that overlap are refused. With rlcompress_batch_workspace_bytes(model, 64) it is as fast as it gets. */
rlcompress_status rlcompress_run_batch(const rlcompress_model* model, size_t rows, const float* observations,
                                       size_t observations_size, float* actions, size_t actions_size, void* workspace,
                                       size_t workspace_bytes);

/* Replays the golden vectors of the image; *matched, unless `matched` is null, counts those before the first that
 * differs in any bit. */
rlcompress_status rlcompress_self_test(const rlcompress_model* model, void* workspace, size_t workspace_bytes,
                                       size_t* matched);

/* The instruction set in use ("avx2"); null where the environment variable RLCOMPRESS_TARGET names none that can run.
 * rlcompress_force_target() takes another one from now on, in every thread; a refused name changes nothing. */
const char* rlcompress_active_target(void);
rlcompress_status rlcompress_force_target(const char* name);

#ifdef __cplusplus
}
#endif

#endif
