// EmailConfiguration of a user pool: from whom its e-mails come. Each Region keeps it for itself
// (directory/regional_settings.h).
//
// With COGNITO_DEFAULT and nothing else, whoever delivers the Region's messages names the sender. Otherwise SourceArn
// names an identity as Amazon SES has them, an e-mail address or a domain, and From has to be of it.
#pragma once

#include "cognito/call.h"
#include "delivery/message.h"
#include "model/api_error.h"
#include "model/cognito_shapes.h"

namespace symbolon::cognito {

// Of this Region.
model::cognito::EmailConfigurationType EmailConfigurationOf(Call& call, const directory::pb::PoolRecord& pool);

// Replaces this Region's, as a whole. Errors: InvalidParameterException.
model::ApiResult<void> PutEmailConfiguration(Call& call, const directory::pb::PoolRecord& pool,
                                             const model::cognito::EmailConfigurationType& configuration);

// Whom this Region's e-mails of the pool name.
delivery::Sender SenderOf(Call& call, const directory::pb::PoolRecord& pool);

}  // namespace symbolon::cognito
