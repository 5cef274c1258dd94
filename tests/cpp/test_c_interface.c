/* rlcompress.h from C99: every status that its functions give, on a policy whose path is the argument. */
#include <rlcompress/rlcompress.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

#define CHECK(condition)                                            \
  do {                                                              \
    if (!(condition) && ++failures <= 20) {                         \
      printf("%s:%d: %s failed\n", __FILE__, __LINE__, #condition); \
    }                                                               \
  } while (0)

enum { CAPACITY = 65536, INPUTS = 4, ROWS = 3 };

static uint32_t words[CAPACITY / 4];
static uint32_t changed[CAPACITY / 4 + 2];
static size_t length;
static rlcompress_model_memory memory;
static float workspace[4096];

static uint32_t little(const unsigned char* p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_little(unsigned char* p, uint32_t value) {
  int i;
  for (i = 0; i < 4; ++i) p[i] = (unsigned char)(value >> (8 * i));
}

/* The checksum of docs/format.md. */
static void put_checksum(unsigned char* image, size_t bytes) {
  uint32_t crc = 0xFFFFFFFFu;
  size_t i;
  int bit;
  put_little(image + 12, 0);
  for (i = 0; i < bytes; ++i) {
    crc ^= image[i];
    for (bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
  }
  put_little(image + 12, ~crc);
}

static unsigned char* fresh(void) {
  memcpy(changed, words, sizeof words);
  return (unsigned char*)changed;
}

/* Opens the changed image; a refusal leaves no model and says why. */
static rlcompress_status opened(const void* image, size_t bytes) {
  const rlcompress_model* model = (const rlcompress_model*)&memory;
  rlcompress_fault fault;
  rlcompress_status status;
  memset(&fault, 0x5A, sizeof fault);
  status = rlcompress_model_open(&memory, sizeof memory, image, bytes, &model, &fault);
  CHECK(fault.status == status);
  CHECK((model != NULL) == (status == RLCOMPRESS_OK));
  CHECK(memchr(fault.expected, 0, sizeof fault.expected) != NULL && memchr(fault.found, 0, sizeof fault.found) != NULL);
  CHECK(status == RLCOMPRESS_OK || fault.field[0] != '\0');
  return status;
}

static void check_images(void) {
  unsigned char* image = fresh();
  CHECK(opened(image, length) == RLCOMPRESS_OK);
  memmove(image + 1, image, length);
  CHECK(opened(image + 1, length) == RLCOMPRESS_MISALIGNED_IMAGE);
  CHECK(opened(NULL, length) == RLCOMPRESS_NULL_POINTER);
  CHECK(opened(NULL, 0) == RLCOMPRESS_TRUNCATED);
  image = fresh();
  CHECK(opened(image, length - 4) == RLCOMPRESS_TRUNCATED);
  CHECK(opened(image, length + 4) == RLCOMPRESS_TRAILING_BYTES);
  image[0] ^= 1u;
  CHECK(opened(image, length) == RLCOMPRESS_BAD_MAGIC);
  image = fresh();
  image[40] ^= 1u;
  CHECK(opened(image, length) == RLCOMPRESS_BAD_CHECKSUM);
  image = fresh();
  image[4] = 2;
  CHECK(opened(image, length) == RLCOMPRESS_UNKNOWN_VALUE);
  image = fresh();
  image[6] = 0;
  put_checksum(image, length);
  CHECK(opened(image, length) == RLCOMPRESS_BAD_VALUE);
  image = fresh();
  image[33] = 1;
  put_checksum(image, length);
  CHECK(opened(image, length) == RLCOMPRESS_BAD_PADDING);
}

static void check_memory(void) {
  const rlcompress_model* model = NULL;
  CHECK(rlcompress_model_size() > 0 && rlcompress_model_size() <= sizeof memory);
  CHECK(rlcompress_model_open(&memory, rlcompress_model_size(), words, length, &model, NULL) == RLCOMPRESS_OK);
  CHECK((const void*)model == (const void*)&memory);
  CHECK(rlcompress_model_open(&memory, rlcompress_model_size() - 1, words, length, &model, NULL) ==
        RLCOMPRESS_MODEL_SIZE);
  CHECK(model == NULL);
  CHECK(rlcompress_model_open(memory.bytes + 4, sizeof memory - 4, words, length, &model, NULL) ==
        RLCOMPRESS_MISALIGNED_MODEL);
  CHECK(rlcompress_model_open(NULL, sizeof memory, words, length, &model, NULL) == RLCOMPRESS_NULL_POINTER);
  CHECK(rlcompress_model_open(&memory, sizeof memory, words, length, NULL, NULL) == RLCOMPRESS_NULL_POINTER);
}

static void check_sizes(const rlcompress_model* model) {
  CHECK(rlcompress_input_size(model) == INPUTS && rlcompress_input_size(NULL) == 0);
  CHECK(rlcompress_output_size(model) == 2 && rlcompress_output_size(NULL) == 0);
  CHECK(rlcompress_action_size(model) == 1 && rlcompress_action_size(NULL) == 0);
  CHECK(rlcompress_layer_count(model) >= 1 && rlcompress_layer_count(NULL) == 0);
  CHECK(rlcompress_golden_count(model) >= 1 && rlcompress_golden_count(NULL) == 0);
  CHECK(rlcompress_weights_bytes(model) > 0 && rlcompress_weights_bytes(NULL) == 0);
  CHECK(rlcompress_workspace_bytes(model) > 0 && rlcompress_workspace_bytes(NULL) == 0);
  CHECK(rlcompress_batch_workspace_bytes(model, ROWS) >= ROWS * rlcompress_workspace_bytes(model));
  CHECK(rlcompress_batch_workspace_bytes(NULL, ROWS) == 0);
  CHECK(rlcompress_workspace_bytes(model) <= sizeof workspace);
}

static void check_run(const rlcompress_model* model) {
  const float x[INPUTS] = {0.01F, 0.0F, 0.1F, 0.2F};
  const size_t bytes = rlcompress_workspace_bytes(model);
  float y[1] = {-1.0F};
  CHECK(rlcompress_run(model, x, INPUTS, y, 1, workspace, bytes) == RLCOMPRESS_OK);
  CHECK(y[0] == 1.0F);
  CHECK(rlcompress_run(model, x, 3, y, 1, workspace, bytes) == RLCOMPRESS_OBSERVATION_SIZE);
  CHECK(rlcompress_run(model, x, INPUTS, y, 2, workspace, bytes) == RLCOMPRESS_ACTION_SIZE);
  CHECK(rlcompress_run(model, x, INPUTS, y, 1, workspace, bytes - 1) == RLCOMPRESS_WORKSPACE_SIZE);
  CHECK(rlcompress_run(model, x, INPUTS, y, 1, (char*)workspace + 2, bytes) == RLCOMPRESS_MISALIGNED_WORKSPACE);
  CHECK(rlcompress_run(model, (const float*)((const char*)x + 1), INPUTS, y, 1, workspace, bytes) ==
        RLCOMPRESS_MISALIGNED_ARRAY);
  CHECK(rlcompress_run(model, x, INPUTS, (float*)((char*)y + 2), 1, workspace, bytes) == RLCOMPRESS_MISALIGNED_ARRAY);
  CHECK(rlcompress_run(NULL, x, INPUTS, y, 1, workspace, bytes) == RLCOMPRESS_NULL_POINTER);
  CHECK(rlcompress_run(model, NULL, INPUTS, y, 1, workspace, bytes) == RLCOMPRESS_NULL_POINTER);
  CHECK(rlcompress_run(model, x, INPUTS, NULL, 1, workspace, bytes) == RLCOMPRESS_NULL_POINTER);
  CHECK(rlcompress_run(model, x, INPUTS, y, 1, NULL, bytes) == RLCOMPRESS_NULL_POINTER);
}

static void check_batch(const rlcompress_model* model) {
  float x[ROWS * INPUTS], y[ROWS], one;
  const size_t bytes = rlcompress_batch_workspace_bytes(model, ROWS);
  size_t i;
  for (i = 0; i < ROWS * INPUTS; ++i) x[i] = (float)(i % 5) * 0.1F - 0.2F;
  CHECK(rlcompress_run_batch(model, ROWS, x, ROWS * INPUTS, y, ROWS, workspace, bytes) == RLCOMPRESS_OK);
  for (i = 0; i < ROWS; ++i) {
    CHECK(rlcompress_run(model, x + i * INPUTS, INPUTS, &one, 1, workspace, bytes) == RLCOMPRESS_OK);
    CHECK(memcmp(&one, &y[i], sizeof one) == 0);
  }
  CHECK(rlcompress_run_batch(model, 0, NULL, 0, NULL, 0, workspace, bytes) == RLCOMPRESS_OK);
  CHECK(rlcompress_run_batch(model, ROWS, x, INPUTS, y, ROWS, workspace, bytes) == RLCOMPRESS_OBSERVATION_SIZE);
  CHECK(rlcompress_run_batch(model, ROWS, x, ROWS * INPUTS, y, 1, workspace, bytes) == RLCOMPRESS_ACTION_SIZE);
  CHECK(rlcompress_run_batch(model, (size_t)-1, x, ROWS, y, ROWS, workspace, bytes) == RLCOMPRESS_OBSERVATION_SIZE);
  /* Counts that fit size_t, of floats that no memory holds. */
  const size_t many = (size_t)-1 / (INPUTS * 2);
  CHECK(rlcompress_run_batch(model, many, x, many * INPUTS, y, many, workspace, bytes) == RLCOMPRESS_OBSERVATION_SIZE);
  CHECK(rlcompress_run_batch(model, ROWS, NULL, ROWS * INPUTS, y, ROWS, workspace, bytes) == RLCOMPRESS_NULL_POINTER);
  CHECK(rlcompress_run_batch(model, ROWS, x, ROWS * INPUTS, x, ROWS, workspace, bytes) == RLCOMPRESS_OVERLAP);
  CHECK(rlcompress_run_batch(NULL, ROWS, x, ROWS * INPUTS, y, ROWS, workspace, bytes) == RLCOMPRESS_NULL_POINTER);
}

static void check_self_test(const rlcompress_model* model) {
  unsigned char* image;
  size_t matched = 99, golden_end = length - (little((unsigned char*)words + 28) + 3u) / 4u * 4u;
  CHECK(rlcompress_self_test(model, workspace, sizeof workspace, &matched) == RLCOMPRESS_OK);
  CHECK(matched == rlcompress_golden_count(model));
  CHECK(rlcompress_self_test(model, workspace, 0, NULL) == RLCOMPRESS_WORKSPACE_SIZE);
  CHECK(rlcompress_self_test(NULL, workspace, sizeof workspace, &matched) == RLCOMPRESS_NULL_POINTER && matched == 0);
  image = fresh();
  put_little(image + golden_end - 4, 0x40000000u); /* the last golden action becomes 2 */
  put_checksum(image, length);
  CHECK(rlcompress_model_open(&memory, sizeof memory, image, length, &model, NULL) == RLCOMPRESS_OK);
  CHECK(rlcompress_self_test(model, workspace, sizeof workspace, &matched) == RLCOMPRESS_GOLDEN_MISMATCH);
  CHECK(matched + 1 == rlcompress_golden_count(model));
}

static void check_targets(void) {
  static const char* const names[] = {"avx2", "neon", "scalar"};
  size_t i;
  CHECK(rlcompress_force_target("bogus") == RLCOMPRESS_UNKNOWN_TARGET);
  CHECK(rlcompress_force_target(NULL) == RLCOMPRESS_NULL_POINTER);
  for (i = 0; i < sizeof names / sizeof names[0]; ++i) {
    const rlcompress_status status = rlcompress_force_target(names[i]);
    if (status == RLCOMPRESS_OK) {
      CHECK(strcmp(rlcompress_active_target(), names[i]) == 0);
    } else {
      CHECK(status == RLCOMPRESS_UNAVAILABLE_TARGET || status == RLCOMPRESS_UNKNOWN_TARGET);
    }
  }
  CHECK(strcmp(rlcompress_active_target(), "scalar") == 0);
}

static void check_words(void) {
  rlcompress_status status;
  for (status = RLCOMPRESS_OK; status <= RLCOMPRESS_MISALIGNED_ARRAY; ++status) {
    CHECK(strcmp(rlcompress_name(status), "unknown") != 0);
    CHECK(strcmp(rlcompress_message(status), "unknown status") != 0);
  }
  CHECK(strcmp(rlcompress_name(RLCOMPRESS_MISALIGNED_ARRAY), "misaligned_array") == 0);
  CHECK(strcmp(rlcompress_name(RLCOMPRESS_MISALIGNED_ARRAY + 2), "unknown") == 0);
  CHECK(strcmp(rlcompress_name(-1), "unknown") == 0 && strcmp(rlcompress_message(256), "unknown status") == 0);
  CHECK(strchr(rlcompress_version(), '.') != NULL);
}

int main(int count, char** arguments) {
  const rlcompress_model* model = NULL;
  FILE* file = fopen(count > 1 ? arguments[1] : "", "rb");
  if (file == NULL) return 2;
  length = fread(words, 1, sizeof words, file);
  fclose(file);
  check_images();
  check_memory();
  CHECK(rlcompress_model_open(&memory, sizeof memory, words, length, &model, NULL) == RLCOMPRESS_OK);
  check_sizes(model);
  check_run(model);
  check_batch(model);
  check_self_test(model);
  check_targets();
  check_words();
  if (failures == 0) puts("ok");
  return failures == 0 ? 0 : 1;
}
