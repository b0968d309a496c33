#include "kms_api/call.h"

#include "kms_api/authorisation.h"
#include "model/kms_api_handlers.h"

namespace symbolon::kms_api {

model::ApiResult<std::string> Serve(Call& call, const policy::Caller& caller, const model::OperationFacts& operation,
                                    const wire::Request& request) {
  Call mine = call.For(caller);
  SYMBOLON_TRY_VOID(Authorise(mine, operation, request));
  const Handler handler = FindHandler(operation);
  SYMBOLON_CHECK(handler != nullptr);
  return handler(mine, request);
}

}  // namespace symbolon::kms_api
