# The CMake package of an installed wheel: rlcompress::rlcompress, built from the wheel's sources inside your project.
# Find it with -Drlcompress_DIR="$(python -m rlcompress --cmake-dir)".
if(TARGET rlcompress::rlcompress)
  return()
endif()
if(NOT CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  set(rlcompress_FOUND FALSE)
  set(rlcompress_NOT_FOUND_MESSAGE
    "rlcompress needs GCC or Clang as C++ compiler, found '${CMAKE_CXX_COMPILER_ID}'; enable the language CXX in project()")
  return()
endif()
get_filename_component(rlcompress_source_dir "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
include(${CMAKE_CURRENT_LIST_DIR}/library.cmake)
