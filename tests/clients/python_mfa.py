"""Sign-in with an authenticator app through boto3. Argument: the API's URL. Prints "done" at the end."""

import base64
import hashlib
import hmac
import struct
import sys
import time

import boto3

cognito = boto3.client(
    "cognito-idp",
    region_name="eu-central-1",
    endpoint_url=sys.argv[1],
    aws_access_key_id="SYMBOLONLAB",
    aws_secret_access_key="symbolon-lab-secret",
)


def code(secret, steps):
    """RFC 6238, `steps` of 30 seconds from now."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30 + steps), hashlib.sha1)
    offset = mac[-1] & 0x0F
    return f"{(struct.unpack_from('>I', mac, offset)[0] & 0x7FFFFFFF) % 1_000_000:06}"


pool = cognito.create_user_pool(PoolName="boto3 with MFA")["UserPool"]["Id"]
cognito.set_user_pool_mfa_config(
    UserPoolId=pool, SoftwareTokenMfaConfiguration={"Enabled": True}, MfaConfiguration="ON"
)
client = cognito.create_user_pool_client(
    UserPoolId=pool, ClientName="boto3", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
)["UserPoolClient"]["ClientId"]
cognito.admin_create_user(UserPoolId=pool, Username="ann", MessageAction="SUPPRESS")
cognito.admin_set_user_password(UserPoolId=pool, Username="ann", Password="Correct-horse-7", Permanent=True)


def sign_in():
    return cognito.initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH",
        ClientId=client,
        AuthParameters={"USERNAME": "ann", "PASSWORD": "Correct-horse-7"},
    )


def respond(name, session, **responses):
    return cognito.respond_to_auth_challenge(
        ClientId=client, ChallengeName=name, Session=session, ChallengeResponses={"USERNAME": "ann", **responses}
    )


setup = sign_in()
assert setup["ChallengeName"] == "MFA_SETUP"
associated = cognito.associate_software_token(Session=setup["Session"])
secret = associated["SecretCode"]
verified = cognito.verify_software_token(Session=associated["Session"], UserCode=code(secret, 0))
assert verified["Status"] == "SUCCESS"
assert "AccessToken" in respond("MFA_SETUP", verified["Session"])["AuthenticationResult"]

challenge = sign_in()
assert challenge["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
used = code(secret, 1)
tokens = respond("SOFTWARE_TOKEN_MFA", challenge["Session"], SOFTWARE_TOKEN_MFA_CODE=used)["AuthenticationResult"]
assert cognito.get_user(AccessToken=tokens["AccessToken"])["UserMFASettingList"] == ["SOFTWARE_TOKEN_MFA"]
try:
    respond("SOFTWARE_TOKEN_MFA", sign_in()["Session"], SOFTWARE_TOKEN_MFA_CODE=used)
    raise AssertionError("a code worked twice")
except cognito.exceptions.ExpiredCodeException:
    pass
cognito.delete_user_pool(UserPoolId=pool)
print("done")
