// What symbolond gives back to the heap is wiped first: request bodies, parsed JSON, opened records and what was copied
// of them are ordinary strings and vectors, of which nothing is to be left in memory when a pool is locked.
//
// Replaces the global operator delete of the whole process, shared libraries included (C++ standard,
// [replacement.functions]); operator new of the standard library allocates by malloc. What C libraries free by
// themselves is theirs: OpenSSL cleanses its keys. Not under AddressSanitizer, which has an allocator of its own.
#include <malloc.h>

#include <cstdlib>
#include <cstring>
#include <new>

#if !defined(__has_feature)
#define __has_feature(feature) 0
#endif

#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)

namespace {

void WipeAndFree(void* memory) noexcept {
  if (memory == nullptr) return;
  ::explicit_bzero(memory, ::malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

void operator delete(void* memory) noexcept { WipeAndFree(memory); }
void operator delete[](void* memory) noexcept { WipeAndFree(memory); }
void operator delete(void* memory, std::size_t) noexcept { WipeAndFree(memory); }
void operator delete[](void* memory, std::size_t) noexcept { WipeAndFree(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { WipeAndFree(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { WipeAndFree(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { WipeAndFree(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { WipeAndFree(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { WipeAndFree(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { WipeAndFree(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { WipeAndFree(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept { WipeAndFree(memory); }

#endif
