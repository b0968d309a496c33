// What no SDK would send. Each gets a plain answer, and nobody else notices.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { Lab } from '../lib/lab.mjs';
import { createPool } from '../lib/pools.mjs';
import { call, exchange, prefixes, sign } from '../lib/raw.mjs';

const lab = await Lab.shared();
const cognito = lab.cognito();
after(() => lab.release());
const api = lab.primary.api;
const pool = await createPool(cognito);

async function refused(answer, errors, { status = 400, message } = {}) {
  const got = await answer;
  assert.equal(got.status, status, `${got.status} ${got.error} ${got.message}`);
  if (errors) assert.ok([].concat(errors).includes(got.error), `${got.error}: ${got.message}`);
  if (message) assert.match(got.message, message);
  assert.ok(got.headers.get('x-amzn-requestid'));
  return got;
}
const describe = (body, options) => call(api, 'DescribeUserPool', body, options);

test('an answer, good or bad, has AWS\'s headers', async () => {
  const good = await describe({ UserPoolId: pool.Id });
  assert.equal(good.status, 200);
  assert.equal(good.headers.get('content-type'), 'application/x-amz-json-1.1');
  assert.match(good.headers.get('x-amzn-requestid'), /^[0-9a-f-]{36}$/);
  const bad = await describe({ UserPoolId: `${lab.primary.name}_123456789` });
  assert.equal(bad.status, 400);
  assert.match(bad.headers.get('x-amzn-errortype'), /^ResourceNotFoundException:?/);
});

test('what is not JSON, or not an object', async () => {
  for (const body of ['', '{', '{"UserPoolId":', '[]', '"text"', 'null', '{"a":1}}', '{"UserPoolId":"a" "b":1}', '\u0000', '{"\ud800":1}']) {
    await refused(describe(body), ['SerializationException', 'InvalidParameterException']);
  }
  await refused(describe(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])), ['SerializationException', 'InvalidParameterException']);
});

test('members of the wrong type', async () => {
  for (const UserPoolId of [1, true, [], {}, ['x']]) await refused(describe({ UserPoolId }), 'SerializationException');
  await refused(call(api, 'ListUserPools', { MaxResults: 'many' }), 'SerializationException');
  await refused(call(api, 'ListUserPools', { MaxResults: 1.5 }), ['SerializationException', 'InvalidParameterException']);
  await refused(call(api, 'ListUserPools', { MaxResults: 1e300 }), ['SerializationException', 'InvalidParameterException']);
});

test('members that are missing, too long, out of range or of another form: all told at once', async () => {
  await refused(describe({}), 'InvalidParameterException', { message: /^1 validation error detected: .*userPoolId/ });
  await refused(describe({ UserPoolId: null }), 'InvalidParameterException', { message: /userPoolId/ });
  await refused(describe({ UserPoolId: 'no pool' }), 'InvalidParameterException', {
    message: /Value 'no pool' at 'userPoolId' failed to satisfy constraint: Member must satisfy regular expression pattern/,
  });
  await refused(call(api, 'ListUserPools', { MaxResults: 61 }), 'InvalidParameterException', {
    message: /maxResults.* Member must have value less than or equal to 60/,
  });
  await refused(call(api, 'DescribeUserPoolClient', { UserPoolId: 'x', ClientId: '!' }), 'InvalidParameterException', {
    message: /^2 validation errors detected: /,
  });
});

test('members that nobody knows are ignored', async () => {
  const good = await describe({ UserPoolId: pool.Id, FromTheFuture: { a: [1, 2, { b: null }] } });
  assert.equal(good.status, 200);
});

test('operations that nobody knows, and those that are not there yet', async () => {
  await refused(call(api, 'TeleportUser', {}), 'UnknownOperationException');
  await refused(call(api, undefined, {}), ['UnknownOperationException', 'MissingActionException']);
  await refused(call(api, 'DescribeUserPool', {}, { prefix: 'SomeOtherService.' }), 'UnknownOperationException');
  const missing = await call(api, 'CreateUserImportJob', {
    UserPoolId: pool.Id, JobName: 'import', CloudWatchLogsRoleArn: 'arn:aws:iam::111122223333:role/import',
  });
  assert.ok(missing.status >= 400);
  assert.match(missing.message, /CreateUserImportJob/);
});

