"""A user's whole life through boto3. Arguments: the API's URL, the outbox's URL. Prints "done" at the end."""

import json
import sys
import urllib.request

import boto3

api, outbox = sys.argv[1:3]
cognito = boto3.client(
    "cognito-idp",
    region_name="eu-central-1",
    endpoint_url=api,
    aws_access_key_id="SYMBOLONLAB",
    aws_secret_access_key="symbolon-lab-secret",
)

pool = cognito.create_user_pool(PoolName="boto3", AutoVerifiedAttributes=["email"])["UserPool"]["Id"]
client = cognito.create_user_pool_client(
    UserPoolId=pool, ClientName="boto3", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
)["UserPoolClient"]["ClientId"]

cognito.sign_up(
    ClientId=client,
    Username="ann",
    Password="Correct-horse-7",
    UserAttributes=[{"Name": "email", "Value": "ann@boto3.example.com"}],
)
messages = json.load(urllib.request.urlopen(outbox))["messages"]
code = [message["code"] for message in messages if message["destination"] == "ann@boto3.example.com"][-1]
cognito.confirm_sign_up(ClientId=client, Username="ann", ConfirmationCode=code)

tokens = cognito.initiate_auth(
    ClientId=client,
    AuthFlow="USER_PASSWORD_AUTH",
    AuthParameters={"USERNAME": "ann", "PASSWORD": "Correct-horse-7"},
)["AuthenticationResult"]
user = cognito.get_user(AccessToken=tokens["AccessToken"])
assert user["Username"] == "ann", user
assert {"Name": "email_verified", "Value": "true"} in user["UserAttributes"], user
cognito.initiate_auth(
    ClientId=client, AuthFlow="REFRESH_TOKEN_AUTH", AuthParameters={"REFRESH_TOKEN": tokens["RefreshToken"]}
)
cognito.global_sign_out(AccessToken=tokens["AccessToken"])
try:
    cognito.get_user(AccessToken=tokens["AccessToken"])
    raise AssertionError("a token works after the sign-out")
except cognito.exceptions.NotAuthorizedException:
    pass

created = cognito.describe_user_pool(UserPoolId=pool)["UserPool"]["CreationDate"]
assert created.year >= 2026, created
names = [user["Username"] for page in cognito.get_paginator("list_users").paginate(UserPoolId=pool) for user in page["Users"]]
assert names == ["ann"], names
cognito.delete_user_pool(UserPoolId=pool)
print("done")
