#pragma once
#include <c10/core/Allocator.h>
#include <c10/core/Storage.h>

namespace ritzflow::curvature::test {

/// Where the memory behind a pointer of the stand-in device really is; null stays null.
void* host_address(const void* device_address);

/// Allocates memory of the stand-in device, none for 0 bytes.
c10::Allocator& device_allocator();

/// Points `device` at a fresh copy of what `host` holds, of the same size.
void copy_contents(const c10::Storage& host, const c10::Storage& device);

/// A storage of the device with a copy of what `host` holds.
c10::Storage copied_to_device(const c10::Storage& host);

/// The memory of a storage of the device as a storage of the host. It does not keep `device` alive.
c10::Storage seen_from_host(const c10::Storage& device);

}  // namespace ritzflow::curvature::test
