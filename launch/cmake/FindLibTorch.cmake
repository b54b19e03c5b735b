# Finds the C++ part of PyTorch's official wheel (or any LibTorch folder) and defines LibTorch::cpu.
#
# The wheel's own TorchConfig.cmake asks for nvcc and switches CUDA on; a CPU build needs three libraries only.
#   PENSTOCK_LIBTORCH   folder that holds `torch/` (a wheel, unpacked by launch/setup) or `include/` and `lib/`
#
# The headers are added with -idirafter: they bundle a copy of fmt that would otherwise shadow the system's fmt,
# which spdlog needs. (-isystem, which CMake's SYSTEM gives, comes before the system's own folders.)

set(PENSTOCK_LIBTORCH "" CACHE PATH "LibTorch folder; default: where launch/setup puts it")
if(NOT PENSTOCK_LIBTORCH)
  if(DEFINED ENV{PENSTOCK_DEPS})
    set(_deps "$ENV{PENSTOCK_DEPS}")
  elseif(DEFINED ENV{XDG_CACHE_HOME})
    set(_deps "$ENV{XDG_CACHE_HOME}/penstock/deps")
  else()
    set(_deps "$ENV{HOME}/.cache/penstock/deps")
  endif()
  set(_root "${_deps}/libtorch-2.11.0")
else()
  set(_root "${PENSTOCK_LIBTORCH}")
endif()

find_path(LibTorch_INCLUDE torch/csrc/api/include/torch/torch.h
  PATHS "${_root}/torch/include" "${_root}/include" NO_DEFAULT_PATH NO_CACHE)
find_library(LibTorch_CPU torch_cpu PATHS "${_root}/torch/lib" "${_root}/lib" NO_DEFAULT_PATH NO_CACHE)
find_library(LibTorch_C10 c10 PATHS "${_root}/torch/lib" "${_root}/lib" NO_DEFAULT_PATH NO_CACHE)
# What libtorch_cpu.so of the CUDA wheel itself needs of CUDA; absent in a CPU-only LibTorch.
file(GLOB _cuda_runtime "${_root}/nvidia/cu13/lib/libcudart.so.*" "${_root}/nvidia/cu13/lib/libcupti.so.*")

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_INCLUDE LibTorch_CPU LibTorch_C10
  REASON_FAILURE_MESSAGE "run launch/setup, or pass -DPENSTOCK_LIBTORCH=DIR")

if(LibTorch_FOUND AND NOT TARGET LibTorch::cpu)
  add_library(LibTorch::cpu INTERFACE IMPORTED)
  target_compile_options(LibTorch::cpu INTERFACE
    "SHELL:-idirafter ${LibTorch_INCLUDE}" "SHELL:-idirafter ${LibTorch_INCLUDE}/torch/csrc/api/include")
  target_link_libraries(LibTorch::cpu INTERFACE "${LibTorch_CPU}" "${LibTorch_C10}" ${_cuda_runtime})
  set(LibTorch_VERSION_FOLDER "${_root}")
endif()
