# What is installed: into the wheel the sources and the package that compiles them, elsewhere headers and archive.
include(CMakePackageConfigHelpers)
set(version_file ${CMAKE_CURRENT_BINARY_DIR}/rlcompress-config-version.cmake)

if(SKBUILD)
  write_basic_package_version_file(${version_file} COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
  foreach(folder IN ITEMS core include kernels layers targets)
    install(DIRECTORY src/cpp/${folder} DESTINATION rlcompress/cpp
      FILES_MATCHING REGEX "[.](cpp|hpp|h|inl|def)$")
  endforeach()
  install(FILES ${version_file} ${PROJECT_SOURCE_DIR}/cmake/library.cmake DESTINATION rlcompress/cpp/cmake)
  install(FILES ${PROJECT_SOURCE_DIR}/cmake/wheel-config.cmake DESTINATION rlcompress/cpp/cmake
    RENAME rlcompress-config.cmake)
  return()
endif()

include(GNUInstallDirs)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/rlcompress)
install(TARGETS rlcompress EXPORT rlcompress-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY src/cpp/include/rlcompress DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT rlcompress-targets NAMESPACE rlcompress:: DESTINATION ${package_dir})
install(FILES cmake/install-config.cmake DESTINATION ${package_dir} RENAME rlcompress-config.cmake)
write_basic_package_version_file(${version_file} COMPATIBILITY SameMinorVersion)
install(FILES ${version_file} DESTINATION ${package_dir})

# Relative to the file itself: `cmake --install --prefix` and a moved folder both work.
file(RELATIVE_PATH rlcompress_prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" rlcompress_prefix_from_pc "${rlcompress_prefix_from_pc}")
configure_file(cmake/rlcompress.pc.in rlcompress.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/rlcompress.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
