"""A small client of the APIs: JSON 1.1 calls, signed (AWS Signature Version 4) when they have to be."""
import datetime
import hashlib
import hmac
import http.client
import json
import time
import urllib.parse

from programs import ACCESS_KEY, REGION, SECRET_KEY

PASSWORD = 'Correct-horse-7'
TARGETS = {'cognito-idp': 'AWSCognitoIdentityProviderService', 'kms': 'TrentService', 'symbolon': 'SymbolonService'}
# Where it is not the service's own.
SIGNING_NAMES = {'symbolon': 'cognito-idp'}


class ApiError(Exception):
    def __init__(self, operation, status, body):
        super().__init__(f'{operation}: {status} {body}')
        self.status = status
        try:
            self.type = json.loads(body).get('__type', '')
        except ValueError:  # a proxy's page
            self.type = ''


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _sign(headers, body, region, service):
    now = datetime.datetime.now(datetime.timezone.utc)
    moment, date = now.strftime('%Y%m%dT%H%M%SZ'), now.strftime('%Y%m%d')
    signed = {name.lower(): value for name, value in headers.items()} | {'x-amz-date': moment}
    names = ';'.join(sorted(signed))
    lines = ''.join(f'{name}:{signed[name]}\n' for name in sorted(signed))
    request = f'POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}'
    scope = f'{date}/{region}/{service}/aws4_request'
    key = ('AWS4' + SECRET_KEY).encode()
    for step in (date, region, service, 'aws4_request'):
        key = _hmac(key, step)
    text = f'AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}'
    signature = _hmac(key, text).hex()
    return headers | {'X-Amz-Date': moment,
                      'Authorization': f'AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, '
                                       f'SignedHeaders={names}, Signature={signature}'}


def headers_of(operation, service='cognito-idp'):
    return {'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': f'{TARGETS[service]}.{operation}'}


def sign_as(region=REGION, service='cognito-idp'):
    """For Load."""
    return f'{ACCESS_KEY}:{SECRET_KEY}:{region}:{service}'


class Api:
    """One endpoint, over one connection that is made again when it has ended."""

    def __init__(self, port, region=REGION, timeout=30, address='127.0.0.1'):
        self.port, self.address, self._region, self._timeout = port, address, region, timeout
        self._connection = None

    def call(self, operation, request, service='cognito-idp', signed=True):
        body = json.dumps(request).encode()
        headers = {'Host': f'{self.address}:{self.port}'} | headers_of(operation, service)
        if signed:
            headers = _sign(headers, body, self._region, SIGNING_NAMES.get(service, service))
        status, answer = self.post('/', headers, body)
        if status != 200:
            raise ApiError(operation, status, answer)
        return json.loads(answer or '{}')

    def post(self, path, headers, body):
        for attempt in range(2):
            fresh = self._connection is None
            if fresh:
                self._connection = http.client.HTTPConnection(self.address, self.port, timeout=self._timeout)
            try:
                self._connection.request('POST', path, body, headers)
                response = self._connection.getresponse()
                return response.status, response.read().decode()
            except (http.client.HTTPException, OSError):
                self.close()
                if fresh or attempt == 1:
                    raise

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # ---- what the figures need ----

    def multi_region_key(self, other_region):
        key = self.call('CreateKey', {'MultiRegion': True}, service='kms')['KeyMetadata']
        deadline = time.monotonic() + 20
        while True:
            try:
                self.call('ReplicateKey', {'KeyId': key['KeyId'], 'ReplicaRegion': other_region}, service='kms')
                return key['Arn']
            except ApiError as error:
                # Regions that are far apart may not have met yet.
                if error.status < 500 or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def create_pool(self, **settings):
        return self.call('CreateUserPool', {'PoolName': 'bench'} | settings)['UserPool']['Id']

    def create_client(self, pool, **settings):
        flows = ['ALLOW_USER_PASSWORD_AUTH', 'ALLOW_REFRESH_TOKEN_AUTH']
        request = {'UserPoolId': pool, 'ClientName': 'bench', 'ExplicitAuthFlows': flows} | settings
        return self.call('CreateUserPoolClient', request)['UserPoolClient']

    def create_user(self, pool, username):
        attributes = {'email': f'{username}@example.com', 'email_verified': 'true'}
        self.call('AdminCreateUser', {'UserPoolId': pool, 'Username': username, 'MessageAction': 'SUPPRESS',
                                      'UserAttributes': [{'Name': n, 'Value': v} for n, v in attributes.items()]})
        self.call('AdminSetUserPassword', {'UserPoolId': pool, 'Username': username, 'Password': PASSWORD, 'Permanent': True})

    def describe_replication(self, pool):
        return self.call('DescribeReplication', {'UserPoolId': pool}, service='symbolon')

    def sign_in(self, client, username):
        request = sign_in_request(client, username)
        return self.call('InitiateAuth', request, signed=False)['AuthenticationResult']


def sign_in_request(client, username):
    return {'AuthFlow': 'USER_PASSWORD_AUTH', 'ClientId': client['ClientId'],
            'AuthParameters': {'USERNAME': username, 'PASSWORD': PASSWORD}}


def form(fields):
    return urllib.parse.urlencode(fields)
