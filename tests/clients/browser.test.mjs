// What a browser needs before it lets a page talk to another origin (CORS).
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Lab } from '../lib/lab.mjs';
import { createPool } from '../lib/pools.mjs';

const lab = await Lab.shared();
const cognito = lab.cognito();
after(() => lab.release());
const pool = await createPool(cognito);
const origin = 'https://app.example.com';

test('the preflight of an API call is allowed', async () => {
  const asked = 'cache-control,content-type,x-amz-target,x-amz-user-agent,authorization,x-amz-date,amz-sdk-request,amz-sdk-invocation-id';
  const response = await fetch(`${lab.primary.api}/`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': asked },
  });
  assert.ok([200, 204].includes(response.status));
  assert.equal(response.headers.get('access-control-allow-origin'), '*');
  assert.match(response.headers.get('access-control-allow-methods'), /POST/);
  const allowed = response.headers.get('access-control-allow-headers').toLowerCase().split(/\s*,\s*/);
  for (const header of asked.split(',')) assert.ok(allowed.includes(header), header);
});

test('answers, errors included, may be read by a page', async () => {
  const response = await fetch(`${lab.primary.api}/`, {
    method: 'POST',
    headers: {
      origin,
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'AWSCognitoIdentityProviderService.GetUser',
    },
    body: JSON.stringify({ AccessToken: 'rubbish' }),
  });
  assert.equal(response.status, 400);
  assert.equal(response.headers.get('access-control-allow-origin'), '*');
  const exposed = response.headers.get('access-control-expose-headers').toLowerCase();
  for (const header of ['x-amzn-requestid', 'x-amzn-errortype']) assert.match(exposed, new RegExp(header));
  assert.equal((await response.json()).__type, 'NotAuthorizedException');
});

test('keys and discovery may be read by a page', async () => {
  for (const document of ['jwks.json', 'openid-configuration']) {
    const response = await fetch(`${lab.primary.api}/${pool.Id}/.well-known/${document}`, { headers: { origin } });
    assert.equal(response.headers.get('access-control-allow-origin'), '*');
  }
});
