// A network between network namespaces, by symbolon_delay_link (tests/network): every end is a place of its own, the test is
// near to all of them, and the ends are far from each other. It is gone with the test, however that ends.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { symbolon } from './lab.mjs';

const program = join(dirname(symbolon), 'symbolon_delay_link');
const network = '10.77.0';
const hereAddress = `${network}.254`;
const outsideVariable = 'SYMBOLON_TEST_OUTSIDE';

// 80 ± 20 ms there and back; each packet is lost with 1 %.
export const farAway = { delayMs: 40, jitterMs: 10, loss: 0.01 };

// The network and mount namespaces that this process is in.
export async function namespaces() {
  return Promise.all(['net', 'mnt'].map((kind) => readlink(`/proc/self/ns/${kind}`)));
}

// What starts a program in network and mount namespaces of its own, and the environment in which it can tell.
export async function apart(environment) {
  const asRoot = process.getuid() === 0 ? [] : ['sudo', '--preserve-env'];
  return {
    prefix: [...asRoot, 'unshare', '--net', '--mount', '--'],
    environment: { ...environment, [outsideVariable]: JSON.stringify(await namespaces()) },
  };
}

// Addresses and mounts that a test makes must not be the machine's.
async function assertApart() {
  const outside = JSON.parse(process.env[outsideVariable] ?? 'null');
  const inside = await namespaces();
  assert.ok(outside && inside.every((name, index) => name !== outside[index]), 'to be run by: node tests/run.mjs faults FILE');
}

export class Network {
  #process;
  #lines;
  #ends = new Map();
  // Commands are answered in their order.
  #last = Promise.resolve();

  // Ends by name; their addresses are 10.77.0.1 and so on, in this order.
  static async start(names, { delayMs, jitterMs, loss, seed = 1, congestionControl } = farAway) {
    await assertApart();
    const made = new Network();
    const flags = { 'delay-ms': delayMs, 'jitter-ms': jitterMs, loss, seed, 'congestion-control': congestionControl };
    made.#process = spawn(program, [
      ...names.flatMap((name, index) => ['--end', `${name}=${network}.${index + 1}`]),
      '--here', hereAddress,
      ...Object.entries(flags).flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag}`, String(value)])),
    ], { stdio: ['pipe', 'pipe', 'inherit'] });
    made.#lines = createInterface({ input: made.#process.stdout })[Symbol.asyncIterator]();
    for (;;) {
      const [word, name, address, path] = (await made.#line()).split(' ');
      if (word === 'ready') return made;
      made.#ends.set(name, { address, path });
    }
  }

  async #line() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('symbolon_delay_link has ended');
    return value;
  }

  address(name) {
    return this.#ends.get(name).address;
  }
  // What runs a program in an end; the process is the program itself.
  enter(name) {
    return ['nsenter', `--net=${this.#ends.get(name).path}`, '--'];
  }

  #command(words) {
    const answer = this.#last.then(async () => {
      this.#process.stdin.write(`${words}\n`);
      const line = await this.#line();
      if (!line.startsWith('ok')) throw new Error(`${words}: ${line}`);
      return line.slice(3);
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  // One direction.
  cut(from, to) {
    return this.#command(`cut ${from} ${to}`);
  }
  // Undoes one cut, or all of them.
  heal(from, to) {
    return this.#command(from ? `heal ${from} ${to}` : 'heal');
  }
  setPath({ delayMs, jitterMs, loss }) {
    return this.#command(`path ${delayMs} ${jitterMs} ${loss}`);
  }
  // { carried, lost, cut, overrun } packets.
  async count() {
    const words = (await this.#command('count')).split(' ');
    return Object.fromEntries(words.flatMap((word, index) => (index % 2 === 0 ? [[word, Number(words[index + 1])]] : [])));
  }

  async end() {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.stdin.end();
    await ended;
  }
}
