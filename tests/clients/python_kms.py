"""A tour of the key service with boto3: python_kms.py ENDPOINT REGION."""

import sys

import boto3
from botocore.exceptions import ClientError

endpoint, region = sys.argv[1:]
kms = boto3.client(
    "kms",
    endpoint_url=endpoint,
    region_name=region,
    aws_access_key_id="SYMBOLONLAB",
    aws_secret_access_key="symbolon-lab-secret",
)


def refused(name, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == name, error
        return
    raise AssertionError(f"expected {name}")


key = kms.create_key(Description="boto3", Tags=[{"TagKey": "by", "TagValue": "boto3"}])["KeyMetadata"]
arn, key_id = key["Arn"], key["KeyId"]
kms.create_alias(AliasName="alias/boto3", TargetKeyId=key_id)
assert kms.describe_key(KeyId="alias/boto3")["KeyMetadata"]["Arn"] == arn
assert kms.list_resource_tags(KeyId=key_id)["Tags"] == [{"TagKey": "by", "TagValue": "boto3"}]

context = {"purpose": "tour"}
sealed = kms.encrypt(KeyId="alias/boto3", Plaintext=b"plain", EncryptionContext=context)["CiphertextBlob"]
opened = kms.decrypt(CiphertextBlob=sealed, EncryptionContext=context)
assert opened["Plaintext"] == b"plain" and opened["KeyId"] == arn
refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=sealed)
data_key = kms.generate_data_key(KeyId=arn, KeySpec="AES_256")
assert kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]

kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=180)
assert kms.get_key_rotation_status(KeyId=key_id)["RotationPeriodInDays"] == 180
kms.rotate_key_on_demand(KeyId=key_id)
pages = kms.get_paginator("list_key_rotations").paginate(KeyId=key_id)
assert [r["RotationType"] for page in pages for r in page["Rotations"]] == ["ON_DEMAND"]
assert kms.decrypt(CiphertextBlob=sealed, EncryptionContext=context)["Plaintext"] == b"plain"

kms.disable_key(KeyId=key_id)
refused("DisabledException", kms.encrypt, KeyId=key_id, Plaintext=b"x")
kms.enable_key(KeyId=key_id)
pages = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1})
assert key_id in [k["KeyId"] for page in pages for k in page["Keys"]]
kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
refused("KMSInvalidStateException", kms.encrypt, KeyId=key_id, Plaintext=b"x")
kms.cancel_key_deletion(KeyId=key_id)
kms.delete_alias(AliasName="alias/boto3")
kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=30)
print("done")
