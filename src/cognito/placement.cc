#include "cognito/placement.h"

#include "model/cognito_operations.h"

namespace symbolon::cognito {
namespace {

using model::Where;
using replication::Role;

bool ChangesMemberState(const model::OperationFacts& operation) {
  return operation.service == model::Service::kCognito &&
         operation.index == static_cast<std::uint16_t>(model::cognito::Operation::kUpdateUserPoolReplica);
}

bool IsActive(const Role& role) { return role.state == replication::pb::ACTIVE; }

}  // namespace

Placement PlacementOf(const model::OperationFacts& operation, const Role& here) {
  if (here.kind == Role::Kind::kPrimary) return Placement::kHere;
  if (ChangesMemberState(operation)) return Placement::kAtPrimary;
  switch (operation.where) {
    case Where::kAnyReplica:
    case Where::kRegionLocal:
    case Where::kRegionalSetting:
      return Placement::kHere;
    case Where::kActiveReplica:
      return IsActive(here) ? Placement::kHere : Placement::kAtActiveReplica;
    case Where::kPrimary:
      return Placement::kAtPrimary;
  }
  return Placement::kAtPrimary;
}

bool MayBePassedOn(const model::OperationFacts& operation) {
  // An operation for ACTIVE replicas may turn out to change the directory: a new password as the answer to a challenge.
  return ChangesMemberState(operation) || operation.where == Where::kPrimary ||
         operation.where == Where::kActiveReplica;
}

bool PassesOn(const model::OperationFacts& operation, const Role& here, bool forward_writes) {
  if (here.kind != Role::Kind::kSecondary || !MayBePassedOn(operation)) return false;
  if (ChangesMemberState(operation)) return true;
  return forward_writes && (operation.who == model::Who::kIam || IsActive(here));
}

}  // namespace symbolon::cognito
