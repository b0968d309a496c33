// An etcd cluster that is a lab's authority, as etcd itself shows it: its keys, by its own API as JSON, and what a pool's
// register holds (src/replication/authority.proto).
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { join } from 'node:path';

const base64 = (text) => Buffer.from(text).toString('base64');

// The fields of a message of Protocol Buffers: [number, value] of each, a number or octets.
function* fieldsOf(octets) {
  let at = 0;
  const number = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const octet = octets[at++];
      value += (octet & 127) * scale;
      if (octet < 128) return value;
    }
  };
  while (at < octets.length) {
    const key = number();
    const value = number();
    if ((key & 7) === 0) {
      yield [key >> 3, value];
    } else {
      yield [key >> 3, octets.subarray(at, at + value)];
      at += value;
    }
  }
}
const field = (octets, wanted) => [...fieldsOf(octets)].find(([number]) => number === wanted)?.[1];
const text = (octets) => octets?.toString() ?? '';

export class Etcd {
  #agent;
  #address;

  // Asks one member, by the certificate of the lab's first Region.
  static async open(lab) {
    const etcd = new Etcd();
    const certificate = (name) => readFile(join(lab.dir, 'certificates', name));
    const { name } = lab.primary;
    etcd.#agent = new Agent({
      keepAlive: true,
      ca: await certificate('ca.crt'),
      cert: await certificate(`${name}.crt`),
      key: await certificate(`${name}.key`),
    });
    const configuration = await readFile(join(lab.dir, 'regions', name, 'symbolond.toml'), 'utf8');
    const [, host, port] = /endpoints = \["([^:]+):(\d+)"/.exec(configuration);
    etcd.#address = { host, port };
    return etcd;
  }

  #ask(path, body) {
    return new Promise((resolve, reject) => {
      const asking = request({ agent: this.#agent, ...this.#address, path, method: 'POST' }, (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () => (answer.statusCode === 200 ? resolve : reject)(JSON.parse(Buffer.concat(parts))));
        answer.on('error', reject);
      });
      asking.on('error', reject);
      asking.end(JSON.stringify(body));
    });
  }

  // Every key.
  read() {
    return this.#ask('/v3/kv/range', { key: base64('\0'), range_end: base64('\0') });
  }
  put(key) {
    return this.#ask('/v3/kv/put', { key: base64(key), value: '' });
  }

  // Which epoch of which Region may write the pool, whether that has given it up, and the Regions of the in-sync set,
  // ascending; undefined for a pool whose durability is not SYNC.
  async register(poolId) {
    const { kvs } = await this.read();
    const entry = kvs.find(({ key }) => Buffer.from(key, 'base64').toString().endsWith(`/pools/${poolId}`));
    const value = Buffer.from(entry.value, 'base64');
    const epoch = field(value, 1);
    const members = [...fieldsOf(value)].filter(([number]) => number === 4).map(([, member]) => text(field(member, 1)));
    return {
      epoch: field(epoch, 1),
      region: text(field(epoch, 2)),
      released: Boolean(field(value, 2)),
      inSync: field(value, 3) ? members : undefined,
    };
  }

  close() {
    this.#agent.destroy();
  }
}
