#include "kms_api/call.h"

#include "model/kms_api_handlers.h"

namespace symbolon::kms_api {

model::ApiResult<std::string> Serve(Call& call, const model::OperationFacts& operation, const wire::Request& request) {
  const Handler handler = FindHandler(operation);
  SYMBOLON_CHECK(handler != nullptr);
  return handler(call, request);
}

}  // namespace symbolon::kms_api
