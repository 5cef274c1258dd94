#include <rlcompress/status.hpp>

namespace rlcompress {

const char* name(Status status) noexcept {
  switch (status) {
#define RLCOMPRESS_STATUS(name, text) \
  case Status::name: return #name;
    RLCOMPRESS_STATUSES(RLCOMPRESS_STATUS)
#undef RLCOMPRESS_STATUS
  }
  return "unknown";
}

const char* message(Status status) noexcept {
  switch (status) {
#define RLCOMPRESS_STATUS(name, text) \
  case Status::name: return text;
    RLCOMPRESS_STATUSES(RLCOMPRESS_STATUS)
#undef RLCOMPRESS_STATUS
  }
  return "unknown status";
}

}  // namespace rlcompress
