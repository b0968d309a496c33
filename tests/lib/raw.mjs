// Requests that no SDK would make: own Signature Version 4, any bytes.
import { createHash, createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { credentials as labCredentials } from './lab.mjs';

// Longer than any operation waits; a Region that is suspended answers nothing.
const callTimeoutMs = 60_000;
const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const hmac = (key, data) => createHmac('sha256', key).update(data).digest();

export const prefixes = {
  cognito: 'AWSCognitoIdentityProviderService.',
  kms: 'TrentService.',
  symbolon: 'SymbolonService.',
};

// Headers with an AWS4-HMAC-SHA256 signature; every part can be given wrongly on purpose.
export function sign({
  url,
  method = 'POST',
  body,
  headers,
  credentials = labCredentials,
  region = 'eu-central-1',
  service = 'cognito-idp',
  date = new Date(),
  unsigned = [],
  signedBody = body,
}) {
  const { host, pathname, searchParams } = new URL(url);
  const amzDate = date.toISOString().replace(/[:-]|\.\d{3}/g, '');
  const all = { ...headers, host, 'x-amz-date': amzDate };
  const signed = Object.keys(all).map((name) => name.toLowerCase()).filter((name) => !unsigned.includes(name)).sort();
  const canonical = [
    method,
    pathname,
    searchParams.toString(),
    ...signed.map((name) => `${name}:${String(all[name]).trim()}`),
    '',
    signed.join(';'),
    sha256(signedBody),
  ].join('\n');
  const scope = `${amzDate.slice(0, 8)}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', amzDate, scope, sha256(canonical)].join('\n');
  let key = `AWS4${credentials.secretAccessKey}`;
  for (const part of scope.split('/')) key = hmac(key, part);
  const signature = createHmac('sha256', key).update(toSign).digest('hex');
  const authorization =
    `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, ` +
    `SignedHeaders=${signed.join(';')}, Signature=${signature}`;
  const { host: _, ...sent } = all;
  return { ...sent, authorization };
}

// One call of the JSON API. `body` may be any text or bytes; { status, error, message, body, headers } comes back.
export async function call(url, operation, body, { signed = true, prefix = prefixes.cognito, headers: more = {}, ...options } = {}) {
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  let headers = { 'content-type': 'application/x-amz-json-1.1', ...more };
  if (operation !== undefined) headers['x-amz-target'] = prefix + operation;
  if (signed) headers = sign({ url: `${url}/`, body: text, headers, ...options });
  const response = await fetch(`${url}/`, { method: 'POST', headers, body: text, signal: AbortSignal.timeout(callTimeoutMs) });
  const answer = await response.text();
  let parsed;
  try {
    parsed = JSON.parse(answer);
  } catch {
    parsed = {};
  }
  return {
    status: response.status,
    error: parsed.__type,
    message: parsed.message,
    body: parsed,
    headers: response.headers,
  };
}

// Sends bytes and reads until the server closes or `enough(text)` is true.
export function exchange(url, bytes, { enough = () => false, halfClose = false, timeoutMs = 20_000 } = {}) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const timer = setTimeout(() => finish(new Error(`no end of the answer within ${timeoutMs} ms: ${text}`)), timeoutMs);
    const finish = (error) => {
      clearTimeout(timer);
      socket.destroy();
      if (error) reject(error);
      else resolve(text);
    };
    socket.once('connect', () => (halfClose ? socket.end(bytes) : socket.write(bytes)));
    socket.on('data', (data) => {
      text += data.toString('latin1');
      if (enough(text)) finish();
    });
    socket.once('end', () => finish());
    socket.once('error', (error) => (error.code === 'ECONNRESET' || error.code === 'EPIPE' ? finish() : finish(error)));
  });
}
