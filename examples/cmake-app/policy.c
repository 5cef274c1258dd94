/* The same as main.cpp, in C: policy policy.rlc 0.01 -0.02 0.03 0.04
 * cc -std=c99 policy.c $(pkg-config --cflags --libs rlcompress) needs no C++ compiler where the library is installed.
 */
#include <rlcompress/rlcompress.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 256 };

static uint32_t image[1 << 18]; /* 1 MiB at a multiple of 4 */
static rlcompress_model_memory memory;
static float workspace[4096];

static int report(rlcompress_status status) {
  fprintf(stderr, "error: %s\n", rlcompress_message(status));
  return 1;
}

/* False: errno says why. */
static int read_image(const char* path, size_t* bytes) {
  FILE* file = fopen(path, "rb");
  int whole, reason;
  if (file == NULL) return 0;
  *bytes = fread(image, 1, sizeof image, file);
  whole = !ferror(file);
  reason = errno;
  fclose(file);
  errno = reason;
  return whole;
}

int main(int count, char** arguments) {
  float observation[MOST], action[MOST];
  const rlcompress_model* model;
  rlcompress_status status;
  size_t bytes = 0, i, values = 0;
  if (count < 2) {
    fputs("usage: policy policy.rlc OBSERVATION... (numbers, as many as the policy takes)\n", stderr);
    return 2;
  }
  if (!read_image(arguments[1], &bytes)) {
    fprintf(stderr, "error: cannot read %s: %s\n", arguments[1], strerror(errno));
    return 1;
  }
  for (; values + 2 < (size_t)count && values < MOST; ++values) {
    observation[values] = strtof(arguments[values + 2], NULL);
  }

  status = rlcompress_model_open(&memory, sizeof memory, image, bytes, &model, NULL);
  if (status == RLCOMPRESS_OK && rlcompress_action_size(model) > MOST) status = RLCOMPRESS_ACTION_SIZE;
  if (status == RLCOMPRESS_OK) status = rlcompress_self_test(model, workspace, sizeof workspace, NULL);
  if (status == RLCOMPRESS_OK) {
    status =
        rlcompress_run(model, observation, values, action, rlcompress_action_size(model), workspace, sizeof workspace);
  }
  if (status != RLCOMPRESS_OK) return report(status);

  for (i = 0; i < rlcompress_action_size(model); ++i) {
    uint32_t bits;
    memcpy(&bits, &action[i], sizeof bits);
    printf("%08x %.9g\n", (unsigned)bits, (double)action[i]);
  }
  return 0;
}
