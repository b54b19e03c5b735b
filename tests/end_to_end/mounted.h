// A file system of a few kilobytes or megabytes in memory, mounted for one test; nothing of it is left when that ends.
#pragma once

#include <sys/mount.h>

#include <filesystem>
#include <string>

namespace penstock {

class MountedMemory {
 public:
  MountedMemory(std::filesystem::path place, const std::string& size) : place_(std::move(place)) {
    std::filesystem::create_directories(place_);
    mounted_ = mount("tmpfs", place_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
  }
  ~MountedMemory() {
    if (mounted_) umount2(place_.c_str(), MNT_DETACH);
  }
  MountedMemory(const MountedMemory&) = delete;
  MountedMemory& operator=(const MountedMemory&) = delete;

  bool mounted() const { return mounted_; }  // false: this user or container may not mount
  bool resize(const std::string& size) const {
    return mount("tmpfs", place_.c_str(), "tmpfs", MS_REMOUNT, ("size=" + size).c_str()) == 0;
  }
  // Root ignores the permissions of files, but not this.
  bool make_read_only() const { return mount("tmpfs", place_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "") == 0; }

 private:
  std::filesystem::path place_;
  bool mounted_ = false;
};

#define SKIP_UNLESS_MOUNTED(memory) \
  if (!(memory).mounted())          \
  GTEST_SKIP()                      \
      << "not run: mounting a file system is not permitted here (it takes root, and a container that allows it)"

}  // namespace penstock
