// The contract of storage/store.h as one suite; every engine's test program includes it once and instantiates it:
//   INSTANTIATE_TEST_SUITE_P(, StoreContract, testing::Values(ContractParam{"Memory", MakeMedium}), ContractName);
#pragma once

#include "storage/contract/commits.h"
#include "storage/contract/concurrency.h"
#include "storage/contract/copies.h"
#include "storage/contract/erasure.h"
#include "storage/contract/facts.h"
#include "storage/contract/log.h"