test('bodies past the bound, and nesting past sense', async () => {
  const huge = JSON.stringify({ UserPoolId: pool.Id, Padding: 'x'.repeat(8 * 1024 * 1024) });
  const answer = await call(api, 'DescribeUserPool', huge).catch(() => ({ status: 413 }));  // may close while we send
  assert.ok([400, 413].includes(answer.status), String(answer.status));
  for (const [open, close] of [['[', ']'], ['{"a":', '}']]) {
    const deep = `{"UserPoolId":"${pool.Id}","X":${open.repeat(8_000)}1${close.repeat(8_000)}}`;
    await refused(describe(deep), ['SerializationException', 'InvalidParameterException']);
  }
});

test('signatures: absent, wrong, stale, foreign, or not over what matters', async () => {
  const body = JSON.stringify({ UserPoolId: pool.Id });
  const code = ['NotAuthorizedException', 'MissingAuthenticationTokenException', 'IncompleteSignatureException',
    'InvalidSignatureException', 'UnrecognizedClientException', 'AccessDeniedException', 'ExpiredTokenException',
    'SignatureDoesNotMatch', 'InvalidClientTokenId'];
  const bad = async (options) => {
    const got = await describe(body, options);
    assert.ok([400, 403].includes(got.status), `${got.status} for ${JSON.stringify(options)}`);
    assert.ok(code.includes(got.error), got.error);
  };
  assert.equal((await describe(body)).status, 200);
  await bad({ signed: false });
  await bad({ credentials: { accessKeyId: 'SYMBOLONLAB', secretAccessKey: 'another-secret' } });
  await bad({ credentials: { accessKeyId: 'NOBODY', secretAccessKey: 'symbolon-lab-secret' } });
  await bad({ date: new Date(Date.now() - 20 * 60_000) });
  await bad({ date: new Date(Date.now() + 20 * 60_000) });
  await bad({ service: 's3' });
  await bad({ region: 'mars-north-1' });
  await bad({ signedBody: '{}' });
  await bad({ unsigned: ['host'] });
  await bad({ unsigned: ['x-amz-date'] });
  await bad({ unsigned: ['x-amz-target'] });
  await bad({ signed: false, headers: { authorization: 'AWS4-HMAC-SHA256 rubbish' } });
  await bad({ signed: false, headers: { authorization: 'Basic U1lNQk9MT05MQUI6eA==' } });
  // A signature for one operation does not open another.
  const target = (operation) => ({ 'x-amz-target': prefixes.cognito + operation });
  const headers = sign({
    url: `${api}/`, body, headers: { 'content-type': 'application/x-amz-json-1.1', ...target('DescribeUserPool') },
  });
  const moved = await fetch(`${api}/`, { method: 'POST', body, headers: { ...headers, ...target('DeleteUserPool') } });
  assert.ok([400, 403].includes(moved.status));
  assert.equal((await describe(body)).status, 200);
});

test('HTTP that is wrong gets a 4xx or a closed connection', async () => {
  const host = new URL(api).host;
  for (const bytes of [
    'rubbish\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: abc\r\n\r\n`,
    `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`,
    `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${'x'.repeat(200_000)}\r\n\r\n`,
    `GET /${'x'.repeat(200_000)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nBad Header: x\r\n\r\n`,
  ]) {
    const answer = await exchange(api, bytes, { enough: (text) => text.includes('\r\n\r\n') });
    assert.match(answer, /^(HTTP\/1\.[01] [45]\d\d |$)/, bytes.slice(0, 60));
  }
});

test('a client that closes its half still gets the answer', async () => {
  const request = `GET /${pool.Id}/.well-known/jwks.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
  const answer = await exchange(api, request, { halfClose: true });
  assert.match(answer, /^HTTP\/1\.1 200 /);
});

test('slow and silent connections hold up nobody', async () => {
  const { hostname, port } = new URL(api);
  const sockets = await Promise.all(
    Array.from({ length: 200 }, (_, index) =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: hostname, port: Number(port) }, () => {
          if (index % 2 === 0) socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{');
          resolve(socket);
        });
        socket.once('error', reject);
      }),
    ),
  );
  for (const socket of sockets) socket.on('error', () => {});
  try {
    assert.equal((await fetch(`${api}/${pool.Id}/.well-known/jwks.json`)).status, 200);
    assert.equal((await describe({ UserPoolId: pool.Id })).status, 200);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});

test('all of it is counted, and the server is well', async () => {
  const metrics = await lab.metrics();
  assert.match(metrics, /^symbolon_requests_total\{[^}]*operation="DescribeUserPool"[^}]*\} \d+/m);
  for (const path of ['/health/live', '/health/ready']) {
    assert.equal((await fetch(lab.primary.operations + path)).status, 200);
  }
  assert.doesNotMatch(metrics, /symbolon-lab-secret|@example\.com/);
});
