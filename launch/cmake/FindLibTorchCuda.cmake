# Finds what libpenstock_cuda.so is made with, and defines LibTorch::cuda and PENSTOCK_NVCC: LibTorch's CUDA part (in the same
# wheel as LibTorch::cpu), a CUDA 13 toolkit with nvcc, and NCCL.
#
#   PENSTOCK_CUDA_TOOLKIT   folder with bin/nvcc; default: nvcc in PATH, /usr/local/cuda, what launch/setup --cuda fetched
#
# nvcc is called by a rule of its own (CMakeLists.txt) instead of CMake's CUDA language: there is one .cu file, and the language
# costs a compiler probe at each configuration and does not know the folders of the wheels.

set(PENSTOCK_CUDA_TOOLKIT "" CACHE PATH "CUDA toolkit; default: that of nvcc in PATH, or where launch/setup --cuda puts it")
get_filename_component(_deps "${LibTorch_VERSION_FOLDER}" DIRECTORY)
set(_fetched "${_deps}/cuda-13.0/nvidia")
set(_extras "${_deps}/cuda-extras-13.0/nvidia")

unset(PENSTOCK_NVCC)
if(PENSTOCK_CUDA_TOOLKIT)
  find_program(PENSTOCK_NVCC nvcc PATHS "${PENSTOCK_CUDA_TOOLKIT}/bin" NO_DEFAULT_PATH NO_CACHE)
else()
  find_program(PENSTOCK_NVCC nvcc PATHS /usr/local/cuda/bin "${_fetched}/cu13/bin" NO_CACHE)
endif()
if(PENSTOCK_NVCC)
  file(REAL_PATH "${PENSTOCK_NVCC}" _nvcc)
  get_filename_component(_bin "${_nvcc}" DIRECTORY)
  get_filename_component(_toolkit "${_bin}" DIRECTORY)
  execute_process(COMMAND "${PENSTOCK_NVCC}" --version OUTPUT_VARIABLE _version ERROR_QUIET)
  string(REGEX MATCH "release ([0-9]+\\.[0-9]+)" _release "${_version}")
  set(LibTorchCuda_VERSION "${CMAKE_MATCH_1}")
endif()

find_path(LibTorchCuda_INCLUDE cuda_runtime_api.h PATHS "${_toolkit}/include" NO_DEFAULT_PATH NO_CACHE)
find_path(LibTorchCuda_NCCL_INCLUDE nccl.h PATHS "${_toolkit}/include" "${_fetched}/nccl/include" /usr/include NO_DEFAULT_PATH NO_CACHE)
find_file(LibTorchCuda_NCCL NAMES libnccl.so.2
  PATHS "${_toolkit}/lib64" "${_toolkit}/lib" "${_fetched}/nccl/lib" "/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}" NO_DEFAULT_PATH NO_CACHE)
get_filename_component(_torch_lib "${LibTorch_CPU}" DIRECTORY)
find_library(LibTorchCuda_TORCH torch_cuda PATHS "${_torch_lib}" NO_DEFAULT_PATH NO_CACHE)
find_library(LibTorchCuda_C10 c10_cuda PATHS "${_torch_lib}" NO_DEFAULT_PATH NO_CACHE)
# LibTorch's headers and libraries are for CUDA 13.
if(LibTorchCuda_VERSION AND NOT LibTorchCuda_VERSION MATCHES "^13\\.")
  set(LibTorchCuda_TORCH LibTorchCuda_TORCH-NOTFOUND)
  set(_reason "nvcc is of CUDA ${LibTorchCuda_VERSION}, LibTorch was built with 13.0; ")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorchCuda
  REQUIRED_VARS PENSTOCK_NVCC LibTorchCuda_INCLUDE LibTorchCuda_NCCL_INCLUDE LibTorchCuda_NCCL LibTorchCuda_TORCH LibTorchCuda_C10
  VERSION_VAR LibTorchCuda_VERSION
  REASON_FAILURE_MESSAGE "${_reason}run launch/setup --cuda, or pass -DPENSTOCK_CUDA_TOOLKIT=DIR")

if(LibTorchCuda_FOUND AND NOT TARGET LibTorch::cuda)
  add_library(LibTorch::cuda INTERFACE IMPORTED)
  target_include_directories(LibTorch::cuda SYSTEM INTERFACE "${LibTorchCuda_INCLUDE}" "${LibTorchCuda_NCCL_INCLUDE}")
  target_link_libraries(LibTorch::cuda INTERFACE LibTorch::cpu "${LibTorchCuda_TORCH}" "${LibTorchCuda_C10}" "${LibTorchCuda_NCCL}")
  # Where the loader looks for what libtorch_cuda.so needs: DT_RPATH of the library that opens it counts for its needs too
  # (DT_RUNPATH would not).
  set(LibTorchCuda_RPATH "${_torch_lib}" "${_extras}/cusparselt/lib" "${_extras}/nvshmem/lib" "${_extras}/cu13/lib"
    "${_toolkit}/lib64" "${_toolkit}/lib" "${_fetched}/cudnn/lib" "${_fetched}/nccl/lib")
endif()
