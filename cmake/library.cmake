# Adds the library from its sources. The project's own build includes this, and so does the CMake package in the wheel,
# whose users compile the sources with their own toolchain: one wheel serves every processor.
# `rlcompress_source_dir` is the folder that holds core/, include/ and the others.

option(RLCOMPRESS_SCALAR_ONLY "Leave the vector instruction sets out: smaller, sooner built, slower, the same bits" OFF)
option(RLCOMPRESS_CONSTANT_WORK "Read the weights of zeros too: a call takes as long whatever the observation" OFF)

# Globbed, so that targets.def and layers.def stay the only lists of targets and layers.
file(GLOB rlcompress_sources CONFIGURE_DEPENDS
  ${rlcompress_source_dir}/core/*.cpp ${rlcompress_source_dir}/layers/*.cpp ${rlcompress_source_dir}/targets/*.cpp)
if(RLCOMPRESS_SCALAR_ONLY)
  list(FILTER rlcompress_sources EXCLUDE REGEX "/targets/")
  list(APPEND rlcompress_sources ${rlcompress_source_dir}/targets/scalar.cpp)
endif()
add_library(rlcompress STATIC ${rlcompress_sources})
add_library(rlcompress::rlcompress ALIAS rlcompress)
target_compile_features(rlcompress PUBLIC cxx_std_17)
target_include_directories(rlcompress
  PUBLIC $<BUILD_INTERFACE:${rlcompress_source_dir}/include> $<INSTALL_INTERFACE:include>
  PRIVATE ${rlcompress_source_dir})
# They come after the user's flags: contracted or reordered sums (-ffast-math, -Ofast) would change results.
# Where nobody chose a configuration, the kernels are optimised all the same.
# In sections of their own, so that -Wl,--gc-sections drops the kernels of ranking and training from what runs models.
target_compile_options(rlcompress PRIVATE
  -ffunction-sections -fdata-sections
  -fno-exceptions -fno-rtti -fno-fast-math -fno-math-errno -ffp-contract=off $<$<STREQUAL:$<CONFIG>,>:-O3>)
target_compile_definitions(rlcompress PRIVATE
  $<$<BOOL:${RLCOMPRESS_SCALAR_ONLY}>:RLCOMPRESS_SCALAR_ONLY>
  $<$<BOOL:${RLCOMPRESS_CONSTANT_WORK}>:RLCOMPRESS_CONSTANT_WORK=1>)
set_target_properties(rlcompress PROPERTIES
  CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
