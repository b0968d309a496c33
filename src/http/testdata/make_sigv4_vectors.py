#!/usr/bin/env python3
"""Writes sigv4_vectors.json: requests signed by botocore, most of them those of AWS's published Signature Version 4 test
suite (key AKIDEXAMPLE, 2015-08-30T12:36:00Z, us-east-1). Usage: make_sigv4_vectors.py > sigv4_vectors.json"""
import datetime
import hashlib
import json

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

NOW = datetime.datetime(2015, 8, 30, 12, 36, 0, tzinfo=datetime.timezone.utc)
botocore.auth.get_current_datetime = lambda *args, **kwargs: NOW
KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
COGNITO = "AWSCognitoIdentityProviderService"
JSON = "application/x-amz-json-1.1"
BODY = '{"PoolName":"Zürich","Policies":{"PasswordPolicy":{"MinimumLength":8}}}'

CASES = [
    # name, method, target, headers, body, service
    ("get-vanilla", "GET", "/", [], "", "service"),
    ("get-header-key-duplicate", "GET", "/", [("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")], "", "service"),
    ("get-header-value-order", "GET", "/", [("My-Header1", "value4"), ("My-Header1", "value1"), ("My-Header1", "value3"), ("My-Header1", "value2")], "", "service"),
    ("get-header-value-trim", "GET", "/", [("My-Header1", " value1"), ("My-Header2", ' "a   b   c"')], "", "service"),
    ("get-unreserved", "GET", "/-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", [], "", "service"),
    ("get-utf8", "GET", "/%E1%88%B4", [], "", "service"),
    ("get-vanilla-empty-query-key", "GET", "/?Param1=value1", [], "", "service"),
    ("get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", [], "", "service"),
    ("get-vanilla-query-order-value", "GET", "/?Param1=value2&Param1=value1", [], "", "service"),
    ("get-vanilla-query-unreserved", "GET", "/?-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ=-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", [], "", "service"),
    ("get-vanilla-utf8-query", "GET", "/?%E1%88%B4=bar", [], "", "service"),
    ("query-without-value", "GET", "/?b&a=&c=%2F%20", [], "", "service"),
    ("get-relative", "GET", "/example/..", [], "", "service"),
    ("get-relative-relative", "GET", "/example1/example2/../..", [], "", "service"),
    ("get-slash", "GET", "//", [], "", "service"),
    ("get-slash-dot-slash", "GET", "/./", [], "", "service"),
    ("get-slash-pointless-dot", "GET", "/./example", [], "", "service"),
    ("get-slashes", "GET", "//example//", [], "", "service"),
    ("get-space", "GET", "/example%20space/", [], "", "service"),
    ("post-vanilla", "POST", "/", [], "", "service"),
    ("post-vanilla-query", "POST", "/?Param1=value1", [], "", "service"),
    ("post-header-key-case", "POST", "/", [("MY-HEADER1", "VALUE1")], "", "service"),
    ("post-x-www-form-urlencoded", "POST", "/", [("Content-Type", "application/x-www-form-urlencoded")], "Param1=value1", "service"),
    ("cognito", "POST", "/", [("Content-Type", JSON), ("X-Amz-Target", COGNITO + ".CreateUserPool")], BODY, "cognito-idp"),
    ("cognito-empty-object", "POST", "/", [("Content-Type", JSON), ("X-Amz-Target", COGNITO + ".ListUserPools")], "{}", "cognito-idp"),
    ("cognito-content-hash", "POST", "/", [("X-Amz-Target", COGNITO + ".CreateUserPool"), ("X-Amz-Content-SHA256", hashlib.sha256(BODY.encode()).hexdigest())], BODY, "cognito-idp"),
    ("kms", "POST", "/", [("Content-Type", JSON), ("X-Amz-Target", "TrentService.CreateKey")], '{"MultiRegion":true}', "kms"),
]

vectors = []
for name, method, target, headers, body, service in CASES:
    request = AWSRequest(method=method, url="http://example.amazonaws.com" + target, data=body.encode())
    request.headers = HTTPHeaders()
    request.headers.add_header("Host", "example.amazonaws.com")
    for header, value in headers:
        request.headers.add_header(header, value)
    botocore.auth.SigV4Auth(KEYS, service, "us-east-1").add_auth(request)
    vectors.append({"name": name, "method": method, "target": target, "headers": request.headers.items(),
                    "body": body, "service": service})
print("[\n" + ",\n".join(json.dumps(vector) for vector in vectors) + "\n]")
