// An authenticator app (RFC 6238: SHA-1, 30 seconds, six digits), written from the RFC's text.
import { createHmac } from 'node:crypto';

const stepMs = 30_000;
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function base32Decode(text) {
  const bits = [...text].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from(bits.match(/.{8}/g).map((octet) => Number.parseInt(octet, 2)));
}

export class Authenticator {
  #key;
  #steps = [];

  constructor(secretCode) {
    this.#key = base32Decode(secretCode);
  }

  codeOf(step) {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const mac = createHmac('sha1', this.#key).update(counter).digest();
    const number = mac.readUInt32BE(mac.at(-1) & 0x0f) & 0x7fffffff;
    return String(number % 1_000_000).padStart(6, '0');
  }

  // A code that this object did not give out before and the server still takes: of this step, then of the next one, as
  // an app would show it whose clock is 30 seconds fast. There is no third one in a step.
  code() {
    const now = Math.floor(Date.now() / stepMs);
    const step = [now, now + 1].find((candidate) => !this.#steps.includes(candidate));
    if (step === undefined) throw new Error('both codes of this step are used');
    this.#steps.push(step);
    return this.codeOf(step);
  }

  // One that the server takes for no step.
  wrongCode() {
    const now = Math.floor(Date.now() / stepMs);
    const right = [-2, -1, 0, 1, 2].map((steps) => this.codeOf(now + steps));
    return ['000000', '111111', '222222', '333333', '444444', '555555'].find((code) => !right.includes(code));
  }
}
