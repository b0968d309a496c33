// Which facts this module says (replication protocol §5), as types of storage::Space::kFact. Subjects are blind
// indexes, so the store shows nobody's name.
#pragma once

#include <cstdint>

namespace symbolon::auth {

// Numbers are part of the stored format and of the link between Regions.
enum class FactType : std::uint16_t {
  // Of a token family or of what one came from (a session, an SRP block, a code, a TOTP step):
  //   maximum = 1: revoked; region_maximum[R] = 1: redeemed in Region R, and twice redeemed is revoked.
  kFamily = 1,
  // Of a family whose refresh tokens rotate: maximum = (generations redeemed) << 32 | time of the last, in seconds.
  kRotation = 2,
  // Of a user: region_maximum[R] = time of the last sign-out in Region R, in microseconds by R's clock, growing.
  kSignOut = 3,
  // By counting key (counting_key.h): region_maximum[R] = failed attempts in R, packed (lockout.cc).
  kFailedAttempts = 4,
  // By counting key, what is counted and a clock hour: region_maximum[R] = how often in R (codes.cc).
  kHourlyCount = 5,
  // By counting key and purpose: maximum = time of the last request for a code, region_maximum[R]
  // =
  // of the last redemption in R, both in microseconds.
  kLastCode = 6,
  // Of a user, by sub: region_maximum[R] = the last time that the user was disabled in R, region_maximum["-" + R] = the
  // last of these that was lifted, maximum = time of the last of either, all in microseconds (disabling.cc).
  kDisabled = 7,
  // Of a user, by sub: maximum = time of the last sign-in that was noted, in microseconds (activity.cc).
  kLastSignIn = 8,
  // Of a device, by its key: maximum = time of the last sign-in that it proved itself in, in microseconds
  // (activity.cc).
  kDeviceSeen = 9,
  // Of a user of an identity provider who signed in first where their record could not be made: elements = what each
  // Region saw, sealed (first_seen.cc); maximum = 1: the primary found it to be nothing that the provider said.
  kFirstSeen = 12,
};

}  // namespace symbolon::auth
