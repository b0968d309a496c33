// The floor of a synchronous write's way: one frame over the link between two Regions and an answer to it.
#pragma once

#include <string>

namespace symbolon::bench {

struct FloorRegion {
  std::string config_file;
  // Where it commits to a store of its own before each frame that it sends; empty: it does not.
  std::string store_directory;
};

// Two processes with the Regions of two configuration files: one frame of about a log entry's size goes over the link
// (gRPC, mutual TLS, loopback) and a small one comes back, again and again. Prints one line of JSON; answers the exit
// status. To be called before gRPC has threads.
int RoundTrips(double seconds, const FloorRegion& from, const FloorRegion& to);

}  // namespace symbolon::bench
