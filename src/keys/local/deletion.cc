// ScheduleKeyDeletion and CancelKeyDeletion; Tick() deletes.
#include "keys/local/provider_state.h"

namespace symbolon::keys::local {

LocalKeyResult<KeyFactsPointer> LocalKeyProvider::ScheduleDeletion(std::string_view key, int window_days) {
  SYMBOLON_CHECK(window_days >= kDeletionWindowDaysMin && window_days <= kDeletionWindowDaysMax);
  SYMBOLON_TRY(KeyPointer changed,
               state_->ChangeKey(key, State::Tell::kListener, [&](LocalKey& edited) -> LocalKeyResult<void> {
                 KeyFacts& facts = edited.facts;
                 SYMBOLON_TRY_VOID(state_->CheckState(facts, {.disabled = true, .pending_import = true}));
                 facts.deletion_window_days = window_days;
                 // The replicas of a primary go first: only it makes new ones.
                 if (!facts.is_primary_in(state_->region) || facts.replicas.empty()) {
                   facts.deletion = state_->now() + std::chrono::days(window_days);
                 }
                 return {};
               }));
  return FactsOfKey(std::move(changed));
}

LocalKeyResult<KeyFactsPointer> LocalKeyProvider::CancelDeletion(std::string_view key) {
  SYMBOLON_TRY(KeyPointer changed,
               state_->ChangeKey(key, State::Tell::kListener, [&](LocalKey& edited) -> LocalKeyResult<void> {
                 KeyFacts& facts = edited.facts;
                 if (facts.deletion_window_days == 0) {
                   return Err(Error(LocalKeyErrorCode::kNotPendingDeletion, facts.arn + " is not pending deletion"));
                 }
                 // What is due is gone, whether or not its octets are.
                 if (facts.deletion && *facts.deletion <= state_->now()) {
                   return Err(Error(LocalKeyErrorCode::kNotFound, facts.arn + " is deleted"));
                 }
                 facts.deletion.reset();
                 facts.deletion_window_days = 0;
                 facts.disabled = true;
                 return {};
               }));
  return FactsOfKey(std::move(changed));
}

}  // namespace symbolon::keys::local
