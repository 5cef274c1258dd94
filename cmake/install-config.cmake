# The CMake package of an installation by `cmake --install`.
include(${CMAKE_CURRENT_LIST_DIR}/rlcompress-targets.cmake)
# The library needs nothing of the C++ standard library at run time, so a project of C alone can link it.
foreach(configuration IN ITEMS NOCONFIG DEBUG RELEASE RELWITHDEBINFO MINSIZEREL)
  set_property(TARGET rlcompress::rlcompress PROPERTY IMPORTED_LINK_INTERFACE_LANGUAGES_${configuration} C)
endforeach()
